import { describe, expect, it } from 'vitest';
import {
  ArgumentError,
  autograd,
  DTypeError,
  functional as F,
  manualSeed,
  randn,
  ShapeError,
  type Tensor,
  zeros,
} from '../../lib/index.js';
import { convolveSamples, mixed } from '../support/expert-conv-reference.js';
import { itRefuses } from '../support/refusals.js';
import { deviation } from '../support/values.js';

/** Sizes of a problem: one number per spatial dimension. */
interface Case {
  channels: [number, number];
  size: number[];
  kernel: number[];
  stride?: number[];
  padding?: number[];
  dilation?: number[];
  groups?: number;
  experts?: number;
  batch?: number;
  bias?: boolean;
}

const SEQUENCES: Record<string, Case> = {
  plain: { channels: [3, 4], size: [9], kernel: [3] },
  'stride, padding, dilation': {
    channels: [4, 5],
    size: [17],
    kernel: [4],
    stride: [3],
    padding: [2],
    dilation: [2],
  },
  groups: { channels: [6, 9], size: [8], kernel: [3], groups: 3, padding: [1] },
  'depthwise, no bias': { channels: [5, 5], size: [11], kernel: [5], groups: 5, padding: [2], bias: false },
  'one expert, one sample': { channels: [2, 3], size: [4], kernel: [1], experts: 1, batch: 1 },
  'an empty batch': { channels: [2, 3], size: [4], kernel: [2], batch: 0 },
};

const VOLUMES: Record<string, Case> = {
  plain: { channels: [3, 4], size: [4, 5, 6], kernel: [3, 3, 3] },
  'all sizes differ': {
    channels: [2, 3],
    size: [7, 6, 5],
    kernel: [2, 3, 1],
    stride: [2, 1, 3],
    padding: [1, 2, 0],
    dilation: [3, 1, 1],
  },
  groups: { channels: [4, 6], size: [3, 4, 4], kernel: [3, 2, 2], groups: 2, padding: [1, 0, 1] },
  depthwise: {
    channels: [3, 3],
    size: [4, 4, 4],
    kernel: [3, 3, 3],
    groups: 3,
    padding: [1, 1, 1],
    bias: false,
  },
  'one plane': { channels: [2, 3], size: [1, 5, 5], kernel: [1, 3, 3], experts: 1 },
  'an empty batch': { channels: [2, 3], size: [3, 4, 4], kernel: [2, 2, 2], batch: 0 },
};

const all = [
  ...Object.entries(SEQUENCES).map(([name, spec]) => [`1d: ${name}`, F.dynamicConv1d, spec] as const),
  ...Object.entries(VOLUMES).map(([name, spec]) => [`3d: ${name}`, F.dynamicConv3d, spec] as const),
];

function problem(spec: Case, dtype: 'float32' | 'float64', requiresGrad = false) {
  const { channels, size, kernel, groups = 1, experts = 3, batch = 2, bias = true } = spec;
  const ones = size.map(() => 1);
  const { stride = ones, dilation = ones, padding = ones.map(() => 0) } = spec;
  const make = (shape: number[]) => randn(shape, { dtype, requiresGrad });
  return {
    input: make([batch, channels[0], ...size]),
    weight: make([experts, channels[1], channels[0] / groups, ...kernel]),
    attention: make([batch, experts]),
    bias: bias ? make([experts, channels[1]]) : null,
    options: { stride, padding, dilation, groups },
  };
}

describe('dynamicConv1d and dynamicConv3d', () => {
  it.each(all)('%s: are loops over every multiply-add', (_, fn, spec) => {
    manualSeed(3);
    for (const dtype of ['float64', 'float32'] as const) {
      const { input, weight, attention, bias, options } = problem(spec, dtype);
      const parts = mixed(weight, bias, attention);
      const wanted = convolveSamples(input, weight.shape.slice(1), parts.kernel, parts.bias, options);
      const received = fn(input, weight, attention, bias, options);
      expect(received.dtype).toBe(dtype);
      expect(received.isContiguous()).toBe(true);
      expect(deviation(received, wanted)).toBeLessThan(dtype === 'float64' ? 1e-13 : 1e-5);
    }
  });

  it.each(all.filter(([name]) => !name.includes('empty')))('%s: have right gradients', (_, fn, spec) => {
    manualSeed(4);
    const { input, weight, attention, bias, options } = problem(spec, 'float64', true);
    const inputs = [input, weight, attention, ...(bias ? [bias] : [])];
    const run = (x: Tensor, w: Tensor, a: Tensor, b?: Tensor) => fn(x, w, a, b ?? null, options);
    expect(autograd.gradcheck(run as (...inputs: Tensor[]) => Tensor, inputs)).toBe(true);
  });

  it("padding 'same' keeps the sizes, as of an ordinary convolution", () => {
    manualSeed(5);
    const options = { padding: 'same', dilation: [2, 1, 3] } as const;
    const x = randn([1, 2, 6, 7, 8], { dtype: 'float64' });
    const weight = randn([2, 3, 2, 2, 4, 3], { dtype: 'float64' });
    const attention = randn([1, 2], { dtype: 'float64' });
    const kernel = weight.mul(attention.reshape([2, 1, 1, 1, 1, 1])).sum({ dim: 0 });
    const received = F.dynamicConv3d(x, weight, attention, null, options);
    expect(deviation(received, F.conv3d(x, kernel, null, options))).toBeLessThan(1e-13);
    const [row, taps] = [x.select(2, 0).select(2, 0), weight.select(3, 0).select(3, 0)];
    const line = F.dynamicConv1d(row, taps.index('...', { start: 0, stop: 2, step: null }), attention, null, {
      padding: 'same',
    });
    expect(line.shape).toEqual([1, 3, 8]);
  });
});

const volume = zeros([2, 3, 4, 4, 4]);
const kernels = zeros([2, 5, 3, 3, 3, 3]);
const shares = zeros([2, 2]);

itRefuses([
  [
    'an image',
    () => F.dynamicConv3d(zeros([2, 3, 4, 4]), kernels, shares),
    ShapeError,
    'Expected shape [B, 3, D, H, W] for input but received [2, 3, 4, 4]',
  ],
  [
    'a weight without experts',
    () => F.dynamicConv1d(zeros([2, 3, 4]), zeros([5, 3, 3]), shares),
    ShapeError,
    'Expected shape [K, O, I / groups, k] for weight but received [5, 3, 3]',
  ],
  [
    'attention of other samples',
    () => F.dynamicConv3d(volume, kernels, zeros([3, 2])),
    ShapeError,
    'Expected shape [B, K] = [2, 2] for attention but received [3, 2]',
  ],
  [
    'a bias of other experts',
    () => F.dynamicConv3d(volume, kernels, shares, zeros([3, 5])),
    ShapeError,
    'Expected shape [K, O] = [2, 5] for bias but received [3, 5]',
  ],
  [
    'other channels',
    () => F.dynamicConv3d(volume, kernels, shares, null, { groups: 2 }),
    ShapeError,
    'Expected shape [B, 6, D, H, W] for input',
  ],
  [
    'a kernel deeper than the volume',
    () => F.dynamicConv3d(zeros([2, 3, 2, 4, 4]), kernels, shares),
    ShapeError,
    'Expected a depth of at least 3 for the padded input but received 2',
  ],
  [
    'other dtypes',
    () => F.dynamicConv3d(volume.to({ dtype: 'float64' }), kernels, shares),
    DTypeError,
    'dtype',
  ],
  [
    'an algorithm',
    () =>
      F.dynamicConv1d(zeros([1, 1, 1]), zeros([1, 1, 1, 1]), zeros([1, 1]), null, {
        algorithm: 'fast' as never,
      }),
    ArgumentError,
    "for algorithm but received 'fast'",
  ],
]);
