import { describe, expect, it } from 'vitest';
import {
  autograd,
  type DType,
  functional as F,
  getNumThreads,
  manualSeed,
  nn,
  noGrad,
  ones,
  randn,
  setNumThreads,
  type Tensor,
  tidy,
  zeros,
} from '../../lib/index.js';
import { normActivation } from '../../lib/nn/norm-activation.js';
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

  it('keeps no bias for the backward pass, which may change before', () => {
    const bias = zeros([8]).requiresGrad_();
    const weight = ones([8]).requiresGrad_();
    const y = F.batchNorm(randn([4, 8, 8, 8]), { weight, bias, training: true });
    noGrad(() => bias.add_(1));
    y.sum().backward();
    expect(deviation(bias.grad!, ones([8]).mul(4 * 64))).toBeLessThan(1e-5);
  });

  it('refuses what does not fit', () => {
    const input = randn([2, 3, 5, 5]);
    expect(() => F.batchNorm(input, { weight: ones([4]), training: true })).toThrow('weight');
    expect(() => F.batchNorm(input, { runningMean: ones([2]), training: true })).toThrow('runningMean');
  });
});

/** A batch norm and an activation as one operation, or as two: a hook observes the output of the batch norm. */
function runLayers(make: () => nn.Module, apart: boolean, residual: boolean, dtype: DType): Tensor[] {
  manualSeed(3);
  const norm = new nn.BatchNorm2d(6, { dtype });
  const activation = make();
  noGrad(() => {
    norm.weight!.copy_(randn([6], { dtype: 'float64' }));
    norm.bias!.copy_(randn([6], { dtype: 'float64' }));
  });
  if (apart) norm.registerForwardHook(() => undefined);
  const [input, shortcut, gradOutputs] = Array.from({ length: 3 }, () =>
    randn([5, 6, 7, 9], { dtype: 'float64' }).mul(2).to({ dtype }).requiresGrad_(),
  );
  const y = normActivation(norm, activation, input!, residual ? () => shortcut! : undefined);
  const wanted = [input!, norm.weight!, norm.bias!, ...(residual ? [shortcut!] : [])];
  const grads = autograd.grad(y, wanted, { gradOutputs: gradOutputs! }) as Tensor[];
  return [y.detach(), norm.runningMean!, norm.runningVar!, norm.numBatchesTracked!, ...grads];
}

describe.each([nn.ReLU, nn.ReLU6, nn.Hardswish, nn.Hardsigmoid, nn.SiLU])(
  'batch norm and %o as one operation',
  (Layer) => {
    it.each([false, true])('agree with float64, with a residual: %s', (residual) => {
      tidy(() => {
        const exact = runLayers(() => new Layer(), true, residual, 'float64');
        for (const apart of [true, false]) {
          runLayers(() => new Layer(), apart, residual, 'float32').forEach((t, i) => {
            expect(deviation(t, exact[i]!), `result ${i}`).toBeLessThan(3e-6);
          });
        }
      });
    });

    it('keep only the input for the backward pass', () => {
      const layers = (apart: boolean) => {
        const norm = new nn.BatchNorm2d(6);
        if (apart) norm.registerForwardHook(() => undefined);
        return new nn.Sequential(norm, new Layer());
      };
      const operations = (apart: boolean) => layers(apart).forward(randn([2, 6, 8, 8])).gradFn;
      expect(operations(false)).not.toBe(operations(true));
    });
  },
);

// libtorch has no second derivatives of the others.
describe.each([nn.ReLU, nn.ReLU6, nn.Hardswish])('batch norm and %o as one operation,', (Layer) => {
  it('twice differentiated', () => {
    const second = (apart: boolean, dtype: DType) => {
      manualSeed(4);
      const norm = new nn.BatchNorm2d(6, { dtype });
      if (apart) norm.registerForwardHook(() => undefined);
      const input = randn([3, 6, 5, 5], { dtype: 'float64' }).to({ dtype }).requiresGrad_();
      const y = new nn.Sequential(norm, new Layer()).forward(input);
      const [grad] = autograd.grad(y.mul(y).mul(y).sum(), [input], { createGraph: true }) as Tensor[];
      return autograd.grad(grad!.mul(grad!).sum(), [input, norm.weight!]) as Tensor[];
    };
    tidy(() => {
      const exact = second(true, 'float64');
      second(false, 'float32').forEach((t, i) => {
        expect(deviation(t, exact[i]!)).toBeLessThan(1e-4);
      });
    });
  });
});

describe('a batch norm before an activation', () => {
  it('is named in errors', () => {
    const layers = new nn.Sequential(new nn.BatchNorm2d(3), new nn.ReLU());
    expect(() => layers.forward(randn([2, 4, 5, 5]))).toThrow('0 (BatchNorm2d)');
    expect(() => layers.forward(randn([4, 5]))).toThrow('0 (BatchNorm2d)');
  });

  it('is computed by itself in evaluation mode and in a subclass', () => {
    class Doubled extends nn.BatchNorm2d {
      override forward(input: Tensor): Tensor {
        return super.forward(input).mul(2);
      }
    }
    const input = randn([2, 3, 5, 5]);
    const doubled = new nn.Sequential(new Doubled(3), new nn.ReLU()).forward(input);
    const once = new nn.Sequential(new nn.BatchNorm2d(3), new nn.ReLU()).forward(input);
    expect(deviation(doubled, once.mul(2))).toBeLessThan(1e-6);
    const evaluated = new nn.Sequential(new nn.BatchNorm2d(3), new nn.ReLU()).eval().forward(input);
    expect(deviation(evaluated, input.relu())).toBeLessThan(1e-5);
  });
});
