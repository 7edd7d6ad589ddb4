import { it } from 'vitest';
import { ShapeError, type Tensor, tensor } from '../../lib/index.js';
import { itRefuses } from '../support/refusals.js';
import { expectValues } from '../support/values.js';

const x = tensor([
  [1, 5, 2],
  [4, -3, 6],
]);

itRefuses([['more than there are', () => x.topk(4), ShapeError, 'selected index k out of range']]);

// Values of PyTorch.
const cases: [string, () => Tensor, unknown][] = [
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
];

it.each(cases)('%s', (_, call, values) => {
  expectValues(call(), values);
});
