import { type ChildProcessByStdio, execFile, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';

// Other processes cannot import TypeScript, so they run the built package.
const entry = new URL('../../dist/index.js', import.meta.url).href;
const source = (body: string) =>
  `import * as dyconv from '${entry}';\nimport { parentPort, workerData } from 'node:worker_threads';\n${body}`;

/**
 * Runs an ES module, which has the package as `dyconv`, in a separate process; `env` is added to the
 * environment. Rejects unless it exits with 0.
 */
export function runProcess(
  body: string,
  env: Record<string, string> = {},
): Promise<{ stdout: string; stderr: string }> {
  const options = { env: { ...process.env, ...env } };
  return promisify(execFile)(process.execPath, ['--input-type=module', '--eval', source(body)], options);
}

/** Starts such a process, with its output as streams; `args` are its `process.argv` from 1 on. */
export function startProcess(
  body: string,
  args: string[] = [],
): ChildProcessByStdio<null, Readable, Readable> {
  const options = ['--input-type=module', '--eval', source(body), '--', ...args];
  return spawn(process.execPath, options, { stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Starts the same in a worker thread of this process. */
export function startWorker(body: string, workerData?: unknown): Worker {
  return new Worker(new URL(`data:text/javascript,${encodeURIComponent(source(body))}`), { workerData });
}
