import { describe, expect, it } from 'vitest';
import {
  ArgumentError,
  manualSeed,
  models,
  nn,
  noGrad,
  randn,
  ShapeError,
  type Tensor,
} from '../../lib/index.js';

/** A batch norm with statistics other than the initial ones. */
function used(norm: nn.BatchNorm2d): nn.BatchNorm2d {
  noGrad(() => {
    norm.runningMean!.copy_(randn([norm.numFeatures]));
    norm.runningVar!.copy_(randn([norm.numFeatures]).square().add(0.5));
    norm.weight!.copy_(randn([norm.numFeatures]));
    norm.bias!.copy_(randn([norm.numFeatures]));
  });
  return norm;
}

const apart = (a: Tensor, b: Tensor): number =>
  Number(a.sub(b).abs().amax().item()) / Number(b.abs().amax().item());

describe('foldBatchNorm', () => {
  it.each([
    ['Conv2d', () => new nn.Conv2d(4, 6, 3, { groups: 2 })],
    ['DynamicConv2d', () => new nn.DynamicConv2d(4, 6, 3, { groups: 2, numExperts: 3, temperature: 1 })],
  ])('of %s gives what both gave', (_, make) => {
    manualSeed(1);
    const x = randn([5, 4, 6, 7]);
    const conv = make().eval();
    const norm = used(new nn.BatchNorm2d(6)).eval();
    noGrad(() => {
      const wanted = norm.forward(conv.forward(x));
      const { weight } = conv;
      expect(nn.foldBatchNorm(conv, norm)).toBe(conv);
      expect(conv.weight).toBe(weight);
      expect(apart(conv.forward(x), wanted)).toBeLessThan(1e-5);
    });
  });

  it('names modules that do not fit, and changes nothing', () => {
    const conv = new nn.Conv2d(2, 3, 1);
    const before = conv.weight.arraySync();
    expect(() => nn.foldBatchNorm(conv, new nn.BatchNorm2d(4))).toThrow(ShapeError);
    expect(() => nn.foldBatchNorm(conv, new nn.BatchNorm2d(4))).toThrow('BatchNorm2d of 3 features');
    const untracked = new nn.BatchNorm2d(3, { trackRunningStats: false });
    expect(() => nn.foldBatchNorm(conv, untracked)).toThrow('with running statistics');
    const sigmoid = new nn.DynamicConv2d(2, 3, 1, { routing: 'sigmoid' });
    expect(() => nn.foldBatchNorm(sigmoid, new nn.BatchNorm2d(3))).toThrow(ArgumentError);
    const bare = new nn.Conv2d(2, 3, 1, { bias: false });
    expect(() => nn.foldBatchNorm(bare, new nn.BatchNorm2d(3))).toThrow('a layer with bias');
    expect(conv.weight.arraySync()).toEqual(before);
  });
});

describe('fuse', () => {
  it.each(['alexnet', 'alexnet-dy'])('does not change the outputs of %s', (name) => {
    manualSeed(2);
    const model = models.create(name).eval();
    for (const module of model.modules()) if (module instanceof nn.BatchNorm2d) used(module);
    const x = randn([2, 3, 128, 128]);
    const wanted = noGrad(() => model.forward(x));
    expect(nn.fuse(model)).toBe(5);
    expect([...model.modules()].some((module) => module instanceof nn.BatchNorm2d)).toBe(false);
    expect(
      apart(
        noGrad(() => model.forward(x)),
        wanted,
      ),
    ).toBeLessThan(1e-4);
    expect(nn.fuse(model)).toBe(0);
  });

  it('keeps a norm that cannot be folded', () => {
    const model = new nn.Sequential(
      new nn.Conv2d(2, 3, 1, { bias: false }),
      new nn.BatchNorm2d(3),
      new nn.ReLU(),
    );
    expect(nn.fuse(model)).toBe(0);
    expect(model.at(1)).toBeInstanceOf(nn.BatchNorm2d);
  });
});

describe('collapse', () => {
  it('is exact where all samples have the same attention', () => {
    manualSeed(3);
    const layer = new nn.DynamicConv2d(4, 6, 3, { numExperts: 3, padding: 1 });
    noGrad(() => layer.routing.net.at(2)!.requiresGrad_(false));
    for (const [key, parameter] of layer.routing.namedParameters())
      if (key === 'net.2.weight') noGrad(() => parameter.zero_());
    const { conv, error } = nn.collapse(layer, randn([8, 4, 5, 5]));
    expect(conv).toBeInstanceOf(nn.Conv2d);
    expect(error).toBeLessThan(1e-5);
  });

  it('reports the error if they differ', () => {
    manualSeed(4);
    const layer = new nn.DynamicConv2d(4, 6, 3, { numExperts: 3, temperature: 0.05 });
    const x = randn([8, 4, 5, 5]);
    const { conv, error } = nn.collapse(layer, x);
    const wanted = noGrad(() => layer.forward(x));
    const measured = noGrad(
      () => Number(conv.forward(x).sub(wanted).norm().item()) / Number(wanted.norm().item()),
    );
    expect(error).toBeGreaterThan(0.01);
    expect(error).toBeCloseTo(measured, 5);
  });
});
