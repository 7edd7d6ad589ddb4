import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  ArgumentError,
  CheckpointError,
  full,
  memory,
  nn,
  OverloadedError,
  PoolClosedError,
  RequestTimeoutError,
  ShapeError,
  serve,
  type Tensor,
  tensor,
  tidy,
  zeros,
} from '../../lib/index.js';
import { settleGarbage } from '../support/garbage.js';
import { EagerProgram, sumTimes } from './support/eager-program.js';

beforeEach(settleGarbage);

const row = (...values: number[]) => tensor([values.length === 0 ? [1, 2, 3] : values]);
const valuesOf = (y: Tensor) => {
  using own = y;
  return own.arraySync();
};
const settled = (promise: Promise<Tensor>) =>
  promise.then(valuesOf, (error: Error & { code?: string }) => error.code ?? error.name);

describe('createPool', () => {
  it.each<[object, string]>([
    [{}, 'Expected exactly one of program, run and module for options but received none of them'],
    [{ run: () => 0, module: { file: '/x' } }, 'but received run and module'],
    [
      { program: {} },
      'Expected a Program, the result of nn.compile for program but received Object (object)',
    ],
    [{ run: 5 }, 'Expected a function or a Module for run but received 5 (number)'],
    [
      { module: { file: 'x.js' } },
      "Expected a URL or an absolute path for module.file but received 'x.js' (string)",
    ],
    [{ run: () => 0, replicas: 0 }, 'Expected an integer of at least 1 for replicas but received 0 (number)'],
    [
      { run: () => 0, batching: { maxBatch: 0 } },
      'an integer of at least 1 for batching.maxBatch but received 0',
    ],
    [{ run: () => 0, batching: { maxDelayMs: -1 } }, 'a number of at least 0 for batching.maxDelayMs'],
    [{ run: () => 0, batching: { maxDelay: 1 } }, "'maxDelay': did you mean 'maxDelayMs'?"],
    [{ run: () => 0, batching: { maxQueue: 0 } }, 'an integer of at least 1 for batching.maxQueue'],
    [{ run: () => 0, timeoutMs: 0 }, 'Expected a number above 0 for timeoutMs but received 0 (number)'],
    [{ run: () => 0, inputs: 'lists' }, "Expected one of 'tensors', 'values' for inputs"],
    [{ program: new EagerProgram(sumTimes(1)), inputs: 'values' }, "Expected 'tensors' for inputs of a pool"],
  ])('refuses bad options: %o', async (options, message) => {
    const created = serve.createPool(options as never);
    await expect(created).rejects.toThrow(ArgumentError);
    await expect(created).rejects.toThrow(message);
  });

  it('runs the warm-up input on every replica, alone and in a full batch', async () => {
    const program = new EagerProgram(sumTimes(1));
    using warmup = row();
    const before = memory().numTensors;
    await using pool = await serve.createPool({ program, replicas: 2, warmup, batching: { maxBatch: 8 } });
    expect(program.batches).toEqual([1, 1, 8, 8]);
    expect(program.most).toBe(2);
    expect(memory().numTensors).toBe(before);
    expect(pool.metrics().batches).toBe(0);
  });

  it('fails with the error of the warm-up', async () => {
    using warmup = zeros([1, 4]);
    await expect(serve.createPool({ run: sumTimes(1), warmup })).rejects.toThrow(ShapeError);
  });
});

describe('Pool.run', () => {
  it('gives each request the rows of its result', async () => {
    const program = new EagerProgram(sumTimes(2));
    await using pool = await serve.createPool({ program });
    const before = memory().numTensors;
    const inputs = [
      row(),
      tensor([
        [1, 1, 1],
        [2, 2, 2],
      ]),
      row(0, 0, 5),
    ];
    const answers = await Promise.all(inputs.map((x) => pool.run(x).then(valuesOf)));
    expect(answers).toEqual([
      [[12, 12]],
      [
        [6, 6],
        [12, 12],
      ],
      [[10, 10]],
    ]);
    expect(program.batches).toEqual([4]);
    for (const x of inputs) x.dispose();
    expect(memory().numTensors).toBe(before);
  });

  it('takes modules and functions of a batch', async () => {
    await using ofModule = await serve.createPool({ run: sumTimes(1) });
    await using ofFunction = await serve.createPool({ run: (x: Tensor) => x.mul(2).add(1) });
    await using ofAsync = await serve.createPool({
      run: async (x: Tensor) => {
        const doubled = x.mul(2);
        await sleep(1);
        return doubled.add(1);
      },
    });
    const before = memory().numTensors;
    using x = row();
    expect(valuesOf(await ofModule.run(x))).toEqual([[6, 6]]);
    expect(valuesOf(await ofFunction.run(x))).toEqual([[3, 5, 7]]);
    expect(valuesOf(await ofAsync.run(x))).toEqual([[3, 5, 7]]);
    expect(memory().numTensors).toBe(before + 1);
  });

  it('takes several inputs and gives several outputs, as arrays and by name', async () => {
    await using pool = await serve.createPool<{ sum: Tensor; difference: Tensor }>({
      run: ([a, b]: Tensor[]) => ({ sum: a!.add(b!), difference: a!.sub(b!) }),
    });
    await using list = await serve.createPool<Tensor[]>({ run: (x: Tensor) => [x, x.neg()] });
    const before = memory().numTensors;
    const answers = await Promise.all(
      [1, 2].map(async (n) => {
        using a = full([n, 2], n);
        using b = full([n, 1], 1);
        const { sum, difference } = await pool.run([a, b]);
        return [valuesOf(sum), valuesOf(difference)];
      }),
    );
    expect(answers[0]).toEqual([[[2, 2]], [[0, 0]]]);
    expect(answers[1]).toEqual([
      [
        [3, 3],
        [3, 3],
      ],
      [
        [1, 1],
        [1, 1],
      ],
    ]);
    expect(pool.metrics().batchSizes).toEqual({ 3: 1 });
    using x = row();
    const [same, negative] = await list.run(x);
    expect([valuesOf(same!), valuesOf(negative!)]).toEqual([[[1, 2, 3]], [[-1, -2, -3]]]);
    expect(x.arraySync()).toEqual([[1, 2, 3]]);
    expect(memory().numTensors).toBe(before + 1);
  });

  it('joins only requests of equal shape and dtype', async () => {
    await using pool = await serve.createPool({ run: (x: Tensor) => x.add(1) });
    const inputs = [zeros([1, 2]), zeros([1, 3]), zeros([2, 2]), zeros([1, 2], { dtype: 'int64' })];
    const shapes = await Promise.all(
      inputs.map(async (x) => {
        using y = await pool.run(x);
        return [y.shape, y.dtype];
      }),
    );
    expect(shapes).toEqual(inputs.map((x) => [x.shape, x.dtype]));
    expect(pool.metrics().batchSizes).toEqual({ 1: 2, 3: 1 });
  });

  it('lets the caller dispose the input at once, and prepares inputs that are functions', async () => {
    await using pool = await serve.createPool({ program: new EagerProgram(sumTimes(1)) });
    const before = memory().numTensors;
    const x = row();
    const answer = pool.run(x);
    x.dispose();
    expect(valuesOf(await answer)).toEqual([[6, 6]]);
    expect(valuesOf(await pool.run(async () => row(1, 1, 1)))).toEqual([[3, 3]]);
    const failed = pool.run(async () => {
      throw new RangeError('no input');
    });
    await expect(failed).rejects.toThrow(RangeError);
    await expect(pool.run(() => 5 as never)).rejects.toThrow('Expected a Tensor for input but received 5');
    expect(memory().numTensors).toBe(before);
    expect(pool.metrics()).toMatchObject({ accepted: 4, answered: 2, failed: 2, queued: 0, running: 0 });
  });

  it('puts results into the tidy block of the caller, whoever else shares the batch', async () => {
    await using pool = await serve.createPool({ run: (x: Tensor) => x.mul(2) });
    using x = row();
    const before = memory().numTensors;
    const [first, second] = await Promise.all([
      tidy(async () => (await pool.run(x)).arraySync()),
      pool.run(x).then(async (y) => {
        await sleep(5);
        return valuesOf(y);
      }),
    ]);
    expect([first, second]).toEqual([[[2, 4, 6]], [[2, 4, 6]]]);
    expect(memory().numTensors).toBe(before);
  });

  it.each([
    [5, 'Expected a Tensor for input but received 5 (number)'],
    [[], 'Expected a Tensor or an array of at least one for input'],
    [[zeros([1]), 5], 'Expected a Tensor for input[1] but received 5'],
    [tensor(1), 'Expected [rows, ...] with at least one row for input but received []'],
    [zeros([0, 3]), 'with at least one row for input but received [0,3]'],
    [[zeros([1]), zeros([2])], 'Expected 1 rows, as in input[0], for input[1] but received 2'],
  ])('refuses bad input: %s', async (input, message) => {
    await using pool = await serve.createPool({ run: (x: Tensor) => x });
    await expect(pool.run(input as never)).rejects.toThrow(message);
    expect(pool.metrics()).toMatchObject({ accepted: 0, refused: { invalid: 1, overloaded: 0, closed: 0 } });
  });

  it('refuses bad options', async () => {
    await using pool = await serve.createPool({ run: (x: Tensor) => x });
    using x = row();
    await expect(pool.run(x, { timeout: 5 } as never)).rejects.toThrow("'timeout'");
    await expect(pool.run(x, { timeoutMs: -1 })).rejects.toThrow('a number above 0 for timeoutMs');
    await expect(pool.run(x, { signal: {} as never })).rejects.toThrow('an AbortSignal for signal');
  });

  it('reports an output without a row for each input row', async () => {
    await using pool = await serve.createPool({ run: (x: Tensor) => x.sum() });
    await using other = await serve.createPool({ run: () => 5 });
    using x = row();
    const before = memory().numTensors;
    await expect(pool.run(x)).rejects.toThrow('Expected [1, ...], a row for each input row, for the output');
    await expect(other.run(x)).rejects.toThrow(
      'Expected a Tensor, an array or a record of them for the output',
    );
    expect(memory().numTensors).toBe(before);
  });

  it('fails only the requests of the batch that failed', async () => {
    await using pool = await serve.createPool({ program: new EagerProgram(sumTimes(1)) });
    using good = row();
    using bad = zeros([1, 4]);
    const answers = await Promise.all([good, bad, good].map((x) => settled(pool.run(x))));
    expect(answers).toEqual([[[6, 6]], 'ERR_SHAPE', [[6, 6]]]);
  });
});

describe('back-pressure', () => {
  it('refuses requests when maxQueue wait, before they are prepared', async () => {
    const program = new EagerProgram(sumTimes(1), 20);
    await using pool = await serve.createPool({ program, batching: { maxBatch: 1, maxQueue: 2 } });
    let prepared = 0;
    const prepare = async () => {
      prepared++;
      return row();
    };
    // The first one runs, two wait.
    const answers = await Promise.all([1, 2, 3, 4, 5].map(() => settled(pool.run(row()))));
    expect(answers).toEqual([[[6, 6]], [[6, 6]], [[6, 6]], 'ERR_OVERLOADED', 'ERR_OVERLOADED']);
    const more = await Promise.all([1, 2, 3, 4].map(() => settled(pool.run(prepare))));
    expect(more).toEqual([[[6, 6]], [[6, 6]], [[6, 6]], 'ERR_OVERLOADED']);
    expect(prepared).toBe(3);
    expect(pool.metrics().refused.overloaded).toBe(3);
  });

  it('estimates when to try again', async () => {
    const program = new EagerProgram(sumTimes(1), 20);
    await using pool = await serve.createPool({ program, batching: { maxBatch: 1, maxQueue: 3 } });
    using x = row();
    (await pool.run(x)).dispose();
    const waiting = [1, 2, 3, 4].map(() => pool.run(x).then(valuesOf));
    const error = await pool.run(x).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(OverloadedError);
    expect((error as OverloadedError).retryAfterMs).toBeGreaterThan(50);
    expect((error as OverloadedError).retryAfterMs).toBeLessThan(600);
    await Promise.all(waiting);
  });
});

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
    await using pool = await serve.createPool({ program });
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

  it('cancel a batch that nobody waits for', async () => {
    const program = new EagerProgram(sumTimes(1), 20);
    await using pool = await serve.createPool({ program });
    using x = row();
    expect(await settled(pool.run(x, { timeoutMs: 5 }))).toBe('ERR_TIMEOUT');
    await sleep(40);
    expect(program.batches).toEqual([]);
    expect(pool.metrics()).toMatchObject({ running: 0, runningBatches: 0, timedOut: 1, failed: 0 });
  });

  it('name the limit and where the request was', async () => {
    await using pool = await serve.createPool({ program: new EagerProgram(sumTimes(1), 20), timeoutMs: 5 });
    using x = row();
    const error = await pool.run(x).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(RequestTimeoutError);
    expect((error as Error).message).toBe('The request was not answered within 5 ms: it was running');
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

describe('replicas', () => {
  it('run batches at the same time, with their threads', async () => {
    const program = new EagerProgram(sumTimes(1), 10);
    const options = { program, replicas: 3, threadsPerReplica: 2, batching: { maxBatch: 1 } };
    const pool = await serve.createPool(options);
    using x = row();
    await Promise.all([1, 2, 3, 4, 5, 6].map(async () => (await pool.run(x)).dispose()));
    expect(program.most).toBe(3);
    expect(new Set(program.threads)).toEqual(new Set([2]));
    await pool.close();
    expect(program.disposed).toBe(2);
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
    await sleep(2); // It runs.
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

describe("inputs: 'values'", () => {
  it('passes an array and takes an array, with errors for single requests', async () => {
    await using pool = await serve.createPool({
      inputs: 'values',
      run: (texts: string[]) =>
        texts.map((text) => (text === '' ? new RangeError('empty') : text.toUpperCase())),
    });
    const answers = await Promise.allSettled([pool.run('a'), pool.run(''), pool.run('b')]);
    expect(
      answers.map((answer) => (answer.status === 'fulfilled' ? answer.value : answer.reason.message)),
    ).toEqual(['A', 'empty', 'B']);
    expect(pool.metrics()).toMatchObject({ answered: 2, failed: 1, batchSizes: { 3: 1 } });
  });

  it('reports a result that is no array of as many values', async () => {
    await using pool = await serve.createPool({ inputs: 'values', run: () => [1, 2] as never });
    await expect(pool.run('a')).rejects.toThrow('Expected an array of 1 results, one for each input');
  });
});
