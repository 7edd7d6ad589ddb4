// A number that is not finite must only affect results that depend on it: kernels may not multiply it with padding, or
// with what fills up rows and vectors, because its product with 0 is NaN. Winograd's tiles: winograd-not-finite.test.ts.
import { describe, expect, it } from 'vitest';
import {
  autograd,
  dynamicConv2d,
  functional as F,
  manualSeed,
  randn,
  type Tensor,
  tidy,
  where,
  zeros,
} from '../../lib/index.js';
import { cpuAlgorithms } from '../support/cuda.js';
import { type Case, outputSize } from './dynamic-conv-cases.js';

type Geometry = Omit<Case, 'batch' | 'experts' | 'bias' | 'channelsLast' | 'attention'>;

const direct: Geometry = {
  inChannels: 5,
  outChannels: 7,
  size: [7, 6],
  kernel: [3, 3],
  stride: [1, 1],
  padding: [0, 0],
  dilation: [1, 1],
  groups: 1,
};
const depthwise: Geometry = { ...direct, outChannels: 5, groups: 5 };
const CASES: Record<string, Geometry> = {
  depthwise,
  'depthwise, padded': { ...depthwise, padding: [1, 1] },
  'depthwise, with a last row and column that no tap reaches': {
    ...depthwise,
    size: [8, 6],
    stride: [2, 2],
  },
  'depthwise, dilated, two outputs per input': {
    ...depthwise,
    outChannels: 10,
    dilation: [2, 1],
    padding: [2, 0],
  },
  'depthwise, with pixels between the windows': {
    ...depthwise,
    kernel: [1, 2],
    stride: [3, 4],
    size: [8, 9],
  },
  'depthwise, 5x5 of stride 2': {
    ...depthwise,
    kernel: [5, 5],
    stride: [2, 2],
    padding: [2, 2],
    size: [9, 8],
  },
  direct,
  'direct, padded': { ...direct, padding: [1, 1] },
  'direct, with a last row and column that no tap reaches': { ...direct, size: [8, 6], stride: [2, 2] },
  'direct, many channels, dilated': {
    ...direct,
    inChannels: 37,
    outChannels: 70,
    dilation: [1, 2],
    padding: [1, 2],
  },
  'direct, with pixels between the windows': {
    ...direct,
    inChannels: 20,
    kernel: [1, 2],
    stride: [3, 4],
    size: [8, 9],
  },
  'direct, in groups': { ...direct, inChannels: 6, outChannels: 8, groups: 2, size: [8, 6], stride: [2, 2] },
};

type Run = (x: Tensor, g: Tensor) => { output: Tensor; input: Tensor; others: Tensor[] };

function problem(c: Geometry) {
  const { stride, padding, dilation, groups } = c;
  const options = { stride, padding, dilation, groups };
  const weight = randn([2, c.outChannels, c.inChannels / groups, ...c.kernel]);
  const attention = randn([2, 2]).softmax({ dim: 1 });
  /** The output, and the gradients of the input and of what is multiplied with it. */
  const run =
    (given: Tensor[], compute: (leaves: Tensor[]) => Tensor): Run =>
    (x, g) => {
      const leaves = [x, ...given].map((t) => t.to({ dtype: x.dtype }).detach().requiresGrad_());
      const y = compute(leaves);
      const [input, ...others] = autograd.grad(y, leaves, { gradOutputs: g }) as [Tensor, ...Tensor[]];
      return { output: y.detach(), input, others };
    };
  return {
    dynamic: (algorithm: F.DynamicConv2dAlgorithm) =>
      run([weight, attention], ([x, w, a]) => dynamicConv2d(x!, w!, a!, null, { ...options, algorithm })),
    fixed: (algorithm: F.Conv2dAlgorithm) =>
      run([weight.select(0, 0)], ([x, w]) => F.conv2d(x!, w!, null, { ...options, algorithm })),
  };
}

/** A tensor that is 0 but for one element of the second sample and the first channel. */
function one(shape: readonly number[], [y, x]: [number, number], value: number): Tensor {
  const made = zeros(shape);
  made.index(1, 0, y, x).fill_(value);
  return made;
}

/**
 * Results are linear in the broken tensor: those that do not depend on its element are as without it, and those that do
 * are not finite.
 */
function expectOnly(received: Tensor, without: Tensor, unit: Tensor | null, what: string): void {
  const free = unit === null ? without.isfinite() : unit.eq(0);
  expect(received.isfinite().arraySync(), what).toEqual(free.arraySync());
  const difference = where(free, received.to({ dtype: 'float64' }).sub(without), 0);
  expect(Number(difference.abs().amax().item()), what).toBeLessThan(
    1e-4 * Number(without.abs().amax().item()),
  );
}

function expectExact(c: Geometry, run: Run, reference: Run, value: number, what: string): void {
  const double = (t: Tensor) => t.to({ dtype: 'float64' });
  const x = randn([2, c.inChannels, ...c.size]);
  const g = randn([2, c.outChannels, ...outputSize(c)]);
  const corners = ([h, w]: readonly [number, number]) => [
    [0, 0] as [number, number],
    [h - 1, w - 1] as [number, number],
  ];
  for (const at of corners(c.size)) {
    const hole = x.mul(one(x.shape, at, 1).eq(0));
    const received = run(hole.add(one(x.shape, at, value)), g);
    const without = reference(double(hole), double(g));
    const unit = reference(double(one(x.shape, at, 1)), double(g));
    const place = `${what}, pixel ${at}`;
    expectOnly(received.output, without.output, unit.output, `output of ${place}`);
    expectOnly(received.input, without.input, null, `input gradient of ${place}`);
    received.others.forEach((t, i) => {
      expectOnly(t, without.others[i]!, unit.others[i]!, `gradient ${i} of ${place}`);
    });
  }
  for (const at of corners(g.shape.slice(2) as [number, number])) {
    const hole = g.mul(one(g.shape, at, 1).eq(0));
    const received = run(x, hole.add(one(g.shape, at, value)));
    const without = reference(double(x), double(hole));
    const unit = reference(double(x), double(one(g.shape, at, 1)));
    const place = `${what}, gradient of the output at ${at}`;
    expectOnly(received.input, without.input, unit.input, `input gradient of ${place}`);
    received.others.forEach((t, i) => {
      expectOnly(t, without.others[i]!, unit.others[i]!, `gradient ${i} of ${place}`);
    });
  }
}

const KERNELS = cpuAlgorithms().filter((name) => /^(depthwise|fused)/.test(name));

describe.each(Object.keys(CASES))('%s', (name) => {
  const c = CASES[name]!;
  const kernels = KERNELS.filter((kernel) => c.groups === c.inChannels || !kernel.startsWith('depthwise'));
  it.each([Infinity, NaN])('dynamicConv2d with %s', (value) => {
    tidy(() => {
      manualSeed(21);
      const { dynamic } = problem(c);
      for (const kernel of kernels) expectExact(c, dynamic(kernel), dynamic('reference'), value, kernel);
    });
  });
  // The kernels of static convolutions have no groups of several channels.
  const isStatic = c.groups === 1 || c.groups === c.inChannels;
  it.each(isStatic ? [Infinity, NaN] : [])('conv2d with %s', (value) => {
    tidy(() => {
      manualSeed(22);
      const { fixed } = problem(c);
      expectExact(c, fixed('fused'), fixed('libtorch'), value, 'fused');
    });
  });
});
