import { describe, expect, it } from 'vitest';
import {
  autocast,
  autograd,
  type DType,
  functional as F,
  manualSeed,
  noGrad,
  randn,
  type Tensor,
  tidy,
} from '../../lib/index.js';
import { deviation } from '../support/values.js';

interface Case {
  input: number[];
  out: number;
  bias?: boolean;
  /** The memory layout of the operands. */
  layout?: (t: Tensor) => Tensor;
}

/** The same numbers as columns. */
const transposed = (t: Tensor) => t.transpose(-2, -1).contiguous().transpose(-2, -1);
/** The same numbers as every other column of a wider matrix. */
const spread = (t: Tensor) =>
  t.repeatInterleave(2, { dim: 1 }).reshape([t.shape[0]!, t.shape[1]!, 2]).select(2, 0);

// On both sides of the size from which another library is used: 4 rows, 4 million multiply-adds.
const cases: Record<string, Case> = {
  "AlexNet's first": { input: [128, 1152], out: 2048 },
  "AlexNet's last": { input: [128, 2048], out: 10 },
  'few rows': { input: [4, 1024], out: 1024 },
  'too few rows': { input: [3, 1280], out: 1280 },
  'one row': { input: [1, 2048], out: 2080 },
  'three dimensions': { input: [3, 31, 257], out: 331 },
  'without bias': { input: [61, 509], out: 263, bias: false },
  'columns in memory': { input: [64, 512], out: 320, layout: transposed },
  'gaps in memory': { input: [64, 512], out: 320, layout: spread },
  small: { input: [5, 7], out: 3 },
};

/** The output and all gradients; float64 uses libtorch's product. */
function run(c: Case, numbers: Tensor[], gradOutput: Tensor, dtype: DType): Tensor[] {
  const [input, weight, bias = null] = numbers.map((t) => {
    const leaf = t.to({ dtype }).detach();
    return (c.layout && t.ndim === 2 ? c.layout(leaf) : leaf).requiresGrad_();
  });
  const y = F.linear(input!, weight!, bias);
  const wanted = [input!, weight!, ...(bias ? [bias] : [])];
  return [y.detach(), ...(autograd.grad(y, wanted, { gradOutputs: gradOutput.to({ dtype }) }) as Tensor[])];
}

function draw(c: Case): { numbers: Tensor[]; gradOutput: Tensor } {
  const features = c.input.at(-1)!;
  const numbers = [randn(c.input), randn([c.out, features])];
  if (c.bias !== false) numbers.push(randn([c.out]));
  return { numbers, gradOutput: randn([...c.input.slice(0, -1), c.out]) };
}

describe('linear in float32 is that in float64', () => {
  it.each(Object.keys(cases))('%s', (name) => {
    manualSeed(1);
    tidy(() => {
      const c = cases[name]!;
      const { numbers, gradOutput } = draw(c);
      const exact = run(c, numbers, gradOutput, 'float64');
      const received = run(c, numbers, gradOutput, 'float32');
      received.forEach((t, i) => {
        expect(deviation(t, exact[i]!), ['output', 'grad input', 'grad weight', 'grad bias'][i]).toBeLessThan(
          2e-6,
        );
      });
      noGrad(() => {
        const [input, weight, bias = null] = numbers;
        expect(deviation(F.linear(input!, weight!, bias), exact[0]!)).toBeLessThan(2e-6);
      });
    });
  });
});

describe('linear', () => {
  it('computes only the requested gradients', () => {
    const [x, w, b] = [randn([64, 512]), randn([256, 512]), randn([256])];
    for (const [i, leaf] of [x, w, b].entries()) {
      const [input, weight, bias] = [x, w, b].map((t, j) => (i === j ? t.detach().requiresGrad_() : t));
      const wanted = [input!, weight!, bias!][i]!;
      const [grad] = autograd.grad(F.linear(input!, weight!, bias!).sum(), [wanted]) as Tensor[];
      expect(grad!.shape).toEqual(leaf.shape);
    }
  });

  it('can be differentiated twice', () => {
    manualSeed(2);
    const numbers = [randn([64, 512]), randn([160, 512]), randn([160])];
    const second = (dtype: DType) => {
      const leaves = numbers.map((t) => t.to({ dtype }).detach().requiresGrad_());
      const y = F.linear(leaves[0]!, leaves[1]!, leaves[2]!);
      const grads = autograd.grad(y.mul(y).sum(), leaves, { createGraph: true }) as Tensor[];
      const norm = grads.map((g) => g.mul(g).mean()).reduce((a, b) => a.add(b));
      return autograd.grad(norm, leaves) as Tensor[];
    };
    const exact = second('float64');
    second('float32').forEach((t, i) => {
      expect(deviation(t, exact[i]!)).toBeLessThan(1e-5);
    });
  });

  it('is the same from run to run', () => {
    const { numbers, gradOutput } = draw(cases["AlexNet's first"]!);
    const once = run(cases["AlexNet's first"]!, numbers, gradOutput, 'float32');
    run(cases["AlexNet's first"]!, numbers, gradOutput, 'float32').forEach((t, i) => {
      expect(t.equal(once[i]!)).toBe(true);
    });
  });

  it('follows autocast', () => {
    const [x, w] = [randn([64, 512]), randn([256, 512])];
    expect(autocast(() => F.linear(x, w)).dtype).toBe('bfloat16');
  });

  it('accepts an empty batch', () => {
    expect(F.linear(randn([0, 2048]), randn([2048, 2048])).shape).toEqual([0, 2048]);
  });

  it('refuses what does not fit', () => {
    expect(() => F.linear(randn([64, 512]), randn([512, 256]))).toThrow('cannot be multiplied');
    expect(() => F.linear(randn([64, 512]), randn([256, 512]), randn([255]))).toThrow();
    expect(() => F.linear(randn([64, 512]), randn([256, 512]).to({ dtype: 'float64' }))).toThrow('dtype');
  });
});

describe('matmul and mm in float32 are those in float64', () => {
  const product = (a: Tensor, b: Tensor, name: 'matmul' | 'mm') => {
    const [x, y] = [a.detach().requiresGrad_(), b.detach().requiresGrad_()];
    const z = x[name](y);
    return [z.detach(), ...(autograd.grad(z.sum(), [x, y]) as Tensor[])];
  };
  const shapes: [number[], number[]][] = [
    [
      [64, 512],
      [512, 320],
    ],
    [
      [2, 40, 512],
      [512, 320],
    ],
    [[512], [512, 320]],
    [
      [6, 64, 300],
      [6, 300, 280],
    ],
    [
      [3, 4],
      [4, 2],
    ],
  ];

  it.each(shapes)('%j x %j', (left, right) => {
    manualSeed(3);
    tidy(() => {
      const [a, b] = [randn(left), randn(right)];
      const columns = b.transpose(-2, -1).contiguous().transpose(-2, -1);
      for (const name of left.length === 2 ? (['matmul', 'mm'] as const) : (['matmul'] as const)) {
        const exact = product(a.to({ dtype: 'float64' }), b.to({ dtype: 'float64' }), name);
        for (const other of [b, columns]) {
          product(a, other, name).forEach((t, i) => {
            expect(deviation(t, exact[i]!), name).toBeLessThan(2e-6);
          });
        }
      }
    });
  });

  it('refuse what does not fit', () => {
    expect(() => randn([64, 512]).matmul(randn([511, 320]))).toThrow('cannot be multiplied');
    expect(() => randn([2, 64, 512]).mm(randn([512, 320]))).toThrow();
  });
});
