import { it } from 'vitest';
import { ArgumentError, type Tensor, tensor } from '../../lib/index.js';
import { itRefuses } from '../support/refusals.js';
import { expectValues } from '../support/values.js';

itRefuses([['counts of negative values', () => tensor([-1n]).bincount(), ArgumentError, 'non-negative']]);

// Values of PyTorch.
const cases: [string, () => Tensor, unknown][] = [
  ['bincount', () => tensor([0n, 2n, 2n]).bincount({ minlength: 4 }), [1, 0, 2, 0]],
];

it.each(cases)('%s', (_, call, values) => {
  expectValues(call(), values);
});
