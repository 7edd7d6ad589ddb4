/**
 * Files left by a killed process: the next one continues from them and never treats an incomplete one as
 * complete.
 */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { type EnsureLibtorchOptions, ensureLibtorch, findLibtorch } from '../../lib/install/libtorch.js';
import { readManifest } from '../../lib/libtorch/cache.js';
import * as support from './support.js';

const { goodWheel, isolated, sendFile, serve, writeTree } = support;

/** Runs `ensureLibtorch` in a process that kills itself in a phase, after `done` bytes. */
async function killedAt(step: string, from: number, options: EnsureLibtorchOptions): Promise<void> {
  const { lock, env, cacheDir, target } = options;
  const module = new URL('../../dist/install/libtorch.js', import.meta.url).href;
  const code = `
    const { ensureLibtorch } = await import(${JSON.stringify(module)});
    const reporter = { line() {}, end() {}, progress(step, done) {
      if (step === ${JSON.stringify(step)} && done >= ${from}) process.kill(process.pid, 'SIGKILL');
    } };
    await ensureLibtorch({ ...${JSON.stringify({ lock, env, cacheDir, target })}, reporter });`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: 'inherit' });
  const signal = await new Promise((done) => child.on('exit', (_code, name) => done(name)));
  expect(signal).toBe('SIGKILL');
}

/** A finished folder, every byte of it. */
function expectWhole(dir: string): void {
  expect(readFileSync(join(dir, 'lib', 'libtorch_cpu.so')).equals(support.LIBRARY)).toBe(true);
  expect(readFileSync(join(dir, 'lib', 'libc10.so'), 'utf8')).toBe('c10');
  expect(readManifest(dir)).toMatchObject({ version: '2.13.0' });
}

it('continues the download of a killed process', async () => {
  const wheel = goodWheel();
  const half = Math.floor(wheel.length / 2);
  let first = true;
  const { base, requests } = await serve((request, response) => {
    if (!first) return sendFile(wheel)(request, response);
    first = false;
    response.writeHead(200, { 'content-length': wheel.length });
    response.write(wheel.subarray(0, half)); // then nothing until the process is killed
  });
  const { options, cacheDir, dir } = isolated(wheel, base);
  await killedAt('Downloading libtorch', half, options);
  expect(existsSync(dir)).toBe(false);
  expect(readdirSync(cacheDir).filter((name) => name.startsWith('libtorch-'))).toEqual([
    'libtorch-2.13.0-cpu.lock',
  ]);
  expect(readFileSync(join(cacheDir, 'downloads', `${support.WHEEL_NAME}.part`))).toHaveLength(half);
  expect((await ensureLibtorch(options)).source).toBe('download');
  const path = `/cpu/${encodeURIComponent(support.WHEEL_NAME)}`;
  expect(requests).toEqual([path, `${path} bytes=${half}-`]);
  expectWhole(dir);
});

it('deletes a damaged file of a killed process', async () => {
  const wheel = goodWheel();
  const { base, requests } = await serve(sendFile(wheel));
  const { options, cacheDir, dir } = isolated(wheel, base);
  // As after a power failure: the length is on the disk, the content is not.
  const part = `downloads/${support.WHEEL_NAME}.part`;
  writeTree(cacheDir, { [part]: Buffer.alloc(Math.floor(wheel.length / 2)) });
  expect((await ensureLibtorch(options)).source).toBe('download');
  expect(requests.map((request) => request.includes('bytes='))).toEqual([true, false]);
  expectWhole(dir);
});

it('does not use files of a process killed while unpacking, and does not download again', async () => {
  const wheel = goodWheel();
  const { base, requests } = await serve(sendFile(wheel));
  const { options, cacheDir, dir } = isolated(wheel, base);
  await killedAt('Unpacking libtorch', 1, options);
  expect(existsSync(dir)).toBe(false);
  // The first library is complete, the others are not: the folder must not be accepted.
  const [staging] = readdirSync(cacheDir).filter((name) => name.startsWith('.staging-'));
  expect(existsSync(join(cacheDir, staging!, 'lib', 'libtorch_cpu.so'))).toBe(true);
  expect(findLibtorch({ lock: options.lock, env: { DYCONV_CUDA: 'off' }, cacheDir })).toBeUndefined();
  expect((await ensureLibtorch(options)).source).toBe('download');
  expect(requests).toHaveLength(1);
  expectWhole(dir);
});
