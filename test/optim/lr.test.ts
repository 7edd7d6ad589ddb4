import { inspect } from 'node:util';
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
  ChainedScheduler: (o) =>
    new lr.ChainedScheduler(o, {
      schedulers: [
        new lr.ConstantLR(o, { factor: 0.25, totalIters: 4 }),
        new lr.ExponentialLR(o, { gamma: 0.9 }),
      ],
    }),
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

describe('the momentum against the rate', () => {
  type Momentum = Record<string, (optimizer: optim.Optimizer<never>) => optim.lr.LRScheduler>;
  const cycles: Momentum = {
    'OneCycleLR-momentum': (o) => new lr.OneCycleLR(o, { maxLr: 1, totalSteps: 12 }),
    'CyclicLR-momentum': (o) =>
      new lr.CyclicLR(o, { baseLr: 0.1, maxLr: 0.9, stepSizeUp: 3, stepSizeDown: 2 }),
    'CyclicLR-triangular2-momentum': (o) =>
      new lr.CyclicLR(o, { baseLr: 0.1, maxLr: 0.9, stepSizeUp: 2, mode: 'triangular2', baseMomentum: 0.5 }),
  };
  const parameter = () => [zeros([1], { requiresGrad: true })];

  it.each(Object.keys(cycles))('%s equals PyTorch, of SGD and of Adam', (name) => {
    const [sgd, adam] = [new optim.SGD(parameter(), { momentum: 0.9 }), new optim.Adam(parameter())];
    const schedulers = [sgd, adam].map((optimizer) => cycles[name]!(optimizer as never));
    for (const [momentum, beta] of golden<Record<string, [number, number][]>>('schedules')[name]!) {
      expect(sgd.paramGroups[0]!.momentum).toBeCloseTo(momentum, 12);
      expect(adam.paramGroups[0]!.betas).toEqual([expect.closeTo(beta, 12), 0.999]);
      for (const scheduler of schedulers) scheduler.step();
    }
  });

  it('keeps the rate if requested, and works within other schedules', () => {
    const still = new optim.SGD(parameter(), { momentum: 0.5 });
    const scheduler = new lr.OneCycleLR(still, { maxLr: 1, totalSteps: 12, cycleMomentum: false });
    scheduler.step();
    expect(still.paramGroups[0]!.momentum).toBe(0.5);
    const [alone, within] = [0, 1].map(() => new optim.SGD(parameter(), { lr: 1 / 25 }));
    const one = new lr.OneCycleLR(alone!, { maxLr: 1, totalSteps: 12 });
    const cycle = new lr.OneCycleLR(within!, { maxLr: 1, totalSteps: 12 });
    const constant = new lr.ConstantLR(within!, { factor: 0.5, totalIters: 2 });
    const all = new lr.SequentialLR(within!, { schedulers: [constant, cycle], milestones: [2] });
    for (let i = 0; i < 2; i++) all.step();
    for (let i = 0; i < 5; i++) {
      expect(within!.paramGroups[0]!.momentum).toBe(alone!.paramGroups[0]!.momentum);
      expect(within!.lr).toBe(alone!.lr);
      all.step();
      one.step();
    }
  });

  it('is missing in some optimizers', () => {
    const adagrad = new optim.Adagrad(parameter());
    expect(() => new lr.OneCycleLR(adagrad, { maxLr: 1, totalSteps: 2 })).toThrow(
      'Expected false for an optimizer without momentum for cycleMomentum but received true',
    );
    new lr.OneCycleLR(adagrad, { maxLr: 1, totalSteps: 2, cycleMomentum: false }).step();
  });
});

it('asks a multiplying function once an epoch', () => {
  let calls = 0;
  const scheduler = new lr.MultiplicativeLR(sgd(), {
    lrLambda: () => {
      calls++;
      return 0.999;
    },
  });
  for (let i = 0; i < 1000; i++) scheduler.step();
  expect(calls).toBe(1000);
  expect(scheduler.getLastLr()[0]).toBeCloseTo(0.4 * 0.999 ** 1000, 12);
});

it('names wrong arguments', () => {
  const cases: [() => unknown, string][] = [
    [() => new lr.SequentialLR(sgd(), {} as never), 'an array of LRSchedulers for schedulers'],
    [() => new lr.ChainedScheduler(sgd(), { schedulers: [1 as never] }), 'an array of LRSchedulers'],
    [() => sequence([3, 3]), '2 rising epochs for 3 schedulers for milestones but received [3, 3]'],
    [() => sequence([3]), '2 rising epochs for 3 schedulers'],
    [() => sequence(undefined as never), '2 rising epochs for 3 schedulers'],
    [
      () => new lr.LambdaLR(sgd(), { lrLambda: () => Number.NaN }),
      'a finite number for what lrLambda returns',
    ],
    [() => new lr.OneCycleLR(sgd(), { maxLr: 1, totalSteps: 2, divFactor: 0 }), 'above 0 for divFactor'],
    [() => new lr.OneCycleLR(sgd(), { maxLr: 1, totalSteps: 2, maxMomentum: 0.1 }), 'for maxMomentum'],
    [() => new lr.CyclicLR(sgd(), { baseLr: -1, maxLr: 1 }), 'a number of at least 0 for baseLr'],
    [() => new lr.CyclicLR(sgd(), { baseLr: [0, 1], maxLr: 1 }), 'one for each of 1 parameter groups'],
    [() => new lr.OneCycleLR(sgd(), { maxLr: 1 }), 'for totalSteps'],
    [() => new lr.OneCycleLR(sgd(), { maxLr: 1, epochs: 2 }), 'for stepsPerEpoch'],
    [
      () => new lr.OneCycleLR(sgd(), { maxLr: 1, totalSteps: 2, annealStrategy: 'cosine' as never }),
      "one of 'cos', 'linear'",
    ],
    [() => new lr.PolynomialLR(sgd(), { power: -1 }), 'for power'],
    [() => new lr.LinearLR({ paramGroups: [1] } as never), 'an Optimizer for optimizer'],
    [() => new lr.ReduceLROnPlateau(null as never), 'an Optimizer for optimizer but received null'],
  ];
  for (const [run, message] of cases) expect(run).toThrow(message);

  function sequence(milestones: number[]) {
    const optimizer = sgd();
    const schedulers = [0, 1, 2].map(() => new lr.ConstantLR(optimizer));
    return new lr.SequentialLR(optimizer, { schedulers, milestones });
  }
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

  it('has a state that survives JSON before the first metric', () => {
    const { best, ...rest } = JSON.parse(JSON.stringify(new lr.ReduceLROnPlateau(sgd()).stateDict()));
    const scheduler = new lr.ReduceLROnPlateau(sgd(), { patience: 0, mode: 'max' });
    scheduler.loadStateDict({ best, ...rest });
    scheduler.step(-5);
    expect(scheduler.stateDict()).toMatchObject({ best: -5, badEpochs: 0 });
    expect(() => scheduler.loadStateDict({ ...rest, best: '1' })).toThrow('a number or null for best');
  });

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

it('has a description', () => {
  const optimizer = sgd();
  expect(String(new lr.StepLR(optimizer, { stepSize: 3 }))).toBe(
    'StepLR(stepSize=3, gamma=0.1, lastEpoch=0, lr=[0.4])',
  );
  expect(inspect(new lr.LambdaLR(optimizer, { lrLambda: () => 1 }))).toBe(
    'LambdaLR(lrLambda=function, lastEpoch=0, lr=[0.4])',
  );
  const schedulers = [new lr.ConstantLR(optimizer), new lr.ExponentialLR(optimizer, { gamma: 0.5 })];
  expect(String(new lr.SequentialLR(optimizer, { schedulers, milestones: [2] }))).toMatch(
    /^SequentialLR\(schedulers=\[ConstantLR\(factor=.*\), ExponentialLR\(gamma=0.5, .*\)\], milestones=\[2\], lastEpoch=0, lr=/,
  );
  expect(inspect(new lr.ReduceLROnPlateau(optimizer))).toMatch(
    /^ReduceLROnPlateau\(mode=min, .*best=Infinity/,
  );
});

describe('the initial rate', () => {
  it('is the rate when the first scheduler is made', () => {
    const optimizer = sgd();
    optimizer.lr = 0.01;
    new lr.StepLR(optimizer, { stepSize: 10 });
    expect(optimizer.lr).toBe(0.01);
    optimizer.lr = 0.5;
    const scheduler = new lr.LambdaLR(optimizer, { lrLambda: () => 0.5 });
    expect(optimizer.lr).toBe(0.005);
    expect(scheduler.stateDict()).toEqual({ lastEpoch: 0, lr: [0.005], baseLr: [0.01] });
  });

  it('of a group that is added later is its rate then', () => {
    const optimizer = sgd();
    const scheduler = new lr.LambdaLR(optimizer, { lrLambda: (epoch) => 1 / (1 + epoch) });
    optimizer.addParamGroup({ params: [zeros([1])], lr: 8 });
    scheduler.step();
    expect(scheduler.getLastLr()).toEqual([0.2, 4]);
    const each = new lr.LambdaLR(optimizer, { lrLambda: [() => 1, () => 2] });
    optimizer.addParamGroup({ params: [zeros([1])], lr: 8 });
    expect(() => each.step()).toThrow('a value for parameter group 2 for lrLambda');
  });
});

describe('a state of a scheduler', () => {
  it('of older versions, which has the epoch alone, gives the rates of the schedule', () => {
    for (const name of Object.keys(makers)) {
      const [first, second] = [sgd(), sgd()];
      const scheduler = makers[name]!(first);
      for (let i = 0; i < 5; i++) scheduler.step();
      const other = makers[name]!(second);
      other.loadStateDict({ lastEpoch: 5 });
      expect(second.lr, name).toBeCloseTo(first.lr, 12);
      for (const one of [scheduler, other]) one.step();
      expect(second.lr, name).toBeCloseTo(first.lr, 12);
    }
  });

  it('of an epoch too far for a product, without rates, is refused', () => {
    const scheduler = makers.MultiplicativeLR!(sgd());
    expect(() => scheduler.loadStateDict({ lastEpoch: 2 ** 40 })).toThrow(
      'Expected rates in addition to the epoch',
    );
    expect(scheduler.lastEpoch).toBe(0);
    scheduler.loadStateDict({ lastEpoch: 2 ** 40, lr: [0.25] });
    expect(scheduler.getLastLr()).toEqual([0.25]);
  });

  it('is rejected without changes if it does not fit', () => {
    const optimizer = sgd();
    const scheduler = makers.SequentialLR!(optimizer);
    const state = scheduler.stateDict();
    const bad: [unknown, string][] = [
      [{ ...state, lastEpoch: -1 }, 'for lastEpoch'],
      [{ ...state, lr: [1, 2] }, 'Expected 1 learning rates as lr'],
      [{ ...state, baseLr: ['1'] }, 'Expected 1 learning rates as baseLr'],
      [{ ...state, schedulers: [] }, 'Expected the states of 2 schedulers'],
      [{ ...state, lastEpoch: 5, schedulers: [{ lastEpoch: 4 }, { lastEpoch: 'x' }] }, 'for lastEpoch'],
      [null, 'an object for state'],
    ];
    for (const [one, message] of bad) expect(() => scheduler.loadStateDict(one as never)).toThrow(message);
    expect(scheduler.stateDict()).toEqual(state);
  });
});

it('is undone if a function throws, and continues afterwards', () => {
  const optimizer = sgd();
  let broken = true;
  const lrLambda = (epoch: number) => {
    if (broken && epoch === 2) throw new RangeError('no');
    return 0.5;
  };
  const scheduler = new lr.MultiplicativeLR(optimizer, { lrLambda });
  scheduler.step();
  expect(() => scheduler.step()).toThrow(RangeError);
  expect([scheduler.lastEpoch, optimizer.lr]).toEqual([1, 0.2]);
  broken = false;
  scheduler.step();
  expect([scheduler.lastEpoch, optimizer.lr]).toEqual([2, 0.1]);
});

it('supports custom classes that override factor', () => {
  class Half extends lr.LRScheduler {
    constructor(optimizer: optim.SGD) {
      super(optimizer);
      this.apply(0);
    }
    override factor(epoch: number) {
      return 0.5 ** epoch;
    }
  }
  const optimizer = sgd();
  const scheduler = new Half(optimizer);
  for (let i = 0; i < 2; i++) scheduler.step();
  expect(optimizer.lr).toBeCloseTo(0.1, 12);
  class None extends lr.LRScheduler {}
  expect(() => new None(optimizer).step()).toThrow('Expected None to override factor() or rate()');
});
