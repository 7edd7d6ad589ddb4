import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { nn, noGrad, optim, type Tensor, tensor, zeros, zerosLike } from '../../lib/index.js';
import { filled, golden } from '../golden/hash.js';

const expected = golden<Record<string, { p: number[]; q: number[] }>>('optimizers');

type Make = (params: Tensor[]) => optim.Optimizer<never>;
const makers: Record<string, Make> = {
  sgd: (params) => new optim.SGD(params, { lr: 0.1, weightDecay: 1e-2 }) as never,
  'sgd-momentum': (params) =>
    new optim.SGD(params, { lr: 0.1, momentum: 0.9, dampening: 0.2, weightDecay: 1e-2 }) as never,
  'sgd-nesterov': (params) => new optim.SGD(params, { lr: 0.1, momentum: 0.9, nesterov: true }) as never,
  adam: (params) => new optim.Adam(params, { lr: 0.05, betas: [0.8, 0.95], weightDecay: 1e-2 }) as never,
  adamw: (params) => new optim.AdamW(params, { lr: 0.05, weightDecay: 0.1 }) as never,
  rmsprop: (params) =>
    new optim.RMSprop(params, { lr: 0.02, alpha: 0.9, weightDecay: 1e-2, momentum: 0.5 }) as never,
  adagrad: (params) =>
    new optim.Adagrad(params, {
      lr: 0.1,
      lrDecay: 0.01,
      weightDecay: 1e-2,
      initialAccumulatorValue: 0.1,
    }) as never,
};

function start(): [Tensor, Tensor] {
  return [filled([3, 4], 5, 2, 'float64').requiresGrad_(), filled([4], 6, 2, 'float64').requiresGrad_()];
}

function step([p, q]: [Tensor, Tensor], optimizer: optim.Optimizer<never>): void {
  optimizer.zeroGrad();
  p.matmul(q).sin().sum().add(p.mul(p).sum().mul(0.1)).backward();
  optimizer.step();
}

const flat = (t: Tensor) => [...t.detach().flatten().dataSync({ dtype: 'float64' })];

function expectClose(received: number[], wanted: number[]): void {
  received.forEach((value, i) => {
    expect(value).toBeCloseTo(wanted[i]!, 9);
  });
}

describe.each(Object.keys(makers))('%s', (name) => {
  it('equals PyTorch after 3 steps', () => {
    const params = start();
    const optimizer = makers[name]!(params);
    for (let i = 0; i < 3; i++) step(params, optimizer);
    expectClose(flat(params[0]), expected[name]!.p);
    expectClose(flat(params[1]), expected[name]!.q);
  });

  it('continues exactly from a saved state', () => {
    const whole = start();
    const first = makers[name]!(whole);
    for (let i = 0; i < 2; i++) step(whole, first);
    const resumed: [Tensor, Tensor] = [
      whole[0].detach().clone().requiresGrad_(),
      whole[1].detach().clone().requiresGrad_(),
    ];
    const second = makers[name]!(resumed);
    second.loadStateDict(first.stateDict());
    step(whole, first);
    step(resumed, second);
    expect(flat(resumed[0])).toEqual(flat(whole[0]));
    expect(flat(resumed[1])).toEqual(flat(whole[1]));
  });
});

describe('Optimizer', () => {
  it('does not change parameters without a gradient', () => {
    const p = zeros([2], { requiresGrad: true });
    new optim.SGD([p], { lr: 1, momentum: 0.9 }).step();
    expect(p.arraySync()).toEqual([0, 0]);
  });

  it('supports groups with their own options', () => {
    const [a, b] = [tensor([1], { requiresGrad: true }), tensor([1], { requiresGrad: true })];
    const optimizer = new optim.SGD([{ params: [a] }, { params: [b], lr: 0.5 }], { lr: 0.1 });
    a.add(b).backward();
    optimizer.step();
    expect(a.item()).toBeCloseTo(0.9);
    expect(b.item()).toBeCloseTo(0.5);
    expect(optimizer.paramGroups.map((group) => group.lr)).toEqual([0.1, 0.5]);
  });

  it('accepts another group, for parameters that are no longer frozen', () => {
    const [a, b] = [tensor([1], { requiresGrad: true }), tensor([1])];
    const optimizer = new optim.Adam([a], { lr: 0.1 });
    b.requiresGrad_();
    optimizer.addParamGroup({ params: [b], lr: 0.5 });
    a.add(b).backward();
    optimizer.step();
    expect([a.item(), b.item()].map((value) => Number(Number(value).toFixed(4)))).toEqual([0.9, 0.5]);
    expect(() => optimizer.addParamGroup({ params: [a] })).toThrow('each parameter once');
    expect(() => optimizer.addParamGroup({ params: [zeros([1])], lr: -1 })).toThrow('for lr');
    expect(optimizer.paramGroups.length).toBe(2);
    expect(optimizer.stateDict().groups.length).toBe(2);
  });

  it('names bad options', () => {
    const p = zeros([1], { requiresGrad: true });
    expect(() => new optim.SGD([p], { lr: -1 })).toThrow(
      'Expected a number of at least 0 for lr but received -1',
    );
    expect(() => new optim.SGD([p], { nesterov: true })).toThrow('for nesterov');
    expect(() => new optim.SGD([], { lr: 1 })).toThrow('at least one Tensor for params');
    expect(() => new optim.SGD([p, p], { lr: 1 })).toThrow('each parameter once');
    expect(() => new optim.SGD([p.mul(2)], { lr: 1 })).toThrow(
      'Expected leaves for params but received a result of an operation',
    );
  });

  it('refuses a state of other shapes', () => {
    const [p, q] = start();
    const optimizer = new optim.SGD([p, q], { lr: 0.1, momentum: 0.9 });
    const other = new optim.SGD([q.detach().requiresGrad_(), p.detach().requiresGrad_()], { momentum: 0.9 });
    step([p, q], optimizer as never);
    expect(() => other.loadStateDict(optimizer.stateDict())).toThrow(
      'Expected shape [4] for 0.momentum_buffer of the optimizer state but received [3, 4]',
    );
  });

  it('refuses a state of other options or values before anything is changed', () => {
    const groups = [{ params: [start()[0]] }, { params: [start()[1]], lr: 0.5 }];
    const optimizer = new optim.SGD(groups, { lr: 0.1 });
    const { groups: saved, tensors } = optimizer.stateDict();
    const bad = [
      { ...saved[0], lr: 0.9 },
      { ...saved[1], momentum: 'x' },
    ];
    expect(() => optimizer.loadStateDict({ groups: bad, tensors })).toThrow('for momentum but received');
    expect(() =>
      optimizer.loadStateDict({ groups: saved, tensors: { '0.momentum_buffer': 5 as never } }),
    ).toThrow("Expected a Tensor for tensors['0.momentum_buffer']");
    expect(optimizer.paramGroups.map((group) => group.lr)).toEqual([0.1, 0.5]);
  });

  it('keeps its rates on the device and notices what a captured step would not', () => {
    const [p] = start();
    const optimizer = new optim.SGD([p], { lr: 0.1, momentum: 0.9 });
    optimizer.keepLrOnDevice();
    const grad = zerosLike(p).add(1);
    const before = p.detach().clone();
    p.grad = grad;
    optimizer.lr = 0.25;
    optimizer.writeLr();
    optimizer.step();
    expect(p.detach().allclose(before.sub(0.25))).toBe(true);
    optimizer.paramGroups[0]!.momentum = 0.5;
    expect(() => optimizer.writeLr()).toThrow(
      'Expected the options of a captured step, lr excepted, to stay {"momentum":0.9,',
    );
  });

  it('clips the joint norm of the gradients', () => {
    const layer = new nn.Linear(2, 2);
    for (const p of layer.parameters()) p.grad = p.detach().clone().fill_(3);
    const norm = optim.clipGradNorm(layer.parameters(), 1);
    expect(norm).toBeCloseTo(Math.sqrt(6 * 9), 4);
    const after = Math.hypot(...[...layer.parameters()].map((p) => Number(p.grad!.norm().item())));
    expect(after).toBeCloseTo(1, 4);
  });

  it('clips the elements of the gradients', () => {
    const p = zeros([3], { requiresGrad: true });
    p.grad = tensor([-3, 0.5, 2]);
    optim.clipGradValue([p, zeros([1])], 1);
    expect(p.grad!.arraySync()).toEqual([-1, 0.5, 1]);
    expect(() => optim.clipGradValue([p], -1)).toThrow('for clipValue');
  });

  it('clips nothing where it is asked to report gradients that are not finite', () => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const p = zeros([2], { requiresGrad: true });
      p.grad = tensor([bad, 3]);
      expect(() => optim.clipGradNorm([p], 1, { errorIfNonfinite: true })).toThrow(
        `Expected finite gradients for clipGradNorm_ but their norm is ${bad}`,
      );
      expect(p.grad.arraySync()).toEqual([bad, 3]);
    }
    expect(() => optim.clipGradNorm([], 1, { errorIfNonfinite: 1 as never })).toThrow('for errorIfNonfinite');
  });

  it('takes a closure, with gradients even where they are off, and returns its loss', () => {
    const [p, q] = [tensor([3], { requiresGrad: true }), tensor([3], { requiresGrad: true })];
    const optimizer = new optim.SGD([p], { lr: 0.1 });
    const loss = noGrad(() =>
      optimizer.step(() => {
        optimizer.zeroGrad();
        const value = p.square().sum();
        value.backward();
        return value;
      }),
    );
    expect(loss.item()).toBe(9);
    q.square().sum().backward();
    new optim.SGD([q], { lr: 0.1 }).step();
    expect(p.arraySync()).toEqual(q.arraySync());
    expect(() => optimizer.step(async () => p.sum())).toThrow('received one that is async');
    expect(() => optimizer.step(1 as never)).toThrow('an object for options');
  });

  it('has a description', () => {
    const groups = [{ params: [zeros([2, 3]), zeros([1])] }, { params: [zeros([4])], lr: 1e-3 }];
    const optimizer = new optim.SGD(groups, { lr: 0.1, momentum: 0.9 });
    const text = `SGD (
Parameter Group 0
    dampening: 0
    lr: 0.1
    maximize: false
    momentum: 0.9
    nesterov: false
    weightDecay: 0
    params: 2 tensors, 7 values
Parameter Group 1
    dampening: 0
    lr: 0.001
    maximize: false
    momentum: 0.9
    nesterov: false
    weightDecay: 0
    params: 1 tensor, 4 values
)`;
    expect(String(optimizer)).toBe(text);
    expect(inspect(optimizer)).toBe(text);
    expect(inspect({ optimizer })).toContain('Parameter Group 1');
    expect(String(new optim.Adam([zeros([1])]))).toContain('betas: [ 0.9, 0.999 ]');
    expect(inspect(new optim.ExponentialMovingAverage([zeros([1])]))).toBe(
      'ExponentialMovingAverage(parameters=1, decay=0.999, warmup=true, updates=0)',
    );
  });

  it('keeps AdamW decoupled with a state of Adam', () => {
    const p = () => tensor([1], { requiresGrad: true });
    const [adamw, fresh] = [p(), p()];
    const optimizer = new optim.AdamW([adamw], { lr: 0.1, weightDecay: 0.5 });
    optimizer.loadStateDict(new optim.Adam([p()], { lr: 0.1, weightDecay: 0.5 }).stateDict());
    const other = new optim.AdamW([fresh], { lr: 0.1, weightDecay: 0.5 });
    for (const one of [adamw, fresh]) one.grad = tensor([0.3]);
    for (const one of [optimizer, other]) one.step();
    expect(adamw.item()).toBe(fresh.item());
  });

  it('keeps what is there of parameters that were converted or moved before the first step', () => {
    for (const make of Object.values(makers)) {
      const layer = new nn.Linear(2, 2);
      const optimizer = make([...layer.parameters()]);
      layer.to({ dtype: 'bfloat16' });
      for (const p of layer.parameters()) p.grad = p.detach().clone();
      optimizer.step();
      for (const [key, one] of Object.entries(optimizer.stateDict().tensors))
        expect(one.dtype, key).toBe(key.endsWith('.step') ? 'float32' : 'bfloat16');
    }
  });

  it.each(['amsgrad', 'maximize', 'decoupledWeightDecay'])('asks for a boolean for %s', (name) => {
    const make = () => new optim.Adam([zeros([1])], { [name]: 1 });
    expect(make).toThrow(`Expected a boolean for ${name} but received 1`);
  });
});

const classes = Object.entries(optim).filter(
  ([name, value]) =>
    typeof value === 'function' && /^[A-Z]/.test(name) && value.prototype instanceof optim.Optimizer,
) as [string, new (params: unknown, options?: object) => optim.Optimizer][];

it.each(classes)('%s takes undefined for left out, in options and in groups', (name, Optimizer) => {
  const optionsOf = ({ paramGroups }: optim.Optimizer) => {
    const { params: _, ...options } = paramGroups[0]! as Record<string, unknown>;
    // An option that only Adam has.
    if (name === 'AdamW') delete options.decoupledWeightDecay;
    return options;
  };
  const defaults = optionsOf(new Optimizer([zeros([1])]));
  const nothing = Object.fromEntries(Object.keys(defaults).map((key) => [key, undefined]));
  expect(Object.keys(defaults).length).toBeGreaterThan(2);
  expect(optionsOf(new Optimizer([zeros([1])], nothing))).toEqual(defaults);
  expect(optionsOf(new Optimizer([{ params: [zeros([1])], ...nothing }]))).toEqual(defaults);
});

it('Rprop refuses factors and step sizes that are none', () => {
  const make = (options: object) => () => new optim.Rprop([zeros([1])], options);
  expect(make({ etas: [1, 1.2] })).toThrow('Expected a number from 0 to 1 and one above 1 for etas');
  expect(make({ etas: 0.5 })).toThrow('for etas but received 0.5');
  expect(make({ stepSizes: [1e-6] })).toThrow('Expected two numbers for stepSizes');
  expect(make({ maximize: 1 })).toThrow('Expected a boolean for maximize');
});
