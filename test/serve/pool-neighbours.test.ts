/** A request that fails does not fail the others of its batch. */
import { beforeEach, describe, expect, it } from 'vitest';
import { memory, nn, serve, type Tensor, tensor, tidy, zeros } from '../../lib/index.js';
import { settleGarbage } from '../support/garbage.js';
import { valuesOf } from './support/eager-program.js';

beforeEach(settleGarbage);

/** A table of 10 rows: index i has the value 2 i. */
function table(): nn.Embedding {
  const embedding = new nn.Embedding(10, 1);
  embedding.loadStateDict({ weight: tensor(Array.from({ length: 10 }, (_, i) => [2 * i])) });
  return embedding.eval();
}
const index = (i: number) => tensor([[i]], { dtype: 'int64' });
const byIndex = (embedding: nn.Module) => ({
  run: async (x: serve.TensorInput) => (embedding as nn.Embedding).forward(x as Tensor),
});

/** What a pool can be made of, and a count of the batches that it ran. */
const SOURCES: [string, () => serve.PoolOptions][] = [
  ['a compiled program', () => ({ program: nn.compile(table(), zeros([1, 1], { dtype: 'int64' })) })],
  ['a module', () => ({ run: table() })],
  ['a program of the user', () => ({ program: byIndex(table()) })],
  [
    'its runBatch',
    () => {
      const program = byIndex(table());
      return { program: { ...program, runBatch: (all) => tidy(() => Promise.all(all.map(program.run))) } };
    },
  ],
];

describe('a request that fails', () => {
  it.each(SOURCES)('fails alone: %s', async (_, source) => {
    const before = memory().numTensors;
    const options = source();
    const own = memory().numTensors - before;
    const pool = await serve.createPool<Tensor>(options);
    const answers = await Promise.allSettled(
      [1, 10, 2, -11, 3].map((i) => pool.run(() => index(i)).then(valuesOf)),
    );
    const values = answers.map((answer) => (answer.status === 'fulfilled' ? answer.value : 'failed'));
    expect(values).toEqual([[[[2]]], 'failed', [[[4]]], 'failed', [[[6]]]]);
    const [first, second] = answers.flatMap((answer) =>
      answer.status === 'rejected' ? [answer.reason] : [],
    );
    expect(first).toBeInstanceOf(Error);
    expect(first).not.toBe(second);
    // The batch, and each of its requests once.
    expect(pool.metrics()).toMatchObject({
      ...{ accepted: 5, answered: 3, failed: 2, retried: 5, batches: 6, queued: 0, running: 0 },
      batchSizes: { 1: 5, 5: 1 },
    });
    await pool.close();
    expect(memory().numTensors).toBe(before + own);
  });

  it.each(SOURCES)('fails at once when it is the only one of its batch: %s', async (_, source) => {
    await using pool = await serve.createPool<Tensor>(source());
    await expect(pool.run(() => index(10))).rejects.toThrow();
    expect(valuesOf(await pool.run(() => index(1)))).toEqual([[[2]]]);
    expect(pool.metrics()).toMatchObject({ answered: 1, failed: 1, retried: 0, batches: 2 });
  });

  it('does not wait for more requests when it is repeated', async () => {
    const batching = { maxBatch: 3, maxDelayMs: 60_000 };
    await using pool = await serve.createPool<Tensor>({ run: table(), batching });
    const answers = [1, 10, 2].map((i) => pool.run(() => index(i)).then(valuesOf));
    const waiting = pool.run(() => index(3)).then(valuesOf); // would wait for a minute
    expect(await Promise.allSettled(answers)).toMatchObject([
      { value: [[[2]]] },
      { status: 'rejected' },
      { value: [[[4]]] },
    ]);
    expect(pool.metrics().queued).toBe(1);
    await Promise.all([pool.close(), waiting]);
    expect(await waiting).toEqual([[[6]]]);
  });

  it('is not repeated after its time limit', async () => {
    let calls = 0;
    const run = async (x: Tensor) => {
      calls++;
      await new Promise((resolve) => setTimeout(resolve, 30));
      if (x.shape[0] === 2) throw new RangeError('two');
      return x.mul(2);
    };
    await using pool = await serve.createPool<Tensor>({ run });
    const limited = pool.run(() => index(1), { timeoutMs: 10 });
    const other = pool.run(() => index(2)).then(valuesOf);
    await expect(limited).rejects.toThrow('not answered within 10 ms');
    expect(await other).toEqual([[4]]);
    expect(calls).toBe(2);
    expect(pool.metrics()).toMatchObject({ timedOut: 1, answered: 1, failed: 0, retried: 1 });
  });

  it('is that of a value which a function of values does not take', async () => {
    const run = (texts: string[]) => texts.map((text) => JSON.parse(text) as unknown);
    await using pool = await serve.createPool<string, unknown>({ inputs: 'values', run });
    const answers = await Promise.allSettled(['1', '{', '2'].map((text) => pool.run(text)));
    expect(answers).toMatchObject([{ value: 1 }, { reason: expect.any(SyntaxError) }, { value: 2 }]);
  });
});
