import { describe, expect, it } from 'vitest';
import { functional as F, tensor } from '../../lib/index.js';
import { filled, golden } from '../golden/hash.js';

const expected = golden<Record<string, { loss: number; gradient: number[] }>>('labelSmoothing');

describe('crossEntropy', () => {
  it.each(Object.keys(expected))('with label smoothing %s equals PyTorch, gradient included', (smoothing) => {
    const logits = filled([5, 7], 3, 6, 'float64').requiresGrad_();
    const loss = F.crossEntropy(logits, tensor([0n, 6n, 2n, 2n, 5n]), { labelSmoothing: Number(smoothing) });
    loss.backward();
    expect(loss.item()).toBeCloseTo(expected[smoothing]!.loss, 10);
    const gradient = [...logits.grad!.flatten().dataSync({ dtype: 'float64' })];
    gradient.forEach((value, i) => {
      expect(value).toBeCloseTo(expected[smoothing]!.gradient[i]!, 10);
    });
  });

  it('is 0.9 nll + 0.1 mean over classes of -log p at smoothing 0.1', () => {
    const logits = filled([3, 4], 11, 3, 'float64');
    const target = tensor([1n, 3n, 0n]);
    const log = logits.logSoftmax();
    const nll = Number(log.gather(1, target.unsqueeze(1)).neg().mean().item());
    const uniform = Number(log.neg().mean().item());
    const loss = F.crossEntropy(logits, target, { labelSmoothing: 0.1 }).item();
    expect(loss).toBeCloseTo(0.9 * nll + 0.1 * uniform, 12);
  });

  it('applies the reduction', () => {
    const logits = filled([3, 4], 11, 3);
    const target = tensor([1n, 3n, 0n]);
    expect(F.crossEntropy(logits, target, { reduction: 'none' }).shape).toEqual([3]);
    const sum = F.crossEntropy(logits, target, { reduction: 'sum' }).item();
    expect(sum).toBeCloseTo(3 * Number(F.crossEntropy(logits, target).item()), 5);
  });

  it('names bad arguments', () => {
    const logits = filled([3, 4], 11);
    const target = tensor([1n, 3n, 0n]);
    expect(() => F.crossEntropy(logits, target, { labelSmoothing: 2 })).toThrow(
      'Expected a number from 0 to 1 for labelSmoothing but received 2 (number)',
    );
    // @ts-expect-error not a reduction
    expect(() => F.crossEntropy(logits, target, { reduction: 'avg' })).toThrow("'none', 'mean', 'sum'");
    expect(() => F.crossEntropy(logits, tensor([1n, 9n, 0n]))).toThrow('out of bounds');
  });
});
