/** Batches whose rows do not depend on each other run in parts, one on each thread. */
import { afterEach, describe, expect, it } from 'vitest';
import {
  functional as F,
  getNumThreads,
  models,
  nn,
  noGrad,
  randn,
  setNumThreads,
  type Tensor,
} from '../../lib/index.js';
import { limit } from '../support/limit.js';

const threads = getNumThreads();
afterEach(() => setNumThreads(threads));

const isSplit = (program: nn.Program) => String(program).endsWith('independent rows');

const distance = (a: Tensor, b: Tensor) => a.sub(b).abs().max().item() as number;

describe.each([
  'mobilenet_v3_small',
  'mobilenet_v3_small_dy',
  'resnet18_dy',
  'densenet121',
  'vit_b_16',
] as const)('%s', (name) => {
  it(
    'has the outputs of the eager network, for any batch size and number of threads',
    () => {
      const size = name === 'vit_b_16' ? 224 : 64;
      const model = models.create(name, { numClasses: 10 }).eval();
      const program = nn.compile(model, randn([1, 3, size, size]));
      expect(isSplit(program)).toBe(true);
      const batches = name === 'vit_b_16' ? [3] : [1, 2, 3, 7, 16];
      for (const batch of batches) {
        const x = randn([batch, 3, size, size]);
        const expected = noGrad(() => model.forward(x));
        const scale = Math.max(1, expected.abs().max().item() as number);
        for (const count of [1, 2, 3]) {
          setNumThreads(count);
          // Twice: the second run uses the memory plan of the first.
          for (let run = 0; run < 2; run++)
            expect(
              distance(program.runSync(x), expected) / scale,
              `${batch} rows, ${count} threads`,
            ).toBeLessThan(1e-5);
        }
      }
    },
    limit(60_000),
  );
});

it('several outputs and inputs, contiguous or not, are split and joined', () => {
  setNumThreads(2);
  const weight = randn([6, 4]);
  const program = nn.compile(
    (a: Tensor, b: Tensor) => ({ sum: a.add(b), list: [a.matmul(weight).relu(), b.mul(2)] }),
    [randn([2, 3, 6]), randn([2, 3, 6])],
  );
  const linear = nn.compile(new nn.Linear(6, 4).eval(), randn([2, 6]));
  expect(isSplit(linear)).toBe(true);
  const a = randn([3, 9, 6]).transpose(0, 1).narrow(0, 1, 7);
  const b = randn([1, 3, 6]).expand([7, 3, 6]);
  const { sum, list } = program.runSync([a, b]) as { sum: Tensor; list: Tensor[] };
  expect(distance(sum, a.add(b))).toBe(0);
  expect(distance(list[0]!, a.matmul(weight).relu())).toBeLessThan(1e-5);
  expect(distance(list[1]!, b.mul(2))).toBe(0);
});

it('an output does not share memory with an input', () => {
  setNumThreads(2);
  const program = nn.compile((x: Tensor) => x.flatten(1), randn([2, 3, 4]));
  expect(isSplit(program)).toBe(true);
  const x = randn([8, 3, 4]);
  const y = program.runSync(x) as Tensor;
  const before = y.arraySync();
  x.zero_();
  expect(y.arraySync()).toEqual(before);
});

describe('not split, since rows depend on each other:', () => {
  const norm = new nn.BatchNorm1d(4);
  it.each<[string, (x: Tensor) => Tensor]>([
    ['a mean of the batch', (x) => x.sub(x.mean({ dim: 0, keepdim: true }))],
    ['softmax over the batch', (x) => x.softmax({ dim: 0 })],
    ['softmax over the batch, counted from the end', (x) => x.softmax({ dim: -2 })],
    ['sorted rows', (x) => x.sort({ dim: 0 }).values],
    ['running sums', (x) => x.cumsum({ dim: 0 })],
    ['reversed rows', (x) => x.flip(0)],
    ['attention between rows', (x) => F.scaledDotProductAttention(x, x, x)],
    ['batch statistics', (x) => norm.forward(x)],
    ['layer norm of the whole batch', (x) => x.div(x.square().sum().sqrt())],
    ['a shape that mixes rows', (x) => x.t().reshape([4, -1]).t().add(x)],
    // A part of the batch has another batch size.
    ['division by the batch size', (x) => x.relu().div(x.shape[0]!)],
    ['multiplication by the batch size', (x) => x.mul(x.shape[0]! + 1)],
    ['addition of the batch size', (x) => x.add(x.shape[0]!)],
    ['addition with the batch size as a factor', (x) => x.add(x, { alpha: x.shape[0]! })],
    ['a limit that is the batch size', (x) => x.mul(50).clamp({ max: x.shape[0]! })],
    ['a column chosen by the batch size', (x) => F.pad(x, [0, 80]).select(1, x.shape[0]!)],
    ['padding by the batch size', (x) => F.pad(x, [x.shape[0]!, 0]).narrow(1, 0, 4)],
    [
      'an interpolation to the batch size',
      (x) => F.interpolate(x.unsqueeze(1), { size: x.shape[0]! }).mean({ dim: 2 }),
    ],
    ['rows that padding moves', (x) => F.pad(x, [0, 0, 1, -1])],
    ['rows that padding moves back', (x) => F.pad(x, [0, 0, -1, 1])],
  ])('%s', (_, compute) => {
    setNumThreads(2);
    let program: nn.Program;
    try {
      program = nn.compile(compute, randn([2, 4]));
    } catch (error) {
      // What computes only some batch sizes is refused, which is safe too.
      expect(String(error)).toMatch(/batch|more than 1 value/);
      return;
    }
    expect(isSplit(program)).toBe(false);
    const x = randn([64, 4]);
    expect(
      distance(
        program.runSync(x) as Tensor,
        noGrad(() => compute(x)),
      ),
    ).toBeLessThan(1e-5);
  });
});

it.each<[string, (x: Tensor) => Tensor]>([
  ['a view of each row', (x) => x.reshape([x.shape[0]!, 2, 2]).relu()],
  ['a view with the batch size left open', (x) => x.view([-1, 2, 2]).relu()],
  ['columns that are repeated', (x) => x.unsqueeze(2).expand([x.shape[0]!, 4, 3]).relu()],
  ['padded columns', (x) => F.pad(x, [1, 2])],
])('%s keeps rows independent', (_, compute) => {
  setNumThreads(2);
  const program = nn.compile(compute, randn([2, 4]));
  expect(isSplit(program)).toBe(true);
  const x = randn([64, 4]);
  expect(distance(program.runSync(x) as Tensor, compute(x))).toBe(0);
});

it('runs at the same time do not affect each other, nor the number of threads', async () => {
  setNumThreads(2);
  const model = models.create('mobilenet_v3_small', { numClasses: 10 }).eval();
  const program = nn.compile(model, randn([1, 3, 64, 64]));
  const inputs = [2, 5, 8, 8].map((batch) => randn([batch, 3, 64, 64]));
  const expected = inputs.map((x) => (program.runSync(x) as Tensor).arraySync());
  const outputs = await Promise.all(inputs.flatMap((x) => [program.run(x), program.run(x)]));
  outputs.forEach((y, i) => {
    expect((y as Tensor).arraySync()).toEqual(expected[i >> 1]);
  });
  expect(getNumThreads()).toBe(2);
});
