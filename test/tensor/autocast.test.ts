import { describe, expect, it } from 'vitest';
import { ArgumentError } from '../../lib/errors.js';
import {
  autocast,
  DynamicConv2d,
  functional as F,
  manualSeed,
  nn,
  noGrad,
  randn,
  tensor,
} from '../../lib/index.js';

const dtypeOf = () => randn([2, 2]).matmul(randn([2, 2])).dtype;

describe('autocast', () => {
  it('computes products in 16 bits, within the block alone', () => {
    expect(autocast(dtypeOf)).toBe('bfloat16');
    expect(autocast(dtypeOf, { dtype: 'float16' })).toBe('float16');
    expect(dtypeOf()).toBe('float32');
    expect(autocast(() => [dtypeOf(), autocast(dtypeOf, { dtype: null }), dtypeOf()])).toEqual([
      'bfloat16',
      'float32',
      'bfloat16',
    ]);
    expect(autocast(() => randn([2]).add(1).dtype)).toBe('float32');
  });

  it('belongs to the asynchronous context', async () => {
    const pause = () => new Promise((resolve) => setTimeout(resolve, 5));
    const inside = autocast(async () => {
      const before = dtypeOf();
      await pause();
      return [before, dtypeOf()];
    });
    const outside = (async () => {
      await pause();
      return dtypeOf();
    })();
    expect(await inside).toEqual(['bfloat16', 'bfloat16']);
    expect(await outside).toBe('float32');
    expect(dtypeOf()).toBe('float32');
  });

  it('keeps losses and gradients of weights in float32', () => {
    const layer = new nn.Linear(4, 3);
    const loss = autocast(() =>
      F.crossEntropy(layer.forward(randn([5, 4])), tensor([0, 1, 2, 0, 1], { dtype: 'int64' })),
    );
    expect(loss.dtype).toBe('float32');
    loss.backward();
    expect(layer.weight.grad?.dtype).toBe('float32');
  });

  it('finds no weight that was cast without autograd', () => {
    const layer = new nn.Linear(4, 3);
    const x = randn([2, 4]);
    const y = autocast(() => {
      noGrad(() => layer.forward(x));
      return layer.forward(x);
    });
    y.sum().backward();
    expect(layer.weight.grad).not.toBeNull();
  });

  it('takes dynamic layers along, routing in float32, near to the float32 result', () => {
    manualSeed(3);
    const layer = new DynamicConv2d(16, 32, 3, { padding: 1, numExperts: 4 });
    const x = randn([4, 16, 9, 9], {}).requiresGrad_();
    const gradients = (run: () => ReturnType<typeof layer.forward>) => {
      layer.zeroGrad();
      x.grad = null;
      const y = run();
      y.to({ dtype: 'float32' }).square().mean().backward();
      const all = [x, ...layer.parameters()].map((p) => p.grad!.clone());
      return { y: y.detach().to({ dtype: 'float32' }), dtype: y.dtype, all };
    };
    const exact = gradients(() => layer.forward(x));
    const half = gradients(() => autocast(() => layer.forward(x)));
    expect(half.dtype).toBe('bfloat16');
    const error = (a: typeof x, b: typeof x) => Number(a.sub(b).norm().item()) / Number(b.norm().item());
    expect(error(half.y, exact.y)).toBeLessThan(0.01);
    exact.all.forEach((gradient, i) => {
      expect(half.all[i]!.dtype).toBe('float32');
      expect(error(half.all[i]!, gradient), `gradient ${i}`).toBeLessThan(0.03);
    });
    expect(autocast(() => layer.attention(x.to({ dtype: 'bfloat16' }))).dtype).toBe('float32');
  });

  it('refuses other dtypes', () => {
    expect(() => autocast(dtypeOf, { dtype: 'float64' as 'float16' })).toThrow(ArgumentError);
    expect(() => autocast(dtypeOf, { dtype: 'float64' as 'float16' })).toThrow(
      /'bfloat16', 'float16' or null for dtype/,
    );
  });
});
