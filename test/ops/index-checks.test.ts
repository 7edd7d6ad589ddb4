/** Indices, lengths and coordinates with which libtorch's kernels would read or write memory out of bounds. */
import { describe, expect, it } from 'vitest';
import {
  ArgumentError,
  DTypeError,
  functional as F,
  ones,
  randn,
  ShapeError,
  tensor,
} from '../../lib/index.js';
import { native } from '../../lib/tensor/tensor.js';
import { itRefuses } from '../support/refusals.js';

const int64 = (values: unknown) => tensor(values as never, { dtype: 'int64' });

describe('ctcLoss', () => {
  const logProbs = randn([6, 2, 4]).logSoftmax({ dim: 2 });
  const targets = int64([
    [1, 1, 2],
    [1, 2, 3],
  ]);
  const loss = (labels: unknown, inputs = [6, 6], lengths = [3, 3], options = {}) =>
    F.ctcLoss(logProbs, labels === undefined ? targets : int64(labels), inputs, lengths, options);

  itRefuses([
    [
      'a label beyond the classes',
      () =>
        loss([
          [1, 4, 2],
          [1, 2, 3],
        ]),
      ArgumentError,
      'Expected classes from 0 to 3 for targets of ctcLoss but received 4',
    ],
    [
      'a label of 2^40',
      () =>
        loss([
          [1, 2 ** 40, 2],
          [1, 2, 3],
        ]),
      ArgumentError,
      'received 1099511627776',
    ],
    [
      'a negative label',
      () =>
        loss([
          [1, 1, 2],
          [1, 2, -1],
        ]),
      ArgumentError,
      'received -1',
    ],
    [
      'a label of 2^62 in 32 bits',
      () => F.ctcLoss(logProbs, targets.to({ dtype: 'int32' }).add(2 ** 30), [6, 6], [3, 3]),
      ArgumentError,
      'Expected classes from 0 to 3',
    ],
    [
      'an input longer than T',
      () => loss(undefined, [6, 7]),
      ArgumentError,
      'Expected integers from 0 to 6 for inputLengths of ctcLoss but received 7',
    ],
    ['an input of negative length', () => loss(undefined, [6, -1]), ArgumentError, 'for inputLengths'],
    [
      'a target longer than S',
      () => loss(undefined, [6, 6], [3, 2 ** 40]),
      ArgumentError,
      'Expected integers from 0 to 3 for targetLengths of ctcLoss but received 1099511627776',
    ],
    [
      'too few lengths',
      () => loss(undefined, [6]),
      ShapeError,
      'Expected 2 lengths, one a sequence, for inputLengths of ctcLoss but received 1',
    ],
    [
      'a blank that is no class',
      () => loss(undefined, [6, 6], [3, 3], { blank: 4 }),
      ArgumentError,
      'Expected an integer from 0 to 3 for blank',
    ],
    [
      'lengths that do not add up to the targets',
      () => loss([1, 1, 2, 1, 2], [6, 6], [3, 3]),
      ShapeError,
      'Expected shape [6], the sum of targetLengths',
    ],
    ['rows of another batch', () => loss([[1, 1, 2]]), ShapeError, 'Expected shape [2, S]'],
    [
      'labels of another dtype',
      () => F.ctcLoss(logProbs, ones([2, 3]), [6, 6], [3, 3]),
      DTypeError,
      'int64 or int32 for targets',
    ],
  ]);

  it('leaves labels beyond a length alone, and takes both forms of targets', () => {
    const padded = loss(
      [
        [1, 1, 99],
        [1, 2, 3],
      ],
      [6, 5],
      [2, 3],
    ).item();
    expect(padded).toBeCloseTo(Number(loss([1, 1, 1, 2, 3], [6, 5], [2, 3]).item()), 5);
    expect(Number.isFinite(padded)).toBe(true);
  });
});

describe('repeatInterleave', () => {
  const big = 2n ** 62n;
  itRefuses([
    [
      'repeats whose sum wraps to 0',
      () => ones([4]).repeatInterleave(int64([big, big, big, big])),
      ShapeError,
      'Expected repeats whose sum fits 64 bits for repeats of repeatInterleave',
    ],
    [
      'repeats whose sum wraps to 4',
      () => ones([5]).repeatInterleave(int64([big, big, big, big, 4n])),
      ShapeError,
      'whose sum fits 64 bits',
    ],
    [
      'one number times a size',
      () => ones([4, 2]).repeatInterleave(int64([big]), { dim: 0 }),
      ShapeError,
      'whose sum fits 64 bits',
    ],
    [
      'a negative number',
      () => ones([2]).repeatInterleave(int64([3, -1])),
      ArgumentError,
      'Expected integers of at least 0 for repeats of repeatInterleave but received -1',
    ],
  ]);
});

describe('gridSample', () => {
  const wrong = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 3e38, -3e38];
  const modes = ['bilinear', 'nearest', 'bicubic'] as const;
  const paddings = ['zeros', 'border', 'reflection'] as const;
  const cases = modes.flatMap((mode) => paddings.map((paddingMode) => ({ mode, paddingMode })));

  it.each(cases)('has a backward pass for coordinates that are no place: $mode, $paddingMode', (options) => {
    for (const dtype of ['float32', 'float64'] as const) {
      for (const value of wrong) {
        for (const alignCorners of [false, true]) {
          const input = randn([2, 3, 16, 17], { dtype, requiresGrad: true });
          const places = Array.from({ length: 2 * 5 * 7 * 2 }, (_, i) =>
            i % 3 === 0 ? value : (i % 9) / 4 - 1,
          );
          const grid = tensor(places, { dtype, shape: [2, 5, 7, 2], requiresGrad: true });
          F.gridSample(input, grid, { ...options, alignCorners })
            .sum()
            .backward();
          expect(input.grad!.shape).toEqual([2, 3, 16, 17]);
          expect(grid.grad!.shape).toEqual([2, 5, 7, 2]);
        }
      }
    }
  });

  // The values of torch 2.13: NaN becomes -1, the border stays the border, reflection of distant coordinates is
  // -1.
  it.each([
    ['border', Number.NaN, [6.2, 2.9]],
    ['border', Number.POSITIVE_INFINITY, [9.2, 10.9]],
    ['border', Number.NEGATIVE_INFINITY, [6.2, 2.9]],
    ['reflection', Number.NaN, [6.2, 2.9]],
    ['reflection', Number.POSITIVE_INFINITY, [6.2, 2.9]],
    ['reflection', 1e30, [6.2, 2.9]],
  ] as const)('reads %s at %d as PyTorch does', (paddingMode, value, expected) => {
    const input = tensor(
      Array.from({ length: 12 }, (_, i) => i + 1),
      { shape: [1, 1, 3, 4] },
    );
    const grid = tensor([
      [
        [
          [value, 0.2],
          [0.2, value],
        ],
      ],
    ]);
    const sampled = [...F.gridSample(input, grid, { paddingMode }).dataSync({ dtype: 'float32' })];
    for (const [i, number] of sampled.entries()) expect(number).toBeCloseTo(expected[i]!, 4);
  });

  it('gives coordinates that are no place the gradient 0, and the others theirs', () => {
    const input = randn([1, 1, 4, 4]);
    const gradient = (places: number[]) => {
      const grid = tensor(places, { shape: [1, 1, 2, 2], requiresGrad: true });
      F.gridSample(input, grid, { paddingMode: 'border' }).sum().backward();
      return [...grid.grad!.dataSync({ dtype: 'float32' })];
    };
    const [x, y, ...rest] = gradient([0.1, 0.2, Number.NaN, 0.3]);
    expect([x, y]).toEqual(gradient([0.1, 0.2, 0.5, 0.3]).slice(0, 2));
    expect(rest[0]).toBeCloseTo(0);
  });
});

describe('names of a closed set', () => {
  const x = ones([1, 1, 4, 4]);
  const call = (name: string, ...rest: unknown[]) =>
    (native as unknown as Record<string, (...args: unknown[]) => unknown>)[name]!(...rest);
  itRefuses(
    [
      [
        'mseLoss',
        "one of 'none', 'mean', 'sum' for reduction of mseLoss but received 'avg' (string)",
        [x, x, 'avg'],
      ],
      [
        'interpolate',
        "one of 'nearest', 'nearestExact', 'linear', 'bilinear', 'bicubic', 'trilinear' for mode",
        [x, [2, 2], null, 'cubic', false, false],
      ],
      ['gridSample', "one of 'bilinear', 'nearest', 'bicubic' for mode", [x, x, 'linear', 'zeros', false]],
      [
        'gridSample',
        "one of 'zeros', 'border', 'reflection' for paddingMode",
        [x, x, 'nearest', 'edge', false],
      ],
      ['pad', "one of 'constant', 'reflect', 'replicate', 'circular' for mode", [x, [1, 1], 'mirror', 0]],
      ['routing', "one of 'softmax', 'sigmoid' for kind", [x, x, null, x, null, 1, 'hard']],
      [
        'conv2d',
        "one of 'auto', 'winograd', 'fused', 'libtorch' for algorithm of conv2d",
        [x, x, null, [1, 1], [0, 0], [1, 1], 1, 'magic'],
      ],
      [
        'dynamicConv2d',
        "'reference' for algorithm of dynamicConv2d but received 'magic'",
        [x, x.unsqueeze(0), ones([1, 1]), null, [1, 1], [0, 0], [1, 1], 1, 'magic'],
      ],
      ['gelu', "one of 'none', 'tanh' for approximate", [x, 'erf']],
      ['divRounded', "one of 'trunc', 'floor' for roundingMode of div", [x, x, 'ceil']],
      ['quantile', 'for interpolation', [x, x, 0, false, 'cubic']],
      ['scatterReduce', 'for reduce', [x, 0, x, x, 'max', true]],
      ['meshgrid', "one of 'ij', 'xy' for indexing", [[x], 'ji']],
      ['augmentPlan', "one of 'none', 'resized', 'random', 'center' for plan", [plan({ crop: 'middle' })]],
      [
        'augmentBatch',
        'a plan of augmentPlan() for plan of augmentBatch but received an object',
        [new Uint8Array(3), [3, 1, 1], [0], plan({}), null, 0, 0, 1],
      ],
      ['augmentPlan', "one of 'float32', 'bfloat16' for plan", [plan({ dtype: 'float64' })]],
    ].map(([name, message, args]) => [
      `another ${message} in ${name}`,
      () => call(name as string, ...(args as unknown[])),
      ArgumentError,
      message as string,
    ]),
  );
});

function plan(changes: object): object {
  const range = [1, 1];
  return {
    resize: range,
    size: range,
    crop: 'none',
    cropSize: [0, 0],
    padding: 0,
    scale: range,
    ratio: range,
    flip: 0,
    verticalFlip: 0,
    brightness: range,
    contrast: range,
    saturation: range,
    hue: [0, 0],
    erase: 0,
    eraseScale: range,
    eraseRatio: range,
    eraseValue: [0],
    mean: [0],
    std: [1],
    dtype: 'float32',
    channelsLast: false,
    pinned: false,
    ...changes,
  };
}
