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
  expect([rates[0], rates[29], rates[30], rates[60], rates[99]].map((r) => Number(r!.toPrecision(6)))).toEqual([
    0.1, 0.1, 0.01, 0.001, 0.0001,
  ]);
});
