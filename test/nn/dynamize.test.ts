import { describe, expect, it } from 'vitest';
import {
  ArgumentError,
  DynamicConv2d,
  manualSeed,
  models,
  nn,
  noGrad,
  randn,
  type Tensor,
  tidy,
} from '../../lib/index.js';

/** Largest difference relative to the largest expected magnitude. */
function difference(received: Tensor, expected: Tensor): number {
  return tidy(() => Number(received.sub(expected).abs().amax().div(expected.abs().amax()).item()));
}

const dynamicKeys = (module: nn.Module) =>
  [...module.namedModules()].filter(([, m]) => (m as unknown) instanceof DynamicConv2d).map(([key]) => key);

describe('dynamize with copies', () => {
  /** The difference that dynamize makes for the logits of a network. */
  const change = (model: nn.Module, images: Tensor) =>
    noGrad(() => {
      const before = model.eval().forward(images);
      return difference(nn.dynamize(model, { numExperts: 3 }).forward(images), before);
    });

  it('changes float32 logits of resnet18 by less than 1e-6', () => {
    manualSeed(1);
    expect(change(models.resnet18(), randn([1, 3, 224, 224]))).toBeLessThanOrEqual(1e-6);
  });

  it.each(['resnet18', 'mobilenet_v3_small', 'resnext50_32x4d'])(
    '%s computes the same in float64',
    (name) => {
      const model = models.create(name, { numClasses: 10 }).to({ dtype: 'float64' });
      expect(change(model, randn([2, 3, 64, 64], { dtype: 'float64' }))).toBeLessThanOrEqual(1e-13);
    },
  );

  it.each([
    { stride: 2, padding: 1 },
    { dilation: 2, padding: [2, 1] as const },
    { groups: 2 },
    { groups: 8, padding: 1, stride: 2 },
    { padding: 'same' as const, bias: false },
  ])('a bare convolution with %o becomes a DynamicConv2d that computes the same', (options) => {
    const conv = new nn.Conv2d(8, 8, 3, options);
    const layer = nn.dynamize(conv, { numExperts: 4, reduction: 2, temperature: 7 });
    expect(layer).toBeInstanceOf(DynamicConv2d);
    expect([layer.numExperts, layer.temperature]).toEqual([4, 7]);
    expect(layer.stateDict()['routing.net.0.weight']?.shape).toEqual([4, 8, 1, 1]);
    const images = randn([2, 8, 9, 9]);
    noGrad(() => expect(difference(layer.forward(images), conv.forward(images))).toBeLessThanOrEqual(1e-6));
  });

  it('keeps dtype, mode and frozen parameters', () => {
    const model = new nn.Sequential(new nn.Conv2d(3, 4, 1), new nn.Conv2d(4, 4, 1)).to({ dtype: 'float64' });
    model.eval().requiresGrad_(false);
    const layer = nn.dynamize(model).at(1) as unknown as DynamicConv2d;
    expect([layer.weight.dtype, layer.training, layer.routing.training]).toEqual(['float64', false, false]);
    expect([layer.weight.requiresGrad, layer.bias?.requiresGrad]).toEqual([false, false]);
    expect([...layer.routing.parameters()].every(({ requiresGrad }) => requiresGrad)).toBe(true);
  });
});

describe('dynamize into other layers', () => {
  const float64 = { dtype: 'float64' } as const;
  const CONVS = [
    [
      'Conv1d',
      () => new nn.Conv1d(6, 8, 3, { stride: 2, groups: 2, ...float64 }),
      [9],
      'dynamic',
      'DynamicConv1d',
    ],
    [
      'Conv3d',
      () => new nn.Conv3d(6, 8, [1, 3, 2], { padding: 1, ...float64 }),
      [3, 5, 4],
      'dynamic',
      'DynamicConv3d',
    ],
    [
      'Conv2d',
      () => new nn.Conv2d(6, 8, 3, { padding: 1, groups: 2, ...float64 }),
      [6, 5],
      'condconv',
      'CondConv2d',
    ],
    [
      'Conv2d',
      () => new nn.Conv2d(6, 8, 3, { dilation: 2, groups: 2, ...float64 }),
      [6, 5],
      'odconv',
      'ODConv2d',
    ],
    ['1x1 Conv2d', () => new nn.Conv2d(6, 8, 1, { bias: false, ...float64 }), [6, 5], 'odconv', 'ODConv2d'],
    [
      'depthwise Conv2d',
      () => new nn.Conv2d(6, 6, 3, { groups: 6, ...float64 }),
      [6, 5],
      'odconv',
      'ODConv2d',
    ],
  ] as const;

  it.each(CONVS)('a %s', (_, make, sizes, layer, type) => {
    manualSeed(2);
    const conv = make() as nn.StaticLayer;
    const x = randn([2, 6, ...sizes], float64);
    const wanted = conv.forward(x);
    const reduction = layer === 'condconv' ? undefined : 1;
    const made = nn.dynamize(conv as nn.Conv2d, { layer, reduction } as object) as nn.DynamicLayer;
    expect(made.constructor.name).toBe(type);
    expect(difference(made.eval().forward(x), wanted)).toBeLessThanOrEqual(1e-13);
    // Equal experts that get the same gradients would stay equal.
    made.forward(x).square().sum().backward();
    const gradient = made.weight.grad!;
    const apart = gradient.select(0, 0).sub(gradient.select(0, 1)).abs().amax();
    expect(Number(apart.item())).toBeGreaterThan(0);
    const back = nn.collapse(made as nn.DynamicConv2d, { calibration: x });
    expect(difference(back.forward(x), wanted)).toBeLessThanOrEqual(1e-13);
  });

  it('a network, whose keys are then those of the layer', () => {
    manualSeed(3);
    const model = models.resnet10({ numClasses: 4 }).eval();
    const images = randn([2, 3, 64, 64]);
    noGrad(() => {
      const before = model.forward(images);
      nn.dynamize(model, { layer: 'odconv', numExperts: 1, reduction: 8 });
      expect(difference(model.forward(images), before)).toBeLessThanOrEqual(1e-5);
    });
    const { shape } = model.stateDict()['layer2.0.conv1.attention.fc.weight']!;
    expect(shape).toEqual([16, 64, 1, 1]);
  });

  it('refuses what the layer does not have', () => {
    const line = () => new nn.Sequential(new nn.Conv1d(1, 2, 1), new nn.Conv1d(2, 2, 1));
    expect(() => nn.dynamize(line(), { layer: 'odconv' })).toThrow(
      "Expected a Conv2d for the layer 1 with layer 'odconv' but received a Conv1d",
    );
    expect(() => nn.dynamize(line(), { layer: 'condconv', temperature: 3 })).toThrow(
      "Expected no temperature for layer 'condconv' but received 3",
    );
    expect(() => nn.dynamize(line(), { layer: 'static' as never })).toThrow(
      "for layer but received 'static'",
    );
  });
});

describe('other sources of the experts', () => {
  const conv = () => new nn.Conv2d(16, 32, 3);

  it('perturb: different experts whose mean is the kernel', () => {
    const before = conv();
    const { weight } = nn.dynamize(before, { from: 'perturb', noise: 0.2 });
    expect(difference(weight.mean({ dim: 0 }), before.weight)).toBeLessThanOrEqual(1e-6);
    const noise = weight.sub(before.weight);
    const relative = Number(noise.std().div(before.weight.std()).item());
    // The mean of 4 was subtracted: sqrt(3 / 4) of the noise remains.
    expect(relative).toBeCloseTo(0.2 * Math.sqrt(3 / 4), 2);
  });

  it('random: independent of the kernel, with its standard deviation', () => {
    const before = conv();
    const { weight } = nn.dynamize(before, { from: 'random' });
    expect(Number(weight.std().div(before.weight.std()).item())).toBeCloseTo(1, 1);
    const correlation = weight.select(0, 0).mul(before.weight).sum().div(before.weight.square().sum());
    expect(Math.abs(Number(correlation.item()))).toBeLessThan(0.1);
  });
});

describe('the layers that dynamize replaces', () => {
  it('are all but the first', () => {
    const model = nn.dynamize(models.resnet10());
    const keys = dynamicKeys(model);
    expect(keys).not.toContain('conv1');
    expect(keys).toHaveLength(11);
    expect(keys).toContain('layer2.0.downsample.0');
    expect(model.stateDict()['layer1.0.conv1.weight']?.shape).toEqual([4, 64, 64, 3, 3]);
  });

  it('are those that filter chooses', () => {
    const asked: string[] = [];
    const model = nn.dynamize(models.resnet10(), {
      filter: (layer, key) => {
        asked.push(key);
        return layer.kernelSize[0] === 7;
      },
    });
    expect(dynamicKeys(model)).toEqual(['conv1']);
    expect(asked).toHaveLength(12);
  });

  it('may stand in ModuleList, ModuleDict and Sequential, and in two places', () => {
    class Net extends nn.Module {
      readonly shared = new nn.Conv2d(4, 4, 1);
      readonly again = this.shared;
      readonly list = new nn.ModuleList([new nn.Conv2d(4, 4, 1)]);
      readonly dict = new nn.ModuleDict({ one: new nn.Conv2d(4, 4, 1) });
      readonly row = new nn.Sequential(new nn.ReLU(), new nn.Conv2d(4, 4, 1));
      forward(x: Tensor): Tensor {
        const both = this.again.forward(this.shared.forward(x));
        return this.row.forward(this.dict.get('one')!.forward(this.list.at(0)!.forward(both)));
      }
    }
    const net = new Net();
    const images = randn([2, 4, 5, 5]);
    const before = net.forward(images);
    nn.dynamize(net, { filter: () => true });
    expect(dynamicKeys(net)).toEqual(['shared', 'again', 'list.0', 'dict.one', 'row.1']);
    expect(net.shared).toBe(net.again);
    expect(difference(net.forward(images), before)).toBeLessThanOrEqual(1e-6);
  });

  it('are not those of dynamic layers, nor subclasses', () => {
    class Special extends nn.Conv2d {}
    const model = new nn.Sequential(new Special(4, 4, 1), new DynamicConv2d(4, 4, 1), new nn.Conv2d(4, 4, 1));
    nn.dynamize(model, { filter: () => true });
    expect(dynamicKeys(model)).toEqual(['1', '2']);
    expect(model.at(0)).toBeInstanceOf(Special);
  });
});

describe('dynamize refuses', () => {
  const model = () => new nn.Sequential(new nn.Conv2d(3, 4, 1), new nn.Conv2d(4, 4, 1));

  it('a module without a layer to replace', () => {
    expect(() => nn.dynamize(new nn.Sequential(new nn.ReLU()))).toThrow(
      'Expected a module with a convolution that is not the first one for module but received Sequential without one',
    );
    expect(() => nn.dynamize(model(), { filter: () => false })).toThrow(/that filter chooses/);
    expect(() => nn.dynamize(nn.dynamize(model()))).toThrow('received Sequential, which is dynamic already');
  });

  it('hooks, before it changes anything', () => {
    const net = new nn.Sequential(...model(), new nn.Conv2d(4, 4, 1));
    net.at(2)!.registerForwardHook(() => undefined);
    expect(() => nn.dynamize(net)).toThrow('Expected a Conv2d without hooks for the layer 2');
    expect(dynamicKeys(net)).toEqual([]);
  });

  it('other arguments', () => {
    expect(() => nn.dynamize({} as never)).toThrow(/Expected a Module for module/);
    expect(() => nn.dynamize(model(), { from: 'zero' as never })).toThrow(/for from but received 'zero'/);
    expect(() => nn.dynamize(model(), { numExperts: 0 })).toThrow(/numExperts/);
    expect(() => nn.dynamize(model(), { noise: -1 })).toThrow(/noise/);
    expect(() => nn.dynamize(model(), { temperature: 0 })).toThrow(/temperature/);
    expect(() => nn.dynamize(model(), { filter: 3 as never })).toThrow(ArgumentError);
  });
});

describe('collapse of a network', () => {
  const network = () => nn.dynamize(models.resnet10({ numClasses: 4 }), { from: 'perturb' });

  it('is the way back from copies', () => {
    const model = models.resnet10({ numClasses: 4 }).eval();
    const keys = Object.keys(model.stateDict());
    const images = randn([1, 3, 64, 64]);
    noGrad(() => {
      const before = model.forward(images);
      nn.collapse(nn.dynamize(model));
      expect(dynamicKeys(model)).toEqual([]);
      expect(Object.keys(model.stateDict())).toEqual(keys);
      expect(difference(model.forward(images), before)).toBeLessThanOrEqual(1e-6);
    });
  });

  it('uses the mean attention over calibration images', () => {
    const model = network().eval();
    const layer = (model.layer1.at(0) as unknown as { conv1: DynamicConv2d }).conv1;
    layer.temperature = 0.01; // one expert for every image
    const image = randn([1, 3, 64, 64]);
    noGrad(() => {
      const wanted = model.forward(image);
      nn.collapse(model, { calibration: image });
      expect(difference(model.forward(image), wanted)).toBeLessThanOrEqual(1e-5);
    });
    expect(model.training).toBe(false);
  });

  it('uses given weights', () => {
    const layer = new DynamicConv2d(4, 8, 3, { numExperts: 3 });
    const conv = nn.collapse(layer, { attention: (_, key) => [key === '' ? 2 : 0, 0, -1] });
    const wanted = layer.weight.select(0, 0).mul(2).sub(layer.weight.select(0, 2));
    expect(difference(conv.weight, wanted)).toBeLessThanOrEqual(1e-6);
  });

  it('rejects unsupported modules', () => {
    expect(() => nn.collapse(models.resnet10())).toThrow(/a module with a dynamic convolution/);
    expect(() => nn.collapse(new DynamicConv2d(4, 4, 1, { routing: 'sigmoid' }))).toThrow(/sigmoid routing/);
    expect(() => nn.collapse(new DynamicConv2d(4, 4, 1), { attention: () => [1] })).toThrow(
      /Expected 4 numbers for attention of layer/,
    );
    expect(() => nn.collapse(new nn.ReLU() as never, randn([1, 3, 4, 4]))).toThrow(
      /a dynamic convolution for layer/,
    );
  });
});
