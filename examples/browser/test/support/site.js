/**
 * The page: built as README.md says, served, and opened in Chromium.
 * @module
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { chromium } from 'playwright-core';
import { preview } from 'vite';

/** @import { Browser, Page } from 'playwright-core' */

const CANDIDATES = [
  process.env.CHROMIUM,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
];
const executablePath = CANDIDATES.find((path) => path && existsSync(path));

/** Whether this machine has a browser; a text for titles where it has none. */
export const hasChromium = executablePath !== undefined;
export const skipped = hasChromium ? '' : ' (skipped: no chromium on this machine)';

/** The folder of the example. */
export const folder = fileURLToPath(new URL('../..', import.meta.url));

export const launch = () =>
  chromium.launch({ executablePath: String(executablePath), args: ['--no-sandbox', '--disable-gpu'] });

/** Runs `build.js`. @param {string[]} args @returns {Promise<string>} What it prints. @throws With `code` and `stderr`. */
export async function build(...args) {
  const { stdout } = await promisify(execFile)(process.execPath, ['build.js', ...args], { cwd: folder });
  return stdout;
}

/** Serves a folder on a free port. @param {string} root */
export async function serve(root) {
  const server = await preview({
    configFile: false,
    logLevel: 'silent',
    root,
    build: { outDir: root },
    preview: { host: '127.0.0.1', port: 0 },
  });
  const address = server.httpServer.address();
  if (address === null || typeof address === 'string') throw new Error('Expected a port');
  return { url: `http://127.0.0.1:${address.port}/`, close: () => server.close() };
}

/** Drops a file, or nothing, on the page. @param {Page} page @param {string} name @param {string} type @param {Uint8Array} [bytes] */
export async function dropOn(page, name, type, bytes) {
  const base64 = bytes && Buffer.from(bytes).toString('base64');
  const dataTransfer = await page.evaluateHandle(
    ([name = '', type = '', base64]) => {
      const transfer = new DataTransfer();
      if (base64 !== undefined) {
        const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
        transfer.items.add(new File([bytes], name, { type }));
      }
      return transfer;
    },
    [name, type, base64],
  );
  await page.dispatchEvent('body', 'dragover', { dataTransfer });
  await page.dispatchEvent('#drop', 'drop', { dataTransfer });
}

/** The rows of a list: name, number, text and width of the bar. @param {Page} page @param {string} selector */
const rowsOf = (page, selector) =>
  page.$$eval(`${selector} .row`, (list) =>
    list.map((row) => {
      const value = row.querySelector('data');
      const bar = row.querySelector('.bar');
      return {
        name: row.querySelector('.name')?.textContent ?? '',
        value: Number(value?.value),
        text: value?.textContent ?? '',
        width: bar instanceof HTMLElement ? bar.style.width : '',
      };
    }),
  );

/** Opens the page and gathers what it complains about and asks for from elsewhere. @param {Browser} browser @param {string} url */
export async function open(browser, url) {
  const page = await browser.newPage({ viewport: { width: 800, height: 900 } });
  /** @type {string[]} */
  const complaints = [];
  page.on('console', (message) => complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('request', (request) => {
    if (!request.url().startsWith(url) && !/^(data|blob):/.test(request.url()))
      complaints.push(request.url());
  });
  await page.goto(url);
  return {
    page,
    complaints,
    /** @param {string} name @param {string} type @param {Uint8Array} [bytes] */
    drop: (name, type, bytes) => dropOn(page, name, type, bytes),
    /** Waits for the answer. */
    async answer() {
      await page.waitForSelector('#result:not([hidden])');
      const layers = await page.$$eval('#layers dt', (list) => list.map((node) => node.textContent));
      const shares = layers.map((_, i) => rowsOf(page, `#layers dd:nth-of-type(${i + 1})`));
      return { classes: await rowsOf(page, '#classes'), layers, shares: await Promise.all(shares) };
    },
  };
}
