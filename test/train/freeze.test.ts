/** Frozen parts of a network keep weights and batch-norm statistics, and the rest is trained. */
import { beforeEach, describe, expect, it } from 'vitest';
import { ArgumentError, manualSeed, models, nn, optim, type Tensor, train, zeros } from '../../lib/index.js';
import { RandomImages } from './support.js';

beforeEach(() => manualSeed(3));

class Net extends nn.Module {
  layer1 = new nn.Sequential(new nn.Conv2d(3, 4, 3, { padding: 1 }), new nn.BatchNorm2d(4), new nn.ReLU());
  layer2 = new nn.Sequential(new nn.Conv2d(4, 4, 3), new nn.BatchNorm2d(4), new nn.AdaptiveAvgPool2d(1));
  fc = new nn.Linear(4, 3);
  forward(x: Tensor): Tensor {
    return this.fc.forward(this.layer2.forward(this.layer1.forward(x)).flatten(1));
  }
}

const trained = (model: nn.Module) =>
  [...model.namedParameters()].filter(([, { requiresGrad }]) => requiresGrad).map(([name]) => name);

describe('freeze', () => {
  it.each([
    [
      ['layer1'],
      ['layer2.0.weight', 'layer2.0.bias', 'layer2.1.weight', 'layer2.1.bias', 'fc.weight', 'fc.bias'],
    ],
    [
      ['layer1', 'layer2.0'],
      ['layer2.1.weight', 'layer2.1.bias', 'fc.weight', 'fc.bias'],
    ],
    [
      ['layer*.1', 'fc.bias', 'layer2'],
      ['layer1.0.weight', 'layer1.0.bias', 'fc.weight'],
    ],
    [['features'], ['fc.weight', 'fc.bias']],
    [[], [...new Net().namedParameters()].map(([name]) => name)],
  ])('%j', (parts, left) => {
    const model = new Net();
    const { parameters } = train.freeze(model, parts);
    expect(trained(model)).toEqual(left);
    expect(parameters.length + left.length).toBe([...model.parameters()].length);
  });

  it('takes features as a name where a network has it', () => {
    const model = models.create('mobilenet_v2', { numClasses: 3, widthMult: 0.35 });
    const { modules } = train.freeze(model, ['features']);
    expect(trained(model)).toEqual(['classifier.1.weight', 'classifier.1.bias']);
    expect(train.headOf(model)).toBe('classifier');
    expect(modules).toContain([...model.namedModules()].find(([name]) => name === 'features.3')![1]);
    expect(train.headOf(models.create('resnet10'))).toBe('fc');
  });

  it('names the parts of the network for another name', () => {
    expect(() => train.freeze(new Net(), ['layer3'])).toThrow(
      "Expected the names of parts of the network (layer1, layer2, fc, or below them) but received 'layer3'",
    );
    expect(() => train.freeze(new Net(), ['layer'])).toThrow(ArgumentError);
    expect(() => train.freeze(new Net(), [1] as never)).toThrow('Expected names of modules for parts');
    expect(() => train.freeze(new Net(), 'layer1' as never)).toThrow('an array of names');
  });
});

describe('a trainer', () => {
  const run = async (frozenModules: boolean) => {
    const model = new Net();
    const { modules } = train.freeze(model, ['layer1']);
    const before = copies(model);
    const optimizer = new optim.SGD(model.parameters(), { lr: 0.1, weightDecay: 0.1 });
    const trainLoader = new RandomImages(12);
    const frozen = frozenModules ? modules : undefined;
    await new train.Trainer({
      model,
      optimizer,
      trainLoader,
      valLoader: trainLoader,
      epochs: 2,
      frozen,
    }).fit();
    const after = copies(model);
    return Object.keys(before).filter((key) => JSON.stringify(before[key]) !== JSON.stringify(after[key]));
  };
  const copies = (model: nn.Module) =>
    Object.fromEntries(Object.entries(model.stateDict()).map(([key, value]) => [key, value.arraySync()]));

  it('keeps parameters and statistics of frozen modules, and trains the others', async () => {
    expect(await run(true)).toEqual(
      expect.arrayContaining(['layer2.0.weight', 'layer2.1.weight', 'layer2.1.running_mean', 'fc.weight']),
    );
    expect((await run(true)).filter((key) => key.startsWith('layer1'))).toEqual([]);
  });

  it('moves the statistics without the option, as PyTorch does', async () => {
    expect((await run(false)).filter((key) => key.startsWith('layer1'))).toEqual([
      'layer1.1.running_mean',
      'layer1.1.running_var',
      'layer1.1.num_batches_tracked',
    ]);
  });

  it('refuses what is no module', () => {
    const model = new Net();
    const options = { model, optimizer: new optim.SGD(model.parameters(), { lr: 1 }), epochs: 1 };
    const trainLoader = new RandomImages(4);
    expect(() => new train.Trainer({ ...options, trainLoader, frozen: [zeros([1])] as never })).toThrow(
      'Expected Modules for frozen',
    );
  });
});
