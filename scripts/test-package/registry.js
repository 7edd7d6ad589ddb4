/**
 * A registry on the loopback interface that has the packed tarballs and redirects everything else to the usual one, so that a
 * package manager installs `dyconv` by its name, as it will once that is published. A separate process: the
 * checks wait for their commands.
 *
 * `node registry.js <usual registry> <tarball>...` prints its address, and serves until it is ended.
 * @module
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { basename } from 'node:path';

const [usual, ...tarballs] = process.argv.slice(2);

/** Long before today: some package managers leave aside what is too new. */
const PUBLISHED = '2020-01-01T00:00:00.000Z';

const files = new Map(tarballs.map((file) => [basename(file), readFileSync(file)]));
const manifests = new Map(
  tarballs.map((file) => {
    const { stdout } = spawnSync('tar', ['-xzOf', file, 'package/package.json'], { encoding: 'utf8' });
    const manifest = /** @type {Manifest} */ (JSON.parse(stdout));
    return [manifest.name, { manifest, file: basename(file) }];
  }),
);

const server = createServer((request, response) => {
  const path = request.url?.slice(1) ?? '';
  const name = decodeURIComponent(path.split('?')[0] ?? '');
  const tarball = files.get(name.replace(/^-\//, ''));
  if (tarball) return void response.end(tarball);
  const known = manifests.get(name);
  if (!known) return void response.writeHead(307, { location: new URL(path, usual).href }).end();
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(packument(known, `http://${request.headers.host}/-/`)));
});
server.listen(0, '127.0.0.1', () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  console.log(`http://127.0.0.1:${port}/`);
});

/** @typedef {{ name: string, version: string, scripts?: Record<string, string> }} Manifest */

/** What a registry answers about a package. @param {{ manifest: Manifest, file: string }} known @param {string} base */
function packument({ manifest, file }, base) {
  const { name, version, scripts } = manifest;
  const bytes = files.get(file) ?? Buffer.alloc(0);
  const hash = (/** @type {string} */ algorithm, /** @type {'hex' | 'base64'} */ encoding) =>
    createHash(algorithm).update(bytes).digest(encoding);
  const dist = {
    tarball: `${base}${file}`,
    shasum: hash('sha1', 'hex'),
    integrity: `sha512-${hash('sha512', 'base64')}`,
  };
  const hasInstallScript = scripts?.install !== undefined;
  return {
    name,
    'dist-tags': { latest: version },
    versions: { [version]: { ...manifest, _id: `${name}@${version}`, hasInstallScript, dist } },
    time: { created: PUBLISHED, modified: PUBLISHED, [version]: PUBLISHED },
  };
}
