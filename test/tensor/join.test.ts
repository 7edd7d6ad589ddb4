import { describe, expect, it } from 'vitest';
import { ArgumentError, arange, ShapeError, stack, type Tensor, tensor, zeros } from '../../lib/index.js';
import { itRefuses } from '../support/refusals.js';
import { expectValues } from '../support/values.js';

const x = arange(6).reshape([2, 3]);

itRefuses([
  ['no chunks', () => x.chunk(0), ArgumentError, 'to be greater than 0'],
  ['parts that do not add up', () => x.split([1, 1], 1), ShapeError, 'splitSizes'],
  [
    'different shapes side by side',
    () => stack([zeros([2]), zeros([3])]),
    ShapeError,
    'each tensor to be equal size',
  ],
]);

// Values of PyTorch.
const cases: [string, () => Tensor, unknown][] = [
  [
    'stack',
    () => stack([tensor([1, 2]), tensor([3, 4])], { dim: 1 }),
    [
      [1, 3],
      [2, 4],
    ],
  ],
];

it.each(cases)('%s', (_, call, values) => {
  expectValues(call(), values);
});

describe('parts', () => {
  it('split by sizes', () => {
    expect(x.split([1, 2], 1).map((part) => part.arraySync())).toEqual([
      [[0], [3]],
      [
        [1, 2],
        [4, 5],
      ],
    ]);
  });

  it('chunk evenly, the last being smaller', () => {
    expect(
      arange(5)
        .chunk(3)
        .map((part) => part.shape),
    ).toEqual([[2], [2], [1]]);
  });
});
