import { describe, expect, it } from 'vitest';
import { ArgumentError, arange, ShapeError, type Tensor, tensor, zeros } from '../../lib/index.js';
import { itRefuses } from '../support/refusals.js';
import { expectValues } from '../support/values.js';

const x = arange(6).reshape([2, 3]);

itRefuses([
  [
    'a reshape that does not fit',
    () => x.reshape([4]),
    ShapeError,
    "reshape: shape '[4]' is invalid for input of size 6",
  ],
  ['two inferred sizes', () => x.reshape([-1, -1]), ShapeError, 'only one dimension can be inferred'],
  [
    'a shape that is no list',
    () => x.reshape({} as never),
    ArgumentError,
    'Expected an array for shape of reshape',
  ],
  ['a view that would have to copy', () => x.t().view([6]), ShapeError, 'view size is not compatible'],
  ['too few dimensions', () => x.permute([0]), ShapeError, 'permute'],
  ['a dimension twice', () => x.permute([0, 0]), ShapeError, 'permute'],
  ['a dimension that is not there', () => x.transpose(0, 2), ShapeError, 'out of range'],
  ['dimensions in the wrong order', () => x.flatten(1, 0), ShapeError, 'flatten'],
  ['a place that is not there', () => x.unsqueeze(4), ShapeError, 'out of range'],
  ['stretching what is not 1', () => x.expand([4, 3]), ShapeError, 'must match the existing size (2)'],
  ['fewer repeats than dimensions', () => x.repeat([2]), ShapeError, 'repeat'],
  ['more than there is', () => x.narrow(1, 2, 2), ShapeError, 'narrow'],
]);

// Values of PyTorch.
const cases: [string, () => Tensor, unknown][] = [
  [
    'reshape',
    () => x.reshape([3, -1]),
    [
      [0, 1],
      [2, 3],
      [4, 5],
    ],
  ],
  ['reshape to sizes', () => x.reshape(3, -1).reshape(-1), [0, 1, 2, 3, 4, 5]],
  ['view of sizes', () => x.view(1, -1, 3).permute(2, 0, 1).flip(0, 1), [[[2, 5]], [[1, 4]], [[0, 3]]]],
  [
    'expand and repeat of sizes',
    () => tensor([1, 2]).expand(2, -1).repeat(1, 2).tile(1),
    [
      [1, 2, 1, 2],
      [1, 2, 1, 2],
    ],
  ],
  [
    'broadcastTo sizes',
    () => tensor([1, 2]).broadcastTo(2, 2),
    [
      [1, 2],
      [1, 2],
    ],
  ],
  ['reshape to 0-d', () => tensor([7]).reshape([]), 7],
  ['view', () => x.view([6]), [0, 1, 2, 3, 4, 5]],
  [
    'permute',
    () => x.permute([1, 0]),
    [
      [0, 3],
      [1, 4],
      [2, 5],
    ],
  ],
  [
    'transpose',
    () => x.transpose(0, -1),
    [
      [0, 3],
      [1, 4],
      [2, 5],
    ],
  ],
  [
    't',
    () => x.t(),
    [
      [0, 3],
      [1, 4],
      [2, 5],
    ],
  ],
  ['flatten', () => x.reshape([1, 2, 3]).flatten(1), [[0, 1, 2, 3, 4, 5]]],
  ['squeeze', () => x.reshape([1, 6, 1]).squeeze(), [0, 1, 2, 3, 4, 5]],
  ['squeeze of one', () => x.reshape([1, 6, 1]).squeeze(0), [[0], [1], [2], [3], [4], [5]]],
  [
    'squeeze of what is not 1',
    () => x.squeeze(0),
    [
      [0, 1, 2],
      [3, 4, 5],
    ],
  ],
  ['unsqueeze', () => tensor([1, 2]).unsqueeze(-1), [[1], [2]]],
  [
    'expand',
    () => tensor([[1], [2]]).expand([-1, 2]),
    [
      [1, 1],
      [2, 2],
    ],
  ],
  [
    'repeat',
    () => tensor([1, 2]).repeat([2, 2]),
    [
      [1, 2, 1, 2],
      [1, 2, 1, 2],
    ],
  ],
  [
    'flip',
    () => x.flip([0, 1]),
    [
      [5, 4, 3],
      [2, 1, 0],
    ],
  ],
  [
    'roll',
    () => x.roll([1], [1]),
    [
      [2, 0, 1],
      [5, 3, 4],
    ],
  ],
  [
    'narrow',
    () => x.narrow(1, 1, 2),
    [
      [1, 2],
      [4, 5],
    ],
  ],
];

it.each(cases)('%s', (_, call, values) => {
  expectValues(call(), values);
});

describe('views', () => {
  const views: [string, (t: Tensor) => Tensor][] = [
    ['reshape', (t) => t.reshape([4])],
    ['t', (t) => t.t()],
    ['flatten', (t) => t.flatten()],
    ['unsqueeze', (t) => t.unsqueeze(0)],
    ['narrow', (t) => t.narrow(0, 0, 2)],
    ['expand', (t) => t.expand([3, 2, 2])],
    ['split', (t) => t.split([2])[0]!],
    ['permute', (t) => t.permute([1, 0])],
  ];
  it.each(views)('%s shares its elements', (_, view) => {
    const base = zeros([2, 2]);
    const seen = view(base);
    base.fill_(1);
    expect(seen.sum().item()).toBe(seen.numel);
  });

  it.each(['repeat', 'flip', 'roll'] as const)('%s copies', (name) => {
    const base = zeros([2, 2]);
    const copy = name === 'roll' ? base.roll([1], [0]) : base[name]([1, 1].slice(0, name === 'flip' ? 1 : 2));
    base.fill_(1);
    expect(copy.sum().item()).toBe(0);
  });
});

it('handles sizes of 0', () => {
  const none = zeros([0, 3]);
  expect(none.reshape([3, 0]).shape).toEqual([3, 0]);
  expect(none.t().shape).toEqual([3, 0]);
  expect(none.unsqueeze(0).shape).toEqual([1, 0, 3]);
  expect(none.softmax().shape).toEqual([0, 3]);
});
