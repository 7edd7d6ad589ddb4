/** `train.js` in two processes, started by `dyconv launch`. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { loadSafetensors } from '../../lib/formats/safetensors.js';
import { limit } from '../support/limit.js';
import { startCommand } from './support.js';

const script = (name: string) => fileURLToPath(new URL(`../../scripts/${name}.js`, import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'dyconv-train-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Batch norm and dropout. A rate so small that rounding is not amplified. */
const OPTIONS = [
  ...['--dataset', 'bundled', '--model', 'mobilenet_v3_small', '--image-size', '32', '--threads', '1'],
  ...['--batch-size', '16', '--limit-train', '64', '--limit-test', '32', '--lr', '0.001'],
];

const train = (out: string, ...options: string[]) => [...OPTIONS, '--out', join(folder, out), ...options];

async function run(args: string[], env: Record<string, string> = {}) {
  return startCommand(process.execPath, args, { OMP_NUM_THREADS: '1', ...env }).ended;
}

const launch = (options: string[], args: string[], env?: Record<string, string>) =>
  run([script('dyconv'), 'launch', '--nproc', '2', ...options, script('train'), ...args], env);

const weights = (out: string) => loadSafetensors(join(folder, out, 'last.safetensors'));

const epochs = (out: string) =>
  readFileSync(join(folder, out, 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
    .filter(({ type }) => type === 'epoch');

describe('train.js in two processes', () => {
  it(
    'trains as one process does, with the same batches',
    async () => {
      // Dropout draws other numbers in each process.
      const options = ['--model-options', '{"dropout":0}', '--epochs', '1'];
      const [pair, one] = [
        await launch([], train('pair', ...options)),
        await run([script('train'), ...train('one', ...options)]),
      ];
      expect([pair.code, one.code, pair.stderr]).toEqual([0, 0, expect.any(String)]);
      const [a, b] = [await weights('pair'), await weights('one')];
      expect(Object.keys(a)).toEqual(Object.keys(b));
      const norm = (x: number[]) => Math.sqrt(x.reduce((sum, value) => sum + value, 0));
      const squares = Object.keys(a).map((key) => Number(a[key]!.sub(b[key]!).square().sum().item()));
      expect(norm(squares) / norm(Object.values(b).map((x) => Number(x.square().sum().item())))).toBeLessThan(
        1e-4,
      );
      const [first, second] = [epochs('pair')[0], epochs('one')[0]];
      expect(first.train.loss).toBeCloseTo(second.train.loss, 2);
    },
    limit(120_000),
  );

  it(
    'goes on after a process was killed, and ends with the weights of an undisturbed run',
    async () => {
      const undisturbed = await launch([], train('calm', '--epochs', '3'));
      expect(undisturbed.code).toBe(0);
      // Rank 1 of the first attempt kills itself when the first checkpoint is there.
      const killer = join(folder, 'killer.mjs');
      writeFileSync(
        killer,
        `import { existsSync } from 'node:fs';
if (process.env.RANK === '1' && process.env.TORCHELASTIC_RESTART_COUNT === '0')
  setInterval(() => existsSync(${JSON.stringify(join(folder, 'killed', 'last.state'))}) && process.kill(process.pid, 'SIGKILL'), 1);
`,
      );
      const killed = await launch(['--max-restarts', '2'], train('killed', '--epochs', '3'), {
        NODE_OPTIONS: `--import ${pathToFileURL(killer)}`,
      });
      expect(killed.stderr).toContain('launch: rank 1 ended with 137; restart 1 of 2');
      expect({ code: killed.code, stderr: killed.stderr }).toMatchObject({ code: 0 });
      expect(epochs('killed').map(({ epoch }) => epoch)).toEqual([1, 2, 3]);
      const [a, b] = [await weights('killed'), await weights('calm')];
      for (const key of Object.keys(b)) expect(a[key]!.equal(b[key]!), key).toBe(true);
    },
    limit(180_000),
  );

  it('refuses a batch that cannot be divided, and --find-lr', async () => {
    const [odd, rate] = await Promise.all([
      launch([], train('odd', '--epochs', '1', '--batch-size', '15')),
      launch(
        [],
        [...train('rate', '--epochs', '1', '--find-lr')].filter((word) => !/^(--lr|0.001)$/.test(word)),
      ),
    ]);
    expect(odd.code).toBe(1);
    expect(odd.stderr).toContain(
      'Expected a multiple of the number of processes, 2, for --batch-size but received 15',
    );
    expect(rate.code).toBe(1);
    expect(rate.stderr).toContain('Expected --find-lr in a single process');
  });
});
