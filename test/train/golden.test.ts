/** Complete trainings: the metrics of PyTorch, and overfitting of a few images. */
import { expect, it } from 'vitest';
import { DynamicConv2d, data, functional as F, manualSeed, nn, optim, type Tensor } from '../../lib/index.js';
import { noGrad } from '../../lib/tensor/context.js';
import { tensor } from '../../lib/tensor/create.js';
import {
  type Batch,
  type EpochRecord,
  evaluate,
  type LossAndAccuracy,
  Trainer,
} from '../../lib/train/index.js';
import { filled, golden } from '../golden/hash.js';
import './support.js'; // one thread

/** The images of training_golden() in make_golden.py, in order. */
class Hashed {
  readonly length: number;
  constructor(
    private readonly options: {
      images: number;
      seed: number;
      batchSize: number;
      label: (i: number) => number;
    },
  ) {
    this.length = options.images / options.batchSize;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Batch> {
    const { images, seed, batchSize, label } = this.options;
    for (let first = 0; first < images; first += batchSize) {
      const labels = BigInt64Array.from({ length: batchSize }, (_, i) => BigInt(label(first + i)));
      yield {
        images: filled([images, 3, 6, 6], seed, 4).narrow(0, first, batchSize),
        labels: tensor(labels, { shape: [batchSize] }),
      };
    }
  }
}

/** set_weights() in make_golden.py. */
function setWeights(model: nn.Module): void {
  noGrad(() => {
    for (const [i, [name, parameter]] of [...model.namedParameters()].entries()) {
      const { shape } = parameter;
      const isWeight = shape.length >= 2 && !name.endsWith('bias');
      const fanIn = shape.slice(shape.length === 5 ? 2 : 1).reduce((product, size) => product * size, 1);
      const hashed = filled(shape, i + 1, isWeight ? Math.sqrt(24 / fanIn) : 0.2);
      parameter.copy_(shape.length === 1 && name.endsWith('weight') ? hashed.add(1) : hashed);
    }
  });
}

it('has the metrics of the same training in PyTorch', async () => {
  const expected = golden<{
    epochs: { lr: number; train: LossAndAccuracy; val: LossAndAccuracy }[];
    bias: number[];
  }>('training');
  const head = new nn.Linear(288, 3);
  const model = new nn.Sequential(
    new DynamicConv2d(3, 8, 3, { padding: 1, numExperts: 2 }),
    new nn.BatchNorm2d(8),
    new nn.ReLU(),
    new nn.Flatten(),
    head,
  );
  setWeights(model);
  const optimizer = new optim.SGD(model.parameters(), { lr: 0.05, momentum: 0.9, weightDecay: 1e-4 });
  const trainer = new Trainer({
    model,
    optimizer,
    loss: (logits, labels) => F.crossEntropy(logits, labels, { labelSmoothing: 0.1 }),
    trainLoader: new Hashed({ images: 24, seed: 50, batchSize: 4, label: (i) => ((i * 7) % 5) % 3 }),
    valLoader: new Hashed({ images: 12, seed: 51, batchSize: 6, label: (i) => i % 3 }),
    scheduler: new optim.lr.MultiStepLR(optimizer, { milestones: [2] }),
    temperature: (epoch) => 9 - 3 * epoch,
    accumulate: 2,
    clip: { norm: 0.5 },
    ema: { decay: 0.8 },
    epochs: 3,
  });
  const epochs: EpochRecord[] = [];
  trainer.on('epoch', (record) => void epochs.push(record));
  await trainer.fit();
  for (const [i, { lr, train, val }] of expected.epochs.entries()) {
    expect(epochs[i]!.lr).toBeCloseTo(lr, 10);
    expect(epochs[i]!.train.loss).toBeCloseTo(train.loss, 4);
    expect(epochs[i]!.train.accuracy).toBeCloseTo(train.accuracy, 6);
    expect(epochs[i]!.val!.loss).toBeCloseTo(val.loss, 4);
    expect(epochs[i]!.val!.accuracy).toBeCloseTo(val.accuracy, 6);
  }
  const bias = [...(head.bias as Tensor).dataSync()] as number[];
  for (const [i, value] of expected.bias.entries()) expect(bias[i]).toBeCloseTo(value, 4);
});

it('learns 64 images by heart', async () => {
  manualSeed(3);
  const model = new nn.Sequential(
    new nn.Conv2d(1, 8, 3, { stride: 2, padding: 1 }),
    new nn.ReLU(),
    new DynamicConv2d(8, 16, 3, { stride: 2, padding: 1, numExperts: 4 }),
    new nn.ReLU(),
    new nn.Flatten(),
    new nn.Linear(16 * 7 * 7, 10),
  );
  const set = await data.bundled({ split: 'train', channels: 1 });
  const transform = data.transforms.test({ size: 28 });
  const trainLoader = data.loader(set, { batchSize: 32, limit: 64, shuffle: true, seed: 3, transform });
  const optimizer = new optim.SGD(model.parameters(), { lr: 0.05, momentum: 0.9 });
  const trainer = new Trainer({ model, optimizer, trainLoader, epochs: 60, temperature: () => 1 });
  await trainer.fit();
  const { accuracy, images } = await evaluate(model, trainLoader);
  expect(images).toBe(64);
  expect(accuracy).toBe(1);
});
