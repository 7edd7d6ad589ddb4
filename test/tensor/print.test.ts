import { describe, expect, it } from 'vitest';
import { arange, type Tensor, tensor, zeros } from '../../lib/index.js';

const [nan, inf] = [Number.NaN, Number.POSITIVE_INFINITY];
const floats = (end: number) => arange(end, { dtype: 'float32' });

// str() of the same tensors in PyTorch 2.13. The only differences are those of JavaScript: true, [0, 3] and
// dtype=name.
const cases: [string, () => Tensor, string][] = [
  [
    'whole floats',
    () =>
      tensor([
        [1, 2],
        [3, 4],
      ]),
    'tensor([[1., 2.],\n        [3., 4.]])',
  ],
  ['fractions', () => tensor([1.5, -2.25, 0]), 'tensor([ 1.5000, -2.2500,  0.0000])'],
  ['whole floats beside what is none', () => tensor([1, nan, inf, -inf]), 'tensor([1., nan, inf, -inf])'],
  ['fractions beside what is none', () => tensor([0.5, nan, -inf]), 'tensor([0.5000,    nan,   -inf])'],
  ['an infinity first', () => tensor([inf, 1.5]), 'tensor([   inf, 1.5000])'],
  ['NaN alone', () => tensor([nan]), 'tensor([nan])'],
  ['small beside large', () => tensor([1e-5, 1]), 'tensor([1.0000e-05, 1.0000e+00])'],
  ['large whole floats', () => tensor([1e9, 1]), 'tensor([1.0000e+09, 1.0000e+00])'],
  ['whole floats far apart', () => tensor([1, 2000]), 'tensor([1.0000e+00, 2.0000e+03])'],
  ['large fractions', () => tensor([123456.789, 1.5]), 'tensor([1.2346e+05, 1.5000e+00])'],
  ['small fractions', () => tensor([1e-10]), 'tensor([1.0000e-10])'],
  [
    'exponents of three digits',
    () => tensor([1e100, 1], { dtype: 'float64' }),
    'tensor([1.0000e+100,  1.0000e+00], dtype=float64)',
  ],
  ['minus 0', () => tensor([-0, 1]), 'tensor([-0., 1.])'],
  ['zeros', () => zeros([2, 3]), 'tensor([[0., 0., 0.],\n        [0., 0., 0.]])'],
  ['0-d', () => tensor(3.24159), 'tensor(3.2416)'],
  ['a 0-d integer', () => tensor(7n), 'tensor(7)'],
  ['integers', () => tensor([1n, -20n, 300n]), 'tensor([  1, -20, 300])'],
  ['int32', () => tensor([1, 2], { dtype: 'int32' }), 'tensor([1, 2], dtype=int32)'],
  ['uint8', () => tensor([1, 255], { dtype: 'uint8' }), 'tensor([  1, 255], dtype=uint8)'],
  ['float64', () => tensor([0.1], { dtype: 'float64' }), 'tensor([0.1000], dtype=float64)'],
  ['bfloat16', () => tensor([0.1, 2], { dtype: 'bfloat16' }), 'tensor([0.1001, 2.0000], dtype=bfloat16)'],
  [
    'float16',
    () => tensor([65504, 1], { dtype: 'float16' }),
    'tensor([6.5504e+04, 1.0000e+00], dtype=float16)',
  ],
  ['bools', () => tensor([true, false]), 'tensor([ true, false])'],
  ['nothing', () => tensor([]), 'tensor([])'],
  ['no rows', () => zeros([0, 3]), 'tensor([], size=[0, 3])'],
  ['no columns', () => zeros([3, 0]), 'tensor([], size=[3, 0])'],
  ['no integers', () => zeros([0], { dtype: 'int64' }), 'tensor([], dtype=int64)'],
  [
    'three dimensions',
    () => arange(12).reshape([2, 3, 2]),
    'tensor([[[ 0,  1],\n         [ 2,  3],\n         [ 4,  5]],\n\n        [[ 6,  7],\n         [ 8,  9],\n         [10, 11]]])',
  ],
  [
    'four dimensions',
    () => floats(8).reshape([2, 1, 2, 2]),
    'tensor([[[[0., 1.],\n          [2., 3.]]],\n\n\n        [[[4., 5.],\n          [6., 7.]]]])',
  ],
  [
    'lines that are full',
    () => floats(25).div(4),
    'tensor([0.0000, 0.2500, 0.5000, 0.7500, 1.0000, 1.2500, 1.5000, 1.7500, 2.0000,\n        2.2500, 2.5000, 2.7500, 3.0000, 3.2500, 3.5000, 3.7500, 4.0000, 4.2500,\n        4.5000, 4.7500, 5.0000, 5.2500, 5.5000, 5.7500, 6.0000])',
  ],
  ['more than 1000', () => arange(1001), 'tensor([   0,    1,    2,  ...,  998,  999, 1000])'],
  [
    'a large matrix',
    () => arange(10_000).reshape([100, 100]),
    `tensor([[   0,    1,    2,  ...,   97,   98,   99],
        [ 100,  101,  102,  ...,  197,  198,  199],
        [ 200,  201,  202,  ...,  297,  298,  299],
        ...,
        [9700, 9701, 9702,  ..., 9797, 9798, 9799],
        [9800, 9801, 9802,  ..., 9897, 9898, 9899],
        [9900, 9901, 9902,  ..., 9997, 9998, 9999]])`,
  ],
  [
    'a long one',
    () => floats(2002).reshape([1001, 2]),
    `tensor([[0.0000e+00, 1.0000e+00],
        [2.0000e+00, 3.0000e+00],
        [4.0000e+00, 5.0000e+00],
        ...,
        [1.9960e+03, 1.9970e+03],
        [1.9980e+03, 1.9990e+03],
        [2.0000e+03, 2.0010e+03]])`,
  ],
  [
    'what requires gradients',
    () => tensor([1, 2], { requiresGrad: true }),
    'tensor([1., 2.], requiresGrad=true)',
  ],
  [
    'integers beyond 2^53',
    () => tensor([2n ** 60n, 1n]),
    'tensor([1152921504606846976,                   1])',
  ],
  [
    'what is disposed',
    () => {
      const made = zeros([1]);
      made.dispose();
      return made;
    },
    'tensor(disposed)',
  ],
];

describe('toString', () => {
  it.each(cases)('%s', (_, make, text) => {
    expect(make().toString()).toBe(text);
  });
});
