/** Programs of TorchScript in pools: their files do not say which batch sizes they take. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  ArgumentError,
  exportTorchScript,
  full,
  loadTorchScript,
  memory,
  ShapeError,
  serve,
  type Tensor,
  type TorchScriptProgram,
  zeros,
} from '../../lib/index.js';
import { settleGarbage } from '../support/garbage.js';
import { sumTimes, valuesOf } from './support/eager-program.js';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dyconv-foreign-'));
  const network = sumTimes(1).eval();
  await exportTorchScript(network, zeros([1, 3]), join(folder, 'free.pt'));
  for (const rows of [1, 2]) {
    const file = join(folder, `fixed${rows}.pt`);
    await exportTorchScript(network, zeros([rows, 3]), file, { dynamicBatch: false });
  }
});
afterAll(() => rm(folder, { recursive: true }));
beforeEach(settleGarbage);

const load = (name: string) => loadTorchScript(join(folder, name));
const six = (pool: serve.Pool<serve.TensorInput, Tensor>, rows: number) =>
  Promise.all(Array.from({ length: 6 }, () => pool.run(() => full([rows, 3], 1)).then(valuesOf)));
const answers = (rows: number) => new Array(6).fill(new Array(rows).fill([3, 3]));

/** A program that computes at most some rows at once, as an export with `Dim(max=...)` does. */
function limitTo(program: TorchScriptProgram, most: number): void {
  const { startBatch } = program;
  vi.spyOn(program, 'startBatch').mockImplementation(function (this: TorchScriptProgram, requests, threads) {
    const rows = (requests as readonly Tensor[]).reduce((sum, { shape }) => sum + shape[0]!, 0);
    if (rows > most) throw new ShapeError(`${rows} rows`);
    return startBatch.call(this, requests, threads);
  });
}

describe('the warm-up', () => {
  it.each([1, 2])('finds a fixed batch size of %i', async (rows) => {
    using program = await load(`fixed${rows}.pt`);
    using warmup = zeros([rows, 3]);
    const before = memory().numTensors;
    const pool = await serve.createPool<Tensor>({ program, warmup, replicas: 2 });
    expect(await six(pool, rows)).toEqual(answers(rows));
    expect(pool.metrics()).toMatchObject({ batchSizes: { [rows]: 6 }, retried: 0, failed: 0 });
    await pool.close();
    expect(memory().numTensors).toBe(before);
  });

  it('finds the largest of many sizes', async () => {
    for (const most of [1, 2, 5, 6, 7]) {
      using program = await load('free.pt');
      limitTo(program, most);
      const batching = { maxBatch: 7 };
      const options = { program, warmup: zeros([1, 3]) };
      await using pool = await serve.createPool<Tensor>(options);
      await six(pool, 1);
      const sizes = Object.keys(pool.metrics().batchSizes).map(Number);
      expect(Math.max(...sizes)).toBe(Math.min(most, 6));
      expect(pool.metrics().retried).toBe(0);
      const given = serve.createPool<Tensor>({ ...options, batching });
      if (most < 7) await expect(given).rejects.toThrow(`Expected at most ${most}, the most rows`);
      else await (await given).close();
    }
  });

  it('leaves a free batch size free', async () => {
    using program = await load('free.pt');
    await using pool = await serve.createPool<Tensor>({ program, warmup: zeros([1, 3]) });
    expect(await six(pool, 1)).toEqual(answers(1));
    expect(pool.metrics().batchSizes).toEqual({ 6: 1 });
  });

  it('refuses a maxBatch that the program does not take, also in a swap', async () => {
    using fixed = await load('fixed1.pt');
    using program = await load('free.pt');
    const options = { batching: { maxBatch: 8 }, warmup: zeros([1, 3]) };
    const error = await serve.createPool({ ...options, program: fixed }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ArgumentError);
    expect((error as Error).message).toBe(
      'Expected at most 1, the most rows of the warm-up input that the program computes at once (its file was exported with a limit) for batching.maxBatch but received 8 (number)',
    );
    expect((error as Error).cause).toBeInstanceOf(ShapeError);
    await using pool = await serve.createPool<Tensor>({ ...options, program });
    await expect(pool.swap(fixed)).rejects.toThrow('Expected at most 1');
    expect(await six(pool, 1)).toEqual(answers(1));
    expect(pool.metrics().batchSizes).toEqual({ 6: 1 });
  });
});

describe('without a warm-up', () => {
  it('a pool halves its batches until the program computes them', async () => {
    const warnings: (Error & { code?: string })[] = [];
    const listen = (warning: Error) => void warnings.push(warning);
    process.on('warning', listen);
    using program = await load('fixed1.pt');
    await using pool = await serve.createPool<Tensor>({ program, name: 'photos' });
    for (let i = 0; i < 3; i++) expect(await six(pool, 1)).toEqual(answers(1));
    const { retried } = pool.metrics();
    expect(await six(pool, 1)).toEqual(answers(1));
    expect(pool.metrics()).toMatchObject({ retried, failed: 0, answered: 24 });
    process.off('warning', listen);
    expect(warnings.map(({ code }) => code)).toEqual(['DYCONV_BATCH_SIZE', 'DYCONV_BATCH_SIZE']);
    expect(warnings[1]!.message).toContain(
      'The program of the pool "photos" does not compute 3 rows at once, and gets at most 1 from now on: runBatch: AssertionError: Expected shape [1, 3]',
    );
  });

  it('a request that fails by itself says nothing about batches', async () => {
    using program = await load('free.pt');
    const { startBatch } = program;
    vi.spyOn(program, 'startBatch').mockImplementation(function (
      this: TorchScriptProgram,
      requests,
      threads,
    ) {
      if ((requests as readonly Tensor[]).some((x) => x.isnan().any().item()))
        throw new ArgumentError('not a number');
      return startBatch.call(this, requests, threads);
    });
    await using pool = await serve.createPool<Tensor>({ program });
    const bad = pool.run(() => full([1, 3], Number.NaN)).catch((error: Error) => error.message);
    expect(await six(pool, 1)).toEqual(answers(1));
    expect(await bad).toBe('not a number');
    expect(await six(pool, 1)).toEqual(answers(1));
    expect(pool.metrics()).toMatchObject({ batchSizes: { 1: 7, 6: 1, 7: 1 }, retried: 7 });
  });
});

it('a program of the user computes one batch at a time in each replica', async () => {
  let running = 0;
  let most = 0;
  const runBatch = async (requests: readonly serve.TensorInput[]) => {
    most = Math.max(most, ++running);
    await new Promise((resolve) => setTimeout(resolve, 1));
    running--;
    return requests.map((x) => (x as Tensor).mul(3));
  };
  const program: serve.PoolProgram = { run: async (x) => (x as Tensor).mul(3), runBatch };
  await using pool = await serve.createPool<Tensor>({ program, batching: { maxBatch: 2 } });
  expect(await six(pool, 1)).toEqual(new Array(6).fill([[3, 3, 3]]));
  expect(most).toBe(1);
});
