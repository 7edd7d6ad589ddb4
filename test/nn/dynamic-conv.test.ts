import { describe, expect, it } from 'vitest';
import {
  ArgumentError,
  DTypeError,
  DynamicConv,
  DynamicConv2d,
  dynamicConv2d,
  functional as F,
  manualSeed,
  nn,
  ones,
  optim,
  randn,
  ShapeError,
  tensor,
  zeros,
} from '../../lib/index.js';
import { cpuAlgorithms } from '../support/cuda.js';
import { itRefuses } from '../support/refusals.js';
import { expectValues } from '../support/values.js';

const make = (options: nn.DynamicConv2dLayerOptions = {}) => new DynamicConv2d(3, 4, 3, options);

itRefuses([
  ['no channels', () => new DynamicConv2d(0, 4, 3), ArgumentError, 'for inChannels but received 0 (number)'],
  ['half a channel', () => new DynamicConv2d(3, 0.5, 3), ArgumentError, 'for outChannels but received 0.5'],
  ['no kernel', () => new DynamicConv2d(3, 4, 0), ArgumentError, 'for kernelSize but received 0'],
  [
    'no experts',
    () => make({ numExperts: 0 }),
    ArgumentError,
    'Expected an integer of at least 1 for numExperts',
  ],
  [
    'groups that do not divide',
    () => make({ groups: 2 }),
    ArgumentError,
    'a divisor of inChannels 3 and outChannels 4',
  ],
  [
    'a temperature of 0',
    () => make({ temperature: 0 }),
    ArgumentError,
    'Expected a number of at least 1.1754943508222875e-38 for temperature but received 0 (number)',
  ],
  [
    'a temperature that is NaN',
    () => make({ temperature: Number.NaN }),
    ArgumentError,
    'for temperature but received NaN',
  ],
  ['no reduction', () => make({ reduction: 0 }), ArgumentError, 'Expected a number above 0 for reduction'],
  [
    'an unknown routing',
    () => make({ routing: 'hard' as never }),
    ArgumentError,
    "Expected one of 'softmax', 'sigmoid' for routing but received 'hard'",
  ],
  [
    'an unknown algorithm',
    () => make({ algorithm: 'fast' as never }),
    ArgumentError,
    "'reference' for algorithm but received 'fast' (string)",
  ],
  ['an infinite gain', () => make({ initGain: Number.POSITIVE_INFINITY }), ArgumentError, 'for initGain'],
  ['a stride of 0', () => make({ stride: 0 }), ArgumentError, 'for stride but received 0'],
  ['negative padding', () => make({ padding: [1, -1] }), ArgumentError, 'for padding but received [1, -1]'],
  [
    "padding 'same' with a stride",
    () => make({ padding: 'same', stride: 2 }),
    ArgumentError,
    "1 with padding 'same' for stride",
  ],
  [
    'other channels',
    () => make().forward(zeros([1, 2, 5, 5])),
    ShapeError,
    'Expected [B, 3, H, W] for input but received [1, 2, 5, 5]',
  ],
  [
    'an image without batch',
    () => make().forward(zeros([3, 5, 5])),
    ShapeError,
    'Expected [B, 3, H, W] for input',
  ],
  [
    'attention for others',
    () => make().forward(zeros([2, 3, 5, 5]), { attention: zeros([2, 3]) }),
    ShapeError,
    'Expected shape [B, K] = [2, 4] for attention but received [2, 3]',
  ],
  [
    'attention of fewer samples',
    () => make().forward(zeros([2, 3, 5, 5]), { attention: zeros([1, 4]) }),
    ShapeError,
    'for attention',
  ],
  ['another dtype', () => make().forward(zeros([1, 3, 5, 5], { dtype: 'float64' })), DTypeError, 'dtype'],
  [
    'setting a temperature below 0',
    () => {
      make().temperature = -1;
    },
    ArgumentError,
    'Expected a number of at least 1.1754943508222875e-38 for temperature but received -1',
  ],
]);

const size = (module: nn.AnyModule) => [...module.parameters()].reduce((sum, p) => sum + p.numel, 0);

describe('the layer', () => {
  it('has the parameters of the paper under the promised keys', () => {
    const layer = new DynamicConv2d(64, 128, 3, { numExperts: 4 });
    expect(size(layer.routing)).toBe(1108);
    expect(size(layer)).toBe(1108 + 4 * (64 * 128 * 9 + 128));
    const shapes = Object.fromEntries(Object.entries(layer.stateDict()).map(([key, t]) => [key, t.shape]));
    expect(shapes).toEqual({
      weight: [4, 128, 64, 3, 3],
      bias: [4, 128],
      'routing.net.0.weight': [16, 64, 1, 1],
      'routing.net.0.bias': [16],
      'routing.net.2.weight': [4, 16, 1, 1],
      'routing.net.2.bias': [4],
      'routing.temperature': [],
    });
    expect([...layer.namedBuffers()].map(([key]) => key)).toEqual(['routing.temperature']);
    expect([...layer.namedParameters()].map(([key]) => key)).not.toContain('routing.temperature');
  });

  it('is exported under both names', () => {
    expect(DynamicConv).toBe(DynamicConv2d);
    expect(nn.DynamicConv2d).toBe(DynamicConv2d);
  });

  it.each([1, 2, 3, 5])('has at least one hidden unit for %i channels', (channels) => {
    const layer = new DynamicConv2d(channels, 2, 1, { reduction: 4 });
    expect(layer.stateDict()['routing.net.0.weight']!.shape[0]).toBe(1);
    expect(layer.forward(zeros([1, channels, 2, 2])).shape).toEqual([1, 2, 2, 2]);
  });

  it('goes without bias and with other dtypes', () => {
    const layer = make({ bias: false, dtype: 'float64' });
    expect(layer.bias).toBe(null);
    expect(layer.forward(zeros([1, 3, 5, 5], { dtype: 'float64' })).dtype).toBe('float64');
    expect(Object.keys(layer.stateDict())).not.toContain('bias');
  });

  it('starts with experts of Kaiming deviation, times initGain, and biases of 0', () => {
    manualSeed(5);
    const spread = (options: nn.DynamicConv2dLayerOptions) =>
      new DynamicConv2d(32, 64, 3, options).weight.std({ dim: [1, 2, 3, 4] }).arraySync() as number[];
    for (const std of spread({})) expect(std / Math.sqrt(2 / (32 * 9))).toBeCloseTo(1, 1);
    for (const std of spread({ initGain: 2 })) expect(std / Math.sqrt(2 / (32 * 9)) / 2).toBeCloseTo(1, 1);
    for (const std of spread({ groups: 4 })) expect(std / Math.sqrt(2 / (8 * 9))).toBeCloseTo(1, 1);
    expect(make().bias!.abs().sum().item()).toBe(0);
    const { weight } = make();
    expect(weight.index(0).equal(weight.index(1))).toBe(false);
  });

  it('prints its options', () => {
    expect(String(make({ stride: 2, padding: 1, numExperts: 2 })).split('\n')[0]).toBe(
      'DynamicConv2d(3, 4, kernelSize=[3, 3], stride=2, padding=1, numExperts=2',
    );
    expect(String(make())).toContain('(routing): RoutingAttention(kind=softmax, temperature=30');
  });
});

describe('attention', () => {
  const x = randn([5, 3, 6, 6]);

  it('sums to 1 for softmax', () => {
    const attention = make({ temperature: 1 }).attention(x);
    expect(attention.shape).toEqual([5, 4]);
    expectValues(attention.sum({ dim: 1 }), [1, 1, 1, 1, 1]);
    expect(attention.gt(0).all().item()).toBe(1);
  });

  it('lies between 0 and 1 for sigmoid', () => {
    const attention = make({ routing: 'sigmoid', temperature: 1 }).attention(x);
    expect(attention.gt(0).all().item()).toBe(1);
    expect(attention.lt(1).all().item()).toBe(1);
    expect(attention.sum({ dim: 1 }).sub(1).abs().amax().item()).toBeGreaterThan(1e-3);
  });

  it('is the two layers after pooling, over the temperature', () => {
    const layer = make({ temperature: 2 });
    const pooled = F.adaptiveAvgPool2d(x, 1);
    const wanted = layer.routing.net.forward(pooled).flatten(1).div(2).softmax();
    expectValues(layer.attention(x), wanted.arraySync());
  });

  it('evens out at high temperature', () => {
    const layer = make({ temperature: 1e6 });
    expectValues(layer.attention(x), new Array(5).fill([0.25, 0.25, 0.25, 0.25]), 1e-4);
  });

  it('reaches the routing with its gradients', () => {
    const layer = make({ temperature: 1 });
    // Random weights sometimes make all hidden units inactive, which have no gradient.
    nn.init.constant_([...layer.routing.parameters()][1]!, 5);
    layer.forward(x).square().sum().backward();
    const grads = [...layer.namedParameters()].map(([key, p]) => [
      key,
      (p.grad?.abs().sum().item() ?? 0) > 0,
    ]);
    expect(grads.filter(([, moved]) => !moved)).toEqual([]);
  });
});

describe('temperature', () => {
  it('can be read, set, saved and loaded', () => {
    const layer = make();
    expect(layer.temperature).toBe(30);
    layer.temperature = 2.5;
    expect(layer.temperature).toBe(2.5);
    expect(layer.stateDict()['routing.temperature']!.item()).toBe(2.5);
    const other = make();
    other.loadStateDict(layer.stateDict());
    expect(other.temperature).toBe(2.5);
    expect(() => {
      layer.temperature = 0;
    }).toThrow(ArgumentError);
    expect(layer.temperature).toBe(2.5);
  });

  it('changes what the layer computes', () => {
    const layer = make({ temperature: 1 });
    const x = randn([1, 3, 5, 5]);
    const before = layer.forward(x);
    layer.temperature = 100;
    expect(layer.forward(x).allclose(before)).toBe(false);
  });
});

describe('forward', () => {
  const x = randn([3, 3, 7, 8]);

  it('is the sum over experts, weighed by their attention', () => {
    const layer = make({ stride: 2, padding: 1, temperature: 1 });
    layer.bias!.detach().copy_(randn([4, 4]));
    const attention = layer.attention(x);
    const parts = [0, 1, 2, 3].map((k) =>
      F.conv2d(x, layer.weight.index(k), layer.bias!.index(k), { stride: 2, padding: 1 }).mul(
        attention.narrow(1, k, 1).reshape([3, 1, 1, 1]),
      ),
    );
    const wanted = parts.reduce((sum, part) => sum.add(part));
    expect(layer.forward(x).allclose(wanted, { atol: 1e-5 })).toBe(true);
  });

  it('accepts given attention', () => {
    const layer = make({ padding: 1 });
    const attention = tensor([1, 0, 0, 0]).expand([3, 4]);
    const wanted = F.conv2d(x, layer.weight.index(0), layer.bias!.index(0), { padding: 1 });
    expect(layer.forward(x, { attention }).allclose(wanted, { atol: 1e-5 })).toBe(true);
    const options = { padding: 1 };
    const direct = dynamicConv2d(x, layer.weight, attention, layer.bias, options);
    expect(layer.forward(x, { attention }).allclose(direct)).toBe(true);
  });

  it('with one expert is a convolution', () => {
    const layer = make({ numExperts: 1 });
    const wanted = F.conv2d(x, layer.weight.index(0), layer.bias!.index(0));
    expect(layer.forward(x).allclose(wanted, { atol: 1e-5 })).toBe(true);
  });

  it.each([...cpuAlgorithms(), 'auto' as const])('gives the same by %s', (algorithm) => {
    const groups = algorithm.startsWith('depthwise') ? 3 : 1;
    const options = { padding: 'same', temperature: 1, groups } as const;
    manualSeed(2);
    const layer = new DynamicConv2d(3, 6, 3, { ...options, algorithm });
    manualSeed(2);
    const reference = new DynamicConv2d(3, 6, 3, { ...options, algorithm: 'reference' });
    // One sample, which every algorithm supports.
    const sample = x.narrow(0, 0, 1);
    expect(layer.forward(sample).allclose(reference.forward(sample), { atol: 1e-5 })).toBe(true);
  });

  it('accepts an empty batch', () => {
    expect(make().forward(zeros([0, 3, 5, 5])).shape).toEqual([0, 4, 3, 3]);
  });

  it('learns', () => {
    manualSeed(1);
    const layer = make({ temperature: 1, padding: 1 });
    const optimizer = new optim.Adam(layer.parameters(), { lr: 0.02 });
    const target = ones([3, 4, 7, 8]);
    const losses = Array.from({ length: 20 }, () => {
      optimizer.zeroGrad();
      const loss = F.mseLoss(layer.forward(x), target);
      loss.backward();
      optimizer.step();
      return Number(loss.item());
    });
    expect(losses.at(-1)!).toBeLessThan(losses[0]! / 2);
  });
});
