import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { limit } from '../support/limit.js';

const script = fileURLToPath(new URL('../../scripts/bench.js', import.meta.url));

// `node scripts/bench.js serve --soak 15` runs for longer.
it(
  'a service loses no request when workers end, clients leave, weights are swapped and the queue is full',
  async () => {
    const args = [script, 'serve', '--soak', '0.2', '--clients', '8', '--model', 'alexnet', '--json'];
    const { stdout } = await promisify(execFile)(process.execPath, args).catch((error) => {
      throw new Error(`${error.stderr}\n${error.stdout}`);
    });
    const { ok, faults, requests, workerExits, swaps, answers } = JSON.parse(stdout);
    expect(faults).toEqual([]);
    expect(ok).toBe(true);
    expect(requests).toBeGreaterThan(50);
    expect(workerExits).toBeGreaterThan(0);
    expect(swaps).toBeGreaterThan(0);
    expect(answers['good: answered']).toBeGreaterThan(0);
  },
  limit(120_000),
);
