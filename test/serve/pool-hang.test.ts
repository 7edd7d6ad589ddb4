/** Functions that do not return: they must not keep a pool from swapping and closing. */
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, describe, expect, it } from 'vitest';
// The built package: worker threads cannot load TypeScript.
import { memory, ones, serve, type Tensor } from '../../dist/index.js';
import { settleGarbage } from '../support/garbage.js';
import { limit } from '../support/limit.js';

beforeEach(settleGarbage);

const file = new URL('support/batch-functions.js', import.meta.url);
const nameOf = (error: Error) => error.name;
const valuesOf = (y: Tensor) => {
  using own = y;
  return own.arraySync();
};

describe('a batch that nobody waits for and that does not end', { timeout: limit(30_000) }, () => {
  it.each(['hang', 'spin'])('ends its worker, which is replaced: %s', async (name) => {
    const pool = await serve.createPool({ module: { file, export: name }, inputs: 'values' });
    expect(await pool.run('forever', { timeoutMs: 20 }).catch(nameOf)).toBe('RequestTimeoutError');
    expect(pool.metrics()).toMatchObject({ running: 0, runningBatches: 1, workerExits: 0 });
    expect(await pool.run(7, { timeoutMs: limit(20_000) })).toBe(7);
    expect(pool.metrics()).toMatchObject({
      answered: 1,
      timedOut: 1,
      workerExits: 1,
      retried: 0,
      crashed: 0,
    });
    expect(await pool.run('forever', { timeoutMs: 20 }).catch(nameOf)).toBe('RequestTimeoutError');
    await pool.swap({ file, export: 'echo' });
    expect(await pool.run('forever')).toBe('forever');
    await pool.close();
    expect(pool.metrics()).toMatchObject({ answered: 2, runningBatches: 0, workerExits: 2 });
  });

  it('keeps a worker that returns soon', async () => {
    const pool = await serve.createPool({ module: { file, export: 'slow' }, inputs: 'values' });
    const threads = [await pool.run(0)];
    expect(await pool.run(100, { timeoutMs: 20 }).catch(nameOf)).toBe('RequestTimeoutError');
    threads.push(await pool.run(0));
    await sleep(1200);
    threads.push(await pool.run(0));
    expect(new Set(threads).size).toBe(1);
    expect(pool.metrics().workerExits).toBe(0);
    await pool.close();
  });

  const forever = () => new Promise<never>(() => {});
  const once = <A extends unknown[], R>(fn: (...args: A) => R) => {
    let calls = 0;
    return (...args: A) => (calls++ === 0 ? forever() : fn(...args));
  };
  const double = async (x: serve.TensorInput) => (x as Tensor).mul(2);
  // Inputs that remain: of the request, and the copy of it that the code of the user got.
  it.each<[string, () => serve.PoolOptions, number]>([
    ['a function', () => ({ run: once((x: Tensor) => x.mul(2)) }), 2],
    ['a program of the user', () => ({ program: { run: once(double) } }), 2],
    [
      'its runBatch',
      () => ({ program: { run: double, runBatch: once((all) => Promise.all(all.map(double))) } }),
      1,
    ],
  ])('frees the replica of %s', async (_, source, inputs) => {
    const before = memory().numTensors;
    const pool = await serve.createPool<Tensor>({ ...source(), batching: { maxBatch: 1 } });
    const row = () => ones([1, 2]);
    const [lost, answered] = [pool.run(row, { timeoutMs: 20 }), pool.run(row)];
    expect(await lost.catch(nameOf)).toBe('RequestTimeoutError');
    expect(valuesOf(await answered)).toEqual([[2, 2]]);
    await pool.close();
    expect(pool.metrics()).toMatchObject({ answered: 1, timedOut: 1, runningBatches: 0 });
    expect(memory().numTensors).toBe(before + inputs);
  });

  it.each<[string, () => serve.PoolOptions]>([
    ['a function', () => ({ run: forever })],
    ['a program of the user', () => ({ program: { run: forever, loadStateDict: () => {} } })],
  ])('does not keep a pool of %s from swapping and closing', async (_, source) => {
    const pool = await serve.createPool<Tensor>(source());
    using x = ones([1, 2]);
    expect(await pool.run(x, { timeoutMs: 20 }).catch(nameOf)).toBe('RequestTimeoutError');
    await pool.swap((source().run ?? source().program)!);
    expect(await pool.run(x, { timeoutMs: 20 }).catch(nameOf)).toBe('RequestTimeoutError');
    await pool.close();
    expect(pool.metrics()).toMatchObject({ runningBatches: 0, timedOut: 2, swaps: 1 });
  });

  it('is freed with its result when it ends later', async () => {
    const before = memory().numTensors;
    const pool = await serve.createPool<Tensor>({
      run: async (x: Tensor) => {
        await sleep(1400);
        return x.mul(2);
      },
    });
    expect(await pool.run(() => ones([1, 2]), { timeoutMs: 20 }).catch(nameOf)).toBe('RequestTimeoutError');
    await pool.close();
    expect(memory().numTensors).toBe(before + 2);
    await sleep(600);
    expect(memory().numTensors).toBe(before);
  });
});

it('an input whose preparation does not end takes no place in the queue after its time limit', async () => {
  const run = (x: Tensor) => x.mul(2);
  const pool = await serve.createPool<Tensor>({ run, batching: { maxBatch: 1, maxQueue: 2 } });
  const forever = () => new Promise<never>(() => {});
  const lost = [1, 2, 3].map(() => pool.run(forever, { timeoutMs: 20 }).catch(nameOf));
  expect(await Promise.all(lost)).toEqual(new Array(3).fill('RequestTimeoutError'));
  const row = () => ones([1, 2]);
  // It may still use the processor.
  expect(await pool.run(row).catch(nameOf)).toBe('OverloadedError');
  await sleep(1200);
  expect(valuesOf(await pool.run(row))).toEqual([[2, 2]]);
  await pool.close();
});
