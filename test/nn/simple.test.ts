import { describe, expect, it } from 'vitest';
import {
  ArgumentError,
  arange,
  manualSeed,
  nn,
  ones,
  ShapeError,
  type Tensor,
  tensor,
  zeros,
} from '../../lib/index.js';
import { itRefuses } from '../support/refusals.js';
import { expectValues } from '../support/values.js';

itRefuses([
  [
    'a probability above 1',
    () => new nn.Dropout(1.5),
    ArgumentError,
    'Expected a number from 0 to 1 for p but received 1.5',
  ],
  [
    'a probability that is text',
    () => new nn.Dropout('0.5' as never),
    ArgumentError,
    "for p but received '0.5'",
  ],
  ['a window of 0', () => new nn.MaxPool2d(0), ArgumentError, 'for kernelSize but received 0'],
  [
    'an output of 0',
    () => new nn.AdaptiveAvgPool2d([1, 0]),
    ArgumentError,
    'for outputSize but received [1, 0]',
  ],
  [
    'padding above half a window',
    () => new nn.MaxPool2d(2, { padding: 2 }).forward(zeros([1, 1, 4, 4])),
    ShapeError,
    'half of',
  ],
  ['pooling of a matrix', () => new nn.AvgPool2d(2).forward(zeros([4, 4])), ShapeError, 'avgPool2d'],
  [
    'neither size nor factor',
    () => new nn.Upsample({}).forward(zeros([1, 1, 2, 2])),
    ArgumentError,
    'either size or scaleFactor',
  ],
  [
    'an unknown mode',
    () => new nn.Upsample({ size: 2, mode: 'cubic' as never }).forward(zeros([1, 1, 2, 2])),
    ArgumentError,
    "one of 'nearest', 'nearestExact', 'linear', 'bilinear', 'bicubic', 'trilinear', 'area' for mode",
  ],
]);

const x = tensor([-2, -1, 0, 1, 2]);
const image = arange(16).reshape([1, 1, 4, 4]).to({ dtype: 'float32' });

// Values of the modules of the same name in PyTorch.
const cases: [string, () => Tensor, unknown][] = [
  ['ReLU', () => new nn.ReLU().forward(x), [0, 0, 0, 1, 2]],
  ['LeakyReLU', () => new nn.LeakyReLU().forward(x), [-0.02, -0.01, 0, 1, 2]],
  ['LeakyReLU with a slope', () => new nn.LeakyReLU({ negativeSlope: 0.5 }).forward(x), [-1, -0.5, 0, 1, 2]],
  ['GELU', () => new nn.GELU().forward(x), [-0.0455002785, -0.158655256, 0, 0.841344714, 1.954499722]],
  ['SiLU', () => new nn.SiLU().forward(x), [-0.238405839, -0.268941432, 0, 0.731058598, 1.761594057]],
  ['Hardswish', () => new nn.Hardswish().forward(x), [-1 / 3, -1 / 3, 0, 2 / 3, 5 / 3]],
  ['Sigmoid', () => new nn.Sigmoid().forward(x), [0.119202922, 0.2689414214, 0.5, 0.7310585786, 0.880797078]],
  ['Tanh', () => new nn.Tanh().forward(x), [-0.9640275801, -0.761594156, 0, 0.761594156, 0.9640275801]],
  ['Softmax', () => new nn.Softmax().forward(tensor([[0, 0]])), [[0.5, 0.5]]],
  ['Softmax of dim 0', () => new nn.Softmax({ dim: 0 }).forward(tensor([[0, 0]])), [[1, 1]]],
  ['Identity', () => new nn.Identity().forward(x), [-2, -1, 0, 1, 2]],
  [
    'Flatten',
    () => new nn.Flatten().forward(image.reshape([2, 2, 2, 2])),
    [
      [0, 1, 2, 3, 4, 5, 6, 7],
      [8, 9, 10, 11, 12, 13, 14, 15],
    ],
  ],
  [
    'MaxPool2d',
    () => new nn.MaxPool2d(2).forward(image),
    [
      [
        [
          [5, 7],
          [13, 15],
        ],
      ],
    ],
  ],
  [
    'MaxPool2d with options',
    () => new nn.MaxPool2d(3, { stride: 1, padding: 1 }).forward(image).flatten(),
    [5, 6, 7, 7, 9, 10, 11, 11, 13, 14, 15, 15, 13, 14, 15, 15],
  ],
  ['MaxPool2d of two sizes', () => new nn.MaxPool2d([1, 4]).forward(image), [[[[3], [7], [11], [15]]]]],
  [
    'AvgPool2d',
    () => new nn.AvgPool2d(2).forward(image),
    [
      [
        [
          [2.5, 4.5],
          [10.5, 12.5],
        ],
      ],
    ],
  ],
  ['AdaptiveAvgPool2d', () => new nn.AdaptiveAvgPool2d([1, 3]).forward(image), [[[[6.5, 7.5, 8.5]]]]],
  [
    'Upsample',
    () =>
      new nn.Upsample({ scaleFactor: 2, mode: 'bilinear' }).forward(
        image.reshape([4, 1, 2, 2]).narrow(0, 0, 1),
      ),
    [
      [
        [
          [0, 0.25, 0.75, 1],
          [0.5, 0.75, 1.25, 1.5],
          [1.5, 1.75, 2.25, 2.5],
          [2, 2.25, 2.75, 3],
        ],
      ],
    ],
  ],
  ['Upsample to a size', () => new nn.Upsample({ size: [1, 2] }).forward(image), [[[[0, 2]]]]],
];

it.each(cases)('%s', (_, call, values) => {
  expectValues(call(), values);
});

describe('Dropout', () => {
  it('zeroes a share and scales the rest while training', () => {
    manualSeed(0);
    const y = new nn.Dropout(0.25).forward(ones([10_000]));
    expect(Number(y.eq(0).sum().item()) / 10_000).toBeCloseTo(0.25, 1);
    expect(y.amax().item()).toBeCloseTo(4 / 3, 6);
    expect(y.mean().item()).toBeCloseTo(1, 1);
  });

  it('returns its input in evaluation mode', () => {
    const input = ones([4]);
    expect(new nn.Dropout(0.9).eval().forward(input)).toBe(input);
  });

  it('accepts the ends of its range', () => {
    expectValues(new nn.Dropout(1).forward(ones([3])), [0, 0, 0]);
    expectValues(new nn.Dropout(0).forward(ones([3])), [1, 1, 1]);
  });
});

it('layers print their options', () => {
  expect(String(new nn.MaxPool2d(3, { stride: 2 }))).toBe('MaxPool2d(kernelSize=[3, 3], stride=2)');
  expect(String(new nn.AdaptiveAvgPool2d(6))).toBe('AdaptiveAvgPool2d([6, 6])');
  expect(String(new nn.Dropout())).toBe('Dropout(p=0.5)');
  expect(String(new nn.ReLU())).toBe('ReLU()');
});
