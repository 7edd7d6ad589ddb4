/** The accuracy of programs in int8. */
import { describe, expect, it } from 'vitest';
import {
  DynamicConv2d,
  data,
  functional as F,
  manualSeed,
  models,
  nn,
  optim,
  randn,
  type Tensor,
  tidy,
  zeros,
} from '../../lib/index.js';
import { withStatistics } from '../onnx/cases.js';
import { limit } from '../support/limit.js';
import { both, relative, stepsOf } from './int8.js';

describe('accuracy', () => {
  it('of a trained network is that of float32', { timeout: limit(60_000) }, async () => {
    manualSeed(9);
    const net = new nn.Sequential(
      new nn.Conv2d(1, 16, 3, { stride: 2, padding: 1 }),
      new nn.BatchNorm2d(16),
      new nn.ReLU(),
      new nn.Conv2d(16, 24, 3, { padding: 1 }),
      new nn.BatchNorm2d(24),
      new nn.ReLU(),
      new nn.MaxPool2d(2),
      new DynamicConv2d(24, 32, 3, { numExperts: 3, padding: 1, temperature: 1 }),
      new nn.BatchNorm2d(32),
      new nn.ReLU(),
      new nn.Flatten(),
      new nn.Linear(32 * 49, 48),
      new nn.ReLU(),
      new nn.Linear(48, 10),
    );
    const trainSet = await data.bundled({ split: 'train', channels: 1 });
    const optimizer = new optim.Adam(net.parameters(), { lr: 0.002 });
    for (let epoch = 0; epoch < 3; epoch++) {
      for await (const batch of data.loader(trainSet, { batchSize: 50, shuffle: true, seed: epoch })) {
        tidy(() => {
          optimizer.zeroGrad();
          F.crossEntropy(net.forward(batch.images), batch.labels).backward();
          optimizer.step();
        });
        for (const one of [batch.images, batch.labels]) one.dispose();
      }
    }
    net.eval();
    const plain = nn.compile(net as nn.Module<[Tensor]>, zeros([1, 1, 28, 28]));
    const options = { calibration: data.loader(trainSet, { batchSize: 64, limit: 256 }), floatLayers: [] };
    const quantized = await plain.quantize(options);
    const steps = stepsOf(quantized).filter((name) => name.startsWith('int8'));
    expect(steps).toEqual([
      ...['int8Conv2d', 'int8Conv2d', 'int8MaxPool2d', 'int8ChannelMeans', 'int8DynamicConv2d'],
      ...['int8Linear', 'int8Linear'],
    ]);
    let [right, rightInt8, same, total] = [0, 0, 0, 0];
    const testSet = await data.bundled({ split: 'test', channels: 1 });
    for await (const { images: x, labels } of data.loader(testSet, { batchSize: 100 })) {
      tidy(() => {
        const [a, b] = [plain, quantized].map((program) => program.runSync(x).argmax({ dim: 1 }));
        const count = (one: Tensor, other: Tensor) => Number(one.eq(other).sum().item());
        right += count(a!, labels);
        rightInt8 += count(b!, labels);
        same += count(a!, b!);
        total += x.shape[0]!;
      });
    }
    expect(right / total).toBeGreaterThan(0.7);
    expect(Math.abs(rightInt8 - right) / total).toBeLessThan(0.015);
    expect(same / total).toBeGreaterThan(0.97);
  });

  it.each(['alexnet', 'alexnet-dy'] as const)(
    'of %s: near float32, and the same for every row of a batch',
    {
      timeout: limit(60_000),
    },
    async (name) => {
      manualSeed(10);
      const model = withStatistics(models.create(name, { numClasses: 10 }).eval());
      const x = randn([32, 3, 128, 128]);
      for (const floatLayers of [undefined, []]) {
        const { plain, quantized } = await both(model as nn.Module<[Tensor]>, x, { floatLayers });
        const all = quantized.runSync(x);
        expect(relative(all, plain.runSync(x))).toBeLessThan(0.06);
        const rows = all.arraySync() as number[][];
        expect(quantized.runSync(x.narrow(0, 5, 1)).arraySync()).toEqual(rows.slice(5, 6));
        expect(quantized.runSync(x.narrow(0, 20, 3)).arraySync()).toEqual(rows.slice(20, 23));
      }
    },
  );
});
