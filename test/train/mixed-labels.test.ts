import { expect, test } from 'vitest';
import { createDataset } from '../../lib/data/dataset.js';
import { loader } from '../../lib/data/loader.js';
import { compose, mixup, normalize } from '../../lib/data/transforms.js';
import { type EpochRecord, Trainer } from '../../lib/train/index.js';
import { CLASSES, generator, sgd, tinyNet } from './support.js';

/** 12 noise images, overfitted with labels that are probabilities. */
const random = generator(5);
const set = createDataset({
  name: 'noise',
  split: 'train',
  classes: Array.from({ length: CLASSES }, (_, i) => String(i)),
  shape: [3, 4, 4],
  images: Uint8Array.from({ length: 12 * 48 }, () => Math.floor(random() * 256)),
  labels: Uint8Array.from({ length: 12 }, (_, i) => i % CLASSES),
  source: 'test',
});

test('the trainer takes probabilities as labels, and counts the likeliest class as right', async () => {
  const model = tinyNet();
  const transform = compose([normalize()]);
  // Hardly mixed: the most probable class of each image is its own.
  const mix = mixup({ alpha: 0.02 });
  const trainLoader = loader(set, { batchSize: 6, shuffle: true, transform, mix });
  const epochs: EpochRecord[] = [];
  const trainer = new Trainer({ model, optimizer: sgd(model), trainLoader, epochs: 40 });
  trainer.on('epoch', (record) => epochs.push(record));
  await trainer.fit();
  expect(epochs[0]!.train.accuracy).toBeLessThan(0.9);
  expect(epochs.at(-1)!.train.accuracy).toBe(1);
  expect(epochs.at(-1)!.train.loss).toBeLessThan(0.3);
});
