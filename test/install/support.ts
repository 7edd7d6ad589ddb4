/**
 * A small substitute for the PyTorch wheel, a lock that pins it, and a loopback server that serves it correctly
 * or not.
 * @module
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { EnsureLibtorchOptions } from '../../lib/install/libtorch.js';
import type { Reporter } from '../../lib/install/reporter.js';
import { downloadSource } from '../../lib/install/sources.js';
import type { LibtorchLock } from '../../lib/libtorch/lock.js';
import { type ZipEntry, zip } from '../support/zip.js';

export const WHEEL_NAME = 'torch-2.13.0+cpu-cp311-cp311-linux_x86_64.whl';
export const LIBRARY = Buffer.from('not a real library '.repeat(20_000));

export function versionHeader(version: string): string {
  const [major, minor, patch] = version.split('.');
  return [
    `#define TORCH_VERSION_MAJOR ${major}`,
    `#define TORCH_VERSION_MINOR ${minor}`,
    `#define TORCH_VERSION_PATCH ${patch}`,
  ].join('\n');
}

/** Contents of the wheel: files that are installed and files that are not. */
export function wheelEntries(version = '2.13.0'): ZipEntry[] {
  return [
    { name: 'torch/lib/libtorch_cpu.so', content: LIBRARY },
    { name: 'torch/lib/libc10.so', content: 'c10' },
    { name: 'torch/lib/libtorch_python.so', content: 'of no use without Python' },
    { name: 'torch/include/ATen/ATen.h', content: '#pragma once\n' },
    { name: 'torch/include/torch/headeronly/version.h', content: versionHeader(version) },
    { name: 'torch/share/cmake/Torch/TorchConfig.cmake', content: '# cmake\n' },
    { name: 'torch/nn/__init__.py', content: 'pass\n' },
    { name: 'torch-2.13.0+cpu.dist-info/licenses/LICENSE', content: 'BSD\n' },
    { name: 'torch-2.13.0+cpu.dist-info/RECORD', content: '' },
  ];
}

/** A lock that pins `wheel`; nothing listens at its address unless the test gives another. */
export function lockFor(wheel: Buffer, base = 'http://127.0.0.1:9', archive?: Buffer): LibtorchLock {
  return {
    version: '2.13.0',
    accepts: { from: '2.11', to: '2.14' },
    base,
    zipBase: `${base}/zips`,
    artifacts: {
      'linux-x64-cpu': {
        tried: true,
        url: `{base}/cpu/${encodeURIComponent(WHEEL_NAME)}`,
        file: WHEEL_NAME,
        size: wheel.length,
        sha256: createHash('sha256').update(wheel).digest('hex'),
        ...(archive && {
          zip: {
            url: '{base}/cpu/libtorch.zip',
            file: 'libtorch.zip',
            size: archive.length,
            sha256: createHash('sha256').update(archive).digest('hex'),
          },
        }),
        pip: { requirement: 'torch==2.13.0+cpu', pythonVersion: '3.11' },
        libraries: ['libtorch_cpu.so', 'libc10.so'],
      },
    },
  };
}

export const goodWheel = (): Buffer => zip(wheelEntries());

/** A temporary folder that is removed after the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'dyconv-install-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Writes files to a folder, by relative name. */
export function writeTree(folder: string, files: Record<string, string | Buffer>): string {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  return folder;
}

/** A `PATH` whose first `python3` is this shell script. */
export function fakePython(script: string): string {
  const folder = writeTree(temporaryFolder(), { python3: `#!/bin/sh\n${script}\n` });
  chmodSync(join(folder, 'python3'), 0o755);
  return [folder, process.env.PATH].join(delimiter);
}

/** Starts a loopback server; returns its address and the requests. */
export async function serve(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
  tls?: { key: Buffer; cert: Buffer },
): Promise<{ base: string; requests: string[]; server: Server }> {
  const requests: string[] = [];
  const listener = (request: IncomingMessage, response: ServerResponse) => {
    requests.push(`${request.url}${request.headers.range ? ` ${request.headers.range}` : ''}`);
    answer(request, response);
  };
  const server = tls ? createSecureServer(tls, listener) : createServer(listener);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const scheme = tls ? 'https' : 'http';
  return { base: `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}`, requests, server };
}

/** Serves `content` from the requested byte on. */
export function sendFile(content: Buffer) {
  return (request: IncomingMessage, response: ServerResponse): void => {
    const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    response.writeHead(start > 0 ? 206 : 200, {
      'content-length': content.length - start,
      ...(start > 0 ? { 'content-range': `bytes ${start}-${content.length - 1}/${content.length}` } : {}),
    });
    response.end(content.subarray(start));
  };
}

/** Waits until a file has this many bytes: data in transit is lost if the connection is cut. */
export async function arrived(file: string, bytes: number): Promise<void> {
  while ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) < bytes) {
    await new Promise((done) => setTimeout(done, 10));
  }
}

/** Collects the messages. */
export function recordingReporter(): Reporter & { lines: string[]; steps: Set<string> } {
  const lines: string[] = [];
  const steps = new Set<string>();
  return {
    lines,
    steps,
    line: (text) => void lines.push(text),
    progress: (step) => void steps.add(step),
    end() {},
  };
}

/** Options that isolate the test: an empty environment, a separate cache, downloads only. */
export function isolated(wheel: Buffer, base: string, more: Partial<EnsureLibtorchOptions> = {}) {
  const cacheDir = join(temporaryFolder(), 'cache');
  const reporter = recordingReporter();
  const dir = join(cacheDir, 'libtorch-2.13.0-cpu');
  const options: EnsureLibtorchOptions = {
    lock: lockFor(wheel, base),
    env: {},
    cacheDir,
    target: 'linux-x64',
    sources: [downloadSource],
    reporter,
    ...more,
  };
  return { options, cacheDir, dir, reporter };
}

/** Lines of code for {@link child}: the rest runs as an unprivileged user. */
export const AS_NOBODY = 'if (process.getuid() === 0) { process.setegid(65534); process.seteuid(65534); }';

/**
 * Runs `ensureLibtorch` of dist/ in a separate process.
 *
 * @param before - Code that runs after the modules are loaded.
 */
export function child(
  options: EnsureLibtorchOptions,
  { before = '', env: own = {} as NodeJS.ProcessEnv } = {},
): Promise<{ code: number | null; output: string }> {
  const module = new URL('../../dist/install/libtorch.js', import.meta.url).href;
  const { lock, env, cacheDir, target } = options;
  const code = `
    import { writeFileSync } from 'node:fs';
    const { ensureLibtorch } = await import(${JSON.stringify(module)});
    await import('undici');
    ${before}
    const lines = [];
    const reporter = { line: (text) => lines.push(text), progress() {}, end() {} };
    try {
      const { source } = await ensureLibtorch({ ...${JSON.stringify({ lock, env, cacheDir, target })}, reporter });
      console.log(JSON.stringify({ source, lines }));
    } catch (error) {
      console.log(JSON.stringify({ error: error.message, lines }));
      process.exitCode = 1;
    }`;
  const process_ = spawn(process.execPath, ['--input-type=module', '-e', code], {
    env: { ...process.env, ...own },
  });
  let output = '';
  for (const stream of [process_.stdout, process_.stderr]) {
    stream.on('data', (chunk) => {
      output += chunk;
    });
  }
  return new Promise((done) => process_.on('close', (status) => done({ code: status, output })));
}
