/** Swaps whose code never ends: they can be given up, and keep neither later swaps nor the end of a pool waiting. */
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, describe, expect, it } from 'vitest';
// The built package: worker threads cannot load TypeScript.
import {
  ArgumentError,
  full,
  memory,
  nn,
  PoolClosedError,
  SwapTimeoutError,
  serve,
  type Tensor,
  tensor,
  zeros,
} from '../../dist/index.js';
import { settleGarbage } from '../support/garbage.js';
import { limit } from '../support/limit.js';

beforeEach(settleGarbage);

const file = new URL('support/batch-functions.js', import.meta.url);
const endless = new URL('support/endless-module.js', import.meta.url);
const forever = () => new Promise<never>(() => {});
const times = (factor: number) => (x: Tensor) => x.mul(factor);
const answer = async (pool: serve.Pool<serve.TensorInput, Tensor>) => {
  using y = await pool.run(() => tensor([[1, 2, 3]]));
  return y.arraySync();
};
const errorOf = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );
const timeout = (message: string, hasReplaced = false) =>
  expect.objectContaining({
    ...{ name: 'SwapTimeoutError', code: 'ERR_SWAP', hasReplaced },
    message: `The swap did not end within 30 ms: ${message}`,
  });

/** A program of the user, whose `loadStateDict` never ends for a state with the key `hang`. */
function ownProgram(factor = 1): serve.PoolProgram {
  let own = factor;
  return {
    run: async (x) => (x as Tensor).mul(own),
    loadStateDict: async ({ factor, hang }) => {
      own = Number(factor!.item());
      if (hang) await forever();
    },
  };
}

describe('timeoutMs of swap', { timeout: limit(60_000) }, () => {
  it('gives up a function whose warm-up never ends', async () => {
    await using pool = await serve.createPool<Tensor>({ run: times(2), warmup: zeros([1, 3]) });
    const error = await errorOf(pool.swap(forever, { timeoutMs: 30 }));
    expect(error).toBeInstanceOf(SwapTimeoutError);
    expect(error).toEqual(timeout('the new network was not ready, and the pool keeps the old one'));
    expect(await answer(pool)).toEqual([[2, 4, 6]]);
    await pool.swap(times(3), { timeoutMs: limit(20_000) });
    expect(await answer(pool)).toEqual([[3, 6, 9]]);
    expect(pool.metrics().swaps).toBe(1);
  });

  it('counts while an earlier swap runs', async () => {
    await using pool = await serve.createPool<Tensor>({ run: times(2), warmup: zeros([1, 3]) });
    const first = errorOf(pool.swap(forever, { timeoutMs: 400 }));
    const second = errorOf(pool.swap(times(3), { timeoutMs: 30 }));
    const third = pool.swap(times(4));
    expect(await second).toEqual(timeout('an earlier swap had not ended, and the pool keeps its network'));
    expect(await answer(pool)).toEqual([[2, 4, 6]]);
    expect(await first).toBeInstanceOf(SwapTimeoutError);
    await third;
    expect(await answer(pool)).toEqual([[4, 8, 12]]);
    expect(pool.metrics().swaps).toBe(1);
  });

  it('ends when batches of the old network do not, and the new one is used', async () => {
    let release = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const slow = async (x: Tensor) => {
      await released;
      return x.mul(2);
    };
    const before = memory().numTensors;
    const pool = await serve.createPool<Tensor>({ run: slow, replicas: 2, batching: { maxBatch: 1 } });
    const old = answer(pool);
    await sleep(10);
    expect(await errorOf(pool.swap(times(3), { timeoutMs: 30 }))).toEqual(
      timeout('the pool uses the new network, but batches of the old one had not ended', true),
    );
    expect(await answer(pool)).toEqual([[3, 6, 9]]);
    await pool.swap(times(4));
    expect(await answer(pool)).toEqual([[4, 8, 12]]);
    const closed = pool.close();
    release();
    expect(await old).toEqual([[2, 4, 6]]);
    await closed;
    expect(memory().numTensors).toBe(before);
  });

  it('ends when batches with the old weights do not, and they are kept', async () => {
    let release = () => {};
    const program: serve.PoolProgram = {
      ...ownProgram(2),
      run: (x) =>
        new Promise((resolve) => {
          const y = (x as Tensor).mul(2);
          release = () => resolve(y);
        }),
    };
    const pool = await serve.createPool<Tensor>({ program });
    const old = answer(pool);
    await sleep(10);
    expect(await errorOf(pool.swap({ factor: full([], 3) }, { timeoutMs: 30 }))).toEqual(
      timeout('batches with the old weights had not ended, and the pool keeps these weights'),
    );
    release();
    expect(await old).toEqual([[2, 4, 6]]);
    await pool.close();
  });

  it('gives up loadStateDict of a program of the user', async () => {
    await using pool = await serve.createPool<Tensor>({ program: ownProgram() });
    const state = { factor: full([], 5), hang: zeros([]) };
    const swapped = errorOf(pool.swap(state, { timeoutMs: 30 }));
    const waiting = answer(pool);
    expect(await swapped).toEqual(
      timeout(
        'loadStateDict had not ended. The pool keeps its network; its program has the weights that it has',
      ),
    );
    expect(await waiting).toEqual([[5, 10, 15]]);
    await pool.swap({ factor: full([], 6) });
    expect(await answer(pool)).toEqual([[6, 12, 18]]);
  });

  it('ends workers whose module or weights are never loaded', async () => {
    const pool = await serve.createPool<Tensor>({ module: { file } });
    expect(await errorOf(pool.swap({ file: endless }, { timeoutMs: 30 }))).toEqual(
      timeout('the new network was not ready, and the pool keeps the old one'),
    );
    expect(await answer(pool)).toEqual([[6, 6]]);
    const weight = full([2, 3], 2);
    const error = await errorOf(pool.swap({ weight, hang: zeros([]) }, { timeoutMs: 30 }));
    expect(error).toBeInstanceOf(SwapTimeoutError);
    expect(await answer(pool)).toEqual([[6, 6]]);
    await pool.swap({ weight }, { timeoutMs: limit(30_000) });
    expect(await answer(pool)).toEqual([[12, 12]]);
    await pool.close();
  });

  it('changes nothing for a swap that ends in time', async () => {
    const layer = new nn.Linear(3, 1, { bias: false }).eval();
    const program = nn.compile(layer, zeros([1, 3]));
    await using pool = await serve.createPool<Tensor>({ program });
    await pool.swap({ weight: full([1, 3], 2) }, { timeoutMs: limit(20_000) });
    expect(await answer(pool)).toEqual([[12]]);
    await sleep(5);
    await expect(pool.swap({ weight: full([1, 3], 2) }, { timeoutMs: 0 })).rejects.toThrow(ArgumentError);
    await expect(pool.swap(program, { timeout: 5 } as never)).rejects.toThrow("did you mean 'timeoutMs'");
  });
});

describe('close', { timeout: limit(60_000) }, () => {
  it.each<[string, () => serve.PoolOptions, serve.Replacement]>([
    ['a warm-up', () => ({ run: times(1), warmup: zeros([1, 3]) }), forever],
    ['loadStateDict', () => ({ program: ownProgram() }), { factor: full([], 1), hang: zeros([]) }],
    ['a module', () => ({ module: { file } }), { file: endless }],
    ['loadStateDict of a module', () => ({ module: { file } }), { weight: zeros([2, 3]), hang: zeros([]) }],
  ])(
    'gives up a swap of %s that never ends, and answers what waits for it',
    async (_, options, replacement) => {
      const pool = await serve.createPool<Tensor>(options());
      const swaps = [replacement, replacement].map((each) => errorOf(pool.swap(each)));
      await sleep(10);
      const waiting = answer(pool);
      await pool.close();
      expect(await waiting).toEqual('module' in options() ? [[6, 6]] : [[1, 2, 3]]);
      for (const error of await Promise.all(swaps)) expect(error).toBeInstanceOf(PoolClosedError);
      expect(pool.metrics()).toMatchObject({ answered: 1, swaps: 0 });
    },
  );

  it('waits for a swap that ends soon', async () => {
    const slow = async (x: Tensor) => {
      await sleep(20);
      return x.mul(3);
    };
    const pool = await serve.createPool<Tensor>({ run: times(2), warmup: zeros([1, 3]) });
    const swapped = pool.swap(slow);
    await sleep(1);
    await pool.close();
    await expect(swapped).resolves.toBeUndefined();
  });
});
