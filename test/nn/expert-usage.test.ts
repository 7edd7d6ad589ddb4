import { beforeEach, describe, expect, it } from 'vitest';
import { DynamicConv2d, memory, noGrad, randn, type Tensor, tensor, tidy, zeros } from '../../lib/index.js';
import { UsageMeter } from '../../lib/nn/expert-usage.js';
import { collectGarbage } from '../support/garbage.js';

beforeEach(collectGarbage);

const meterOf = (...attentions: number[][][]) => {
  const meter = new UsageMeter(attentions[0]![0]!.length);
  for (const attention of attentions) meter.add(tensor(attention));
  return meter;
};

describe('UsageMeter', () => {
  it('is empty before the first sample', () => {
    expect(new UsageMeter(2).read()).toEqual({ mean: [0, 0], entropy: 0, samples: 0, dead: [] });
  });

  it('refuses attention of other experts', () => {
    expect(() => meterOf([[0.5, 0.5]], [[1, 0, 0]])).toThrow('attention of 2 experts but received 3');
  });

  it('averages over samples, not over batches', () => {
    const usage = meterOf(
      [[1, 0]],
      [
        [0, 1],
        [0, 1],
        [0, 1],
      ],
    ).read();
    expect(usage.mean).toEqual([0.25, 0.75]);
    expect(usage.samples).toBe(4);
  });

  it('gives the mean entropy of the samples, in nats', () => {
    expect(meterOf([[0.5, 0.5]]).read().entropy).toBeCloseTo(Math.log(2), 6);
    expect(
      meterOf([
        [1, 0],
        [0, 1],
      ]).read().entropy,
    ).toBeCloseTo(0, 6);
    expect(
      meterOf([
        [0.25, 0.25, 0.25, 0.25],
        [1, 0, 0, 0],
      ]).read().entropy,
    ).toBeCloseTo(Math.log(4) / 2, 6);
  });

  it('calls experts dead below a tenth of an even share', () => {
    expect(meterOf([[0.951, 0.049]]).read().dead).toEqual([1]);
    expect(meterOf([[0.949, 0.051]]).read().dead).toEqual([]);
    expect(meterOf([[0, 1, 0]]).read().dead).toEqual([0, 2]);
  });

  it('continues after it was read, and restarts after reset', () => {
    const meter = meterOf([[1, 0]]);
    meter.read();
    meter.add(tensor([[0, 1]]));
    expect(meter.read().mean).toEqual([0.5, 0.5]);
    meter.reset();
    expect(meter.read().samples).toBe(0);
    meter.add(tensor([[0, 1]]));
    meter.reset();
    expect(meter.read().samples).toBe(0);
  });

  it('holds no tensors', () => {
    const before = memory().numTensors;
    const meter = new UsageMeter(2);
    for (let i = 0; i < 1000; i++) {
      using attention = tensor([[0.5, 0.5]]);
      meter.add(attention);
      expect(memory().numTensors).toBe(before + 1);
    }
    expect(meter.read()).toMatchObject({ samples: 1000, mean: [0.5, 0.5] });
    expect(memory().numTensors).toBe(before);
  });
});

describe('expertUsage', () => {
  it('follows the forward passes, also under tidy and noGrad', () => {
    const layer = new DynamicConv2d(3, 2, 1, { numExperts: 2, temperature: 1 });
    const x = randn([4, 3, 2, 2]);
    tidy(() => void layer.forward(x));
    noGrad(() => layer.forward(x));
    const usage = layer.expertUsage();
    const wanted = layer.attention(x).mean({ dim: 0 }).arraySync() as number[];
    expect(usage.samples).toBe(8);
    usage.mean.forEach((mean, k) => {
      expect(mean).toBeCloseTo(wanted[k]!, 5);
    });
    expect(usage.entropy).toBeGreaterThan(0);
    expect(usage.entropy).toBeLessThanOrEqual(Math.log(2));
    layer.resetExpertUsage();
    expect(layer.expertUsage().samples).toBe(0);
  });

  it('uses given attention', () => {
    const layer = new DynamicConv2d(3, 2, 1, { numExperts: 3 });
    const attention: Tensor = tensor([[0, 0, 1]]);
    layer.forward(zeros([1, 3, 2, 2]), { attention });
    expect(layer.expertUsage()).toEqual({ mean: [0, 0, 1], entropy: 0, samples: 1, dead: [0, 1] });
  });

  it('counts in evaluation only when asked to, and leaves no tensors', () => {
    const layer = new DynamicConv2d(3, 2, 1).eval();
    const x = randn([4, 3, 2, 2]);
    const before = memory().numTensors;
    tidy(() => void layer.forward(x));
    expect(layer.expertUsage().samples).toBe(0);
    layer.tracksUsage = true;
    tidy(() => void layer.forward(x));
    expect(layer.expertUsage().samples).toBe(4);
    layer.train();
    tidy(() => noGrad(() => void layer.forward(x)));
    expect(layer.expertUsage().samples).toBe(8);
    expect(memory().numTensors).toBe(before);
  });

  it('does not count a pass that failed', () => {
    const layer = new DynamicConv2d(3, 2, 3);
    expect(() => layer.forward(zeros([1, 3, 1, 1]))).toThrow();
    expect(layer.expertUsage().samples).toBe(0);
  });
});
