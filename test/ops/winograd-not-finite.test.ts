// Winograd's tiles mix all their pixels: one that is not finite must only affect the outputs whose window
// contains it.
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
} from '../../lib/index.js';

const SHAPE = { batch: 3, channels: 32, size: 12 };
const shares = () => F.softmax(randn([SHAPE.batch, 2]), { dim: 1 });

type Run = (x: Tensor, algorithm: string) => { y: Tensor; weight: Tensor };

function runs(kernel: 3 | 5): Record<string, Run> {
  manualSeed(1);
  const { channels } = SHAPE;
  const options = { padding: (kernel - 1) / 2 };
  const one = randn([channels, channels, kernel, kernel]).requiresGrad_();
  const two = randn([2, channels, channels, kernel, kernel]).requiresGrad_();
  const attention = shares();
  return {
    conv2d: (x, algorithm) => ({
      y: F.conv2d(x, one, null, { ...options, algorithm: algorithm === 'direct' ? 'libtorch' : 'winograd' }),
      weight: one,
    }),
    dynamicConv2d: (x, algorithm) => ({
      y: dynamicConv2d(x, two, attention, null, {
        ...options,
        algorithm: algorithm === 'direct' ? 'mix-after' : 'winograd',
      }),
      weight: two,
    }),
  };
}

/** Positions of numbers that are not finite, and the other numbers. */
function split(t: Tensor): { where: unknown; rest: Tensor } {
  const finite = t.isfinite();
  return { where: finite.arraySync(), rest: where(finite, t, 0) };
}

function expectAlike(received: Tensor, expected: Tensor): void {
  const [a, b] = [split(received), split(expected)];
  expect(a.where).toEqual(b.where);
  const scale = Number(b.rest.abs().amax().item());
  expect(Number(a.rest.sub(b.rest).abs().amax().item()) / scale).toBeLessThan(1e-4);
}

describe.each([3, 5] as const)('a kernel of %i', (kernel) => {
  it.each([
    ['conv2d', NaN],
    ['conv2d', Infinity],
    ['dynamicConv2d', NaN],
    ['dynamicConv2d', -Infinity],
  ] as const)('%s with a pixel of %s, forward and backward', (name, value) => {
    tidy(() => {
      const run = runs(kernel)[name]!;
      const { batch, channels, size } = SHAPE;
      const x = randn([batch, channels, size, size]);
      const gradOutputs = randn([batch, channels, size, size]);
      x.index(1, 0, 0, 3).fill_(value);
      const broken = (given: Tensor, gradient: Tensor, algorithm: string) => {
        const leaf = given.detach().requiresGrad_();
        const { y, weight } = run(leaf, algorithm);
        return [y.detach(), ...autograd.grad(y, [leaf, weight], { gradOutputs: gradient })] as Tensor[];
      };
      const expected = broken(x, gradOutputs, 'direct');
      broken(x, gradOutputs, 'winograd').forEach((received, i) => {
        expectAlike(received, expected[i]!);
      });

      const finite = randn(x.shape);
      gradOutputs.index(2, 1, 11, 11).fill_(value);
      const wanted = broken(finite, gradOutputs, 'direct');
      broken(finite, gradOutputs, 'winograd').forEach((received, i) => {
        expectAlike(received, wanted[i]!);
      });
    });
  });
});
