/**
 * PyTorch in Python as a contestant: a separate process that runs a step on request, so that it takes turns with dyconv.
 * @module
 */
import { fileURLToPath } from 'node:url';
import { startLineProcess } from './line-process.js';

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
  const { ask, end } = startLineProcess(python, [script, ...args], { ...process.env, ...env });
  await ask(); // its version: it is ready
  return async (request) => {
    if (request === 'quit') {
      void end();
      return 0;
    }
    const text = await ask(request);
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
