/** What a pool keeps of inputs, whom results belong to, and what a request costs. */
import { createHook } from 'node:async_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  emptyCache,
  enableGrad,
  fromTypedArray,
  memory,
  nn,
  ones,
  serve,
  type Tensor,
  tensor,
  tidy,
  zeros,
} from '../../lib/index.js';
import { settleGarbage } from '../support/garbage.js';
import { EagerProgram, row, sumTimes, valuesOf } from './support/eager-program.js';

beforeEach(settleGarbage);

/** Memory whose buffer is detached when it grows. The types of Node.js lack it. */
const { Memory: WasmMemory } = Reflect.get(globalThis, 'WebAssembly') as {
  Memory: new (options: { initial: number }) => { buffer: ArrayBuffer; grow(pages: number): void };
};

/** Inputs of two columns, and their doubled values. */
const INPUTS: [make: () => Tensor, doubled: number[][]][] = [
  [() => tensor([[1, 2]]), [[2, 4]]],
  [() => tensor([[3, 4]]), [[6, 8]]],
  [
    () => tidy(() => tensor([5, 6, 7, 8]).reshape([2, 2])),
    [
      [10, 12],
      [14, 16],
    ],
  ],
  [() => tidy(() => tensor([[1], [2]]).t()), [[2, 4]]],
  [() => tensor([[9, 9]], { requiresGrad: true }), [[18, 18]]],
  [() => tidy(() => tensor([[0, 1, 2]]).narrow(1, 1, 2)), [[2, 4]]],
  [() => fromTypedArray(Float32Array.of(4, 5), { shape: [1, 2] }), [[8, 10]]],
];

describe('inputs', () => {
  it.each([
    ['program', () => ({ program: nn.compile((x: Tensor) => x.mul(2), zeros([1, 2])) })],
    ['function', () => ({ run: (x: Tensor) => x.mul(2) })],
  ])('are held whether or not they are like the one before: %s', async (_, source) => {
    await using pool = await serve.createPool<Tensor>({ ...source(), batching: { maxBatch: 4 } });
    const before = memory().numTensors;
    const doubled = INPUTS.map(([, values]) => values);
    for (let turn = 0; turn < 2; turn++) {
      const ofCaller = INPUTS.map(([make]) => {
        using x = make();
        return pool.run(x).then(valuesOf);
      });
      const ofPool = INPUTS.map(([make]) => pool.run(make).then(valuesOf));
      const inTidy = INPUTS.map(([make]) => tidy(() => pool.run(async () => make()).then(valuesOf)));
      for (const answers of [ofCaller, ofPool, inTidy]) expect(await Promise.all(answers)).toEqual(doubled);
    }
    expect(memory().numTensors).toBe(before);
  });

  it('are refused when they cannot be used, also after many alike that could', async () => {
    await using pool = await serve.createPool({ run: (x: Tensor) => x.mul(2) });
    const good = row();
    for (let i = 0; i < 3; i++) valuesOf(await pool.run(good));
    good.dispose();
    await expect(pool.run(good)).rejects.toThrow('that was disposed');
    const wasm = new WasmMemory({ initial: 1 });
    using detached = fromTypedArray(new Float32Array(wasm.buffer, 0, 3), { shape: [1, 3] });
    wasm.grow(1);
    await expect(pool.run(detached)).rejects.toThrow('whose ArrayBuffer was detached');
    await expect(pool.run({} as never)).rejects.toThrow('Expected a Tensor for input but received');
    expect(pool.metrics()).toMatchObject({ accepted: 3, answered: 3, refused: { invalid: 3 } });
  });

  it('of another dtype, or of another number of rows, are not taken for those before', async () => {
    await using pool = await serve.createPool({ run: (x: Tensor) => x.add(1) });
    for (const [dtype, rows] of [
      ['float32', 1],
      ['float64', 1],
      ['float32', 3],
      ['int64', 3],
    ] as const) {
      using x = zeros([rows, 2], { dtype });
      using y = await pool.run(x);
      expect([y.dtype, y.shape]).toEqual([dtype, [rows, 2]]);
    }
    expect(pool.metrics().batchSizes).toEqual({ 1: 2, 3: 2 });
  });
});

describe('code of the user', () => {
  it.each<[string, () => serve.PoolOptions]>([
    ['a function', () => ({ run: (x: Tensor) => x.mul_(2).reshape([-1, 3, 1]) })],
    ['a program', () => ({ program: { run: async (x) => (x as Tensor).mul_(2).reshape([-1, 3, 1]) } })],
  ])('does not change the memory of the caller, and shares none with it: %s', async (_, source) => {
    await using pool = await serve.createPool<Tensor>(source());
    for (const requests of [1, 2]) {
      using x = row();
      const answers = await Promise.all(Array.from({ length: requests }, () => pool.run(x)));
      expect(x.arraySync()).toEqual([[1, 2, 3]]);
      x.fill_(7);
      for (const y of answers) expect(valuesOf(y)).toEqual([[[2], [4], [6]]]);
    }
  });

  it('may return its input', async () => {
    await using pool = await serve.createPool<Tensor>({ run: (x: Tensor) => x });
    using x = row();
    const y = await pool.run(x);
    x.fill_(7);
    expect(valuesOf(y)).toEqual([[1, 2, 3]]);
  });
});

describe('inputs that wait', () => {
  it('are computed by a program of another kind after a swap', async () => {
    const program = nn.compile((x: Tensor) => x.mul(2), zeros([1, 3]));
    await using pool = await serve.createPool<Tensor>({ program, batching: { maxDelayMs: 100 } });
    const early = [pool.run(row), pool.run(row)];
    await pool.swap(new EagerProgram(sumTimes(1)));
    const late = pool.run(row);
    const answers = await Promise.all([...early, late].map((answer) => answer.then(valuesOf)));
    expect(answers).toEqual([[[6, 6]], [[6, 6]], [[6, 6]]]);
    await pool.swap(program);
    expect(valuesOf(await pool.run(row))).toEqual([[2, 4, 6]]);
  });

  it.each([
    ['program', () => ({ program: nn.compile((x: Tensor) => x.mul(2), zeros([1, 2 ** 20])) })],
    ['function', () => ({ run: (x: Tensor) => x.mul(2) })],
  ])('are freed when their requests are aborted, and after the answer: %s', async (_, source) => {
    await using pool = await serve.createPool<Tensor>({ ...source(), batching: { maxDelayMs: 20 } });
    using large = zeros([1, 2 ** 20]);
    (await pool.run(large)).dispose();
    emptyCache();
    const before = memory().allocatedBytes;
    const controller = new AbortController();
    const { signal } = controller;
    const aborted = [pool.run(() => large.clone(), { signal }), pool.run(() => large.clone(), { signal })];
    const answered = pool.run(() => large.clone());
    expect(memory().allocatedBytes).toBeGreaterThanOrEqual(before + 3 * 2 ** 22);
    controller.abort();
    for (const answer of aborted) await expect(answer).rejects.toThrow('aborted');
    expect(memory().allocatedBytes).toBeLessThan(before + 2 * 2 ** 22);
    (await answered).dispose();
    await sleep(0);
    emptyCache();
    expect(memory().allocatedBytes).toBe(before);
  });
});

describe('results', () => {
  it('have no graph', async () => {
    using weight = ones([1, 3], { requiresGrad: true });
    const recorded = async (x: Tensor) => enableGrad(() => x.mul(weight));
    const program = {
      run: recorded,
      runBatch: (requests: readonly serve.TensorInput[]) =>
        Promise.all(requests.map((x) => recorded(x as Tensor))),
    };
    for (const source of [{ run: recorded }, { program: { run: recorded } }, { program }]) {
      await using pool = await serve.createPool<Tensor>(source);
      const answers = [await pool.run(row), ...(await Promise.all([1, 2].map(() => pool.run(row))))];
      expect(answers.map((y) => y.requiresGrad)).toEqual([false, false, false]);
      for (const y of answers) y.dispose();
    }
  });

  it('belong to the nearest open block when that of the caller is closed', async () => {
    await using pool = await serve.createPool({ run: (x: Tensor) => x.mul(2) });
    const before = memory().numTensors;
    await tidy(async () => {
      let answer: Promise<Tensor> | undefined;
      tidy(() => {
        answer = pool.run(row);
      });
      expect((await answer!).arraySync()).toEqual([[2, 4, 6]]);
      await pool.run(row);
      expect(memory().numTensors).toBe(before + 2);
    });
    expect(memory().numTensors).toBe(before);
  });
});

it('a request makes one promise, and a batch few', async () => {
  const program = nn.compile((x: Tensor) => x.mul(2), zeros([1, 3]));
  await using pool = await serve.createPool<Tensor>({ program });
  using x = row();
  valuesOf(await pool.run(x));
  let promises = 0;
  const init = (_id: number, type: string) => {
    if (type === 'PROMISE') promises++;
  };
  const hook = createHook({ init }).enable();
  const answers = Array.from({ length: 32 }, () => pool.run(x));
  for (const answer of answers) (await answer).dispose();
  hook.disable();
  expect(pool.metrics().batchSizes).toEqual({ 1: 1, 32: 1 });
  // 32 of run(), 32 of await, and those of the batch.
  expect(promises).toBeGreaterThanOrEqual(64);
  expect(promises).toBeLessThan(64 + 32);
});
