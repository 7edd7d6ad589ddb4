/**
 * A PyTorch process that trains on the batches that it is sent.
 * @module
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { TrainingError } from '../../dist/index.js';

/**
 * @typedef {{ lr: number, temperature: number | null, weights: string | null, images: Float32Array, labels: BigInt64Array }} SentStep
 * @typedef {{ loss: number, gradNorm: number }} StepResult
 */

/**
 * Starts pytorch_steps.py.
 * @param {string} python - The interpreter.
 * @param {string[]} args - Arguments of pytorch_steps.py.
 * @returns {Promise<{ version: string, step: (step: SentStep) => Promise<StepResult>, close: () => Promise<void> }>}
 */
export async function startReference(python, args) {
  const script = fileURLToPath(new URL('./pytorch_steps.py', import.meta.url));
  const child = spawn(python, [script, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  /** @type {Promise<never>} */
  const ended = new Promise((_, reject) => {
    child.on('error', (error) => reject(new TrainingError(`${python}: ${error.message}`, { cause: error })));
    child.on('close', (code) => reject(new TrainingError(`${python} ${script} ended with code ${code}`)));
  });
  ended.catch(() => {}); // reported by the next read
  child.stdin.on('error', () => {}); // the process has ended, which is reported
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async () => JSON.parse((await Promise.race([lines.next(), ended])).value ?? (await ended));
  const write = async (/** @type {string | Uint8Array} */ bytes) => {
    if (!child.stdin.write(bytes)) await Promise.race([once(child.stdin, 'drain'), ended]);
  };
  const { torch: version } = await answer();
  return {
    version,
    async step({ lr, temperature, weights, images, labels }) {
      await write(`${JSON.stringify({ lr, temperature, weights })}\n`);
      for (const { buffer, byteOffset, byteLength } of [images, labels])
        await write(new Uint8Array(buffer, byteOffset, byteLength));
      return answer();
    },
    async close() {
      child.stdin.end();
      await ended.catch(() => {});
    },
  };
}
