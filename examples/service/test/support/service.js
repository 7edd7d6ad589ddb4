/**
 * The service as a process, and a trained network for it.
 * @module
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import sharp from 'sharp';
import { commandLines, folder } from './readme.js';

const dyconv = dirname(createRequire(import.meta.url).resolve('dyconv/package.json'));

/**
 * Trains AlexNet-DY on a few of the bundled images, with the command of README.md.
 * @returns {Promise<{ path: string, remove(): Promise<void> }>} The run directory.
 */
export async function trainRun() {
  const parent = await mkdtemp(join(tmpdir(), 'dyconv-service-'));
  const path = join(parent, 'dy');
  const command = (await commandLines()).find((line) => line.startsWith('npx dyconv train '));
  const few = `${command} --epochs 1 --limit-train 64 --limit-test 16`.replace(/ --epochs 8| --out \S+/g, '');
  const args = [...few.split(' ').slice(2), '--out', path];
  await promisify(execFile)(process.execPath, [join(dyconv, 'scripts', 'dyconv.js'), ...args]);
  return { path, remove: () => rm(parent, { recursive: true }) };
}

/**
 * Starts `server.js` on a free port and waits until it listens.
 * @param {Record<string, string>} env Settings.
 */
export async function startService(env) {
  const child = spawn(process.execPath, ['server.js'], {
    cwd: folder,
    env: { ...process.env, PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = once(child, 'exit').then(([code, signal]) => code ?? signal);
  let errors = '';
  child.stderr.on('data', (text) => {
    errors += text;
  });
  /** @type {{ level: number, msg: string }[]} */
  const log = [];
  /** @type {string} */
  const url = await new Promise((resolve, reject) => {
    createInterface(child.stdout).on('line', (line) => {
      log.push(JSON.parse(line));
      const address = /listening at (http:\S+)/.exec(log.at(-1)?.msg ?? '')?.[1];
      if (address) resolve(address);
    });
    void exited.then((code) => reject(new Error(`The service ended with ${code}: ${errors}`)));
  });
  return {
    url,
    log,
    exited,
    /** Text of stderr: nothing is expected there. */
    errors: () => errors,
    /** @param {NodeJS.Signals} signal */
    kill: (signal) => child.kill(signal),
    /** Waits until `/readyz` succeeds. */
    async ready() {
      while (!(await fetch(`${url}/readyz`)).ok) await new Promise((resolve) => setTimeout(resolve, 20));
    },
    /** Ends it and gives its exit code, or the signal that ended it. */
    async stop() {
      child.kill('SIGTERM');
      return exited;
    },
  };
}

/** @typedef {Awaited<ReturnType<typeof startService>>} Service */

/** An image with edges. @param {'png' | 'jpeg' | 'webp' | 'gif' | 'tiff'} format @param {{ width?: number, height?: number }} [size] */
export function image(format, { width = 60, height = 40 } = {}) {
  const pixels = Buffer.alloc(width * height * 3, 40);
  for (let i = 0; i < pixels.length; i += 7) pixels[i] = 200;
  return sharp(pixels, { raw: { width, height, channels: 3 } })
    .toFormat(format)
    .toBuffer();
}

/**
 * `POST /predict` with the bytes as the body.
 * @param {string} url @param {Uint8Array} body @param {{ type?: string, query?: string, signal?: AbortSignal }} [options]
 */
export function post(url, body, { type = 'image/png', query = '', ...options } = {}) {
  return fetch(`${url}/predict${query}`, {
    ...options,
    method: 'POST',
    headers: { 'content-type': type },
    body: new Uint8Array(body),
  });
}

/** `POST /predict` with a form. @param {string} url @param {[name: string, bytes: Uint8Array][]} files */
export function postForm(url, files) {
  const form = new FormData();
  for (const [name, bytes] of files) form.append(name, new Blob([new Uint8Array(bytes)]), 'photo');
  return fetch(`${url}/predict`, { method: 'POST', body: form });
}
