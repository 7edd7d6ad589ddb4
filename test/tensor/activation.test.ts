import { it } from 'vitest';
import {
  arange,
  DisposedError,
  DTypeError,
  ShapeError,
  type Tensor,
  tensor,
  zeros,
} from '../../lib/index.js';
import { itRefuses } from '../support/refusals.js';
import { expectValues } from '../support/values.js';

const gone = () => {
  const made = zeros([1]);
  made.dispose();
  return made;
};
const x = tensor([-1.5, 0, 0.5, 2]);
const counted = arange(6).reshape([2, 3]);

itRefuses([
  ['a disposed receiver', () => gone().relu(), DisposedError, 'for input of relu'],
  ['softmax of integers', () => counted.softmax(), DTypeError, 'softmax'],
  ['softmax along nothing', () => zeros([2]).softmax({ dim: 1 }), ShapeError, 'out of range'],
]);

// Values of PyTorch.
const cases: [string, () => Tensor, unknown][] = [
  ['relu', () => x.relu(), [0, 0, 0.5, 2]],
  [
    'softmax',
    () =>
      tensor([
        [0, 1],
        [2, 2],
      ]).softmax(),
    [
      [0.2689414214, 0.7310585786],
      [0.5, 0.5],
    ],
  ],
  [
    'softmax of dim 0',
    () =>
      tensor([
        [0, 1],
        [0, 1],
      ]).softmax({ dim: 0 }),
    [
      [0.5, 0.5],
      [0.5, 0.5],
    ],
  ],
  ['softmax of large numbers', () => tensor([1e4, 0]).softmax(), [1, 0]],
  ['logSoftmax', () => tensor([0, 1]).logSoftmax(), [-1.3132616875, -0.3132616875]],
];

it.each(cases)('%s', (_, call, values) => {
  expectValues(call(), values);
});
