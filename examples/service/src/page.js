/**
 * The page: three files that load nothing from elsewhere.
 * @module
 */
import { readFile } from 'node:fs/promises';

/** @import { FastifyInstance } from 'fastify' */

/** Path, file, media type. */
const FILES = [
  ['/', 'index.html', 'text/html; charset=utf-8'],
  ['/page.css', 'page.css', 'text/css; charset=utf-8'],
  ['/page.js', 'page.js', 'text/javascript; charset=utf-8'],
];

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' blob: data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Adds the page at `/`. @param {FastifyInstance} app */
export async function addPage(app) {
  for (const [path = '', file = '', type = ''] of FILES) {
    const text = await readFile(new URL(`../public/${file}`, import.meta.url));
    app.get(path, { schema: { hide: true } }, async (_request, reply) =>
      reply
        .type(type)
        .headers({
          'content-security-policy': POLICY,
          'x-content-type-options': 'nosniff',
          'cache-control': 'no-cache',
        })
        .send(text),
    );
  }
}
