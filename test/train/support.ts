/** A problem that can be overfitted in milliseconds. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nn, optim } from '../../lib/index.js';
import { manualSeed, setNumThreads } from '../../lib/runtime/settings.js';
import { tensor } from '../../lib/tensor/create.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import {
  type Batch,
  type BatchSource,
  describeEnvironment,
  type RunConfig,
  RunDirectory,
} from '../../lib/train/index.js';

// Threads do not speed up such small tensors, and slow them down on a busy machine.
setNumThreads(1);

export const IMAGES = 48;
export const CLASSES = 3;
const PIXELS = 3 * 4 * 4;

/** Numbers in [0, 1) that only depend on the seed (mulberry32). */
export function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Random images with random labels, shuffled by (seed, epoch), which can only be overfitted. */
export class RandomImages implements BatchSource {
  readonly length: number;
  readonly seen: number[][] = [];
  readonly #images: Float32Array;
  readonly #labels: number[];
  #position = { epoch: 0, batch: 0 };

  constructor(
    readonly batchSize: number,
    options: { images?: number; seed?: number } = {},
  ) {
    const { images = IMAGES, seed = 7 } = options;
    const random = generator(seed);
    this.#images = Float32Array.from({ length: images * PIXELS }, () => random() * 2 - 1);
    this.#labels = Array.from({ length: images }, () => Math.floor(random() * CLASSES));
    this.length = Math.floor(images / batchSize);
  }

  seek(position: { epoch: number; batch: number }): void {
    this.#position = position;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Batch> {
    const random = generator(1000 + this.#position.epoch);
    const order = this.#labels
      .map((_, index) => ({ index, key: random() }))
      .sort((a, b) => a.key - b.key)
      .map(({ index }) => index);
    for (let batch = this.#position.batch; batch < this.length; batch++) {
      const rows = order.slice(batch * this.batchSize, (batch + 1) * this.batchSize);
      this.seen.push(rows);
      const values = rows.flatMap((row) => [...this.#images.subarray(row * PIXELS, (row + 1) * PIXELS)]);
      yield {
        images: tensor(Float32Array.from(values), { shape: [rows.length, 3, 4, 4] }),
        labels: tensor(
          BigInt64Array.from(rows, (row) => BigInt(this.#labels[row]!)),
          { shape: [rows.length] },
        ),
      };
    }
  }
}

/** A network with all kinds of state: a dynamic layer, batch norm, dropout. */
export function tinyNet(options: { dropout?: number | undefined; seed?: number | undefined } = {}) {
  manualSeed(options.seed ?? 1);
  return new nn.Sequential(
    new nn.DynamicConv2d(3, 8, 3, { padding: 1, numExperts: 2 }),
    new nn.BatchNorm2d(8),
    new nn.ReLU(),
    new nn.Flatten(),
    new nn.Dropout(options.dropout ?? 0),
    new nn.Linear(8 * 4 * 4, CLASSES),
  );
}

export function sgd(model: nn.Module, lr = 0.1) {
  return new optim.SGD(model.parameters(), { lr, momentum: 0.9 });
}

/** Every value of a model, for bit-exact comparison. */
export function bitsOf(model: nn.Module): Record<string, unknown[]> {
  return Object.fromEntries(
    Object.entries(model.stateDict()).map(([name, value]: [string, Tensor]) => [name, [...value.dataSync()]]),
  );
}

export function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'dyconv-train-'));
}

/** The configuration of a run of these images. */
export const config: RunConfig = {
  model: 'alexnet-dy',
  modelOptions: { numClasses: 3, numExperts: 2 },
  parameters: { trainable: 10, statistics: 2, total: 12 },
  dataset: 'bundled',
  dataDir: null,
  classes: ['a', 'b', 'c'],
  trainImages: 48,
  valImages: 16,
  imageShape: [3, 4, 4],
  imageSize: 4,
  epochs: 2,
  batchSize: 16,
  lr: 0.1,
  momentum: 0,
  weightDecay: 0,
  labelSmoothing: 0,
  milestones: [],
  gamma: 0.1,
  temperature: { start: 30, epochs: 10 },
  seed: 1,
  device: 'cpu',
  dtype: 'float32',
  limitTrain: null,
  limitTest: null,
};

/** A new run, in its own folder unless a path is given. */
export async function newRun(path = join(temporaryFolder(), 'deep', 'run')) {
  const environment = describeEnvironment({ device: 'cpu', command: ['--model', 'alexnet-dy'] });
  return { path, run: await RunDirectory.create(path, { config, environment }), environment };
}
