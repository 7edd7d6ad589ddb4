import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import {
  ArgumentError,
  CheckpointError,
  memory,
  nn,
  PoolClosedError,
  RequestTimeoutError,
  serve,
  type Tensor,
} from '../../lib/index.js';
import { settleGarbage } from '../support/garbage.js';
import { EagerProgram, row, settled, sumTimes } from './support/eager-program.js';

beforeEach(settleGarbage);

describe('timeoutMs and signal', () => {
  it('remove a queued request from the queue', async () => {
    const program = new EagerProgram(sumTimes(1), 40);
    await using pool = await serve.createPool({ program, batching: { maxBatch: 1 }, timeoutMs: 5000 });
    using x = row();
    const controller = new AbortController();
    const before = memory().numTensors;
    const answers = [
      settled(pool.run(x)),
      settled(pool.run(x, { timeoutMs: 5 })),
      settled(pool.run(x, { signal: controller.signal })),
    ];
    expect(pool.metrics().queued).toBe(2);
    setTimeout(() => controller.abort(new RangeError('gone')), 5);
    expect(await Promise.all(answers)).toEqual([[[6, 6]], 'ERR_TIMEOUT', 'RangeError']);
    expect(program.batches).toEqual([1]);
    expect(memory().numTensors).toBe(before);
    expect(pool.metrics()).toMatchObject({ accepted: 3, answered: 1, timedOut: 1, aborted: 1 });
  });

  it('discard the result of a running request', async () => {
    const program = new EagerProgram(sumTimes(1), 30);
    // A full batch starts at once.
    await using pool = await serve.createPool({ program, batching: { maxBatch: 3 } });
    using x = row();
    const controller = new AbortController();
    const before = memory().numTensors;
    const answers = [
      settled(pool.run(x)),
      settled(pool.run(x, { timeoutMs: 10 })),
      settled(pool.run(x, { signal: controller.signal })),
    ];
    setTimeout(() => controller.abort(), 10);
    expect(await Promise.all(answers)).toEqual([[[6, 6]], 'ERR_TIMEOUT', 20]); // 20: the code of an AbortError
    expect(program.batches).toEqual([3]);
    expect(memory().numTensors).toBe(before);
  });

  it('cancel a batch without pending requests', async () => {
    const program = new EagerProgram(sumTimes(1), 20);
    await using pool = await serve.createPool({ program, batching: { maxBatch: 1 } });
    using x = row();
    expect(await settled(pool.run(x, { timeoutMs: 5 }))).toBe('ERR_TIMEOUT');
    await sleep(40);
    expect(program.batches).toEqual([]);
    expect(pool.metrics()).toMatchObject({ running: 0, runningBatches: 0, timedOut: 1, failed: 0 });
  });

  it('name the limit and where the request was', async () => {
    const program = new EagerProgram(sumTimes(1), 20);
    await using pool = await serve.createPool({ program, timeoutMs: 5, batching: { maxBatch: 1 } });
    using x = row();
    const errors = await Promise.all([1, 2].map(() => pool.run(x).catch((reason: unknown) => reason)));
    for (const [i, where] of ['running', 'waiting in the queue'].entries()) {
      expect(errors[i]).toBeInstanceOf(RequestTimeoutError);
      expect((errors[i] as Error).message).toBe(`The request was not answered within 5 ms: it was ${where}`);
    }
  });

  it('refuse a request whose signal is aborted already', async () => {
    await using pool = await serve.createPool({ run: (x: Tensor) => x });
    using x = row();
    const reason = new Error('before');
    await expect(pool.run(x, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(pool.metrics().accepted).toBe(0);
  });

  it('dispose an input that was prepared too late', async () => {
    await using pool = await serve.createPool({ run: (x: Tensor) => x });
    const before = memory().numTensors;
    const late = pool.run(
      async () => {
        await sleep(20);
        return row();
      },
      { timeoutMs: 5 },
    );
    expect(await settled(late)).toBe('ERR_TIMEOUT');
    expect(pool.metrics().queued).toBe(0);
    await sleep(30);
    expect(memory().numTensors).toBe(before);
  });
});

describe('swap', () => {
  it('replaces weights between batches, without dropping a request', async () => {
    const program = new EagerProgram(sumTimes(1), 5);
    await using pool = await serve.createPool({ program, replicas: 2, batching: { maxBatch: 2 } });
    using x = row();
    const answers = Array.from({ length: 8 }, () => settled(pool.run(x)));
    const state = sumTimes(2).stateDict();
    await pool.swap(state);
    const after = await settled(pool.run(x));
    const all = (await Promise.all(answers)).map((y) => JSON.stringify(y));
    expect(after).toEqual([[12, 12]]);
    expect(new Set(all)).toEqual(new Set(['[[6,6]]', '[[12,12]]']));
    // In order: what waited for the swap has the new weights.
    expect(all).toEqual([...all].sort().reverse());
    expect(pool.metrics().swaps).toBe(1);
  });

  it('replaces a program, a function or a module', async () => {
    const first = new EagerProgram(sumTimes(1), 10);
    await using pool = await serve.createPool({ program: first, replicas: 2 });
    await using functions = await serve.createPool({ run: (x: Tensor) => x.mul(2) });
    using x = row();
    const before = settled(pool.run(x));
    await vi.waitFor(() => expect(pool.metrics().running).toBe(1), { interval: 1 });
    await pool.swap(new EagerProgram(sumTimes(3)));
    expect(first.batches).toEqual([1]);
    expect(first.disposed).toBe(1);
    expect(await before).toEqual([[6, 6]]);
    expect(await settled(pool.run(x))).toEqual([[18, 18]]);
    await functions.swap((x: Tensor) => x.mul(3));
    expect(await settled(functions.run(x))).toEqual([[3, 6, 9]]);
    await functions.swap(sumTimes(4));
    expect(await settled(functions.run(x))).toEqual([[24, 24]]);
    await functions.swap(sumTimes(5).stateDict());
    expect(await settled(functions.run(x))).toEqual([[30, 30]]);
  });

  it('keeps the old network when the new one does not fit', async () => {
    await using pool = await serve.createPool({ run: sumTimes(1) });
    await using functions = await serve.createPool({ run: (x: Tensor) => x.mul(2) });
    using x = row();
    await expect(pool.swap(new nn.Linear(4, 2).stateDict())).rejects.toThrow(CheckpointError);
    await expect(pool.swap({} as never)).rejects.toThrow(
      'a function or Module or a state dict for replacement',
    );
    await expect(pool.swap(null as never)).rejects.toThrow(ArgumentError);
    await expect(functions.swap(sumTimes(1).stateDict())).rejects.toThrow('a state dict needs a pool of');
    expect(await settled(pool.run(x))).toEqual([[6, 6]]);
    expect(pool.metrics().swaps).toBe(0);
  });
});

describe('close', () => {
  it('answers accepted requests and refuses new ones', async () => {
    const program = new EagerProgram(sumTimes(1), 5);
    const pool = await serve.createPool({ program, batching: { maxBatch: 1, maxDelayMs: 1e6 } });
    using x = row();
    const answers = Array.from({ length: 4 }, () => settled(pool.run(x)));
    answers.push(settled(pool.run(async () => row(1, 1, 1))));
    const closed = pool.close();
    expect(pool.close()).toBe(closed);
    await expect(pool.run(x)).rejects.toThrow(PoolClosedError);
    await expect(pool.swap(sumTimes(2).stateDict())).rejects.toThrow(PoolClosedError);
    await closed;
    expect(pool.metrics()).toMatchObject({ answered: 5, queued: 0, running: 0, refused: { closed: 1 } });
    expect(await Promise.all(answers)).toEqual([[[6, 6]], [[6, 6]], [[6, 6]], [[6, 6]], [[3, 3]]]);
  });

  it('does not wait for maxDelayMs', async () => {
    const pool = await serve.createPool({ run: (x: Tensor) => x.mul(2), batching: { maxDelayMs: 1e6 } });
    using x = row();
    const answer = settled(pool.run(x));
    await pool.close();
    expect(await answer).toEqual([[2, 4, 6]]);
  });
});
