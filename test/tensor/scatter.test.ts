import { describe, expect, it } from 'vitest';
import { DTypeError, ShapeError, slice, type Tensor, tensor, zeros } from '../../lib/index.js';
import { itRefuses } from '../support/refusals.js';
import { expectValues } from '../support/values.js';

itRefuses([
  [
    'values that do not fit',
    () => zeros([3]).indexPut_([slice(0, 2)], zeros([3])),
    ShapeError,
    'expanded size',
  ],
  ['a mask of numbers', () => zeros([2]).maskedFill(tensor([1, 0]), 1), DTypeError, 'mask'],
]);

// Values of PyTorch.
const cases: [string, () => Tensor, unknown][] = [
  ['scatter', () => zeros([1, 3]).scatter(1, tensor([[2n]]), tensor([[5]])), [[0, 0, 5]]],
  ['maskedFill', () => tensor([1, 2]).maskedFill(tensor([true, false]), 9), [9, 2]],
];

it.each(cases)('%s', (_, call, values) => {
  expectValues(call(), values);
});

describe('indexPut_', () => {
  it('assigns numbers and tensors, and returns its tensor', () => {
    const base = zeros([2, 3]);
    expect(base.indexPut_([0, slice(1)], 5)).toBe(base);
    base.indexPut_([1], tensor([1, 2, 3]));
    base.indexPut_([base.eq(5)], -1);
    expect(base.arraySync()).toEqual([
      [0, -1, -1],
      [1, 2, 3],
    ]);
  });
});
