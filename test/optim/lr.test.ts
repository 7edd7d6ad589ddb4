import { describe, expect, it } from 'vitest';
import { optim, zeros } from '../../lib/index.js';
import { golden } from '../golden/hash.js';

const expected = golden<Record<string, number[]>>('schedules');
const { lr } = optim;

const makers: Record<string, (optimizer: optim.SGD) => optim.lr.LRScheduler> = {
  MultiStepLR: (o) => new lr.MultiStepLR(o, { milestones: [3, 6, 9], gamma: 0.1 }),
  StepLR: (o) => new lr.StepLR(o, { stepSize: 4, gamma: 0.5 }),
  ExponentialLR: (o) => new lr.ExponentialLR(o, { gamma: 0.9 }),
  CosineAnnealingLR: (o) => new lr.CosineAnnealingLR(o, { tMax: 12, etaMin: 0.01 }),
  LinearLR: (o) => new lr.LinearLR(o, { startFactor: 0.25, endFactor: 1, totalIters: 5 }),
  OneCycleLR: (o) => new lr.OneCycleLR(o, { maxLr: 1, totalSteps: 12 }),
  SequentialLR: (o) =>
    new lr.SequentialLR(o, {
      schedulers: [
        new lr.LinearLR(o, { startFactor: 0.1, endFactor: 1, totalIters: 4 }),
        new lr.ExponentialLR(o, { gamma: 0.9 }),
      ],
      milestones: [4],
    }),
  LambdaLR: (o) => new lr.LambdaLR(o, { lrLambda: (epoch) => 1 / (1 + epoch) }),
  MultiplicativeLR: (o) => new lr.MultiplicativeLR(o, { lrLambda: (epoch) => (epoch % 2 ? 0.9 : 0.8) }),
  ConstantLR: (o) => new lr.ConstantLR(o, { factor: 0.25, totalIters: 4 }),
  PolynomialLR: (o) => new lr.PolynomialLR(o, { totalIters: 8, power: 2 }),
  CosineAnnealingWarmRestarts: (o) =>
    new lr.CosineAnnealingWarmRestarts(o, { t0: 3, tMult: 2, etaMin: 0.01 }),
  CyclicLR: (o) => new lr.CyclicLR(o, { baseLr: 0.1, maxLr: 0.9, stepSizeUp: 3, stepSizeDown: 2 }),
  'CyclicLR-triangular2': (o) =>
    new lr.CyclicLR(o, { baseLr: 0.1, maxLr: 0.9, stepSizeUp: 2, mode: 'triangular2' }),
  'CyclicLR-expRange': (o) =>
    new lr.CyclicLR(o, { baseLr: 0.1, maxLr: 0.9, stepSizeUp: 2, mode: 'expRange', gamma: 0.9 }),
};

const sgd = () => new optim.SGD([zeros([1], { requiresGrad: true })], { lr: 0.4 });

describe.each(Object.keys(makers))('%s', (name) => {
  it('equals PyTorch over 12 epochs', () => {
    const optimizer = sgd();
    const scheduler = makers[name]!(optimizer);
    const rates = Array.from({ length: 12 }, () => {
      const rate = optimizer.lr;
      scheduler.step();
      return rate;
    });
    rates.forEach((rate, i) => {
      expect(rate).toBeCloseTo(expected[name]![i]!, 9);
    });
  });

  it('resumes at the epoch it was saved at', () => {
    const [first, second] = [sgd(), sgd()];
    const scheduler = makers[name]!(first);
    for (let i = 0; i < 7; i++) scheduler.step();
    makers[name]!(second).loadStateDict(scheduler.stateDict());
    expect(second.lr).toBe(first.lr);
  });
});

it("the article's milestones", () => {
  const optimizer = new optim.SGD([zeros([1], { requiresGrad: true })], { lr: 0.1 });
  const scheduler = new lr.MultiStepLR(optimizer, { milestones: [30, 60, 90] });
  const rates = Array.from({ length: 100 }, () => {
    const rate = optimizer.lr;
    scheduler.step();
    return rate;
  });
  expect(
    [rates[0], rates[29], rates[30], rates[60], rates[99]].map((r) => Number(r!.toPrecision(6))),
  ).toEqual([0.1, 0.1, 0.01, 0.001, 0.0001]);
});

describe('ReduceLROnPlateau', () => {
  const metrics = [1, 0.9, 0.9, 0.91, 0.92, 0.89, 0.95, 0.95, 0.95, 0.95, 0.95, 0.5];
  const options = { factor: 0.5, patience: 1, threshold: 1e-2, cooldown: 1, minLr: 0.06 } as const;
  it.each([
    ['min', 'rel'],
    ['max', 'abs'],
  ] as const)(
    'equals PyTorch with mode %s and threshold %s, resumed in the middle too',
    (mode, thresholdMode) => {
      const wanted = expected[`ReduceLROnPlateau-${mode}`]!;
      const optimizer = sgd();
      const make = () => new lr.ReduceLROnPlateau(optimizer, { ...options, mode, thresholdMode });
      let scheduler = make();
      metrics.forEach((metric, i) => {
        if (i === 6) {
          const state = scheduler.stateDict();
          scheduler = make();
          scheduler.loadStateDict(state);
        }
        scheduler.step(metric);
        expect(optimizer.lr).toBeCloseTo(wanted[i]!, 12);
      });
      expect(scheduler.lastEpoch).toBe(12);
    },
  );

  it('names bad options', () => {
    expect(() => new lr.ReduceLROnPlateau(sgd(), { factor: 1 })).toThrow('a number below 1 for factor');
    expect(() => new lr.ReduceLROnPlateau(sgd(), { mode: 'low' as never })).toThrow('for mode');
    expect(() => new lr.ReduceLROnPlateau(sgd()).step('1' as never)).toThrow('a number for metric');
  });
});

it('anneals every group from its own rate down to etaMin', () => {
  const params = [{ params: [zeros([1])] }, { params: [zeros([1])], lr: 0.1 }];
  const optimizer = new optim.SGD(params, { lr: 0.4 });
  const scheduler = new lr.CosineAnnealingLR(optimizer, { tMax: 4, etaMin: 0.01 });
  for (let i = 0; i < 4; i++) scheduler.step();
  for (const rate of scheduler.getLastLr()) expect(rate).toBeCloseTo(0.01, 12);
});
