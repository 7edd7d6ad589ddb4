import { it } from 'vitest';
import { type Tensor, tensor } from '../../lib/index.js';
import { expectValues } from '../support/values.js';

const x = tensor([
  [1, 5, 2],
  [4, -3, 6],
]);

// Values of PyTorch.
const cases: [string, () => Tensor, unknown][] = [
  [
    'cumsum',
    () => x.cumsum({ dim: 1 }),
    [
      [1, 6, 8],
      [4, 1, 7],
    ],
  ],
];

it.each(cases)('%s', (_, call, values) => {
  expectValues(call(), values);
});
