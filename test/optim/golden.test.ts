/** Every optimizer and scheduler against PyTorch, in the configurations of test/golden/make_optim.py. */
import { describe, expect, it } from 'vitest';
import { optim, type Tensor, tensor, zeros } from '../../lib/index.js';
import { filled, golden } from '../golden/hash.js';

type Options = Record<string, unknown>;
type Chosen = [name: string, options: Options];
interface Golden {
  optimizers: { optimizer: string; options: Options; params: number[][] }[];
  schedulers: {
    rates: number[];
    schedulers: Chosen[];
    lr: number[][];
    momentum: number[];
    byHand: number[][];
  }[];
  metrics: (number | string)[];
  plateau: { options: Options; lr: number[][] }[];
  clip: {
    values: (number | string)[];
    normType: number | string;
    norm: number | string;
    clipped: (number | string)[];
  }[];
}
const expected = golden<Golden>('optim');

/** JSON has no NaN and no infinities. */
const number = (value: number | string) =>
  typeof value === 'number' ? value : { nan: Number.NaN, inf: Number.POSITIVE_INFINITY }[value]!;
const close = (values: readonly number[], wanted: readonly number[]) => {
  expect(values.length).toBe(wanted.length);
  values.forEach((value, i) => {
    const difference = Math.abs(value - wanted[i]!);
    // NaN and infinities are only equal to themselves.
    if (!(difference <= 1e-9 * Math.max(1, Math.abs(wanted[i]!)))) expect(value).toBe(wanted[i]!);
  });
};

const SHAPES = [[3, 4], [4], [2, 3, 2, 2]];
/** As in make_optim.py. */
const PRESENT = [
  [1, 1, 0],
  [1, 0, 0],
  [1, 1, 1],
  [1, 0, 1],
  [1, 1, 1],
];
type AnyOptimizer = new (params: unknown, options: Options) => optim.Optimizer;

function optimizerOver(params: Tensor[], name: string, options: Options): optim.Optimizer {
  const Class = (optim as unknown as Record<string, AnyOptimizer>)[name]!;
  return new Class([{ params: params.slice(0, 2) }, { params: params.slice(2), lr: 0.05 }], options);
}

function stepOf(i: number, params: Tensor[], optimizer: optim.Optimizer): void {
  params.forEach((p, j) => {
    const gradient = () => filled(SHAPES[j]!, 20 + 3 * i + j, 4, 'float64');
    p.grad = PRESENT[i]![j] ? gradient() : null;
  });
  optimizer.step();
}

const start = (layout: (x: Tensor) => Tensor = (x) => x) =>
  SHAPES.map((shape, i) => layout(filled(shape, 5 + i, 2, 'float64')).requiresGrad_());
const flat = (x: Tensor) => [...x.detach().flatten().dataSync({ dtype: 'float64' })];

describe.each(
  expected.optimizers.map((one) => [`${one.optimizer} ${JSON.stringify(one.options)}`, one] as const),
)('%s', (_, { optimizer: name, options, params: wanted }) => {
  it('equals PyTorch, with two groups and gradients that are missing at times', () => {
    const params = start();
    const optimizer = optimizerOver(params, name, options);
    for (let i = 0; i < PRESENT.length; i++) stepOf(i, params, optimizer);
    params.forEach((p, j) => void close(flat(p), wanted[j]!));
  });

  it('continues exactly from a state saved after any step', () => {
    for (let saved = 0; saved < PRESENT.length; saved++) {
      let params = start();
      let optimizer = optimizerOver(params, name, options);
      for (let i = 0; i < PRESENT.length; i++) {
        stepOf(i, params, optimizer);
        if (i !== saved) continue;
        const state = optimizer.stateDict();
        params = params.map((p) => p.detach().clone().requiresGrad_());
        optimizer = optimizerOver(params, name, {});
        optimizer.loadStateDict(state);
      }
      params.forEach((p, j) => void close(flat(p), wanted[j]!));
    }
  });
});

/** The functions of make_optim.py by their text. */
const FUNCTIONS: Record<string, (epoch: number) => number> = {
  '1 / (1 + epoch)': (epoch) => 1 / (1 + epoch),
  '0.9 - 0.01 * epoch': (epoch) => 0.9 - 0.01 * epoch,
};
type Text = { function: string };

function schedulerOver(optimizer: optim.Optimizer, [name, options]: Chosen): optim.lr.LRScheduler {
  const { lrLambda, schedulers } = options as { lrLambda?: Text | Text[]; schedulers?: Chosen[] };
  const fn = (text: Text) => FUNCTIONS[text.function]!;
  const Class = (
    optim.lr as unknown as Record<string, new (o: optim.Optimizer, options: Options) => optim.lr.LRScheduler>
  )[name]!;
  return new Class(optimizer, {
    ...options,
    ...(lrLambda && { lrLambda: Array.isArray(lrLambda) ? lrLambda.map(fn) : fn(lrLambda) }),
    ...(schedulers && { schedulers: schedulers.map((one) => schedulerOver(optimizer, one)) }),
  });
}

function twoGroups(rates: number[]): optim.SGD {
  const groups = rates.map((lr) => ({ params: [zeros([1], { requiresGrad: true })], lr }));
  return new optim.SGD(groups, { momentum: 0.9 });
}
const ratesOf = (optimizer: optim.Optimizer) => optimizer.paramGroups.map((group) => group.lr);

const schedulerCases = expected.schedulers.map(
  (one) => [JSON.stringify([one.rates, ...one.schedulers]), one] as const,
);
describe.each(schedulerCases)('schedulers %s', (_, { rates, schedulers: chosen, lr, momentum, byHand }) => {
  it('equal PyTorch, a rate that is set by hand included', () => {
    const optimizer = twoGroups(rates);
    const schedulers = chosen.map((one) => schedulerOver(optimizer, one));
    [...lr, ...byHand].forEach((wanted, epoch) => {
      if (epoch === lr.length && byHand.length > 0) optimizer.paramGroups[0]!.lr = 0.3;
      close(ratesOf(optimizer), wanted);
      close([optimizer.paramGroups[0]!.momentum], [momentum[epoch]!]);
      for (const one of schedulers) one.step();
    });
  });

  it('continue exactly from states saved at any epoch, with and without that of the optimizer', () => {
    const whole = twoGroups(rates);
    const schedulers = chosen.map((one) => schedulerOver(whole, one));
    for (let epoch = 0; epoch < 10; epoch++) {
      const states = JSON.parse(JSON.stringify(schedulers.map((one) => one.stateDict())));
      for (const how of ['optimizer first', 'optimizer last', 'schedulers alone']) {
        const resumed = twoGroups(rates);
        const others = chosen.map((one) => schedulerOver(resumed, one));
        if (how === 'optimizer first') resumed.loadStateDict(whole.stateDict());
        for (const [i, one] of [...others.entries()].reverse()) one.loadStateDict(states[i]);
        if (how === 'optimizer last') resumed.loadStateDict(whole.stateDict());
        expect(ratesOf(resumed)).toEqual(ratesOf(whole));
        expect(resumed.paramGroups[0]!.momentum).toBe(whole.paramGroups[0]!.momentum);
        const copy = twoGroups(rates);
        const ahead = chosen.map((one) => schedulerOver(copy, one));
        for (let i = 0; i < epoch + 3; i++) for (const one of ahead) one.step();
        for (let i = 0; i < 3; i++) for (const one of others) one.step();
        expect(ratesOf(resumed)).toEqual(ratesOf(copy));
      }
      for (const one of schedulers) one.step();
    }
  });
});

it.each(expected.plateau.map((one) => [JSON.stringify(one.options), one] as const))(
  'ReduceLROnPlateau %s equals PyTorch',
  (_, { options, lr }) => {
    const optimizer = twoGroups([0.4, 0.1]);
    const scheduler = new optim.lr.ReduceLROnPlateau(optimizer, options);
    expected.metrics.forEach((metric, i) => {
      scheduler.step(number(metric));
      close(ratesOf(optimizer), lr[i]!);
    });
  },
);

it.each(expected.clip.map((one) => [`${one.values} by the norm ${one.normType}`, one] as const))(
  'clipping %s equals PyTorch',
  (_, { values, normType, norm, clipped }) => {
    const p = zeros([3], { dtype: 'float64', requiresGrad: true });
    p.grad = tensor(values.map(number), { dtype: 'float64' });
    const received = optim.clipGradNorm([p], 1, { normType: number(normType) });
    close([received], [number(norm)]);
    close(flat(p.grad!), clipped.map(number));
  },
);

it('has a case of every optimizer and scheduler', () => {
  const classes = (names: object) =>
    Object.entries(names).flatMap(([name, value]) =>
      typeof value === 'function' && /^[A-Z]/.test(name) ? [name] : [],
    );
  const optimizers = new Set(expected.optimizers.map((one) => one.optimizer));
  expect([...optimizers, 'ExponentialMovingAverage', 'LBFGS', 'Optimizer'].sort()).toEqual(
    classes(optim).sort(),
  );
  const schedulers = new Set(expected.schedulers.flatMap((one) => one.schedulers.map(([name]) => name)));
  expect([...schedulers, 'LRScheduler', 'ReduceLROnPlateau'].sort()).toEqual(classes(optim.lr).sort());
});
