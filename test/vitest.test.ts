import assert from 'node:assert';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { type DType, randn, type Tensor, tensor, zeros } from '../lib/index.js';
import { differenceOf, equalTensors } from '../lib/testing.js';
import '../lib/vitest.js';

const NaNs = () => tensor([1, Number.NaN, Number.POSITIVE_INFINITY]);
const DTYPES = [
  'float32',
  'float64',
  'float16',
  'bfloat16',
  'int64',
  'int32',
  'int16',
  'int8',
  'uint8',
  'bool',
];

/** The message of a failed assertion. */
function messageOf(assertion: () => void): string {
  try {
    assertion();
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('it did not fail');
}

describe('tensors in toEqual, toStrictEqual and toMatchObject', () => {
  it.each(DTYPES as DType[])('are equal by value in %s', (dtype) => {
    const make = () => tensor([1, 0, 1], { dtype });
    expect(make()).toEqual(make());
    expect({ nested: [make()] }).toStrictEqual({ nested: [make()] });
    expect({ a: 1, x: make() }).toMatchObject({ x: make() });
    expect(make()).not.toEqual(tensor([1, 1, 1], { dtype }));
  });

  const pairs: [string, () => [Tensor, Tensor], boolean][] = [
    ['NaN and infinities', () => [NaNs(), NaNs()], true],
    ['0 and -0', () => [zeros([2]), zeros([2]).neg()], true],
    ['other strides', () => [tensor([[1], [2]]), tensor([[1, 2]]).t()], true],
    ['a parameter and its values', () => [zeros([2], { requiresGrad: true }), zeros([2])], true],
    ['empty tensors', () => [zeros([0, 3]), zeros([0, 3])], true],
    ['empty tensors of other shapes', () => [zeros([0, 3]), zeros([0, 4])], false],
    ['empty tensors of other dtypes', () => [zeros([0]), zeros([0], { dtype: 'int64' })], false],
    ['NaN and a number', () => [NaNs(), tensor([1, 2, Number.POSITIVE_INFINITY])], false],
    ['other shapes', () => [zeros([2, 3]), zeros([3, 2])], false],
    ['a number and a vector of one', () => [tensor(1), tensor([1])], false],
    ['other dtypes', () => [tensor([1]), tensor([1], { dtype: 'float64' })], false],
    ['nearly equal values', () => [tensor([1]), tensor([1 + 2 ** -23])], false],
    ['integers beyond 2^53', () => [tensor([2n ** 60n]), tensor([2n ** 60n + 1n])], false],
  ];
  it.each(pairs)('%s', (_, make, equal) => {
    const [a, b] = make();
    const assertions = [
      () => expect(a).toEqual(b),
      () => expect([a]).toStrictEqual([b]),
      () => expect({ list: [{ a }], more: 1 }).toMatchObject({ list: [{ a: b }] }),
    ];
    for (const assertion of assertions) {
      if (equal) assertion();
      else expect(assertion).toThrow();
    }
    expect(differenceOf(a, b) === undefined).toBe(equal);
  });

  it('never equal what is no tensor', () => {
    expect(tensor([1])).not.toEqual([1]);
    expect(tensor(1)).not.toEqual(1);
    expect({ a: 1 }).toEqual({ a: 1 });
    expect(tensor([1])).toEqual(expect.anything());
    expect([tensor([1]), tensor([2])]).toContainEqual(tensor([2]));
    expect(equalTensors(1, 2)).toBe(undefined);
  });

  it('equal only themselves once disposed', () => {
    const [a, b] = [zeros([1]), zeros([1])];
    a.dispose();
    b.dispose();
    expect(a).toEqual(a);
    expect(equalTensors(a, b)).toBe(false);
    expect(messageOf(() => expect(a).toEqual(zeros([1])))).toContain('received a disposed Tensor');
  });
});

describe('the error', () => {
  it('says how many elements differ, and where', () => {
    const [a, b] = [tensor([[1, 2, 3], [4, 5, 6]]), tensor([[1, 2, 4], [4, 5, 7]])]; // biome-ignore format: a matrix
    const difference = '2 of 6 elements differ, the first at [0, 2]: expected 4 but received 3';
    expect(messageOf(() => expect(a).toEqual(b))).toContain(difference);
    expect(messageOf(() => expect({ layers: [{ a }] }).toMatchObject({ layers: [{ a: b }] }))).toContain(
      `layers.0.a: ${difference}`,
    );
  });

  it('says which shapes and dtypes differ', () => {
    expect(messageOf(() => expect(zeros([0, 3])).toEqual(zeros([0, 4])))).toContain(
      'expected float32 [0, 4] but received float32 [0, 3]',
    );
    const halves = () => expect(zeros([1])).toStrictEqual(zeros([1], { dtype: 'float16' }));
    expect(messageOf(halves)).toContain('expected float16 [1] but received float32 [1]');
  });

  it('takes no time and no page for a million elements', () => {
    const x = randn([1000, 1000]);
    const y = x.clone();
    y.index(500, 2).add_(1);
    const start = performance.now();
    expect(x).toEqual(x.clone());
    const message = messageOf(() => expect(x).toEqual(y));
    // Vitest alone needs minutes for such a diff.
    expect(performance.now() - start).toBeLessThan(10_000);
    expect(message).toContain('1 of 1000000 elements differ, the first at [500, 2]');
    expect(message.length).toBeLessThan(2000);
  });

  it('of other values is Vitest’s own', () => {
    expect(messageOf(() => expect({ a: 1 }).toEqual({ a: 2 }))).toBe(
      'expected { a: 1 } to deeply equal { a: 2 }',
    );
  });
});

it('leaves node:assert as it is, which compares tensors by value itself', () => {
  assert.deepStrictEqual({ x: tensor([1, 2]) }, { x: tensor([1, 2]) });
  assert.throws(() => assert.deepStrictEqual(tensor([1, 2]), tensor([1, 3])), assert.AssertionError);
  assert.throws(() => assert.deepStrictEqual(zeros([0, 3]), zeros([0, 4])), assert.AssertionError);
});

it('x[0] is undefined: rows are taken by select() and index()', () => {
  const x = tensor([[1, 2], [3, 4]]); // biome-ignore format: a matrix
  expect((x as unknown as Record<number, unknown>)[0]).toBe(undefined);
  expect(x.select(0, 0)).toEqual(tensor([1, 2]));
  expect(x.index(0)).toEqual(tensor([1, 2]));
});

it('is exported by the package', () => {
  const { resolve } = createRequire(import.meta.url);
  for (const name of ['testing', 'vitest'])
    expect(resolve(`dyconv/${name}`)).toBe(fileURLToPath(new URL(`../dist/${name}.js`, import.meta.url)));
});
