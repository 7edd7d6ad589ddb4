import { describe, expect, it } from 'vitest';
import {
  functional as F,
  manualSeed,
  models,
  type nn,
  noGrad,
  optim,
  randn,
  type Tensor,
  tensor,
  tidy,
} from '../../lib/index.js';
import { expectFingerprint, type Fingerprint, filled, golden } from '../golden/hash.js';

interface ModelGolden {
  parameters: number;
  keys: string[];
  eval: number[][];
  loss: number;
  losses: number[];
  gradients: Record<string, Fingerprint>;
  statistics: Record<string, Fingerprint>;
  afterThreeSteps: Record<string, Fingerprint>;
  evalAfter: number[][];
}

const expected = golden<Record<string, ModelGolden>>('models');

/** set_weights() of make_golden.py. */
function setWeights(model: nn.Module): void {
  [...model.namedParameters()].forEach(([name, parameter], i) => {
    const shape = parameter.shape;
    const weights = shape.length >= 2 && !name.endsWith('bias');
    const fanIn = (shape.length === 5 ? shape.slice(2) : shape.slice(1)).reduce((a, b) => a * b, 1);
    const values = weights
      ? filled(shape, i + 1, Math.sqrt(24 / fanIn))
      : filled(shape, i + 1, 0.2).add(shape.length === 1 && name.endsWith('weight') ? 1 : 0);
    noGrad(() => parameter.copy_(values));
  });
}

function expectClose(received: Tensor, wanted: number[][], tolerance: number): void {
  const scale = Math.max(...wanted.flat().map(Math.abs));
  const difference = received.sub(tensor(wanted)).abs().amax().item();
  expect(difference).toBeLessThanOrEqual(tolerance * scale);
}

describe.each(['alexnet', 'alexnet-dy'])('%s compared with PyTorch', (name) => {
  const wanted = expected[name]!;
  const build = () => {
    const model = models.create(name, { dropout: 0 });
    setWeights(model);
    return model;
  };
  // Images for which float32 rounding does not change the winner of any max pooling; with seed 99 it changes
  // one in libtorch.
  const images = filled([4, 3, 128, 128], 100, 4);
  const labels = tensor([3n, 0n, 9n, 3n]);

  it('has the same parameters and state keys', () => {
    const model = build();
    const count = [...model.parameters()].reduce((sum, parameter) => sum + parameter.numel, 0);
    expect(count).toBe(wanted.parameters);
    expect(Object.keys(model.stateDict()).sort()).toEqual([...wanted.keys].sort());
  });

  it('gives the same logits in evaluation', () => {
    const logits = noGrad(() => build().eval().forward(images));
    expectClose(logits, wanted.eval, 1e-4);
  });

  it('trains the same: loss, every gradient, statistics, weights after three steps', () => {
    const model = build();
    const optimizer = new optim.SGD(model.parameters(), { lr: 0.01, weightDecay: 1e-5 });
    const floor = 0.01 * Math.hypot(...Object.values(wanted.gradients).map(({ norm }) => norm));
    const losses = wanted.losses.map((_, step) => {
      optimizer.zeroGrad();
      const loss = F.crossEntropy(model.forward(images), labels, { labelSmoothing: 0.1 });
      loss.backward();
      if (step === 0) {
        for (const [key, parameter] of model.namedParameters()) {
          expectFingerprint(key, parameter.grad!, wanted.gradients[key]!, { tolerance: 1e-4, floor });
        }
        for (const [key, buffer] of model.namedBuffers()) {
          if (key.includes('running'))
            expectFingerprint(key, buffer, wanted.statistics[key]!, { tolerance: 1e-4 });
        }
      }
      optimizer.step();
      return Number(loss.item());
    });
    losses.forEach((loss, i) => {
      expect(Math.abs(loss - wanted.losses[i]!)).toBeLessThanOrEqual(1e-3 * wanted.losses[i]!);
    });
    expect(losses[0]).toBeCloseTo(wanted.loss, 4);
    for (const [key, parameter] of model.namedParameters()) {
      expectFingerprint(key, parameter, wanted.afterThreeSteps[key]!, { tolerance: 1e-3 });
    }
  });
});

describe('counts of the article', () => {
  const withStatistics = (name: string) =>
    tidy(() => {
      const model = models.create(name);
      const statistics = [...model.namedBuffers()].filter(([key]) => key.includes('running'));
      return [...model.parameters(), ...statistics.map(([, buffer]) => buffer)].reduce(
        (n, t) => n + t.numel,
        0,
      );
    });

  it('AlexNet has 7,526,794 and AlexNet-DY 8,324,368', () => {
    expect(withStatistics('alexnet')).toBe(7_526_794);
    expect(withStatistics('alexnet-dy')).toBe(8_324_368);
  });

  it('alexnet-wide has as many parameters as AlexNet-DY', () => {
    expect(withStatistics('alexnet-wide') / withStatistics('alexnet-dy')).toBeCloseTo(1, 3);
    expect(models.create('alexnet-wide').forward(randn([1, 3, 128, 128])).shape).toEqual([1, 10]);
    expect(Object.keys(models.alexnet({ middleChannels: 309 }).stateDict())).toEqual(
      Object.keys(models.alexnetWide().stateDict()),
    );
  });

  it('gains scale the initial weights of their layers, and change no other', () => {
    const made = (options: models.ModelOptions) => {
      manualSeed(7);
      return models.create('alexnet-dy', options).stateDict();
    };
    const plain = made({});
    const scaled = made({ initGain: 1.5, classifierGain: 0.4 });
    for (const [key, value] of Object.entries(scaled)) {
      const isExpert = /^features\.(8|11|14)\.weight$/.test(key);
      const factor = isExpert ? 1.5 : /^classifier.*weight$/.test(key) ? 0.4 : 1;
      expect(value.equal(plain[key]!.mul(factor)), key).toBe(true);
    }
    expect(() => models.create('alexnet', { classifierGain: Number.NaN })).toThrow(
      'for classifierGain but received NaN',
    );
    expect(() => models.create('alexnet', { middleChannels: 0 })).toThrow(
      'for middleChannels but received 0',
    );
  });

  it("starts with Paddle's default weights on request", () => {
    const std = (made: models.AlexNet, key: string) => Number(made.stateDict()[key]!.std().item());
    const bound = (made: models.AlexNet, key: string) => Number(made.stateDict()[key]!.abs().max().item());
    manualSeed(7);
    const fixed = models.alexnet({ initialWeights: 'paddle' });
    const mixed = models.alexnetDy({ initialWeights: 'paddle', initGain: 2 });
    for (const made of [fixed, mixed]) {
      // Normal of the variance 2 / fan-in, and uniform with the bound sqrt(6 / (fan-in + fan-out)).
      expect(std(made, 'features.0.weight') / Math.sqrt(2 / (3 * 121))).toBeCloseTo(1, 1);
      expect(std(made, 'features.4.weight') / Math.sqrt(2 / (48 * 25))).toBeCloseTo(1, 1);
      expect(bound(made, 'classifier.0.weight') / Math.sqrt(6 / (1152 + 2048))).toBeCloseTo(1, 2);
      expect(bound(made, 'classifier.3.weight') / Math.sqrt(6 / 4096)).toBeCloseTo(1, 2);
      expect(bound(made, 'classifier.6.weight') / Math.sqrt(6 / 2058)).toBeCloseTo(1, 2);
      for (const [key, value] of Object.entries(made.stateDict()))
        if (key.endsWith('.bias')) expect(value.abs().max().item(), key).toBe(0);
    }
    expect(std(fixed, 'features.8.weight') / Math.sqrt(2 / (128 * 9))).toBeCloseTo(1, 1);
    expect(bound(mixed, 'features.8.weight') / 2 / Math.sqrt(6 / ((192 + 2) * 128 * 9))).toBeCloseTo(1, 2);
    expect(bound(mixed, 'features.14.weight') / 2 / Math.sqrt(6 / ((128 + 2) * 192 * 9))).toBeCloseTo(1, 2);
    expect(std(mixed, 'features.8.routing.net.0.weight') / Math.sqrt(2 / 128)).toBeCloseTo(1, 1);
    expect(() => models.alexnet({ initialWeights: 'zeros' as 'paddle' })).toThrow(
      "Expected one of 'kaiming', 'paddle' for initialWeights but received 'zeros'",
    );
  });
});
