import { describe, expect, it } from 'vitest';
import { DynamicConv2d, manualSeed, models, type nn, noGrad, randn, report, tidy } from '../../lib/index.js';

/** Millions of parameters, and of multiply-adds of a 224x224 image, in docs/models.md. */
const COUNTS = [
  ['resnet10', {}, '5.42', '889.2'],
  ['resnet10_dy', {}, '20.22', '909.6'],
  ['resnet18', {}, '11.69', '1814.1'],
  ['resnet18_dy', {}, '45.47', '1860.0'],
  ['mobilenet_v3_small', {}, '2.54', '56.5'],
  ['mobilenet_v3_small_dy', {}, '4.38', '59.5'],
  ['mobilenet_v2', {}, '3.50', '300.8'],
  ['mobilenet_v2_dy', {}, '11.15', '313.5'],
  ['mobilenet_v2_dy', { widthMult: 0.75 }, '7.01', '217.4'],
  ['mobilenet_v2_dy', { widthMult: 0.5 }, '3.95', '101.4'],
  ['mobilenet_v2_dy', { widthMult: 0.35 }, '2.69', '61.9'],
] as const;

describe('counts of docs/models.md', () => {
  it.each(COUNTS)('%s %o', (name, options, parameters, multiplyAdds) => {
    tidy(() => {
      const { trainable, flops } = report.summary(models.create(name, options), [1, 3, 224, 224]);
      expect((trainable / 1e6).toFixed(2)).toBe(parameters);
      expect((flops / 2e6).toFixed(1)).toBe(multiplyAdds);
    });
  });

  it.each(['resnet18', 'mobilenet_v2', 'mobilenet_v3_small'])('%s_dy has 4 kernels and a routing', (name) => {
    const count = (model: nn.Module) => [...model.parameters()].reduce((sum, { numel }) => sum + numel, 0);
    const dynamic = models.create(`${name}_dy`);
    const added = [...dynamic.modules()].map((module) => {
      if (!((module as unknown) instanceof DynamicConv2d)) return 0;
      const { weight, inChannels } = module as unknown as DynamicConv2d;
      const hidden = Math.floor(inChannels / 4);
      return (3 / 4) * weight.numel + hidden * (inChannels + 1) + 4 * (hidden + 1);
    });
    const wanted = added.reduce((a, b) => a + b, count(models.create(name)));
    expect(count(dynamic)).toBe(wanted);
  });
});

describe('dynamic networks', () => {
  const staticLayers = (name: string) =>
    [...models.create(name).namedModules()]
      .filter(([, module]) => module.constructor.name === 'Conv2d')
      .map(([key]) => key)
      .filter((key) => !key.includes('routing'));

  it('have ordinary convolutions in the first layer, the last of MobileNetV2, and squeeze and excitation', () => {
    expect(staticLayers('resnet18_dy')).toEqual(['conv1']);
    expect(staticLayers('mobilenet_v2_dy')).toEqual(['features.0.0', 'features.18.0']);
    const small = staticLayers('mobilenet_v3_small_dy');
    expect(small).toHaveLength(1 + 2 * 9);
    expect(small.slice(0, 3)).toEqual(['features.0.0', 'features.1.block.1.fc1', 'features.1.block.1.fc2']);
  });

  it('take the options of their routing', () => {
    const model = models.create('resnet10_dy', { numExperts: 3, reduction: 8, temperature: 5 });
    const layers = [...model.modules()].filter((module) => (module as unknown) instanceof DynamicConv2d);
    expect(layers).toHaveLength(11);
    const layer = layers[0] as unknown as DynamicConv2d;
    expect([layer.numExperts, layer.temperature]).toEqual([3, 5]);
    expect(layer.routing.stateDict()['net.0.weight']?.shape).toEqual([8, 64, 1, 1]);
  });

  it('start with kernels that differ, as spread as those of the ordinary network', () => {
    const state = models.create('mobilenet_v2_dy', { widthMult: 0.5 }).stateDict();
    const experts = state['features.10.conv.2.weight']!;
    const [, outputs = 0] = experts.shape;
    expect(Number(experts.std().item())).toBeCloseTo(Math.sqrt(2 / outputs), 2);
    expect(experts.select(0, 0).sub(experts.select(0, 1)).abs().amax().item()).toBeGreaterThan(0.01);
  });

  it('are trained: every expert and every routing gets a gradient', () => {
    // With other seeds, all units of a hidden layer may start below 0: the smallest layers have two.
    manualSeed(2);
    const model = models.create('mobilenet_v3_small_dy', { numClasses: 4, widthMult: 0.5 });
    model
      .forward(randn([4, 3, 64, 64]))
      .square()
      .sum()
      .backward();
    const without = noGrad(() =>
      [...model.namedParameters()].filter(([, { grad }]) => !grad || Number(grad.abs().amax().item()) === 0),
    );
    expect(without.map(([key]) => key)).toEqual([]);
  });
});
