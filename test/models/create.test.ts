import { describe, expect, it } from 'vitest';
import { ArgumentError, models, type nn } from '../../lib/index.js';

describe('models.create', () => {
  it.each([
    ['resnet-18', 'resnet18'],
    ['MobileNetV2', 'mobilenet_v2'],
    ['mobilenet_v3_smal', 'mobilenet_v3_small'],
  ])('suggests a name for %s', (name, meant) => {
    expect(() => models.create(name)).toThrow(`received '${name}' (string): did you mean '${meant}'?`);
    expect(() => models.create('transformer')).toThrow(/received 'transformer' \(string\)$/);
  });

  it('lists the known names for an unknown one', () => {
    expect(() => models.create('alexnet-xl')).toThrow(ArgumentError);
    expect(() => models.create('alexnet-xl')).toThrow(
      `Expected one of ${models.list().join(', ')} for model but received 'alexnet-xl' (string)`,
    );
  });

  it('refuses an option of another network', () => {
    expect(() => models.create('alexnet', { widthMult: 0.5 })).toThrow(
      "Expected the keys numClasses, inChannels, dropout, middleChannels, classifierGain, initialWeights for options of alexnet but received 'widthMult'",
    );
  });

  it('ignores undefined options and, without dynamic layers, those of dynamic layers', () => {
    const model = models.create('resnet10', { numClasses: 4, numExperts: 8, widthMult: undefined });
    expect((model as models.ResNet).fc.outFeatures).toBe(4);
  });

  it('has a function for every name', () => {
    const camelCase = (name: string) => name.replace(/[-_]([a-z])/g, (_, letter) => letter.toUpperCase());
    for (const name of models.list())
      expect(typeof models[camelCase(name) as keyof typeof models]).toBe('function');
  });
});

describe('options of ResNet', () => {
  it('inChannels changes the first convolution', () => {
    expect(models.resnet10({ inChannels: 1 }).conv1.weight.shape).toEqual([64, 1, 7, 7]);
  });

  it('zeroInitResidual sets the last batch norm of every block to 0', () => {
    const zeroed = (model: nn.Module) =>
      [...model.namedParameters()].filter(([, p]) => Number(p.abs().amax().item()) === 0).map(([key]) => key);
    const keys = zeroed(models.resnet18({ zeroInitResidual: true })).filter((key) => key.endsWith('weight'));
    expect(keys).toEqual([1, 2, 3, 4].flatMap((stage) => [0, 1].map((i) => `layer${stage}.${i}.bn2.weight`)));
  });

  it('groups, widths and dilation need bottlenecks', () => {
    expect(() => models.resnet18({ groups: 2 })).toThrow(
      'Expected 1 for a ResNet without bottlenecks for groups but received 2 (number)',
    );
    expect(() => models.resnet18({ widthPerGroup: 128 })).toThrow(/widthPerGroup/);
    expect(() => models.resnet18({ replaceStrideWithDilation: [false, false, true] })).toThrow(
      /replaceStrideWithDilation/,
    );
    expect(() => models.resnet50({ replaceStrideWithDilation: [true] as never })).toThrow(/three booleans/);
  });

  it('initial convolutions have the variance 2 / fan-out, as in torchvision', () => {
    const weight = models.resnet18().stateDict()['layer3.1.conv2.weight'];
    expect(Number(weight?.std().item())).toBeCloseTo(Math.sqrt(2 / (256 * 9)), 3);
  });
});

describe('options of MobileNetV3', () => {
  it('widthMult scales to multiples of 8', () => {
    const model = models.mobilenetV3Small({ widthMult: 0.35, numClasses: 10 });
    expect(model.stateDict()['features.0.0.weight']?.shape).toEqual([8, 3, 3, 3]);
    expect(() => models.mobilenetV3Small({ widthMult: 0 })).toThrow(ArgumentError);
  });

  it('dropout is before the last layer', () => {
    expect((models.mobilenetV3Large({ dropout: 0.7 }).classifier.at(2) as nn.Dropout).p).toBe(0.7);
  });
});
