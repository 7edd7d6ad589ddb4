/** Batches of a pool that are computed in parts, each on one thread. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  full,
  getNumThreads,
  memory,
  nn,
  type Program,
  randn,
  serve,
  setNumThreads,
  type Tensor,
  zeros,
} from '../../lib/index.js';
import { ProgramHandles, type Run } from '../../lib/serve/batch-parts.js';
import { settleGarbage } from '../support/garbage.js';
import { valuesOf } from './support/eager-program.js';

const THREADS = 3;
const SHAPE = [3, 12, 12];
let before = 0;

beforeAll(() => {
  before = getNumThreads();
  setNumThreads(THREADS);
});
afterAll(() => setNumThreads(before));
beforeEach(settleGarbage);

/** Small weights and large maps: its batches are divided. */
const network = () =>
  new nn.Sequential(
    new nn.Conv2d(3, 4, 3, { padding: 1 }),
    new nn.ReLU(),
    new nn.AdaptiveAvgPool2d(1),
    new nn.Flatten(),
  ).eval();
const compiled = () => nn.compile(network(), zeros([1, ...SHAPE])) as Program<Tensor>;
const images = (count: number) => Array.from({ length: count }, () => randn([1, ...SHAPE]));

/** Outputs of requests `from` to `to`, by the number of the request. */
const outputsOf = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => full([1], from + i));
/** The values of an output of one row, which is disposed. */
const rowOf = (output: Tensor) => (valuesOf(output) as number[][])[0]!;
const never = { outputs: new Promise<undefined>(() => {}), cancel: () => {} };

describe('ProgramHandles', () => {
  it('divides a batch among as many handles as threads, and joins the outputs in order', async () => {
    using program = compiled();
    const handles = new ProgramHandles(program, THREADS);
    const parts: [number, number, number][] = [];
    const programs = new Set<unknown>();
    const run = handles.start(8, false, (handle, from, to, threads) => {
      programs.add(handle);
      parts.push([from, to, threads]);
      return { outputs: Promise.resolve(outputsOf(from, to)), cancel: () => {} };
    });
    const outputs = (await run.outputs)! as Tensor[];
    expect(outputs.map((output) => output.item())).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(parts).toEqual([
      [0, 2, 1],
      [2, 5, 1],
      [5, 8, 1],
    ]);
    expect(programs.size).toBe(THREADS);
    handles.dispose();
    for (const output of outputs) output.dispose();
  });

  it.each([
    ['one thread is allowed', 1, 8],
    ['there are fewer requests than threads', THREADS, 2],
  ])('does not divide it where %s', async (_, threads, count) => {
    using program = compiled();
    const handles = new ProgramHandles(program, threads);
    const calls: unknown[] = [];
    handles.start(count, false, (...call) => {
      calls.push(call);
      return never;
    });
    expect(calls).toEqual([[program, 0, count, threads]]);
  });

  it('divides a small batch of a large network only while another one is computed', () => {
    const large = new nn.Sequential(new nn.Flatten(), new nn.Linear(3 * 12 * 12, 2000)).eval();
    using program = nn.compile(large, zeros([1, ...SHAPE]));
    const parts = (count: number, isBusy: boolean) => {
      let calls = 0;
      new ProgramHandles(program as Program<Tensor>, THREADS).start(count, isBusy, () => {
        calls++;
        return never;
      });
      return calls;
    };
    expect(parts(8, false)).toBe(1);
    expect(parts(8, true)).toBe(THREADS);
    expect(parts(2, true)).toBe(2);
    expect(parts(1, true)).toBe(1);
  });

  it('does not divide a batch whose rows depend on each other', () => {
    const mixing = (x: Tensor) => x.sub(x.mean({ dim: 0 }));
    using program = nn.compile(mixing, zeros([1, ...SHAPE]));
    const calls: unknown[] = [];
    new ProgramHandles(program, THREADS).start(8, true, (...call) => {
      calls.push(call);
      return never;
    });
    expect(calls).toHaveLength(1);
  });

  it('waits for all parts when one fails, and frees the outputs of the others', async () => {
    using program = compiled();
    const handles = new ProgramHandles(program, THREADS);
    const numTensors = memory().numTensors;
    let finish = () => {};
    const last = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const failure = new Error('no memory');
    const run = handles.start(6, false, (_, from, to): Run => {
      if (from === 2) throw failure;
      const outputs =
        from === 0 ? Promise.resolve(outputsOf(from, to)) : last.then(() => outputsOf(from, to));
      return { outputs, cancel: () => {} };
    });
    let hasEnded = false;
    const ended = run.outputs.catch((error: unknown) => {
      hasEnded = true;
      return error;
    });
    await new Promise(setImmediate);
    expect(hasEnded).toBe(false);
    finish();
    expect(await ended).toBe(failure);
    expect(memory().numTensors).toBe(numTensors);
    handles.dispose();
  });

  it('withdraws all parts, and frees the outputs of those that had started', async () => {
    using program = compiled();
    const handles = new ProgramHandles(program, THREADS);
    const numTensors = memory().numTensors;
    const canceled: number[] = [];
    const run = handles.start(6, false, (_, from, to) => ({
      outputs: Promise.resolve(from === 0 ? outputsOf(from, to) : undefined),
      cancel: () => canceled.push(from),
    }));
    run.cancel();
    expect(canceled).toEqual([0, 2, 4]);
    expect(await run.outputs).toBeUndefined();
    expect(memory().numTensors).toBe(numTensors);
    handles.dispose();
  });
});

describe('a pool', () => {
  it.each([1, 2])(
    'answers with the values of the program, in the order of the requests, with %d replicas',
    async (replicas) => {
      using program = compiled();
      const inputs = images(48);
      const expected = inputs.map((input) => {
        return rowOf(program.runSync(input));
      });
      const numTensors = memory().numTensors;
      const pool = await serve.createPool({ program, replicas, threadsPerReplica: THREADS });
      const answers = await Promise.all(inputs.map(async (input) => rowOf(await pool.run(input))));
      for (const [i, answer] of answers.entries())
        for (const [j, value] of answer.entries()) expect(value).toBeCloseTo(expected[i]![j]!, 5);
      expect(pool.metrics().retried).toBe(0);
      await pool.close();
      expect(memory().numTensors).toBe(numTensors);
    },
  );
});
