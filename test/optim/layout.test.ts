/**
 * Parameters, gradients and state in any memory layout: elements correspond by index, and no other memory is
 * changed.
 */
import { describe, expect, it } from 'vitest';
import {
  amp,
  arange,
  DTypeError,
  nn,
  noGrad,
  optim,
  randn,
  slice,
  type Tensor,
  tensor,
  zeros,
} from '../../lib/index.js';

type Make = (params: Tensor[]) => optim.Optimizer<never>;
const makers: Record<string, Make> = {
  SGD: (p) => new optim.SGD(p, { lr: 0.5 }) as never,
  'SGD with momentum': (p) => new optim.SGD(p, { lr: 0.5, momentum: 0.5, weightDecay: 0.1 }) as never,
  Adam: (p) => new optim.Adam(p, { lr: 0.5, weightDecay: 0.1 }) as never,
  AMSGrad: (p) => new optim.Adam(p, { lr: 0.5, amsgrad: true }) as never,
  AdamW: (p) => new optim.AdamW(p, { lr: 0.5 }) as never,
  RMSprop: (p) => new optim.RMSprop(p, { lr: 0.5 }) as never,
  'centered RMSprop with momentum': (p) =>
    new optim.RMSprop(p, { lr: 0.5, momentum: 0.5, centered: true }) as never,
  Adagrad: (p) => new optim.Adagrad(p, { lr: 0.5 }) as never,
  Adadelta: (p) => new optim.Adadelta(p, { weightDecay: 0.1 }) as never,
  Adamax: (p) => new optim.Adamax(p, { lr: 0.5 }) as never,
  NAdam: (p) => new optim.NAdam(p, { lr: 0.5, weightDecay: 0.1, decoupledWeightDecay: true }) as never,
  Rprop: (p) => new optim.Rprop(p, { lr: 0.5 }) as never,
  RAdam: (p) => new optim.RAdam(p, { lr: 0.5, weightDecay: 0.1 }) as never,
};

/** A view of the shape [4, 3, 2, 2] in a larger tensor, whose other elements must not change. */
const layouts: Record<string, () => { view: Tensor; base: Tensor }> = {
  contiguous: () => viewOf(zeros([4, 3, 2, 2]), (x) => x),
  'channels last': () => viewOf(zeros([4, 2, 2, 3]), (x) => x.permute([0, 3, 1, 2])),
  transposed: () => viewOf(zeros([2, 2, 3, 4]), (x) => x.permute([3, 2, 1, 0])),
  'with gaps': () => viewOf(zeros([4, 3, 2, 4]), (x) => x.index('...', slice(1, null, 2))),
  'with gaps between rows': () => viewOf(zeros([8, 3, 2, 2]), (x) => x.index(slice(0, null, 2))),
  'with gaps, transposed': () =>
    viewOf(zeros([3, 4, 2, 5]), (x) => x.transpose(0, 1).index('...', slice(0, 4, 2))),
  'at an offset': () => viewOf(zeros([5, 3, 2, 2]), (x) => x.index(slice(1))),
};
function viewOf(base: Tensor, make: (x: Tensor) => Tensor) {
  return { base: base.fill_(7), view: make(base) };
}
const values = () => arange(48, { dtype: 'float32' }).reshape([4, 3, 2, 2]).sub(20).div(8);
const gradient = (i: number) =>
  values()
    .mul(1 + i)
    .sin();
const numbers = (x: Tensor) => [...x.detach().flatten().dataSync({ dtype: 'float32' })];

describe.each(Object.keys(makers))('%s', (name) => {
  /** Four steps; the state is saved and loaded in row-major layout in between. */
  function run(parameter: Tensor, gradientLayout: (g: Tensor) => Tensor, reload = true): number[] {
    let optimizer = makers[name]!([parameter]);
    for (let i = 0; i < 4; i++) {
      parameter.grad = gradientLayout(gradient(i));
      optimizer.step();
      if (i !== 1 || !reload) continue;
      const { groups, tensors } = optimizer.stateDict();
      optimizer = makers[name]!([parameter]);
      const entries = Object.entries(tensors).map(([key, t]) => [key, t.contiguous().clone()]);
      optimizer.loadStateDict({ groups, tensors: Object.fromEntries(entries) });
    }
    return numbers(parameter);
  }
  const expected = run(values().requiresGrad_(), (g) => g, false);

  it.each(Object.keys(layouts))('changes a parameter that lies in memory %s by index', (layout) => {
    const { base, view } = layouts[layout]!();
    view.copy_(values());
    const outside = numbers(base).filter((value) => value === 7).length;
    expect(run(new nn.Parameter(view), (g) => g)).toEqual(expected);
    expect(numbers(base).filter((value) => value === 7).length).toBe(outside);
  });

  it.each(Object.keys(layouts))('follows a gradient that lies in memory %s by index', (layout) => {
    const laidOut = (g: Tensor) => layouts[layout]!().view.copy_(g);
    expect(run(values().requiresGrad_(), laidOut)).toEqual(expected);
    const channelsLast = values().contiguous({ memoryFormat: 'channelsLast' });
    expect(run(channelsLast.requiresGrad_(), laidOut)).toEqual(expected);
  });

  it('follows an expanded gradient, and refuses an expanded parameter', () => {
    const [p, q] = [values().requiresGrad_(), values().requiresGrad_()];
    p.grad = tensor([0.5]).expand([4, 3, 2, 2]);
    q.grad = p.grad.clone();
    for (const one of [p, q]) makers[name]!([one]).step();
    expect(numbers(p)).toEqual(numbers(q));
    const expanded = tensor([1], { requiresGrad: false }).expand([4]).requiresGrad_();
    expect(() => makers[name]!([expanded])).toThrow(
      'Expected a Tensor with a place in memory for every element for params but received an expanded one of shape [4]',
    );
  });

  // 48 values: whole vectors of every width, which the kernels process differently from a remainder.
  it.each(['bfloat16', 'float16'] as const)(
    'steps %s parameters as float32 ones, but for rounding',
    (dtype) => {
      const start = values().div(64).to({ dtype });
      const [low, full] = [start.clone().requiresGrad_(), start.to({ dtype: 'float32' }).requiresGrad_()];
      const optimizers = [low, full].map((p) => makers[name]!([p]));
      for (let i = 0; i < 3; i++) {
        low.grad = gradient(i).add(2).to({ dtype });
        full.grad = low.grad.to({ dtype: 'float32' });
        for (const optimizer of optimizers) optimizer.step();
      }
      const change = numbers(full.detach().sub(start));
      const error = numbers(full.detach().sub(low.detach()));
      expect(error.map((value, i) => Math.abs(value / change[i]!)).filter((share) => share > 0.1)).toEqual(
        [],
      );
    },
  );

  it('takes a convolution that becomes channels last in the middle', () => {
    const [moved, fixed] = [values().requiresGrad_(), values().requiresGrad_()];
    const optimizers = [moved, fixed].map((p) => makers[name]!([p]));
    for (let i = 0; i < 4; i++) {
      if (i === 2) {
        const { view } = layouts['channels last']!();
        const other = new nn.Parameter(view.copy_(moved.detach()));
        const { groups, tensors } = optimizers[0]!.stateDict();
        optimizers[0] = makers[name]!([other]);
        optimizers[0].loadStateDict({ groups, tensors });
        other.grad = gradient(i);
        optimizers[0].step();
        noGrad(() => moved.copy_(other));
        fixed.grad = gradient(i);
        optimizers[1]!.step();
        expect(numbers(moved)).toEqual(numbers(fixed));
        return;
      }
      for (const p of [moved, fixed]) p.grad = gradient(i);
      for (const optimizer of optimizers) optimizer.step();
    }
  });

  it('rejects tensors that no longer fit their parameter, without changes', () => {
    const layer = new nn.Linear(3, 2);
    const optimizer = makers[name]!([...layer.parameters()]);
    for (const p of layer.parameters()) p.grad = p.detach().clone();
    optimizer.step();
    const keeps = Object.keys(optimizer.stateDict().tensors).length > 0;
    layer.to({ dtype: 'bfloat16' });
    for (const p of layer.parameters()) p.grad = p.detach().clone();
    const before = numbers(layer.weight.to({ dtype: 'float32' }));
    if (keeps) {
      expect(() => optimizer.step()).toThrow(DTypeError);
      expect(numbers(layer.weight.to({ dtype: 'float32' }))).toEqual(before);
      // A state that is loaded is converted.
      optimizer.loadStateDict(optimizer.stateDict());
    }
    optimizer.step();
  });
});

describe('loadStateDict', () => {
  const stepped = (make: Make) => {
    const params = [randn([2, 3]).requiresGrad_(), randn([4]).requiresGrad_()];
    const optimizer = make(params);
    for (const p of params) p.grad = p.detach().clone();
    optimizer.step();
    return { params, optimizer };
  };
  const adam = () => stepped(makers.Adam!);

  it.each<[string, key: string, make: (() => unknown) | null, RegExp]>([
    ['one number for a tensor', '0.exp_avg', () => tensor(1), /shape \[2, 3\] for 0.exp_avg/],
    ['another order of sizes', '0.exp_avg', () => zeros([3, 2]), /shape \[2, 3\] for 0.exp_avg/],
    ['one size for several', '1.exp_avg_sq', () => zeros([1]), /shape \[4\] for 1.exp_avg_sq/],
    ['a tensor for the step', '0.step', () => zeros([2, 3]), /shape \[\] for 0.step/],
    ['a step of one element', '0.step', () => zeros([1]), /shape \[\] for 0.step/],
    ['a name of another optimizer', '0.sum', () => zeros([2, 3]), /step, exp_avg.* received 0.sum/],
    ['a number of no parameter', '2.exp_avg', () => zeros([4]), /2 parameters .* received 2.exp_avg/],
    ['a key of another kind', 'exp_avg', () => zeros([4]), /received exp_avg/],
    ['a part of a state', '1.exp_avg_sq', null, /exp_avg_sq is missing/],
    ['no Tensor', '0.exp_avg', () => 1, /a Tensor for tensors\['0.exp_avg'\]/],
  ])('refuses %s, and takes nothing', (_, key, make, message) => {
    const { optimizer } = adam();
    const state = optimizer.stateDict();
    const tensors = { ...state.tensors };
    if (make) tensors[key] = make() as Tensor;
    else delete tensors[key];
    const own = adam();
    const before = own.optimizer.stateDict();
    const copies = Object.values(before.tensors).map(numbers);
    state.groups[0]!.lr = 9;
    expect(() => own.optimizer.loadStateDict({ groups: state.groups, tensors })).toThrow(message);
    expect(own.optimizer.lr).toBe(0.5);
    expect(Object.values(own.optimizer.stateDict().tensors).map(numbers)).toEqual(copies);
  });

  it('does not take parameters, which a state has not, from it', () => {
    const { optimizer, params } = adam();
    const state = optimizer.stateDict();
    Object.assign(state.groups[0]!, { params: [] });
    optimizer.loadStateDict(state);
    expect((optimizer as unknown as optim.Optimizer).paramGroups[0]!.params).toEqual(params);
  });

  it('is not tied to the state that was loaded', () => {
    const { optimizer } = adam();
    const state = optimizer.stateDict();
    const other = adam();
    other.optimizer.loadStateDict(state);
    const before = numbers(state.tensors['0.exp_avg']!);
    other.optimizer.step();
    expect(numbers(state.tensors['0.exp_avg']!)).toEqual(before);
  });
});

describe('gradients of any layout', () => {
  const laidOut = () => Object.values(layouts).map((make) => make().view.copy_(values()));

  it('are clipped by index', () => {
    for (const grad of laidOut()) {
      const p = values().requiresGrad_();
      p.grad = grad;
      const norm = optim.clipGradNorm([p], 1);
      expect(norm).toBeCloseTo(Number(values().norm().item()), 4);
      expect(p.grad.allclose(values().div(norm + 1e-6))).toBe(true);
      p.grad = layouts['with gaps']!().view.copy_(values());
      optim.clipGradValue([p], 0.5);
      expect(p.grad.equal(values().clamp({ min: -0.5, max: 0.5 }))).toBe(true);
    }
    const p = zeros([4], { requiresGrad: true });
    p.grad = tensor([2]).expand([4]);
    expect(() => optim.clipGradNorm([p], 1)).toThrow('for the gradient but received an expanded one');
    expect(() => optim.clipGradValue([p], 1)).toThrow('for the gradient but received an expanded one');
  });

  it('are unscaled by index', () => {
    for (const grad of laidOut()) {
      const scaler = new amp.GradScaler({ device: 'cpu', initScale: 4 });
      const p = values().requiresGrad_();
      p.grad = grad;
      scaler.unscale(new optim.SGD([p]));
      expect(p.grad.equal(values().div(4))).toBe(true);
    }
  });

  it('takes no step whose mark of infinite gradients is not one float32', () => {
    for (const make of [makers.SGD!, makers.Adam!]) {
      const p = zeros([2], { requiresGrad: true });
      p.grad = tensor([1, 1]);
      for (const found of [zeros([0]), zeros([2]), zeros([1], { dtype: 'float64' })])
        expect(() => make([p]).step({ found })).toThrow('one float32 number for found');
      expect(numbers(p)).toEqual([0, 0]);
    }
  });
});

describe('ExponentialMovingAverage', () => {
  it.each(Object.keys(layouts))('follows parameters that lie in memory %s', (layout) => {
    const { base, view } = layouts[layout]!();
    const outside = () => numbers(base).filter((value) => value === 7).length;
    view.copy_(values());
    const count = outside();
    const ema = new optim.ExponentialMovingAverage([view], { decay: 0.5, warmup: false });
    ema.update();
    view.copy_(values().add(1));
    ema.update();
    ema.apply(() => expect(view.allclose(values().add(0.5))).toBe(true));
    expect(view.equal(values().add(1))).toBe(true);
    expect(outside()).toBe(count);
    const other = new optim.ExponentialMovingAverage([zeros([4, 3, 2, 2])]);
    other.loadStateDict(ema.stateDict());
    expect(other.stateDict().averages[0]!.allclose(values().add(0.5))).toBe(true);
  });

  it.each(['bfloat16', 'float16'] as const)('of %s weights moves, in float32', (dtype) => {
    const p = tensor([1], { dtype });
    const ema = new optim.ExponentialMovingAverage([p], { decay: 0.999, warmup: false });
    ema.update();
    p.fill_(2);
    for (let i = 0; i < 500; i++) ema.update();
    const [average] = ema.stateDict().averages;
    expect(average!.dtype).toBe('float32');
    expect(average!.item()).toBeCloseTo(2 - 0.999 ** 500, 4);
    ema.apply(() => {
      expect(p.dtype).toBe(dtype);
      expect(p.item()).toBeCloseTo(2 - 0.999 ** 500, 2);
    });
    expect(p.item()).toBe(2);
    // A state of an earlier version, in which averages had the dtype of the weights.
    ema.loadStateDict({ updates: 3, averages: [tensor([1.5], { dtype })] });
    expect(ema.stateDict().averages[0]!.item()).toBe(1.5);
  });

  it('refuses parameters and states of other shapes', () => {
    const layer = new nn.Linear(2, 2);
    const ema = new optim.ExponentialMovingAverage(layer.parameters());
    expect(() => ema.loadStateDict({ updates: 1, averages: [zeros([2, 2]), zeros([1])] })).toThrow(
      'Expected shape [2] for the average of parameter 1',
    );
    expect(() => ema.loadStateDict({ updates: 1, averages: 1 as never })).toThrow('for averages');
    expect(() => ema.loadStateDict({ updates: -1, averages: [] })).toThrow('for updates');
  });
});
