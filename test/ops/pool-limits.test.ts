// Pools at the limits of their arguments: windows outside of the image, and kernels much larger than it.
import { describe, expect, it } from 'vitest';
import {
  autograd,
  type DType,
  functional as F,
  manualSeed,
  randn,
  ShapeError,
  type Tensor,
  tensor,
  tidy,
} from '../../lib/index.js';
import { itRefuses } from '../support/refusals.js';
import { expectValues } from '../support/values.js';

interface Axis {
  size: number;
  kernel: number;
  stride?: number;
  padding?: number;
  dilation?: number;
  ceilMode?: boolean;
}

const POOLS = [F.maxPool1d, F.maxPool2d, F.maxPool3d] as const;

/** Maxima of windows along one axis as loops; -Infinity and no gradient for a window without a pixel. */
function reference(
  x: number[],
  { kernel, stride = kernel, padding = 0, dilation = 1, ceilMode }: Axis,
  count: number,
) {
  const grad = x.map(() => 0);
  const maxima = Array.from({ length: count }, (_, i) => {
    let best = -1;
    for (let at = 0; at < x.length; at++) {
      const from = at + padding - i * stride;
      const inWindow = from >= 0 && from % dilation === 0 && from / dilation < kernel;
      if (inWindow && (best < 0 || x[at]! > x[best]!)) best = at;
    }
    if (best >= 0) grad[best]! += i + 1;
    return best < 0 ? -Infinity : x[best]!;
  });
  expect(ceilMode === undefined || typeof ceilMode === 'boolean').toBe(true);
  return { maxima, grad };
}

const cases: Record<string, Axis & { count: number }> = {
  'a window that steps over the image': {
    size: 1,
    kernel: 2,
    padding: 1,
    dilation: 2,
    ceilMode: true,
    count: 1,
  },
  'the same for a larger one': { size: 3, kernel: 2, padding: 1, dilation: 4, count: 1 },
  'and without room for a whole window': {
    size: 2,
    kernel: 2,
    stride: 3,
    padding: 1,
    dilation: 4,
    ceilMode: true,
    count: 1,
  },
  'a kernel far beyond the image': {
    size: 16,
    kernel: 3e9,
    stride: 3e9,
    padding: 1.5e9,
    count: 1,
  },
  'the same in steps': { size: 16, kernel: 3e9, stride: 5, padding: 1.5e9, count: 4 },
  'rounded up': { size: 16, kernel: 100, stride: 99, ceilMode: true, count: 1 },
};

describe.each(Object.keys(cases))('max pools: %s', (name) => {
  it.each([1, 2, 3])('along one of %i dimensions', (dims) => {
    manualSeed(1);
    const { size, count, kernel, ...axis } = cases[name]!;
    for (const dtype of ['float32', 'bfloat16', 'float64'] as DType[]) {
      tidy(() => {
        const x = randn([2, 2, size]).to({ dtype });
        const last = (n: number, others: number) => [...new Array(dims - 1).fill(others), n];
        const input = x
          .reshape([2, 2, ...last(size, 1)])
          .detach()
          .requiresGrad_();
        const pool = POOLS[dims - 1] as typeof F.maxPool1d;
        const y = pool(input, last(kernel, 1), {
          stride: last(axis.stride ?? kernel, 1),
          padding: last(axis.padding ?? 0, 0),
          dilation: last(axis.dilation ?? 1, 1),
          ceilMode: axis.ceilMode ?? false,
        });
        expect(y.shape).toEqual([2, 2, ...last(count, 1)]);
        const weights = tensor(Array.from({ length: count }, (_, i) => i + 1)).to({ dtype });
        const gradOutputs = weights.expand([2, 2, count]).reshape(y.shape);
        const [grad] = autograd.grad(y, [input], { gradOutputs }) as [Tensor];
        const planes = x.reshape([4, size]).to({ dtype: 'float64' }).arraySync() as number[][];
        const expected = planes.map((plane) => reference(plane, { size, kernel, ...axis }, count));
        expectValues(
          y.reshape([4, count]),
          expected.map((e) => e.maxima),
        );
        expectValues(
          grad.reshape([4, size]),
          expected.map((e) => e.grad),
        );
      });
    }
  });
});

describe('sizes', () => {
  const x = randn([1, 1, 8, 8]);
  itRefuses([
    [
      'a padding beyond half of the window',
      () => F.maxPool2d(x, 2, { padding: 2 }),
      ShapeError,
      'at most half',
    ],
    [
      'a dilation that wraps around',
      () => F.maxPool2d(x, [4097, 1], { dilation: [2 ** 52, 1] }),
      ShapeError,
      'below 2^63',
    ],
    ['a window beyond the image', () => F.maxPool2d(x, 9), ShapeError, 'size'],
  ]);
});
