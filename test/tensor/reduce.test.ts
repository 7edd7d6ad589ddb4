import { describe, expect, it } from 'vitest';
import { ArgumentError, DTypeError, ShapeError, type Tensor, tensor, zeros } from '../../lib/index.js';
import { itRefuses } from '../support/refusals.js';
import { expectValues } from '../support/values.js';

const x = tensor([
  [1, 5, 2],
  [4, -3, 6],
]);
const [nan, inf] = [Number.NaN, Number.POSITIVE_INFINITY];

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
  ['more than there are', () => x.topk(4), ShapeError, 'selected index k out of range'],
  ['counts of negative values', () => tensor([-1n]).bincount(), ArgumentError, 'non-negative'],
  ['batches of one matrix', () => x.bmm(x.t()), ShapeError, 'batch1 must be a 3D tensor'],
  [
    'matrices that do not fit',
    () => x.matmul(x),
    ShapeError,
    'matmul: mat1 and mat2 shapes cannot be multiplied (2x3 and 2x3)',
  ],
  ['products of two dtypes', () => x.matmul(x.t().to({ dtype: 'float64' })), DTypeError, 'same dtype'],
  [
    'a product with a number',
    () => x.matmul(2 as never),
    ArgumentError,
    'Expected a Tensor for other of matmul',
  ],
]);

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
  [
    'cumsum',
    () => x.cumsum({ dim: 1 }),
    [
      [1, 6, 8],
      [4, 1, 7],
    ],
  ],
  ['norm', () => x.norm(), 9.5393920142],
  ['norm p=1', () => x.norm({ p: 1, dim: 0 }), [5, 8, 8]],
  ['norm p=inf', () => x.norm({ p: inf }), 6],
  ['bincount', () => tensor([0n, 2n, 2n]).bincount({ minlength: 4 }), [1, 0, 2, 0]],
  [
    'topk',
    () => x.topk(2).values,
    [
      [5, 2],
      [6, 4],
    ],
  ],
  [
    'topk positions',
    () => x.topk(2).indices,
    [
      [1, 2],
      [2, 0],
    ],
  ],
  ['the smallest', () => x.topk(1, { dim: 0, largest: false }).values, [[1, -3, 2]]],
  [
    'sort',
    () => x.sort().values,
    [
      [1, 2, 5],
      [-3, 4, 6],
    ],
  ],
  [
    'sort positions',
    () => x.sort({ descending: true }).indices,
    [
      [1, 2, 0],
      [2, 0, 1],
    ],
  ],
  [
    'sort of a dimension',
    () => x.sort({ dim: 0 }).values,
    [
      [1, -3, 2],
      [4, 5, 6],
    ],
  ],
  [
    'matmul',
    () => x.matmul(x.t()),
    [
      [30, 1],
      [1, 61],
    ],
  ],
  ['matmul of vectors', () => tensor([1, 2]).matmul(tensor([3, 4])), 11],
  ['matmul of matrix and vector', () => x.matmul(tensor([1, 1, 1])), [8, 7]],
  ['matmul of batches', () => tensor([[[1, 2]], [[3, 4]]]).matmul(tensor([[1], [10]])), [[[21]], [[43]]]],
  ['bmm', () => tensor([[[1, 2]]]).bmm(tensor([[[3], [4]]])), [[[11]]]],
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

describe('comparison as a whole', () => {
  it('equal takes shape and every element', () => {
    expect(x.equal(x.clone())).toBe(true);
    expect(x.equal(x.reshape([3, 2]))).toBe(false);
    expect(x.equal(x.add(1e-6))).toBe(false);
    expect(tensor([nan]).equal(tensor([nan]))).toBe(false);
  });

  it('allclose takes tolerances', () => {
    expect(x.allclose(x.add(1e-6))).toBe(true);
    expect(x.allclose(x.add(0.1))).toBe(false);
    expect(x.allclose(x.add(0.1), { atol: 0.2 })).toBe(true);
    expect(tensor([nan]).allclose(tensor([nan]))).toBe(false);
    expect(tensor([nan]).allclose(tensor([nan]), { equalNan: true })).toBe(true);
  });
});
