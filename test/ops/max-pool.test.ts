import { describe, expect, it } from 'vitest';
import {
  autograd,
  type DType,
  functional as F,
  manualSeed,
  noGrad,
  randint,
  randn,
  type Tensor,
  tensor,
  tidy,
} from '../../lib/index.js';

interface Case {
  shape: [number, number, number, number];
  kernel: [number, number];
  stride?: [number, number];
  padding?: [number, number];
  dilation?: [number, number];
  ceilMode?: boolean;
}

// Widths around one and two vectors of every instruction set, and each option with a value other than its
// default.
const cases: Record<string, Case> = {
  "AlexNet's first": { shape: [2, 3, 32, 32], kernel: [3, 3], stride: [2, 2] },
  "AlexNet's last": { shape: [3, 5, 7, 7], kernel: [3, 3], stride: [2, 2] },
  "ResNet's": { shape: [2, 2, 70, 66], kernel: [3, 3], stride: [2, 2], padding: [1, 1] },
  'the usual halving': { shape: [1, 2, 35, 65], kernel: [2, 2] },
  overlapping: { shape: [2, 2, 9, 33], kernel: [3, 5], stride: [1, 1], padding: [1, 2] },
  'asymmetric everything': {
    shape: [2, 3, 14, 21],
    kernel: [2, 4],
    stride: [3, 1],
    padding: [1, 2],
    dilation: [2, 3],
    ceilMode: true,
  },
  'rounded up': { shape: [1, 3, 8, 10], kernel: [3, 3], stride: [2, 2], ceilMode: true },
  'a stride beyond the kernel': { shape: [1, 2, 11, 19], kernel: [1, 2], stride: [4, 3] },
  'the whole plane': { shape: [4, 1, 5, 6], kernel: [5, 6] },
  'one pixel': { shape: [3, 2, 1, 1], kernel: [1, 1] },
  'more taps than a byte tells': { shape: [1, 1, 20, 20], kernel: [17, 16], stride: [1, 1] },
};

/** The pooled planes and the gradient of the input; float64 uses libtorch's loops. */
function run(
  { kernel, shape: _, ...options }: Case,
  input: Tensor,
  gradOutput: Tensor | null,
  dtype: DType,
): Tensor[] {
  const x = input.to({ dtype }).detach().requiresGrad_();
  const y = F.maxPool2d(x, kernel, options);
  const gradOutputs = (gradOutput ?? y.detach()).to({ dtype });
  return [y.detach(), ...(autograd.grad(y, [x], { gradOutputs }) as Tensor[])];
}

/** Numbers of bfloat16 give the same results in all three, except for the rounding of summed gradients. */
function expectSame(c: Case, numbers: Tensor): void {
  tidy(() => {
    const input = numbers.to({ dtype: 'bfloat16' }).to({ dtype: numbers.dtype });
    const shape = run(c, input, null, 'float64')[0]!.shape;
    // Small integers, whose sums are exact in any order.
    const gradOutput = randint(-8, 9, shape).to({ dtype: 'float64' });
    const exact = run(c, input, gradOutput, 'float64');
    for (const dtype of ['float32', 'bfloat16'] as const) {
      run(c, input, gradOutput, dtype).forEach((received, i) => {
        expect(received.dtype).toBe(dtype);
        expect(received.arraySync(), `${i ? 'grad input' : 'output'} in ${dtype}`).toEqual(
          exact[i]!.to({ dtype }).arraySync(),
        );
      });
      noGrad(() => {
        const { kernel, shape: _, ...options } = c;
        const pooled = F.maxPool2d(input.to({ dtype }), kernel, options);
        expect(pooled.arraySync()).toEqual(exact[0]!.to({ dtype }).arraySync());
      });
    }
  });
}

describe('maxPool2d in float32 and bfloat16 is that in float64', () => {
  it.each(Object.keys(cases))('%s', (name) => {
    manualSeed(1);
    expectSame(cases[name]!, randn(cases[name]!.shape));
  });

  it.each(Object.keys(cases))('with many equal values: %s', (name) => {
    manualSeed(2);
    expectSame(cases[name]!, randint(-2, 3, cases[name]!.shape).to({ dtype: 'float32' }).relu());
  });

  it.each(Object.keys(cases))('with -Infinity and NaN: %s', (name) => {
    manualSeed(3);
    const { shape } = cases[name]!;
    const kinds = tensor([-Infinity, -Infinity, -Infinity, -1, 2, NaN]);
    expectSame(
      cases[name]!,
      kinds.indexSelect(0, randint(0, 6, [shape.reduce((a, b) => a * b)])).reshape(shape),
    );
  });

  it('for channels last and for three dimensions', () => {
    const c = cases["AlexNet's first"]!;
    const input = randn(c.shape);
    expectSame(c, input.contiguous({ memoryFormat: 'channelsLast' }));
    expectSame(c, input.select(0, 0));
  });
});

describe('maxPool2d in float32', () => {
  it('can be differentiated twice', () => {
    manualSeed(4);
    const input = randn([1, 2, 7, 7]);
    const second = (dtype: DType) => {
      const x = input.to({ dtype }).detach().requiresGrad_();
      const y = F.maxPool2d(x, 3, { stride: 2 });
      const [grad] = autograd.grad(y.mul(y).sum(), [x], { createGraph: true }) as Tensor[];
      return (autograd.grad(grad!.mul(grad!).sum(), [x]) as Tensor[])[0]!;
    };
    const difference = second('float32').to({ dtype: 'float64' }).sub(second('float64'));
    expect(difference.abs().amax().item()).toBeLessThan(1e-4);
  });

  it('accepts an empty batch', () => {
    expect(F.maxPool2d(randn([0, 3, 8, 8]), 2).shape).toEqual([0, 3, 4, 4]);
  });

  it('refuses what does not fit', () => {
    expect(() => F.maxPool2d(randn([1, 1, 2, 2]), 3)).toThrow();
    expect(() => F.maxPool2d(randn([1, 1, 8, 8]), 2, { padding: 2 })).toThrow('pad should be at most half');
  });
});
