// Experts are mixed relative to one of them, which must not lose precision where their magnitudes differ by
// channel.
import { describe, expect, it } from 'vitest';
import {
  autograd,
  dynamicConv2d,
  functional as F,
  manualSeed,
  noGrad,
  randn,
  type Tensor,
  tensor,
  tidy,
} from '../../lib/index.js';
import { deviation } from '../support/values.js';

const [BATCH, IN, OUT, SIZE] = [32, 24, 16, 12];
const options = { padding: 1 };

/** All attention on one expert. */
const only = (expert: number, experts: number) =>
  F.oneHot(tensor(Array.from({ length: BATCH }, () => BigInt(expert))), experts).to({ dtype: 'float32' });

/**
 * Output and input gradient in float32 and those of the reference in float64, of output and input channel
 * `channel`.
 */
function worst(
  w: Tensor,
  attention: Tensor,
  channel: number,
  algorithm: F.DynamicConv2dAlgorithm,
): [number, number] {
  const x = randn([BATCH, IN, SIZE, SIZE]);
  const gradOutputs = randn([BATCH, OUT, SIZE, SIZE]);
  const run = (dtype: 'float32' | 'float64', name: F.DynamicConv2dAlgorithm) => {
    const leaf = x.to({ dtype }).detach().requiresGrad_();
    const y = dynamicConv2d(leaf, w.to({ dtype }), attention.to({ dtype }), null, {
      ...options,
      algorithm: name,
    });
    const [grad] = autograd.grad(y, [leaf], { gradOutputs: gradOutputs.to({ dtype }) }) as [Tensor];
    return [y.detach().narrow(1, channel, 1), grad.narrow(1, channel, 1)] as const;
  };
  const [got, expected] = [run('float32', algorithm), run('float64', 'reference')];
  return [deviation(got[0], expected[0]), deviation(got[1], expected[1])];
}

describe.each(['auto', 'fused', 'winograd'] as const)('%s keeps the digits', (algorithm) => {
  it.each([2, 3])('of output channels whose sizes differ between %i experts', (experts) => {
    manualSeed(1);
    tidy(() => {
      const w = randn([experts, OUT, IN, 3, 3]);
      for (let k = 0; k < experts; k++) w.index(k, k).mul_(1e5 * 4 ** k);
      for (let k = 0; k < experts; k++) {
        const ordinary = (k + 1) % experts;
        expect(worst(w, only(k, experts), ordinary, algorithm)[0]).toBeLessThan(1e-5);
      }
    });
  });

  it('of input channels whose sizes differ', () => {
    manualSeed(2);
    tidy(() => {
      const w = randn([2, OUT, IN, 3, 3]);
      w.select(0, 0).select(1, 0).mul_(1e5);
      w.select(0, 1).select(1, 1).mul_(4e5);
      expect(worst(w, only(1, 2), 0, algorithm)[1]).toBeLessThan(1e-5);
      expect(worst(w, only(0, 2), 1, algorithm)[1]).toBeLessThan(1e-5);
    });
  });

  it('of a channel that one expert leaves out', () => {
    manualSeed(3);
    tidy(() => {
      const w = randn([2, OUT, IN, 3, 3]);
      w.index(0, 0).zero_();
      w.index(1, 1).zero_();
      const x = randn([BATCH, IN, SIZE, SIZE]);
      const y = dynamicConv2d(x, w, only(0, 2), null, { ...options, algorithm });
      expect(y.narrow(1, 0, 1).abs().amax().item()).toBe(0);
    });
  });

  it('of weights that were changed since the last call', () => {
    manualSeed(4);
    tidy(() => {
      const w = randn([2, OUT, IN, 3, 3]);
      expect(worst(w, only(1, 2), 0, algorithm)[0]).toBeLessThan(1e-5);
      noGrad(() => {
        w.index(0, 0).mul_(1e5);
        w.index(1, 1).mul_(4e5);
      });
      expect(worst(w, only(1, 2), 0, algorithm)[0]).toBeLessThan(1e-5);
    });
  });
});
