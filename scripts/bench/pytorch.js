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
 * milliseconds; `quit` ends the process. An answer that is no number, such as the message of an exception, is an error.
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
  /** Why the process answers no more. @type {Error | undefined} */
  let ended;
  const end = (/** @type {Error} */ error) => {
    ended ??= error;
    for (const fail of failing.splice(0)) fail(error);
  };
  child.on('error', end);
  child.on('exit', (code) => end(new Error(`${python} ${script} ended with code ${code}`)));
  // What is written to a process that has ended: `end` has the reason.
  child.stdin.on('error', () => {});
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
    if (ended) throw ended;
    const line = answer();
    child.stdin.write(`${request}\n`);
    const text = await line;
    const value = Number(text);
    if (text === '' || Number.isNaN(value)) throw new Error(`PyTorch, ${request}: ${text}`);
    return value;
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
