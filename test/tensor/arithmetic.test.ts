import { describe, expect, it } from 'vitest';
import {
  ArgumentError,
  DisposedError,
  type DType,
  DTypeError,
  ShapeError,
  type Tensor,
  tensor,
  zeros,
} from '../../lib/index.js';
import { itRefuses } from '../support/refusals.js';
import { expectValues } from '../support/values.js';

const gone = () => {
  const made = zeros([1]);
  made.dispose();
  return made;
};
const x = tensor([-1.5, 0, 0.5, 2]);
const y = tensor([2, -1, 0.5, 4]);
const nan = Number.NaN;
const inf = Number.POSITIVE_INFINITY;

itRefuses([
  ['subtraction of bools', () => tensor([true]).sub(tensor([true])), DTypeError, 'two bool tensors'],
  [
    'sizes that do not broadcast',
    () => zeros([2, 3]).add(zeros([2, 2])),
    ShapeError,
    'add: The size of tensor a (3) must match the size of tensor b (2) at non-singleton dimension 1',
  ],
  [
    'a foreign object',
    () => zeros([1]).add({} as never),
    ArgumentError,
    'Expected a Tensor or a number for other of add but received an object',
  ],
  ['text', () => zeros([1]).mul('1' as never), ArgumentError, "for other of mul but received '1' (string)"],
  [
    'nothing',
    () => zeros([1]).sub(undefined as never),
    ArgumentError,
    'for other of sub but received undefined',
  ],
  [
    'a disposed operand',
    () => zeros([1]).add(gone()),
    DisposedError,
    'Expected a live Tensor for other of add but received one that was disposed',
  ],
  ['a fraction added to integers in place', () => tensor([1n]).add_(1.5), DTypeError, "can't be cast"],
  [
    'an alpha that is text',
    () => zeros([1]).add(1, { alpha: 'x' as never }),
    ArgumentError,
    'for alpha of add',
  ],
  [
    'a clamp without bounds',
    () => zeros([1]).clamp({}),
    ArgumentError,
    'Expected min, max or both for options',
  ],
  [
    'in-place results that do not fit',
    () => zeros([1]).add_(zeros([2])),
    ShapeError,
    'output with shape [1]',
  ],
  ['bigints beyond 64 bits', () => zeros([1]).add(2n ** 64n), ArgumentError, 'an integer of at most 64 bits'],
]);

// Values of PyTorch.
const cases: [string, () => Tensor, unknown][] = [
  ['neg', () => x.neg(), [1.5, -0, -0.5, -2]],
  ['abs', () => x.abs(), [1.5, 0, 0.5, 2]],
  ['sign', () => x.sign(), [-1, 0, 1, 1]],
  ['square', () => x.square(), [2.25, 0, 0.25, 4]],
  ['reciprocal', () => x.reciprocal(), [-0.6666666667, inf, 2, 0.5]],
  ['floor', () => x.floor(), [-2, 0, 0, 2]],
  ['ceil', () => x.ceil(), [-1, 0, 1, 2]],
  ['round', () => x.round(), [-2, 0, 0, 2]],
  ['clamp', () => x.clamp({ min: -1, max: 1 }), [-1, 0, 0.5, 1]],
  ['clamp from below', () => x.clamp({ min: 0.25 }), [0.25, 0.25, 0.5, 2]],
  ['clamp from above', () => x.clamp({ max: 0.25 }), [-1.5, 0, 0.25, 0.25]],
  ['add', () => x.add(y), [0.5, -1, 1, 6]],
  ['add alpha', () => x.add(y, { alpha: 2 }), [2.5, -2, 1.5, 10]],
  ['sub', () => x.sub(y), [-3.5, 1, 0, -2]],
  ['sub alpha', () => x.sub(y, { alpha: 0.5 }), [-2.5, 0.5, 0.25, 0]],
  ['mul', () => x.mul(y), [-3, -0, 0.25, 8]],
  ['div', () => x.div(y), [-0.75, -0, 1, 0.5]],
  ['div by 0', () => x.div(0), [-inf, nan, inf, inf]],
  ['floorDivide', () => x.floorDivide(y), [-1, -0, 1, 0]],
  ['remainder', () => x.remainder(y), [0.5, -0, 0, 2]],
  ['pow', () => x.pow(2), [2.25, 0, 0.25, 4]],
  ['pow of tensors', () => y.pow(x), [0.3535533906, 1, Math.SQRT1_2, 16]],
  ['maximum', () => x.maximum(y), [2, 0, 0.5, 4]],
  ['minimum', () => x.minimum(0.25), [-1.5, 0, 0.25, 0.25]],
];

it.each(cases)('%s', (_, call, values) => {
  expectValues(call(), values);
});

describe('in place', () => {
  const cases: [string, (t: Tensor) => Tensor, number[]][] = [
    ['add_', (t) => t.add_(tensor([1, 2]), { alpha: 2 }), [3, 6]],
    ['sub_', (t) => t.sub_(1), [0, 1]],
    ['mul_', (t) => t.mul_(3), [3, 6]],
    ['div_', (t) => t.div_(2), [0.5, 1]],
    ['fill_', (t) => t.fill_(7), [7, 7]],
    ['zero_', (t) => t.zero_(), [0, 0]],
    ['copy_', (t) => t.copy_(tensor(9n)), [9, 9]],
  ];
  it.each(cases)('%s changes its tensor, and views of it, and returns it', (_, call, values) => {
    const made = tensor([1, 2]);
    const view = made.detach();
    expect(call(made)).toBe(made);
    expect(made.arraySync()).toEqual(values);
    expect(view.arraySync()).toEqual(values);
  });
});

describe('promotion', () => {
  const dtypes: [string, () => Tensor, DType][] = [
    ['int64 + 1', () => tensor([1n]).add(1), 'int64'],
    ['int64 + 1.5', () => tensor([1n]).add(1.5), 'float32'],
    ['uint8 * 2', () => tensor([1], { dtype: 'uint8' }).mul(2), 'uint8'],
    ['bool + true', () => tensor([true]).add(true), 'bool'],
    ['float16 + 1.5', () => tensor([1], { dtype: 'float16' }).add(1.5), 'float16'],
    [
      'float16 + bfloat16',
      () => tensor([1], { dtype: 'float16' }).add(tensor([1], { dtype: 'bfloat16' })),
      'float32',
    ],
    ['float32 + float64', () => tensor([1]).add(tensor([1], { dtype: 'float64' })), 'float64'],
    ['float32 + float64 []', () => tensor([1]).add(tensor(1, { dtype: 'float64' })), 'float32'],
    ['int32 + int64', () => tensor([1], { dtype: 'int32' }).add(tensor([1n])), 'int64'],
    ['uint8 + int8', () => tensor([1], { dtype: 'uint8' }).add(tensor([1], { dtype: 'int8' })), 'int16'],
    ['int64 / int64', () => tensor([1n]).div(tensor([2n])), 'float32'],
    ['int64 floorDivide 2', () => tensor([3n]).floorDivide(2), 'int64'],
    ['float32 + 2n', () => tensor([1]).add(2n), 'float32'],
    ['exp of int64', () => tensor([1n]).exp(), 'float32'],
  ];
  it.each(dtypes)('%s is as in PyTorch', (_, call, dtype) => {
    expect(call().dtype).toBe(dtype);
  });
});

describe('broadcasting', () => {
  it('stretches sizes of 1 and missing dimensions', () => {
    const column = tensor([[1], [2]]);
    const row = tensor([10, 20, 30]);
    expect(column.add(row).arraySync()).toEqual([
      [11, 21, 31],
      [12, 22, 32],
    ]);
    expect(zeros([3, 1, 2]).add(zeros([4, 1])).shape).toEqual([3, 4, 2]);
    expect(tensor(1).add(row).shape).toEqual([3]);
  });

  it('keeps empty tensors empty', () => {
    expect(zeros([0, 3]).add(zeros([1, 3])).shape).toEqual([0, 3]);
    expect(zeros([0]).exp().arraySync()).toEqual([]);
  });
});

it('gives NaN and infinities on', () => {
  const odd = tensor([nan, inf, -inf]);
  expectValues(odd.add(1), [nan, inf, -inf]);
  expectValues(odd.mul(0), [nan, nan, nan]);
  expectValues(odd.relu(), [nan, inf, 0]);
  expectValues(odd.eq(odd), [false, true, true]);
  expectValues(odd.maximum(0), [nan, inf, 0]);
});

it('wraps integers that overflow, as PyTorch does', () => {
  expect(tensor([250], { dtype: 'uint8' }).add(10).arraySync()).toEqual([4]);
  expect(
    tensor([2n ** 63n - 1n])
      .add(1)
      .arraySync(),
  ).toEqual([-(2n ** 63n)]);
});
