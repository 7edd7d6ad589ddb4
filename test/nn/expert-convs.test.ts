/** The dynamic layers besides DynamicConv2d: of one and three dimensions, CondConv2d, ODConv2d. */
import { describe, expect, it } from 'vitest';
import {
  ArgumentError,
  functional as F,
  manualSeed,
  nn,
  noGrad,
  randn,
  report,
  ShapeError,
  type Tensor,
  train,
  zeros,
} from '../../lib/index.js';
import { convolveSamples, mixed } from '../support/expert-conv-reference.js';
import { checkGradients, float64, geometry, randomise, shapes } from '../support/expert-convs.js';
import { itRefuses } from '../support/refusals.js';
import { deviation } from '../support/values.js';

describe('DynamicConv1d and DynamicConv3d', () => {
  const LAYERS = [
    [
      'DynamicConv1d',
      () => new nn.DynamicConv1d(4, 6, 3, { stride: 2, padding: 1, groups: 2, ...float64 }),
      [9],
    ],
    [
      'DynamicConv3d',
      () => new nn.DynamicConv3d(4, 6, [2, 1, 3], { stride: [1, 2, 1], padding: 1, groups: 2, ...float64 }),
      [3, 4, 5],
    ],
  ] as const;

  it.each(LAYERS)('%s: is the sum of its experts by the attention of its routing', (_, make, sizes) => {
    manualSeed(1);
    const layer = randomise(make());
    layer.temperature = 2;
    const input = randn([3, 4, ...sizes], float64);
    // The routing of an image of one row: its pooling does not depend on the arrangement of the pixels.
    const attention = layer.routing.forward(input.flatten(2).unsqueeze(2));
    expect(deviation(layer.attention(input), attention)).toBeLessThan(1e-13);
    const { kernel, bias } = mixed(layer.weight, layer.bias, attention);
    const each = (value: unknown) => (Array.isArray(value) ? value : sizes.map(() => value)) as number[];
    const { stride, padding, groups } = layer.options;
    const wanted = convolveSamples(
      input,
      layer.weight.shape.slice(1),
      kernel,
      bias,
      geometry(sizes.length, { stride: each(stride), padding: each(padding), groups }),
    );
    expect(deviation(layer.forward(input), wanted)).toBeLessThan(1e-13);
    expect(deviation(layer.forward(input, { attention }), wanted)).toBeLessThan(1e-13);
  });

  it.each(LAYERS)('%s: has right gradients', (_, make, sizes) => {
    manualSeed(2);
    const layer = randomise(make());
    checkGradients(layer, randn([2, 4, ...sizes], { ...float64, requiresGrad: true }));
  });

  it('have the keys of DynamicConv2d', () => {
    const layer = new nn.DynamicConv3d(8, 6, [3, 2, 1], { numExperts: 3, groups: 2 });
    expect(shapes(layer as nn.AnyModule)).toEqual({
      weight: [3, 6, 4, 3, 2, 1],
      bias: [3, 6],
      'routing.net.0.weight': [2, 8, 1, 1],
      'routing.net.0.bias': [2],
      'routing.net.2.weight': [3, 2, 1, 1],
      'routing.net.2.bias': [3],
      'routing.temperature': [],
    });
    expect(shapes(new nn.DynamicConv1d(8, 6, 5) as nn.AnyModule)).toMatchObject({ weight: [4, 6, 8, 5] });
    expect(String(new nn.DynamicConv1d(8, 6, 5))).toContain('8, 6, kernelSize=[5], numExperts=4');
  });

  it('start with Kaiming deviation, the fan-in being that of one kernel', () => {
    manualSeed(3);
    const layer = new nn.DynamicConv3d(16, 32, 3, { initGain: 2 });
    expect(Number(layer.weight.std().item()) / (2 * Math.sqrt(2 / (16 * 27)))).toBeCloseTo(1, 1);
  });
});

describe('shared routing', () => {
  it('gives several layers the same attention, and its parameters once', () => {
    manualSeed(4);
    const routing = new nn.RoutingAttention(4, 3, { temperature: 5 });
    const [one, two] = [1, 2].map(
      () => new nn.DynamicConv2d(4, 4, 3, { numExperts: 3, routing, padding: 1 }),
    );
    const block = new nn.Sequential(one!, two!);
    const own = [...routing.parameters()].length;
    expect([...block.parameters()]).toHaveLength(2 * 2 + own);
    expect(Object.keys(block.stateDict())).toContain('1.routing.net.0.weight');
    const x = randn([2, 4, 5, 5]);
    const attention = routing.forward(x);
    expect(one!.attention(x).equal(attention)).toBe(true);
    two!.forward(one!.forward(x, { attention }), { attention }).sum().backward();
    const gradients = [...routing.parameters()].map(({ grad }) => Number(grad?.abs().sum().item() ?? 0));
    expect(gradients.every((sum) => sum > 0)).toBe(true);
    one!.temperature = 7;
    expect(two!.temperature).toBe(7);
  });

  it('may have other channels than a layer that gets its attention', () => {
    const routing = new nn.RoutingAttention(8, 2);
    const layer = new nn.DynamicConv2d(4, 4, 1, { numExperts: 2, routing });
    const attention = routing.forward(randn([3, 8, 2, 2]));
    expect(layer.forward(randn([3, 4, 5, 5]), { attention }).shape).toEqual([3, 4, 5, 5]);
    expect(() => layer.forward(randn([3, 4, 5, 5]))).toThrow(
      'Expected attention for a layer of 4 channels whose shared routing has 8 but received none',
    );
  });

  it('is trained at a temperature that train sets', () => {
    const routing = new nn.RoutingAttention(4, 2);
    const model = new nn.Sequential(routing as unknown as nn.Module);
    expect(train.setTemperature(model, 3)).toBe(1);
    expect([Number(routing.temperature.item()), train.getTemperature(model)]).toEqual([3, 3]);
  });
});

describe('CondConv2d', () => {
  it('has the keys and shapes of timm', () => {
    const layer = new nn.CondConv2d(8, 6, [3, 5], { groups: 2, bias: true, numExperts: 3 });
    expect(shapes(layer as nn.AnyModule)).toEqual({
      weight: [3, 6 * 4 * 15],
      bias: [3, 6],
      'routing_fn.weight': [3, 8],
      'routing_fn.bias': [3],
    });
    const bare = new nn.CondConv2d(8, 6, 1, { ownRouting: false });
    expect(shapes(bare as nn.AnyModule)).toEqual({ weight: [4, 48] });
  });

  it('is the sum of its experts by sigmoids of the mean channels', () => {
    manualSeed(5);
    const layer = randomise(
      new nn.CondConv2d(4, 6, 3, { padding: 1, stride: 2, groups: 2, bias: true, ...float64 }),
    );
    const input = randn([3, 4, 6, 5], float64);
    const [w, b] = [layer.routingFn!.weight.arraySync(), layer.routingFn!.bias!.arraySync()] as [
      number[][],
      number[],
    ];
    const means = (input.arraySync() as number[][][][]).map((sample) =>
      sample.map((rows) => rows.flat().reduce((sum, value) => sum + value, 0) / 30),
    );
    const wanted = means.map((mean) =>
      w.map((row, k) => 1 / (1 + Math.exp(-row.reduce((sum, value, i) => sum + value * mean[i]!, b[k]!)))),
    );
    const attention = layer.attention(input);
    (attention.arraySync() as number[][]).flat().forEach((value, i) => {
      expect(value).toBeCloseTo(wanted.flat()[i]!, 12);
    });
    const { kernel, bias } = mixed(layer.weight.reshape([4, 6, 2, 3, 3]), layer.bias, attention);
    const loops = convolveSamples(
      input,
      [6, 2, 3, 3],
      kernel,
      bias,
      geometry(2, { stride: [2, 2], padding: [1, 1], groups: 2 }),
    );
    expect(deviation(layer.forward(input), loops)).toBeLessThan(1e-13);
  });

  it('has right gradients', () => {
    manualSeed(6);
    const layer = randomise(new nn.CondConv2d(3, 4, 2, { bias: true, ...float64 }));
    checkGradients(layer, randn([2, 3, 4, 3], { ...float64, requiresGrad: true }));
  });

  it('starts with experts like those of Conv2d', () => {
    manualSeed(7);
    const layer = new nn.CondConv2d(32, 32, 3, { bias: true });
    const bound = 1 / Math.sqrt(32 * 9);
    for (const parameter of [layer.weight, layer.bias!]) {
      expect(Number(parameter.abs().amax().item())).toBeLessThanOrEqual(bound);
      expect(Number(parameter.std().item()) / (bound / Math.sqrt(3))).toBeCloseTo(1, 0);
    }
  });
});

describe('all dynamic layers', () => {
  const LAYERS = [
    ['DynamicConv1d', () => new nn.DynamicConv1d(6, 8, 3, { padding: 1, temperature: 1 }), [11]],
    ['DynamicConv2d', () => new nn.DynamicConv2d(6, 8, 3, { padding: 1, groups: 2, temperature: 1 }), [6, 7]],
    ['DynamicConv3d', () => new nn.DynamicConv3d(6, 8, 3, { padding: 1, temperature: 1 }), [3, 5, 4]],
    ['CondConv2d', () => new nn.CondConv2d(6, 8, 3, { padding: 1, groups: 2, bias: true }), [6, 7]],
    ['ODConv2d', () => new nn.ODConv2d(6, 8, 3, { padding: 1, groups: 2, bias: true }), [6, 7]],
    ['ODConv2d 1x1', () => new nn.ODConv2d(6, 8, 1), [6, 7]],
  ] as const;

  it.each(LAYERS)('%s: collapse gives exactly what it computes for one sample', (_, make, sizes) => {
    manualSeed(10);
    const layer = randomise<nn.DynamicLayer>(make()).eval();
    const x = randn([1, 6, ...sizes]);
    noGrad(() => {
      const { conv, error } = nn.collapse(layer as nn.DynamicConv2d, x);
      expect(error).toBeLessThan(1e-5);
      expect(conv.constructor.name).toBe(`Conv${sizes.length}d`);
      expect(deviation(conv.forward(x), layer.forward(x))).toBeLessThan(1e-5);
      const net = new nn.Sequential(new nn.ReLU(), layer as nn.Module);
      const wanted = net.forward(x);
      nn.collapse(net, { calibration: x });
      expect(net.at(1)!.constructor.name).toBe(`Conv${sizes.length}d`);
      expect(deviation(net.forward(x), wanted)).toBeLessThan(1e-5);
    });
  });

  it.each(LAYERS)('%s: a compiled program computes the same for other batches', async (_, make, sizes) => {
    manualSeed(11);
    const layer = randomise<nn.DynamicLayer>(make());
    const norm = [nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d][sizes.length - 1]!;
    const net = new nn.Sequential(layer as nn.Module, randomise(new norm(8)), new nn.ReLU()).eval();
    const program = nn.compile(net, randn([2, 6, ...sizes]));
    for (const batch of [1, 2, 5]) {
      const x = randn([batch, 6, ...sizes]);
      const wanted = noGrad(() => net.forward(x));
      expect(deviation(program.runSync(x) as Tensor, wanted)).toBeLessThan(1e-5);
    }
  });

  it.each(LAYERS)('%s: is computed in bfloat16', (_, make, sizes) => {
    manualSeed(12);
    const layer = (make() as nn.AnyModule as nn.Module).eval();
    const x = randn([2, 6, ...sizes]);
    noGrad(() => {
      const wanted = layer.forward(x);
      const received = layer.to({ dtype: 'bfloat16' }).forward(x.to({ dtype: 'bfloat16' }));
      expect(received.dtype).toBe('bfloat16');
      expect(deviation(received, wanted)).toBeLessThan(0.05);
    });
  });

  it.each(LAYERS)('%s: counts its experts, and has an algorithm and a temperature', (_, make, sizes) => {
    const layer = make() as nn.DynamicLayer;
    const model = new nn.Sequential(layer as nn.Module);
    model.forward(randn([3, 6, ...sizes]));
    const { mean, samples } = layer.expertUsage();
    expect([mean.length, samples]).toEqual([4, 3]);
    const choices = train.kernelChoices(model, [4, 6, ...sizes]);
    expect(Object.keys(choices)).toEqual(['0']);
    expect(F.dynamicConv2d.algorithms()).toContain(choices[0]);
    expect(train.setTemperature(model, 4)).toBe(layer instanceof nn.CondConv2d ? 0 : 1);
  });

  it('have their operations counted', () => {
    const flops = (layer: nn.DynamicLayer, shape: number[]) =>
      report.summary(new nn.Sequential(layer as nn.Module), shape).flops;
    // 2 samples: mixing 4 * 8 * 6 * 3 weights, 11 positions, pooling, routing with 1 hidden unit.
    const line = new nn.DynamicConv1d(6, 8, 3, { padding: 1 });
    expect(flops(line, [2, 6, 11])).toBe(2 * (2 * 4 * 144 + 2 * 11 * 144 + 66 + 2 * (6 + 4)));
    const volume = new nn.DynamicConv3d(6, 8, 3, { padding: 1 });
    expect(flops(volume, [2, 6, 3, 5, 4])).toBe(2 * (2 * 4 * 1296 + 2 * 60 * 1296 + 360 + 2 * (6 + 4)));
    const cond = new nn.CondConv2d(6, 8, 3, { padding: 1, groups: 2 });
    expect(flops(cond, [2, 6, 6, 7])).toBe(2 * (2 * 4 * 216 + 2 * 42 * 216 + 252 + 2 * 4 * 6));
    const given = new nn.CondConv2d(6, 8, 1, { ownRouting: false });
    const block = new (class extends nn.Module {
      readonly conv = given;
      forward(x: Tensor): Tensor {
        return this.conv.forward(x, { attention: zeros([x.shape[0]!, 4]) });
      }
    })();
    expect(report.summary(block, [2, 6, 6, 7]).flops).toBe(2 * (2 * 4 * 48 + 2 * 42 * 48));
    // Pooling, scaling of the input, of the output and of the mixed kernel; 16 hidden units.
    const od = new nn.ODConv2d(6, 8, 3, { padding: 1 });
    const heads = 2 * 16 * (6 + 6 + 8 + 9 + 4);
    expect(flops(od, [2, 6, 6, 7])).toBe(2 * (2 * 4 * 432 + 2 * 42 * 432 + 252 + 252 + 336 + 432 + heads));
  });
});

const image = zeros([2, 3, 4, 4]);

itRefuses([
  [
    'a sequence of other channels',
    () => new nn.DynamicConv1d(3, 4, 3).forward(zeros([2, 4, 9])),
    ShapeError,
    'Expected [B, 3, L] for input but received [2, 4, 9]',
  ],
  [
    'an image as volume',
    () => new nn.DynamicConv3d(3, 4, 3).forward(image),
    ShapeError,
    'Expected [B, 3, D, H, W] for input but received [2, 3, 4, 4]',
  ],
  [
    'two sizes for a kernel of one',
    () => new nn.DynamicConv1d(3, 4, [3, 3]),
    ArgumentError,
    'for kernelSize but received [3, 3]',
  ],
  [
    'a routing over other experts',
    () => new nn.DynamicConv2d(3, 4, 3, { routing: new nn.RoutingAttention(3, 2) }),
    ArgumentError,
    'Expected a routing over 4 experts for routing but received one over 2',
  ],
  [
    'a temperature beside a shared routing',
    () => new nn.DynamicConv2d(3, 4, 3, { routing: new nn.RoutingAttention(3, 4), temperature: 3 }),
    ArgumentError,
    'Expected no temperature with a shared routing but received 3',
  ],
  [
    'no attention without routing',
    () => new nn.CondConv2d(3, 4, 3, { ownRouting: false }).forward(image),
    ArgumentError,
    'Expected attention for a layer with ownRouting: false but received none',
  ],
  [
    'a routing that is neither',
    () => new nn.CondConv2d(3, 4, 3, { ownRouting: 1 as never }),
    ArgumentError,
    'Expected a boolean for ownRouting',
  ],
  [
    'a hidden layer without units',
    () => new nn.ODConv2d(3, 4, 3, { minHidden: 0 }),
    ArgumentError,
    'for minHidden but received 0',
  ],
  [
    'collapse without attention',
    () => nn.collapse(new nn.CondConv2d(3, 4, 3)),
    ArgumentError,
    'Expected attention or calibration for layer with CondConv2d: its attention does not sum to 1',
  ],
  [
    'collapse with the attention of kernels alone',
    () => nn.collapse(new nn.ODConv2d(3, 4, 3), { attention: () => [1, 0, 0, 0] }),
    ArgumentError,
    'Expected calibration for layer, an ODConv2d',
  ],
]);
