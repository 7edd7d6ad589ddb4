import { describe, expect, it } from 'vitest';
import {
  ArgumentError,
  arange,
  functional as F,
  manualSeed,
  nn,
  noGrad,
  randn,
  ShapeError,
  type Tensor,
  tensor,
  zeros,
} from '../../lib/index.js';
import { itRefuses } from '../support/refusals.js';
import { expectValues } from '../support/values.js';

const keys = (module: nn.AnyModule) => Object.keys(module.stateDict());

/** Each layer, an input shape, and the function that it calls; the functions have their own golden values. */
const layers: [string, () => nn.Module, number[], (x: Tensor, layer: never) => Tensor][] = [
  [
    'Conv1d',
    () => new nn.Conv1d(4, 6, 3, { stride: 2, padding: 1, groups: 2 }),
    [2, 4, 7],
    (x, l: nn.Conv1d) => F.conv1d(x, l.weight, l.bias, { stride: 2, padding: 1, groups: 2 }),
  ],
  [
    'Conv1d that keeps the size',
    () => new nn.Conv1d(2, 3, 4, { padding: 'same', bias: false }),
    [2, 2, 7],
    (x, l: nn.Conv1d) => F.conv1d(x, l.weight, null, { padding: 'same' }),
  ],
  [
    'Conv3d',
    () => new nn.Conv3d(2, 3, [1, 2, 3], { dilation: [1, 1, 2] }),
    [1, 2, 3, 4, 6],
    (x, l: nn.Conv3d) => F.conv3d(x, l.weight, l.bias, { dilation: [1, 1, 2] }),
  ],
  [
    'ConvTranspose1d',
    () => new nn.ConvTranspose1d(3, 2, 3, { stride: 2, outputPadding: 1 }),
    [2, 3, 4],
    (x, l: nn.ConvTranspose1d) => F.convTranspose1d(x, l.weight, l.bias, { stride: 2, outputPadding: 1 }),
  ],
  [
    'ConvTranspose2d',
    () => new nn.ConvTranspose2d(4, 6, 2, { stride: 2, groups: 2 }),
    [1, 4, 3, 3],
    (x, l: nn.ConvTranspose2d) => F.convTranspose2d(x, l.weight, l.bias, { stride: 2, groups: 2 }),
  ],
  [
    'ConvTranspose3d',
    () => new nn.ConvTranspose3d(2, 1, 2),
    [1, 2, 2, 2, 2],
    (x, l: nn.ConvTranspose3d) => F.convTranspose3d(x, l.weight, l.bias),
  ],
  ['MaxPool1d', () => new nn.MaxPool1d(2), [1, 2, 6], (x) => F.maxPool1d(x, 2)],
  [
    'MaxPool3d',
    () => new nn.MaxPool3d(2, { stride: 1 }),
    [1, 1, 3, 3, 3],
    (x) => F.maxPool3d(x, 2, { stride: 1 }),
  ],
  ['AvgPool1d', () => new nn.AvgPool1d(3), [1, 2, 6], (x) => F.avgPool1d(x, 3)],
  ['AvgPool3d', () => new nn.AvgPool3d([1, 2, 3]), [1, 1, 3, 4, 3], (x) => F.avgPool3d(x, [1, 2, 3])],
  ['AdaptiveAvgPool1d', () => new nn.AdaptiveAvgPool1d(2), [1, 2, 5], (x) => F.adaptiveAvgPool1d(x, 2)],
  ['AdaptiveAvgPool3d', () => new nn.AdaptiveAvgPool3d(1), [1, 2, 2, 3, 2], (x) => F.adaptiveAvgPool3d(x, 1)],
  [
    'AdaptiveMaxPool2d',
    () => new nn.AdaptiveMaxPool2d([2, 1]),
    [1, 2, 4, 3],
    (x) => F.adaptiveMaxPool2d(x, [2, 1]),
  ],
  ['Threshold', () => new nn.Threshold(0.1, 2), [6], (x) => F.threshold(x, { threshold: 0.1, value: 2 })],
  [
    'PReLU',
    () => new nn.PReLU({ numParameters: 3 }),
    [2, 3, 2],
    (x) => F.leakyRelu(x, { negativeSlope: 0.25 }),
  ],
  [
    'RReLU in evaluation',
    () => new nn.RReLU().eval(),
    [6],
    (x) => F.leakyRelu(x, { negativeSlope: (1 / 8 + 1 / 3) / 2 }),
  ],
  ['Softplus', () => new nn.Softplus({ beta: 2 }), [6], (x) => F.softplus(x, { beta: 2 })],
  ['ELU', () => new nn.ELU({ alpha: 2 }), [6], (x) => F.elu(x, { alpha: 2 })],
  ['Hardtanh', () => new nn.Hardtanh({ maxVal: 0.5 }), [6], (x) => F.hardtanh(x, { maxVal: 0.5 })],
  ['Softshrink', () => new nn.Softshrink({ lambda: 0.2 }), [6], (x) => F.softshrink(x, { lambda: 0.2 })],
  ['GELU', () => new nn.GELU({ approximate: 'tanh' }), [6], (x) => F.gelu(x, { approximate: 'tanh' })],
  ['GLU', () => new nn.GLU({ dim: 0 }), [4, 2], (x) => F.glu(x, { dim: 0 })],
  ['LogSoftmax', () => new nn.LogSoftmax({ dim: 1 }), [2, 3], (x) => F.logSoftmax(x, { dim: 1 })],
  ['Unflatten', () => new nn.Unflatten(1, [2, -1]), [2, 6], (x) => x.reshape([2, 2, 3])],
  ['ZeroPad2d', () => new nn.ZeroPad2d([1, 2, 0, 1]), [1, 1, 2, 2], (x) => F.pad(x, [1, 2, 0, 1])],
  [
    'ConstantPad2d',
    () => new nn.ConstantPad2d(1, 5),
    [1, 1, 2, 2],
    (x) => F.pad(x, [1, 1, 1, 1], { value: 5 }),
  ],
  [
    'ReflectionPad2d',
    () => new nn.ReflectionPad2d(1),
    [1, 1, 3, 3],
    (x) => F.pad(x, [1, 1, 1, 1], { mode: 'reflect' }),
  ],
  ['PixelShuffle', () => new nn.PixelShuffle(2), [1, 4, 2, 2], (x) => F.pixelShuffle(x, 2)],
  ['RMSNorm', () => new nn.RMSNorm(4), [2, 4], (x) => F.rmsNorm(x, [4])],
  ['LocalResponseNorm', () => new nn.LocalResponseNorm(3), [1, 5, 2], (x) => F.localResponseNorm(x, 3)],
  ['InstanceNorm2d', () => new nn.InstanceNorm2d(3), [2, 3, 4, 4], (x) => F.instanceNorm(x)],
  ['BatchNorm1d', () => new nn.BatchNorm1d(3), [5, 3], (x) => F.batchNorm(x, { training: true })],
  ['BatchNorm3d', () => new nn.BatchNorm3d(2), [2, 2, 2, 3, 2], (x) => F.batchNorm(x, { training: true })],
];

describe.each(layers)('%s', (_, make, shape, wanted) => {
  it('equals its function, and is differentiable', () => {
    manualSeed(1);
    const layer = make();
    const x = randn(shape, { requiresGrad: true });
    const y = layer.forward(x);
    expectValues(y, wanted(x, layer as never).arraySync());
    y.sum().backward();
    expect(x.grad!.shape).toEqual(shape);
    for (const parameter of layer.parameters()) expect(parameter.grad).not.toBeNull();
    expect(String(layer)).toMatch(/^\w+\(.*\)$/);
  });
});

it('names parameters and buffers as PyTorch does', () => {
  const statistics = ['running_mean', 'running_var', 'num_batches_tracked'];
  expect(keys(new nn.Conv1d(1, 1, 1))).toEqual(['weight', 'bias']);
  expect(keys(new nn.ConvTranspose2d(1, 1, 1, { bias: false }))).toEqual(['weight']);
  expect(keys(new nn.BatchNorm1d(2))).toEqual(['weight', 'bias', ...statistics]);
  expect(keys(new nn.InstanceNorm2d(2))).toEqual([]);
  expect(keys(new nn.InstanceNorm2d(2, { affine: true, trackRunningStats: true }))).toEqual([
    'weight',
    'bias',
    ...statistics,
  ]);
  expect(keys(new nn.PReLU())).toEqual(['weight']);
  expect(keys(new nn.Bilinear(2, 3, 4))).toEqual(['weight', 'bias']);
});

it('transposed convolutions start from the fan-in of PyTorch, which counts outputs', () => {
  const { weight, bias } = new nn.ConvTranspose2d(64, 2, 3);
  const bound = 1 / Math.sqrt(2 * 9);
  expect([weight.shape, bias!.shape]).toEqual([[64, 2, 3, 3], [2]]);
  expect(weight.abs().max().item()).toBeLessThanOrEqual(bound);
  expect(weight.abs().max().item()).toBeGreaterThan(0.95 * bound);
});

it('batch norm without a momentum keeps the mean over all batches', () => {
  const norm = new nn.BatchNorm1d(1, { momentum: null });
  for (const value of [1, 2, 6]) norm.forward(tensor([[value], [value]]));
  expect(norm.runningMean!.item()).toBeCloseTo(3, 5);
  norm.eval();
  expect(norm.forward(tensor([[3]])).item()).toBeCloseTo(0, 5);
  expect(norm.numBatchesTracked!.item()).toBe(3);
});

it('an embedding leaves its padding row at zero', () => {
  const table = new nn.Embedding(4, 3, { paddingIdx: 2 });
  expect(table.weight.index(2).arraySync()).toEqual([0, 0, 0]);
  table
    .forward(tensor([2n, 1n]))
    .sum()
    .backward();
  expect(table.weight.grad!.sum({ dim: 1 }).arraySync()).toEqual([0, 3, 0, 0]);
});

it('bilinear layers, dropouts by channel', () => {
  const layer = new nn.Bilinear(2, 3, 4);
  expect(layer.forward(zeros([5, 2]), zeros([5, 3])).shape).toEqual([5, 4]);
  const drop = new nn.Dropout2d(0.5);
  manualSeed(0);
  const kept = drop.forward(zeros([4, 8, 2, 2]).add(1)).flatten(2);
  expect(kept.max({ dim: 2 }).values.equal(kept.min({ dim: 2 }).values)).toBe(true);
  expect(kept.unique().values.arraySync()).toEqual([0, 2]);
  const x = arange(4, { dtype: 'float32' });
  expect(drop.eval().forward(x)).toBe(x);
});

it('losses as modules', () => {
  const [x, y] = [randn([4, 3]), tensor([0n, 2n, 1n, 1n])];
  const loss = new nn.CrossEntropyLoss({ labelSmoothing: 0.1 });
  expect(loss.forward(x, y).item()).toBe(F.crossEntropy(x, y, { labelSmoothing: 0.1 }).item());
  expect(String(loss)).toBe('CrossEntropyLoss(labelSmoothing=0.1)');
  const target = randn([4, 3]);
  expect(new nn.HuberLoss({ delta: 0.5 }).forward(x, target).item()).toBe(
    F.huberLoss(x, target, { delta: 0.5 }).item(),
  );
});

describe('ModuleList', () => {
  class Stack extends nn.Module {
    blocks = new nn.ModuleList([new nn.Linear(2, 2), new nn.Linear(2, 2)]);
    forward(x: Tensor): Tensor {
      let y = x;
      for (const block of this.blocks) y = block.forward(y);
      return y;
    }
  }

  it('gives its modules, with their places as keys', () => {
    const model = new Stack();
    expect(keys(model)).toEqual(['blocks.0.weight', 'blocks.0.bias', 'blocks.1.weight', 'blocks.1.bias']);
    expect(model.blocks.length).toBe(2);
    expect(model.blocks.at(-1)).toBe(model.blocks[1]);
    model.blocks.push(new nn.Linear(2, 3)).extend([new nn.Linear(3, 1)]);
    expect(model.forward(zeros([1, 2])).shape).toEqual([1, 1]);
    model.blocks.replace(3, new nn.Linear(3, 5));
    expect(model.forward(zeros([1, 2])).shape).toEqual([1, 5]);
    expect([...model.parameters()].length).toBe(8);
    model.eval();
    expect([...model.blocks].every((block) => !block.training)).toBe(true);
  });
});

describe('ModuleDict', () => {
  class Heads extends nn.Module {
    heads = new nn.ModuleDict({ classes: new nn.Linear(2, 3), 'two words': new nn.Linear(2, 1) });
    forward(x: Tensor): Tensor {
      return this.heads.get('classes')!.forward(x);
    }
  }

  it('gives its modules by name, which is the key', () => {
    const model = new Heads();
    expect(keys(model)).toEqual([
      'heads.classes.weight',
      'heads.classes.bias',
      'heads.two words.weight',
      'heads.two words.bias',
    ]);
    expect(model.forward(zeros([1, 2])).shape).toEqual([1, 3]);
    expect([...model.heads.keys()]).toEqual(['classes', 'two words']);
    expect(model.heads.delete('two words')).toBe(true);
    model.heads.set('boxCount', new nn.Linear(1, 1));
    expect([model.heads.size, model.heads.has('boxCount'), keys(model).length]).toEqual([2, true, 4]);
    expect(keys(model)[2]).toBe('heads.boxCount.weight');
    model.to({ dtype: 'float64' });
    expect([...model.parameters()].map((p) => p.dtype)).toEqual(new Array(4).fill('float64'));
    expect(new Heads().heads.values().next().value).toBeInstanceOf(nn.Linear);
  });
});

it('freezes a part', () => {
  const net = new nn.Sequential(new nn.Linear(2, 2), new nn.Linear(2, 2));
  net.at(0)!.requiresGrad_(false);
  net
    .forward(zeros([1, 2]))
    .sum()
    .backward();
  expect([...net.parameters()].map((p) => p.grad !== null)).toEqual([false, false, true, true]);
  expect(noGrad(() => net.forward(zeros([1, 2]))).requiresGrad).toBe(false);
});

itRefuses([
  ['a list of no modules', () => new nn.ModuleList([3 as never]), ArgumentError, 'a Module for modules[0]'],
  [
    'a name with a dot',
    () => new nn.ModuleDict({ 'a.b': new nn.ReLU() }),
    ArgumentError,
    'a name without dots for key',
  ],
  [
    'images for a norm of vectors',
    () => new nn.BatchNorm1d(2).forward(zeros([1, 2, 2, 2])),
    ShapeError,
    'Expected 2 or 3 dimensions for input of BatchNorm1d but received [1, 2, 2, 2]',
  ],
  [
    'a kernel of too many sizes',
    () => new nn.Conv1d(1, 1, [1, 2]),
    ArgumentError,
    'an integer of at least 1 or 1 of them for kernelSize',
  ],
  [
    'groups that divide nothing',
    () => new nn.ConvTranspose2d(3, 2, 1, { groups: 2 }),
    ArgumentError,
    'for groups',
  ],
  ['a list called', () => new nn.ModuleList().forward(), ArgumentError, 'a module with a forward'],
]);
