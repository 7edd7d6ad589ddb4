import { describe, expect, it } from 'vitest';
import {
  ArgumentError,
  arange,
  DTypeError,
  ShapeError,
  slice,
  type Tensor,
  tensor,
  zeros,
} from '../../lib/index.js';
import { itRefuses } from '../support/refusals.js';
import { expectValues } from '../support/values.js';

const x = arange(12).reshape([3, 4]);

itRefuses([
  [
    'a position behind the end',
    () => x.index(3),
    ShapeError,
    'index 3 is out of bounds for dimension 0 with size 3',
  ],
  ['a position before the start', () => x.index(-4), ShapeError, 'index -4 is out of bounds'],
  [
    'more positions than dimensions',
    () => x.index(0, 0, 0),
    ShapeError,
    'too many indices for tensor of dimension 2',
  ],
  [
    'text',
    () => x.index('a' as never),
    ArgumentError,
    "Expected an integer, slice(), null, '...', a boolean or a Tensor for indices of index but received 'a' (string)",
  ],
  [
    'an object that is no slice',
    () => x.index({} as never),
    ArgumentError,
    'for indices of index but received an object',
  ],
  ['half a position', () => x.index(0.5), ArgumentError, 'Expected an integer for indices of index'],
  ['nothing', () => x.index(undefined as never), ArgumentError, 'but received undefined'],
  ['a position in 0-d', () => tensor(1).index(0), ShapeError, '0-dim'],
  ['positions that are floats', () => x.index(tensor([0.5])), DTypeError, 'int64, int32, uint8 or bool'],
  ['a position of a Tensor behind the end', () => x.index(tensor([3n])), ShapeError, 'out of bounds'],
  ['a mask of another shape', () => x.index(tensor([true])), ShapeError, 'mask'],
  [
    'a slice of text',
    () => slice('a' as never),
    ArgumentError,
    "Expected an integer or null for start but received 'a'",
  ],
  [
    'a step of 0',
    () => slice(0, 1, 0),
    ArgumentError,
    'Expected an integer of at least 1 for step but received 0',
  ],
  ['a step back', () => slice(null, null, -1), ArgumentError, 'for step but received -1 (number)'],
  ['int32 for gather', () => x.gather(0, zeros([1, 1])), DTypeError, 'index'],
  ['a gather of other dimensions', () => x.gather(0, tensor([0n])), ShapeError, 'dimensions'],
  [
    'a matrix of positions',
    () => x.indexSelect(0, tensor([[0n]])),
    ShapeError,
    'Index is supposed to be a vector',
  ],
]);

// Values of PyTorch.
const cases: [string, () => Tensor, unknown][] = [
  ['a position', () => x.index(1), [4, 5, 6, 7]],
  ['a position from the end', () => x.index(-1, -1), 11],
  [
    'a slice',
    () => x.index(slice(1)),
    [
      [4, 5, 6, 7],
      [8, 9, 10, 11],
    ],
  ],
  ['a slice with a step', () => x.index(0, slice(1, null, 2)), [1, 3]],
  ['a slice from the end', () => x.index(0, slice(-2)), [2, 3]],
  ['a slice beyond the end', () => x.index(0, slice(2, 99)), [2, 3]],
  ['an empty slice', () => x.index(slice(2, 1)), []],
  ['an ellipsis', () => x.index('...', 0), [0, 4, 8]],
  ['a new dimension', () => x.index(0, null), [[0, 1, 2, 3]]],
  ['true', () => x.index(0, true), [[0, 1, 2, 3]]],
  [
    'positions',
    () => x.index(tensor([2n, 0n])),
    [
      [8, 9, 10, 11],
      [0, 1, 2, 3],
    ],
  ],
  ['positions in two dimensions', () => x.index(tensor([2n, 0n]), tensor([1n, 3n])), [9, 3]],
  ['a mask', () => x.index(x.gt(8)), [9, 10, 11]],
  ['a mask of rows', () => x.index(tensor([true, false, false])), [[0, 1, 2, 3]]],
  ['a slice of bigints', () => x.index(0, slice(0, 1)), [0]],
  [
    'indexSelect',
    () => x.indexSelect(1, tensor([3n, 0n])),
    [
      [3, 0],
      [7, 4],
      [11, 8],
    ],
  ],
  ['gather', () => x.gather(1, tensor([[1n], [2n], [3n]])), [[1], [6], [11]]],
];

it.each(cases)('%s', (_, call, values) => {
  expectValues(call(), values);
});

describe('index', () => {
  it('gives views for positions and slices, copies for tensors', () => {
    const base = zeros([2, 2]);
    const view = base.index(0);
    const copy = base.index(tensor([0n]));
    base.fill_(1);
    expect(view.arraySync()).toEqual([1, 1]);
    expect(copy.arraySync()).toEqual([[0, 0]]);
  });

  it('is recorded for autograd', () => {
    const leaf = zeros([3], { requiresGrad: true });
    leaf.index(slice(1)).sum().backward();
    expect(leaf.grad!.arraySync()).toEqual([0, 1, 1]);
  });
});

it('slice describes itself', () => {
  expect(slice()).toEqual({ start: null, stop: null, step: null });
  expect(slice(1, -1, 2)).toEqual({ start: 1, stop: -1, step: 2 });
});
