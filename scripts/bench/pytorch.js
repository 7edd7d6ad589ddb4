/**
 * PyTorch in Python as a contestant: a separate process that runs a step on request, so that it takes turns with dyconv.
 * @module
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** Memory settings under which PyTorch itself trains fastest on Linux: freed memory is kept instead of returned. */
export const MALLOC_KEEP = { MALLOC_MMAP_MAX_: '0', MALLOC_TRIM_THRESHOLD_: '100000000000' };

/**
 * @param {string} python - The interpreter. @param {string[]} args - Arguments of pytorch_reference.py.
 * @param {Record<string, string>} [env]
 * @returns {Promise<(request: string) => Promise<number>>} Sends a request such as `train static` and gives its
 * milliseconds; `quit` ends the process.
 */
export async function startPyTorch(python, args, env = {}) {
  const script = fileURLToPath(new URL('./pytorch_reference.py', import.meta.url));
  const child = spawn(python, [script, ...args], {
    env: { ...process.env, ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  /** @type {((line: string) => void)[]} */
  const waiting = [];
  /** @type {((error: Error) => void)[]} */
  const failing = [];
  createInterface({ input: child.stdout }).on('line', (line) => {
    failing.shift();
    waiting.shift()?.(line);
  });
  child.on('error', (error) => failing.splice(0).forEach((fail) => void fail(error)));
  child.on('exit', (code) =>
    failing.splice(0).forEach((fail) => void fail(new Error(`${python} ${script} ended with code ${code}`))),
  );
  const answer = () =>
    new Promise((resolve, reject) => {
      waiting.push(resolve);
      failing.push(reject);
    });
  const ready = answer();
  await ready;
  return async (request) => {
    if (request === 'quit') {
      child.stdin.end();
      return 0;
    }
    const line = answer();
    child.stdin.write(`${request}\n`);
    return Number(await line);
  };
}

/**
 * Contestants `pytorch:<mode>` of one Python process.
 * @param {{ python: string, modes: string[], args: string[], env?: Record<string, string>, label?: string }} options
 * @returns {Promise<Record<string, import('./turns.js').Contestant>>}
 */
export async function pytorchContestants({ python, modes, args, env, label = 'pytorch' }) {
  const ask = await startPyTorch(python, [...args, '--modes', modes.join(',')], env);
  return Object.fromEntries(
    modes.map((mode) => [
      `${label}:${mode}`,
      {
        infer: () => ask(`infer ${mode}`),
        train: () => ask(`train ${mode}`),
        release: () => void ask('quit'),
      },
    ]),
  );
}
