import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  ArgumentError,
  full,
  memory,
  OverloadedError,
  ShapeError,
  serve,
  type Tensor,
  tensor,
  tidy,
  zeros,
} from '../../lib/index.js';
import { settleGarbage } from '../support/garbage.js';
import { EagerProgram, row, settled, sumTimes, valuesOf } from './support/eager-program.js';

beforeEach(settleGarbage);

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
    [
      { run: () => 0, replicas: 0 },
      'Expected an integer from 1 to 65536 for replicas but received 0 (number)',
    ],
    [{ run: () => 0, replicas: 2 ** 40 }, 'Expected an integer from 1 to 65536 for replicas'],
    [
      { run: () => 0, threadsPerReplica: 2 ** 32 },
      'Expected an integer from 1 to 1024 for threadsPerReplica',
    ],
    [
      { run: () => 0, batching: { maxBatch: 0 } },
      'an integer of at least 1 for batching.maxBatch but received 0',
    ],
    [{ run: () => 0, batching: { maxDelayMs: -1 } }, 'a number from 0 to 2147483647 for batching.maxDelayMs'],
    [
      { run: () => 0, batching: { maxDelayMs: 1e10 } },
      'a number from 0 to 2147483647 for batching.maxDelayMs',
    ],
    [{ run: () => 0, timeoutMs: null }, 'Expected a number above 0 for timeoutMs but received null'],
    [
      { run: () => 0, warmup: 3 },
      'Expected a Tensor or an array of tensors for warmup but received 3 (number)',
    ],
    [{ run: () => 0, warmup: [] }, 'Expected a Tensor or an array of tensors for warmup but received []'],
    [
      { module: { file: '/missing/sums.js' } },
      "Expected a file that exists for module.file but received '/missing/sums.js' (string)",
    ],
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
    expect(memory().numTensors).toBe(before + 1); // of the pool, for later networks
    expect(pool.metrics().batches).toBe(0);
    await pool.close();
    expect(memory().numTensors).toBe(before);
  });

  it('limits the warm-up where maxBatch has no limit', async () => {
    const program = new EagerProgram(sumTimes(1));
    using warmup = row();
    await using pool = await serve.createPool({ program, warmup, batching: { maxBatch: 2 ** 40 } });
    expect(program.batches).toEqual([1, 4096]);
    await expect(pool.run(warmup).then(valuesOf)).resolves.toEqual([[6, 6]]);
  });

  it('warms up a later network too, after the caller has disposed the input', async () => {
    const warmup = row();
    const before = memory().numTensors;
    await using pool = await serve.createPool({ program: new EagerProgram(sumTimes(1)), warmup });
    warmup.dispose();
    const later = new EagerProgram(sumTimes(2));
    await pool.swap(later);
    expect(later.batches).toEqual([1, 32]);
    await pool.close();
    expect(memory().numTensors).toBeLessThan(before + 2); // the weights of `later`
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

  it('adds results to the tidy block of the caller, whichever requests share the batch', async () => {
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
    expect((error as OverloadedError).retryAfterMs).toBeLessThan(60_000);
    await Promise.all(waiting);
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
