import { describe, expect, it } from 'vitest';
import {
  autograd,
  type DType,
  functional as F,
  getNumThreads,
  manualSeed,
  ones,
  randn,
  setNumThreads,
  type Tensor,
  tidy,
  zeros,
} from '../../lib/index.js';
import { deviation } from '../support/values.js';

interface Case {
  shape: number[];
  weight?: boolean;
  bias?: boolean;
  /** The offset of every channel, in its standard deviations. */
  offset?: number;
  layout?: (t: Tensor) => Tensor;
}

// Planes that do and do not fill vectors, on both sides of the size from which dyconv's kernels are used.
const cases: Record<string, Case> = {
  "AlexNet's first": { shape: [4, 48, 31, 31] },
  "AlexNet's last": { shape: [16, 128, 7, 7] },
  'a sequence': { shape: [3, 5, 129] },
  volumes: { shape: [2, 6, 3, 4, 5] },
  'one sample': { shape: [1, 4, 8, 8] },
  'planes of one vector': { shape: [3, 8, 4, 4] },
  'planes of 17': { shape: [3, 8, 17, 1] },
  'planes too small': { shape: [5, 8, 3, 5] },
  'fewer channels than threads': { shape: [8, 1, 9, 9] },
  vectors: { shape: [64, 10] },
  'far from zero': { shape: [8, 12, 10, 10], offset: 1000 },
  'without a weight': { shape: [4, 6, 7, 9], weight: false },
  'without a bias': { shape: [4, 6, 7, 9], bias: false },
  'without either': { shape: [4, 6, 7, 9], weight: false, bias: false },
  'channels last': {
    shape: [4, 20, 6, 7],
    layout: (t) => t.contiguous({ memoryFormat: 'channelsLast' }),
  },
};

function draw({ shape, weight = true, bias = true, offset = 0 }: Case) {
  const channels = shape[1]!;
  return {
    input: randn(shape).add(offset),
    weight: weight ? randn([channels]) : null,
    bias: bias ? randn([channels]) : null,
    gradOutput: randn(shape),
  };
}

type Given = ReturnType<typeof draw>;

/** The output, the running statistics and all gradients; float64 uses libtorch's kernels. */
function run(c: Case, given: Given, dtype: DType): Tensor[] {
  const leaf = (t: Tensor) => t.to({ dtype }).detach().requiresGrad_();
  const input = leaf(c.layout ? c.layout(given.input) : given.input);
  const weight = given.weight && leaf(given.weight);
  const bias = given.bias && leaf(given.bias);
  const channels = c.shape[1]!;
  const runningMean = zeros([channels], { dtype });
  const runningVar = ones([channels], { dtype });
  const y = F.batchNorm(input, { weight, bias, runningMean, runningVar, training: true, momentum: 0.3 });
  const wanted = [input, weight, bias].filter((t) => t !== null);
  const gradOutputs = given.gradOutput.to({ dtype });
  return [y.detach(), runningMean, runningVar, ...(autograd.grad(y, wanted, { gradOutputs }) as Tensor[])];
}

describe('batchNorm in float32 is that in float64, while training', () => {
  it.each(Object.keys(cases))('%s', (name) => {
    manualSeed(1);
    tidy(() => {
      const c = cases[name]!;
      const given = draw(c);
      const exact = run(c, given, 'float64');
      // The precision of float32 for numbers so far from zero.
      const tolerance = c.offset ? 1e-4 : 3e-6;
      run(c, given, 'float32').forEach((t, i) => {
        expect(deviation(t, exact[i]!), `result ${i}`).toBeLessThan(tolerance);
      });
    });
  });

  it('twice differentiated', () => {
    manualSeed(2);
    const given = draw({ shape: [3, 6, 5, 5] });
    const second = (dtype: DType) => {
      const leaves = [given.input, given.weight!, given.bias!].map((t) =>
        t.to({ dtype }).detach().requiresGrad_(),
      );
      const y = F.batchNorm(leaves[0]!, { weight: leaves[1], bias: leaves[2], training: true });
      const [grad] = autograd.grad(y.mul(y).mul(y).sum(), [leaves[0]!], { createGraph: true }) as Tensor[];
      return autograd.grad(grad!.mul(grad!).sum(), leaves.slice(0, 2)) as Tensor[];
    };
    const exact = second('float64');
    second('float32').forEach((t, i) => {
      expect(deviation(t, exact[i]!)).toBeLessThan(1e-4);
    });
  });

  it('by any number of threads, to the bit', () => {
    const threads = getNumThreads();
    const c = cases["AlexNet's last"]!;
    const given = draw(c);
    const [once] = run(c, given, 'float32');
    try {
      for (const n of [1, 3, 7]) {
        setNumThreads(n);
        expect(run(c, given, 'float32')[0]!.equal(once!)).toBe(true);
      }
    } finally {
      setNumThreads(threads);
    }
  });
});

describe('batchNorm', () => {
  it('keeps a NaN within its channel', () => {
    const input = randn([2, 3, 5, 5]);
    input.select(1, 1).fill_(NaN);
    const y = F.batchNorm(input, { training: true });
    expect(y.isnan().flatten(2).any({ dim: 2 }).arraySync()).toEqual([
      [false, true, false],
      [false, true, false],
    ]);
  });

  it('refuses what does not fit', () => {
    const input = randn([2, 3, 5, 5]);
    expect(() => F.batchNorm(input, { weight: ones([4]), training: true })).toThrow('weight');
    expect(() => F.batchNorm(input, { runningMean: ones([2]), training: true })).toThrow('runningMean');
  });
});
