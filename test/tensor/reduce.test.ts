import { describe, expect, it } from 'vitest';
import { ArgumentError, DTypeError, ShapeError, type Tensor, tensor, zeros } from '../../lib/index.js';
import { itRefuses } from '../support/refusals.js';
import { expectValues } from '../support/values.js';

const x = tensor([
  [1, 5, 2],
  [4, -3, 6],
]);
const nan = Number.NaN;
const inf = Number.POSITIVE_INFINITY;

itRefuses([
  [
    'a dimension that is not there',
    () => x.sum({ dim: 2 }),
    ShapeError,
    'expected to be in range of [-2, 1], but got 2',
  ],
  ['a dimension twice', () => x.sum({ dim: [0, 0] }), ShapeError, 'dim 0 appears multiple times'],
  [
    'a bare dimension',
    () => x.sum(0 as never),
    ArgumentError,
    'Expected an object such as { dim: 0 } for options',
  ],
  ['half a dimension', () => x.sum({ dim: 0.5 }), ArgumentError, 'Expected an integer for dim of sum'],
  ['a dimension that is text', () => x.argmax({ dim: 'a' as never }), ArgumentError, 'for dim of argmax'],
  [
    'keepdim that is a number',
    () => x.sum({ keepdim: 1 as never }),
    ArgumentError,
    'Expected a boolean for keepdim of sum',
  ],
  ['the mean of integers', () => tensor([1n]).mean(), DTypeError, 'could not infer output dtype'],
  ['the largest of nothing', () => zeros([0]).amax(), ShapeError, 'amax'],
  ['the position in nothing', () => zeros([0]).argmax(), ShapeError, 'argmax'],
]);

// Values of PyTorch.
const cases: [string, () => Tensor, unknown][] = [
  ['sum', () => x.sum(), 15],
  ['sum of a dimension', () => x.sum({ dim: 0 }), [5, 2, 8]],
  ['sum of several', () => x.sum({ dim: [0, -1], keepdim: true }), [[15]]],
  ['sum of no dimensions: all, as in PyTorch', () => x.sum({ dim: [] }), 15],
  ['sum of bools', () => x.gt(1).sum(), 4],
  ['mean', () => x.mean({ dim: 1, keepdim: true }), [[8 / 3], [7 / 3]]],
  ['var', () => x.var(), 10.7],
  ['var without correction', () => x.var({ correction: 0, dim: 1 }), [2.8888888889, 14.8888888889]],
  ['std', () => x.std({ dim: 0 }), [2.1213203436, 5.6568542495, 2.8284271247]],
  ['std of one element', () => tensor([1]).std(), nan],
  ['prod', () => x.prod(), -720],
  ['prod of a dimension', () => x.prod({ dim: 1, keepdim: true }), [[10], [-72]]],
  ['amax', () => x.amax(), 6],
  ['amax of a dimension', () => x.amax({ dim: 0 }), [4, 5, 6]],
  ['amin', () => x.amin({ dim: 1, keepdim: true }), [[1], [-3]]],
  ['argmax', () => x.argmax(), 5],
  ['argmax of a dimension', () => x.argmax({ dim: 1 }), [1, 2]],
  ['argmin', () => x.argmin({ dim: 0, keepdim: true }), [[0, 1, 0]]],
  ['all', () => x.gt(-3).all(), false],
  ['any', () => x.gt(5).any(), true],
  ['logsumexp', () => x.logsumexp({ dim: 1 }), [5.0658837, 6.1270367]],
  ['logsumexp of large numbers', () => tensor([1000, 1000]).logsumexp({ dim: 0 }), 1000.6931472],
  ['norm', () => x.norm(), 9.5393920142],
  ['norm p=1', () => x.norm({ p: 1, dim: 0 }), [5, 8, 8]],
  ['norm p=inf', () => x.norm({ p: inf }), 6],
];

it.each(cases)('%s', (_, call, values) => {
  expectValues(call(), values);
});

describe('reductions', () => {
  it('have the dtypes of PyTorch', () => {
    expect(x.gt(0).sum().dtype).toBe('int64');
    expect(tensor([1], { dtype: 'uint8' }).sum().dtype).toBe('int64');
    expect(x.argmax().dtype).toBe('int64');
    expect(x.all().dtype).toBe('bool');
    expect(x.to({ dtype: 'bfloat16' }).mean().dtype).toBe('bfloat16');
  });

  it('of strided tensors equal those of their copies', () => {
    const turned = x.t();
    expectValues(turned.sum({ dim: 1 }), [5, 2, 8]);
    expectValues(turned.cumsum({ dim: 0 }), turned.contiguous().cumsum({ dim: 0 }).arraySync());
  });

  it('of empty tensors are the neutral element', () => {
    const none = zeros([0, 3]);
    expect(none.sum().item()).toBe(0);
    expect(none.prod().item()).toBe(1);
    expect(none.mean().item()).toBeNaN();
    expect(none.sum({ dim: 0 }).arraySync()).toEqual([0, 0, 0]);
    expect([none.eq(1).all().item(), none.eq(1).any().item()]).toEqual([1, 0]);
    expect(none.t().matmul(none).arraySync()).toEqual([
      [0, 0, 0],
      [0, 0, 0],
      [0, 0, 0],
    ]);
  });

  it('pass NaN on', () => {
    const odd = tensor([1, nan, inf]);
    expect(odd.sum().item()).toBeNaN();
    expect(odd.amax().item()).toBeNaN();
    expect(odd.argmax().item()).toBe(1);
  });

  it('of 0-d tensors', () => {
    expect(tensor(3).sum().item()).toBe(3);
    expect(tensor(3).argmax().item()).toBe(0);
    expect(tensor(3).sum({ dim: 0 }).shape).toEqual([]);
  });
});
