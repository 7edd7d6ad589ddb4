import { inspect } from 'node:util';
import { expect, it } from 'vitest';
import { amp, autocast, DyconvError, nn, ones, optim, tensor } from '../../lib/index.js';
import type { Optimizer } from '../../lib/optim/index.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import { describeOnCuda } from '../support/cuda.js';

const options = { device: 'cpu', initScale: 8, growthInterval: 2 } as const;

function parameterWith(grad: number[]): Tensor {
  const parameter = new nn.Parameter(tensor(grad.map(() => 1)));
  parameter.grad = tensor(grad);
  return parameter;
}

it('scales the loss and unscales the gradients', () => {
  const scaler = new amp.GradScaler(options);
  const x = new nn.Parameter(tensor([2, 3]));
  const optimizer = new optim.SGD([x], { lr: 0.5 });
  scaler.scale(x.square().sum()).backward();
  expect(x.grad!.arraySync()).toEqual([32, 48]);
  scaler.unscale(optimizer);
  expect(x.grad!.arraySync()).toEqual([4, 6]);
  scaler.step(optimizer);
  // Plus 0: whether zero has a sign depends on the CPU's instruction set.
  expect(x.add(0).arraySync()).toEqual([0, 0]);
});

it.each<[string, (parameter: Tensor) => Optimizer]>([
  ['SGD', (p) => new optim.SGD([p], { lr: 0.1, momentum: 0.9 })],
  ['Adam', (p) => new optim.Adam([p], { lr: 0.1 })],
  ['AdamW', (p) => new optim.AdamW([p], { lr: 0.1 })],
  ['RMSprop', (p) => new optim.RMSprop([p], { lr: 0.1 })],
])('a step of %s with a gradient that is not finite changes nothing and lowers the scale', (_name, make) => {
  const scaler = new amp.GradScaler(options);
  const parameter = parameterWith([8, Number.POSITIVE_INFINITY]);
  const optimizer = make(parameter);
  scaler.step(optimizer);
  scaler.update();
  expect(parameter.arraySync()).toEqual([1, 1]);
  expect(scaler.getScale()).toBe(4);

  // The next step equals the first step of a new optimizer.
  const other = parameterWith([2, -2]);
  make(other).step();
  parameter.grad = tensor([8, -8]);
  scaler.step(optimizer);
  scaler.update();
  const [received, expected] = [parameter.arraySync(), other.arraySync()] as number[][];
  received!.forEach((value, i) => void expect(value).toBeCloseTo(expected![i]!, 6));
  expect(received).not.toEqual([1, 1]);
});

it('raises the scale after enough finite steps, and saves its state', () => {
  const scaler = new amp.GradScaler(options);
  const optimizer = new optim.SGD([parameterWith([1])], { lr: 0.1 });
  for (const scale of [8, 16, 16, 32]) {
    scaler.step(optimizer);
    scaler.update();
    expect(scaler.getScale()).toBe(scale);
  }
  const other = new amp.GradScaler(options);
  other.loadStateDict(scaler.stateDict());
  expect(other.stateDict()).toEqual(scaler.stateDict());
  expect(() => other.loadStateDict({ scale: -1, growthTracker: 0 })).toThrow(/GradScaler/);
});

it('reduces the scale if one of several optimizers had infinite gradients', () => {
  const scaler = new amp.GradScaler(options);
  const good = parameterWith([8]);
  scaler.step(new optim.SGD([parameterWith([Number.NaN])], { lr: 1 }));
  scaler.step(new optim.SGD([good], { lr: 1 }));
  scaler.update();
  expect(good.add(0).arraySync()).toEqual([0]);
  expect(scaler.getScale()).toBe(4);
});

it('refuses to unscale or step twice, and to update before', () => {
  const scaler = new amp.GradScaler(options);
  const optimizer = new optim.SGD([parameterWith([1])], { lr: 0.1 });
  expect(() => scaler.update()).toThrow(DyconvError);
  scaler.unscale(optimizer);
  expect(() => scaler.unscale(optimizer)).toThrow(/once/);
  scaler.step(optimizer);
  expect(() => scaler.step(optimizer)).toThrow(/once/);
});

it('has a description', () => {
  expect(inspect(new amp.GradScaler(options))).toBe(
    'GradScaler(device=cpu, initScale=8, growthFactor=2, backoffFactor=0.5, growthInterval=2, enabled=true)',
  );
});

it('saves gradients that float16 would lose', () => {
  const layer = new nn.Linear(4, 1, { bias: false });
  const optimizer = new optim.SGD(layer.parameters(), { lr: 1 });
  const gradient = (scaler: amp.GradScaler) => {
    optimizer.zeroGrad();
    const y = autocast(() => layer.forward(ones([1, 4])), { dtype: 'float16' });
    expect(y.dtype).toBe('float16');
    // Below the smallest number of float16, 6e-8, in the backward pass of the product.
    scaler.scale(y.to({ dtype: 'float32' }).mul(2e-8).sum()).backward();
    scaler.unscale(optimizer);
    return [...layer.weight.grad!.dataSync({ dtype: 'float32' })];
  };
  expect(gradient(new amp.GradScaler({ enabled: false }))).toEqual([0, 0, 0, 0]);
  for (const value of gradient(new amp.GradScaler({ device: 'cpu' }))) expect(value / 2e-8).toBeCloseTo(1, 2);
});

it('passes everything through when it is not enabled', () => {
  const scaler = new amp.GradScaler({ enabled: false });
  const parameter = parameterWith([1]);
  const loss = tensor(3);
  expect(scaler.scale(loss)).toBe(loss);
  scaler.step(new optim.SGD([parameter], { lr: 1 }));
  scaler.update();
  expect([scaler.getScale(), parameter.add(0).arraySync()]).toEqual([1, [0]]);
});

describeOnCuda('a scaler on the device', () => {
  it('unscales, and leaves out a step whose gradients are not finite', () => {
    const scaler = new amp.GradScaler({ ...options, device: 'cuda' });
    const parameter = new nn.Parameter(tensor([1, 1], { device: 'cuda' }));
    const optimizer = new optim.SGD([parameter], { lr: 0.5 });
    const step = (grad: number[]) => {
      parameter.grad = tensor(grad, { device: 'cuda' });
      scaler.step(optimizer);
      scaler.update();
      return [parameter.arraySync(), scaler.getScale()];
    };
    expect(step([8, -8])).toEqual([[0.5, 1.5], 8]);
    expect(step([8, Number.POSITIVE_INFINITY])).toEqual([[0.5, 1.5], 4]);
    expect(step([4, -4])).toEqual([[0, 2], 4]);
  });
});
