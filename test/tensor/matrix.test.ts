import { it } from 'vitest';
import { ArgumentError, arange, DTypeError, ShapeError, type Tensor, tensor } from '../../lib/index.js';
import { itRefuses } from '../support/refusals.js';
import { expectValues } from '../support/values.js';

const x = tensor([
  [1, 5, 2],
  [4, -3, 6],
]);
const counted = arange(6).reshape([2, 3]);

itRefuses([
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

// Values of PyTorch.
const cases: [string, () => Tensor, unknown][] = [
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
  [
    'tril',
    () => counted.tril(),
    [
      [0, 0, 0],
      [3, 4, 0],
    ],
  ],
  [
    'triu',
    () => counted.triu(1),
    [
      [0, 1, 2],
      [0, 0, 5],
    ],
  ],
];

it.each(cases)('%s', (_, call, values) => {
  expectValues(call(), values);
});
