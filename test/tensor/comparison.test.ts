import { describe, expect, it } from 'vitest';
import { type Tensor, tensor } from '../../lib/index.js';
import { expectValues } from '../support/values.js';

const x = tensor([-1.5, 0, 0.5, 2]);
const y = tensor([2, -1, 0.5, 4]);
const matrix = tensor([
  [1, 5, 2],
  [4, -3, 6],
]);
const nan = Number.NaN;

// Values of PyTorch.
const cases: [string, () => Tensor, unknown][] = [
  ['isnan', () => x.log().isnan(), [true, false, false, false]],
  ['isfinite', () => x.log().isfinite(), [false, false, true, true]],
  ['logicalNot', () => x.logicalNot(), [false, true, false, false]],
  ['eq', () => x.eq(y), [false, false, true, false]],
  ['ne', () => x.ne(0), [true, false, true, true]],
  ['lt', () => x.lt(y), [true, false, false, true]],
  ['le', () => x.le(y), [true, false, true, true]],
  ['gt', () => x.gt(y), [false, true, false, false]],
  ['ge', () => x.ge(0.5), [false, false, true, true]],
  ['logicalAnd', () => x.logicalAnd(true), [true, false, true, true]],
  ['logicalOr', () => x.logicalOr(tensor([0, 0, 0, 1])), [true, false, true, true]],
];

it.each(cases)('%s', (_, call, values) => {
  expectValues(call(), values);
});

describe('comparison of all elements', () => {
  it('equal takes shape and every element', () => {
    expect(matrix.equal(matrix.clone())).toBe(true);
    expect(matrix.equal(matrix.reshape([3, 2]))).toBe(false);
    expect(matrix.equal(matrix.add(1e-6))).toBe(false);
    expect(tensor([nan]).equal(tensor([nan]))).toBe(false);
  });

  it('allclose takes tolerances', () => {
    expect(matrix.allclose(matrix.add(1e-6))).toBe(true);
    expect(matrix.allclose(matrix.add(0.1))).toBe(false);
    expect(matrix.allclose(matrix.add(0.1), { atol: 0.2 })).toBe(true);
    expect(tensor([nan]).allclose(tensor([nan]))).toBe(false);
    expect(tensor([nan]).allclose(tensor([nan]), { equalNan: true })).toBe(true);
  });
});
