/** Compiled programs in pools: a fixed batch size, programs that were disposed, and weights that cannot be used. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  ArgumentError,
  DisposedError,
  full,
  loadProgram,
  memory,
  nn,
  type Program,
  rand,
  ShapeError,
  serve,
  type Tensor,
  zeros,
} from '../../lib/index.js';
import { settleGarbage } from '../support/garbage.js';
import { sumTimes, valuesOf } from './support/eager-program.js';

beforeEach(settleGarbage);

const fixed = (rows: number, factor = 1) =>
  nn.compile(sumTimes(factor).eval(), zeros([rows, 3]), { dynamicBatch: false });
const free = (factor = 1) => nn.compile(sumTimes(factor).eval(), zeros([1, 3]));
const ask = (pool: serve.Pool<serve.TensorInput, Tensor>, rows: number) =>
  pool.run(() => full([rows, 3], 1)).then(valuesOf);
const sums = (rows: number, value: number) => new Array(rows).fill([value, value]);

describe('a program with a fixed batch size', () => {
  const SOURCES: [string, (program: Program, folder: string) => Promise<Program> | Program][] = [
    ['compiled', (program) => program],
    ['of a handle', (program) => nn.Program.fromHandle(program.share())],
    [
      'of a file',
      async (program, folder) => {
        await program.save(join(folder, 'net.dyc'));
        return loadProgram(join(folder, 'net.dyc'));
      },
    ],
  ];
  for (const rows of [1, 2])
    it.each(SOURCES)(`answers concurrent requests of ${rows} rows: %s`, async (_, open) => {
      const folder = await mkdtemp(join(tmpdir(), 'dyconv-pool-'));
      const program = await open(fixed(rows), folder);
      await using pool = await serve.createPool({ program, replicas: 2 });
      const answers = await Promise.all(Array.from({ length: 6 }, () => ask(pool, rows)));
      for (const answer of answers) expect(answer).toEqual(sums(rows, 3));
      expect(pool.metrics()).toMatchObject({ batchSizes: { [rows]: 6 }, retried: 0 });
      await rm(folder, { recursive: true });
    });

  it('refuses requests with another number of rows, whatever the load', async () => {
    const before = memory().numTensors;
    const program = fixed(2);
    const own = memory().numTensors - before;
    const pool = await serve.createPool({ program });
    const rows = [1, 2, 3, 2];
    const answers = await Promise.allSettled([
      ...rows.map((count) => ask(pool, count)),
      ...rows.map((count) => {
        using x = full([count, 3], 1);
        return pool.run(x).then(valuesOf);
      }),
    ]);
    const error = (count: number) =>
      new ShapeError(`Expected 2 rows, the fixed batch size of the program, for input but received ${count}`);
    const results = answers.map((answer) => (answer.status === 'fulfilled' ? answer.value : answer.reason));
    const expected = [error(1), sums(2, 3), error(3), sums(2, 3)];
    expect(results).toEqual([...expected, ...expected]);
    expect(pool.metrics()).toMatchObject({ answered: 4, failed: 2, refused: { invalid: 2 } });
    await pool.close();
    expect(memory().numTensors).toBe(before + own);
  });

  it('refuses a larger maxBatch', async () => {
    const batching = { maxBatch: 3 };
    const message =
      'Expected at most 2, the fixed batch size of the program (nn.compile with dynamicBatch leaves it free) for batching.maxBatch but received 3 (number)';
    const created = serve.createPool({ program: fixed(2), batching });
    await expect(created).rejects.toThrow(ArgumentError);
    await expect(created).rejects.toThrow(message);
    await using pool = await serve.createPool({ program: free(), batching });
    await expect(pool.swap(fixed(2))).rejects.toThrow(message);
    expect(await ask(pool, 3)).toEqual(sums(3, 3));
    await pool.swap(fixed(3, 2));
    expect(await ask(pool, 3)).toEqual(sums(3, 6));
  });

  it('changes the batches when it replaces another program, and is replaced', async () => {
    await using pool = await serve.createPool({ program: free(1), warmup: zeros([1, 3]) });
    const six = () => Promise.all(Array.from({ length: 6 }, () => ask(pool, 1)));
    await six();
    expect(pool.metrics().batchSizes).toEqual({ 6: 1 });
    await pool.swap(fixed(1, 2));
    expect(await six()).toEqual(new Array(6).fill(sums(1, 6)));
    expect(pool.metrics().batchSizes).toEqual({ 1: 6, 6: 1 });
    await pool.swap(free(3));
    expect(await six()).toEqual(new Array(6).fill(sums(1, 9)));
    expect(pool.metrics().batchSizes).toEqual({ 1: 6, 6: 2 });
  });
});

describe('a program that was disposed', () => {
  it.each([1, 2])('is refused at once, with %i replicas', async (replicas) => {
    const gone = free();
    gone.dispose();
    await expect(serve.createPool({ program: gone, replicas })).rejects.toThrow(DisposedError);
    await using pool = await serve.createPool({ program: free(), replicas });
    await expect(pool.swap(gone)).rejects.toThrow(DisposedError);
    expect(await ask(pool, 1)).toEqual(sums(1, 3));
    expect(pool.metrics().swaps).toBe(0);
  });
});

describe('weights that a program cannot use', () => {
  it('are not kept', async () => {
    const model = new nn.Sequential(new nn.Linear(8, 8), new nn.ReLU(), new nn.Linear(8, 2)).eval();
    const program = nn.compile(model, zeros([1, 8]));
    const int8 = await program.quantize({ calibration: [rand([8, 8])], floatLayers: [] });
    await using pool = await serve.createPool<Tensor>({ program: int8, replicas: 2 });
    const x = () => full([1, 8], 0.5);
    const before = valuesOf(await pool.run(x));
    const state = { ...model.stateDict(), '0.weight': full([8, 8], Number.NaN) };
    const tensors = memory().numTensors;
    await expect(pool.swap(state)).rejects.toThrow('finite');
    expect(memory().numTensors).toBe(tensors);
    const answers = await Promise.all(Array.from({ length: 4 }, () => pool.run(x).then(valuesOf)));
    expect(answers).toEqual(new Array(4).fill(before));
    expect(pool.metrics()).toMatchObject({ swaps: 0, failed: 0 });
    await pool.swap({ ...model.stateDict(), '2.bias': full([2], 5) });
    expect(valuesOf(await pool.run(x))).not.toEqual(before);
    expect(pool.metrics()).toMatchObject({ swaps: 1, failed: 0 });
  });

  it('are not confused with an input that it cannot use', async () => {
    // A singular matrix has no inverse.
    class Inverse extends nn.Module {
      readonly scale = new nn.Parameter(full([1], 1));
      forward(x: Tensor): Tensor {
        return x.inverse().mul(this.scale);
      }
    }
    const program = nn.compile(new Inverse().eval(), full([1, 1, 1], 2));
    await using pool = await serve.createPool<Tensor>({ program });
    await pool.swap({ scale: full([1], 8) });
    expect(valuesOf(await pool.run(() => full([1, 1, 1], 2)))).toEqual([[[4]]]);
  });
});

describe('runBatch of a program of the user', () => {
  const pools = (runBatch: unknown) => {
    const run = async (x: serve.TensorInput) => (x as Tensor).mul(2);
    return serve.createPool<Tensor>({ program: { run, runBatch } as serve.PoolProgram });
  };
  const two = (pool: serve.Pool<serve.TensorInput, Tensor>) =>
    Promise.allSettled([1, 2].map((value) => pool.run(() => full([1, 1], value)).then(valuesOf)));
  const array = (count: number) =>
    `Expected an array of ${count} outputs (one for each request) for the result of runBatch`;
  const tensors = 'Expected a Tensor, an array or a record of them for the output but received';

  it.each<[string, unknown, string]>([
    ['nothing', async () => undefined, `${array(1)} but received undefined`],
    ['too few', async () => [], `${array(1)} but received []`],
    ['too many', async () => [full([1, 1], 1), full([1, 1], 1), full([1, 1], 1)], array(1)],
    ['a tensor', async () => full([1, 1], 1), array(1)],
    ['numbers', async (all: unknown[]) => all.map(() => 3), `${tensors} 3 (number)`],
    ['null', async (all: unknown[]) => all.map(() => null), `${tensors} null`],
    ['tensors among others', async (all: unknown[]) => all.map(() => [full([1], 1), 'a']), tensors],
  ])('is an ArgumentError when it returns %s', async (_, runBatch, message) => {
    const before = memory().numTensors;
    await using pool = await pools(runBatch);
    for (const answer of await two(pool)) {
      expect(answer).toMatchObject({ status: 'rejected', reason: expect.any(ArgumentError) });
      expect((answer as PromiseRejectedResult).reason.message).toContain(message);
    }
    expect(memory().numTensors).toBe(before);
  });

  it('fails the request alone whose output is no tensor', async () => {
    const ofValue = (x: Tensor) => (x.item() === 1 ? x.mul(2) : undefined);
    await using pool = await pools(async (all: Tensor[]) => all.map(ofValue));
    expect(await two(pool)).toMatchObject([{ value: [[2]] }, { reason: expect.any(ArgumentError) }]);
  });

  it('may return its inputs, and one tensor for several requests', async () => {
    const before = memory().numTensors;
    await using same = await pools(async (all: Tensor[]) => all);
    expect(await two(same)).toMatchObject([{ value: [[1]] }, { value: [[2]] }]);
    await using shared = await pools(async (all: Tensor[]) => {
      const y = all[0]!.mul(2);
      return all.map(() => y);
    });
    expect(await two(shared)).toMatchObject([{ value: [[2]] }, { value: [[2]] }]);
    expect(memory().numTensors).toBe(before);
  });
});
