// Dynamic convolution and its routing on a GPU, against float64 on the CPU.
import { describe, expect, it } from 'vitest';
import {
  autograd,
  type Device,
  type DType,
  dynamicConv2d,
  functional as F,
  manualSeed,
  randn,
  type Tensor,
  tensor,
  tidy,
} from '../../lib/index.js';
import { native } from '../../lib/tensor/tensor.js';
import { type Case, corners, outputSize, randomCase } from '../ops/dynamic-conv-cases.js';
import { describeOnCuda } from '../support/cuda.js';

// float32 on tensor cores would have 10 bits of mantissa.
native.setCudaFlags(false, false, undefined, undefined);

/** Largest difference between two results, relative to the largest expected magnitude. */
function deviation(received: Tensor, expected: Tensor): number {
  if (expected.numel === 0) return 0;
  const exact = expected.to({ dtype: 'float64' });
  const difference = received.to({ device: 'cpu', dtype: 'float64' }).sub(exact).abs().amax();
  return Number(difference.item()) / Math.max(Number(exact.abs().amax().item()), 1e-3);
}

/** Output and gradients of one case. The numbers are the same for every device and dtype. */
function results(
  c: Case,
  algorithm: F.DynamicConv2dAlgorithm,
  device: Device,
  dtype: DType,
  rounded: DType,
): Tensor[] {
  manualSeed(9);
  const leaf = (shape: number[], type: DType) =>
    randn(shape, { dtype: 'float64' }).to({ dtype: rounded }).to({ device, dtype: type }).detach();
  let input = leaf([c.batch, c.inChannels, ...c.size], dtype);
  if (c.channelsLast) input = input.contiguous({ memoryFormat: 'channelsLast' });
  const weight = leaf([c.experts, c.outChannels, c.inChannels / c.groups, ...c.kernel], dtype);
  const attention = leaf([c.batch, c.experts], dtype === 'float64' ? dtype : 'float32');
  const inputs = [input, weight, attention, ...(c.bias ? [leaf([c.experts, c.outChannels], dtype)] : [])];
  for (const one of inputs) one.requiresGrad_();
  const { stride, padding, dilation, groups } = c;
  const options = { stride, padding, dilation, groups, algorithm };
  const output = dynamicConv2d(inputs[0]!, inputs[1]!, inputs[2]!, inputs[3] ?? null, options);
  const gradOutputs = leaf([c.batch, c.outChannels, ...outputSize(c)], dtype);
  return [output.detach(), ...(autograd.grad(output, inputs, { gradOutputs }) as Tensor[])];
}

describeOnCuda('dynamic convolution on CUDA', () => {
  const cases = [
    ...Object.entries(corners),
    ...Array.from({ length: 40 }, (_, n) => [`random ${n}`, randomCase(n)] as const),
  ];
  const algorithms = dynamicConv2d.algorithms().filter((name) => name.endsWith('-cuda'));
  describe.each(['auto', 'mix-after', ...algorithms] as const)('%s', (algorithm) => {
    it.each([
      ['float32', 2e-5],
      ['bfloat16', 2e-2],
      ['float16', 4e-3],
    ] as const)('%s', (dtype, allowed) => {
      for (const [name, c] of cases) {
        if (algorithm.endsWith('-cuda') && c.batch === 0) continue;
        tidy(() => {
          const received = results(c, algorithm, 'cuda', dtype, dtype);
          const expected = results(c, 'reference', 'cpu', 'float64', dtype);
          expected.forEach((one, i) => {
            expect(deviation(received[i]!, one), `${name}, result ${i}`).toBeLessThan(allowed);
          });
        });
      }
    });
  });

  it.each(algorithms)('%s uses TF32 if convolutions may', (algorithm) => {
    native.setCudaFlags(undefined, true, undefined, undefined);
    try {
      const c: Case = { ...corners['a plain one']!, batch: 3, inChannels: 20, outChannels: 24, experts: 12 };
      const received = results(c, algorithm, 'cuda', 'float32', 'float32');
      results(c, 'reference', 'cpu', 'float64', 'float32').forEach((one, i) => {
        expect(deviation(received[i]!, one), `result ${i}`).toBeLessThan(2e-3);
      });
    } finally {
      native.setCudaFlags(undefined, false, undefined, undefined);
    }
  });

  it('is bit-reproducible', () => {
    const c: Case = { ...corners['a plain one']!, batch: 33, inChannels: 20, outChannels: 24 };
    for (const algorithm of algorithms.filter((name) => name === 'fused-cuda')) {
      const [first, second] = [0, 1].map(() => results(c, algorithm, 'cuda', 'float32', 'float32'));
      first!.forEach((one, i) => void expect(one.equal(second![i]!)).toBe(true));
    }
  });
});

describeOnCuda('routing on CUDA', () => {
  it.each(['softmax', 'sigmoid'] as const)('%s, forward and backward', (kind) => {
    const make = (device: Device, dtype: DType) => {
      manualSeed(4);
      const one = (shape: number[]) =>
        randn(shape, { dtype: 'float64' }).to({ device, dtype }).detach().requiresGrad_();
      const inputs = [[5, 40, 7, 7], [10, 40, 1, 1], [10], [4, 10, 1, 1], [4]].map(one) as [
        Tensor,
        Tensor,
        Tensor,
        Tensor,
        Tensor,
      ];
      const attention = F.routing(...inputs, { temperature: tensor(2, { device }), kind });
      const gradOutputs = randn([5, 4], { dtype: 'float64' }).to({ device, dtype });
      return [attention.detach(), ...(autograd.grad(attention, inputs, { gradOutputs }) as Tensor[])];
    };
    const received = make('cuda', 'float32');
    make('cpu', 'float64').forEach((one, i) => void expect(deviation(received[i]!, one)).toBeLessThan(2e-5));
  });
});
