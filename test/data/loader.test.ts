import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, expect, test } from 'vitest';
import { createDataset, type InMemoryDataset } from '../../lib/data/dataset.js';
import { loader } from '../../lib/data/loader.js';
import type { LoaderOptions } from '../../lib/data/loader-options.js';
import * as transforms from '../../lib/data/transforms.js';
import { ArgumentError, DeviceError, DyconvError, ShapeError } from '../../lib/errors.js';
import { memory } from '../../lib/runtime/memory.js';
import { tidy } from '../../lib/tensor/context.js';
import { native } from '../../lib/tensor/tensor.js';

/** 23 images of 2 x 4 x 4; the bytes of image i are all i, its label is i. */
const set: InMemoryDataset = createDataset({
  name: 'numbers',
  split: 'train',
  classes: Array.from({ length: 23 }, (_, i) => `class ${i}`),
  shape: [2, 4, 4],
  images: Uint8Array.from({ length: 23 * 32 }, (_, i) => Math.floor(i / 32)),
  labels: Uint8Array.from({ length: 23 }, (_, i) => i),
  source: 'test',
});

interface Seen {
  labels: number[];
  shape: number[];
  bytes: number[];
}

async function readAll(source: AsyncIterable<import('../../lib/data/loader.js').Batch>): Promise<Seen[]> {
  const seen: Seen[] = [];
  for await (const { images, labels } of source) {
    const pixels = images.dataSync({ dtype: 'float32' });
    const sample = pixels.length / images.shape[0]!;
    seen.push({
      labels: [...labels.dataSync({ dtype: 'int64' })].map(Number),
      shape: images.shape,
      bytes: Array.from({ length: images.shape[0]! }, (_, i) => Math.round(pixels[i * sample]! * 255)),
    });
    expect(labels.dtype).toBe('int64');
    images.dispose();
    labels.dispose();
  }
  return seen;
}

const order = async (options: LoaderOptions) =>
  (await readAll(loader(set, options))).flatMap(({ labels }) => labels);
const ascending = Array.from({ length: 23 }, (_, i) => i);
let before: number;
beforeAll(() => {
  before = memory().numTensors;
});
const leaked = () => memory().numTensors - before;

test('delivers the set in its order, images with their labels, the last batch smaller', async () => {
  const source = loader(set, { batchSize: 10 });
  expect(source).toMatchObject({ length: 3, numImages: 23, batchSize: 10 });
  const seen = await readAll(source);
  expect(seen.map(({ shape }) => shape)).toEqual([
    [10, 2, 4, 4],
    [10, 2, 4, 4],
    [3, 2, 4, 4],
  ]);
  expect(seen.flatMap(({ labels }) => labels)).toEqual(ascending);
  expect(seen.flatMap(({ bytes }) => bytes)).toEqual(ascending);
  expect(source.stats).toMatchObject({ batches: 3, images: 23 });
  expect(source.stats.waitMs).toBeGreaterThan(0);
  expect(leaked()).toBe(0);
});

test('dropLast skips the smaller batch', async () => {
  const source = loader(set, { batchSize: 10, dropLast: true });
  expect(source).toMatchObject({ length: 2, numImages: 20 });
  expect((await readAll(source)).flatMap(({ labels }) => labels)).toEqual(ascending.slice(0, 20));
});

test('transforms set the size of the batch', async () => {
  const [batch] = await readAll(
    loader(set, { batchSize: 23, transform: transforms.train({ size: 6, resize: 7 }) }),
  );
  expect(batch!.shape).toEqual([23, 2, 6, 6]);
});

test('shuffling visits every image once, in an order by seed and epoch', async () => {
  const source = loader(set, { batchSize: 5, shuffle: true, seed: 7 });
  const epochs = [await readAll(source), await readAll(source)].map((seen) =>
    seen.flatMap(({ labels }) => labels),
  );
  for (const labels of epochs) {
    expect(labels).not.toEqual(ascending);
    expect([...labels].sort((a, b) => a - b)).toEqual(ascending);
  }
  expect(epochs[0]).not.toEqual(epochs[1]);
  expect(source.epoch).toBe(2);
  source.epoch = 1;
  expect((await readAll(source)).flatMap(({ labels }) => labels)).toEqual(epochs[1]);
  expect(await order({ batchSize: 4, shuffle: true, seed: 7, prefetch: 0 })).toEqual(epochs[0]);
  expect(await order({ batchSize: 4, shuffle: true, seed: 8 })).not.toEqual(epochs[0]);
});

test('seek resumes in the middle of an epoch with the same batches', async () => {
  const options = {
    batchSize: 4,
    shuffle: true,
    seed: 1,
    transform: transforms.train({ size: 5, resize: 6 }),
  };
  const whole = loader(set, options);
  await readAll(whole);
  const second = await readAll(whole);
  const resumed = loader(set, options);
  resumed.seek({ epoch: 1, batch: 4 });
  expect(await readAll(resumed)).toEqual(second.slice(4));
  expect(resumed.epoch).toBe(2);
  expect(await readAll(resumed)).toHaveLength(6);
  expect(() => resumed.seek({ epoch: 0, batch: 7 })).toThrow(ArgumentError);
  expect(() => resumed.seek({ epoch: -1, batch: 0 })).toThrow(ArgumentError);
});

test('the position is that of the next batch, and restores it in another loader', async () => {
  const options = { batchSize: 4, shuffle: true, seed: 1 };
  const whole = loader(set, options);
  expect(whole.position).toEqual({ epoch: 0, batch: 0 });
  const epochs = [await readAll(whole), await readAll(whole)];
  const source = loader(set, options);
  await readAll(source);
  expect(source.position).toEqual({ epoch: 1, batch: 0 });
  const saved: string[] = [];
  for await (const { images, labels } of source) {
    saved.push(JSON.stringify(source.position));
    images.dispose();
    labels.dispose();
    if (saved.length === 2) break;
  }
  expect(saved.map((text) => JSON.parse(text))).toEqual([
    { epoch: 1, batch: 1 },
    { epoch: 1, batch: 2 },
  ]);
  // An iteration that was left early is finished.
  expect(source.position).toEqual({ epoch: 2, batch: 0 });
  const resumed = loader(set, options);
  resumed.seek(JSON.parse(saved[1]!));
  expect(resumed.position).toEqual({ epoch: 1, batch: 2 });
  expect(await readAll(resumed)).toEqual(epochs[1]!.slice(2));
});

test('a set on the device yields the same batches', async () => {
  const options = { batchSize: 5, shuffle: true, seed: 2, transform: transforms.padCrop({ size: 6 }) };
  const here = await readAll(loader(set, options));
  const source = loader(set, { ...options, augmentOn: 'device' });
  expect(await readAll(source)).toEqual(here);
  source.dispose();
  expect(leaked()).toBe(0);
  // It is copied again when it is needed again.
  expect(await readAll(source)).toHaveLength(5);
  source.dispose();
  expect(leaked()).toBe(0);
});

test('batches have the requested dtype and memory format', async () => {
  const source = loader(set, { batchSize: 23, dtype: 'bfloat16', memoryFormat: 'channelsLast' });
  for await (const { images, labels } of source) {
    expect(images.dtype).toBe('bfloat16');
    expect(images.strides).toEqual([32, 1, 8, 2]);
    const values = images.to({ dtype: 'float32' });
    expect(values.dataSync({ dtype: 'float32' }).at(-1)).toBeCloseTo(22 / 255, 3);
    for (const one of [images, labels, values]) one.dispose();
  }
});

test('batches do not depend on the number of threads or on prefetching', async () => {
  const read = async (options: Partial<LoaderOptions>) => {
    const all: Buffer[] = [];
    const transform = transforms.train({ size: 16, resize: 18 });
    for await (const { images, labels } of loader(set, {
      batchSize: 6,
      shuffle: true,
      seed: 3,
      transform,
      ...options,
    })) {
      all.push(Buffer.from(images.dataSync({ dtype: 'float32' }).buffer));
      images.dispose();
      labels.dispose();
    }
    return Buffer.concat(all).toString('base64');
  };
  const expected = await read({ threads: 1, prefetch: 0 });
  for (const options of [
    { threads: 4, prefetch: 1 },
    { threads: 2, prefetch: 9 },
  ]) {
    expect((await read(options)) === expected).toBe(true);
  }
});

test('limit spreads over the set', async () => {
  expect(await order({ batchSize: 2, limit: 5 })).toEqual([0, 4, 9, 13, 18]);
  expect(await order({ batchSize: 9, limit: 100 })).toEqual(ascending);
});

test('ranks share an epoch: equally many images, none twice', async () => {
  const shares = await Promise.all(
    [0, 1, 2].map((rank) => order({ batchSize: 3, shuffle: true, seed: 2, rank, worldSize: 3 })),
  );
  expect(shares.map(({ length }) => length)).toEqual([7, 7, 7]);
  expect(new Set(shares.flat()).size).toBe(21);
});

test('without dropRemainder, ranks share all images', async () => {
  const shares = await Promise.all(
    [0, 1, 2].map((rank) => order({ batchSize: 3, rank, worldSize: 3, dropRemainder: false })),
  );
  expect(shares.map(({ length }) => length)).toEqual([8, 8, 7]);
  expect(shares.flat().sort((a, b) => a - b)).toEqual(ascending);
  const sizes = [0, 2].map((rank) => {
    const { length, numImages } = loader(set, { batchSize: 7, rank, worldSize: 3, dropRemainder: false });
    return [length, numImages];
  });
  expect(sizes).toEqual([
    [2, 8],
    [1, 7],
  ]);
});

test('augmentation of an image does not depend on the rank', async () => {
  const transform = transforms.padCrop({ size: 8, padding: 3, mean: 0 });
  const read = async (options: Partial<LoaderOptions>) => {
    const byLabel = new Map<number, string>();
    for await (const { images, labels } of loader(set, {
      batchSize: 4,
      shuffle: true,
      transform,
      ...options,
    })) {
      const pixels = images.dataSync({ dtype: 'float32' });
      for (const [i, label] of labels.dataSync({ dtype: 'int64' }).entries())
        byLabel.set(Number(label), pixels.slice(i * 128, (i + 1) * 128).join());
      images.dispose();
      labels.dispose();
    }
    return byLabel;
  };
  const alone = await read({});
  for (const rank of [0, 1]) {
    const share = await read({ rank, worldSize: 2 });
    expect(share.size).toBe(11);
    for (const [label, pixels] of share) expect(pixels === alone.get(label)).toBe(true);
  }
});

test('prepares no more than prefetch batches ahead', async () => {
  for (const prefetch of [0, 1, 3]) {
    const source = loader(set, { batchSize: 1, prefetch });
    for await (const { images, labels } of source) {
      await sleep(5);
      // The delivered batch and the prefetched ones.
      expect(leaked()).toBeLessThanOrEqual(2 + 2 * prefetch);
      images.dispose();
      labels.dispose();
    }
  }
  expect(leaked()).toBe(0);
});

test('an early exit and an error release the prepared batches', async () => {
  const source = loader(set, { batchSize: 2, prefetch: 4 });
  for await (const { images, labels } of source) {
    images.dispose();
    labels.dispose();
    break;
  }
  expect(leaked()).toBe(0);
  const thrown = async () => {
    for await (const { images, labels } of source) {
      images.dispose();
      labels.dispose();
      throw new Error('mine');
    }
  };
  await expect(thrown()).rejects.toThrow('mine');
  expect(leaked()).toBe(0);
  expect(source.epoch).toBe(2);
});

test('a failed batch is reported when it is requested, and the others are released', async () => {
  // Valid while the loader is created, which would reject it otherwise.
  const broken = { ...set };
  const source = loader(broken, { batchSize: 4, prefetch: 3 });
  broken.images = set.images.subarray(0, 20 * 32);
  const seen: number[] = [];
  const read = async () => {
    for await (const { images, labels } of source) {
      seen.push(images.shape[0]!);
      images.dispose();
      labels.dispose();
    }
  };
  await expect(read()).rejects.toThrow(DyconvError);
  expect(seen).toEqual([4, 4, 4, 4, 4]);
  expect(leaked()).toBe(0);
});

test('a batch outlives the tidy block in which it was requested', async () => {
  const iterator = loader(set, { batchSize: 23 })[Symbol.asyncIterator]();
  const batch = await tidy(async () => (await iterator.next()).value?.images);
  expect(batch?.isDisposed).toBe(false);
  batch?.dispose();
  await iterator.return();
});

test('every bad option is named', () => {
  const bad: [Partial<LoaderOptions>, string][] = [
    [{ batchSize: 0 }, 'batchSize'],
    [{ batchSize: 2.5 }, 'batchSize'],
    [{ batchSize: 24, dropLast: true }, 'batchSize'],
    [{ limit: 0 }, 'limit'],
    [{ prefetch: -1 }, 'prefetch'],
    [{ threads: 0 }, 'threads'],
    [{ seed: 0.5 }, 'seed'],
    [{ worldSize: 0 }, 'worldSize'],
    [{ worldSize: 24 }, 'worldSize'],
    [{ rank: 2, worldSize: 2 }, 'rank'],
    [{ transform: transforms.test({ mean: [0.1, 0.2, 0.3] }) }, 'transform.mean'],
    [{ transform: {} as never }, 'transform'],
    [{ transform: transforms.compose([transforms.randomCrop({ size: 5 })]) }, 'at most 4 x 4 pixels'],
    [{ transform: transforms.compose([transforms.randomErasing({ value: [1, 2, 3] })]) }, 'transform.value'],
    [{ dtype: 'float16' as never }, 'dtype'],
    [{ memoryFormat: 'channels_last' as never }, 'memoryFormat'],
    [{ augmentOn: 'gpu' as never }, 'augmentOn'],
  ];
  for (const [options, name] of bad) {
    expect(() => loader(set, { batchSize: 4, ...options })).toThrow(ArgumentError);
    expect(() => loader(set, { batchSize: 4, ...options })).toThrow(name);
  }
  const jitter = transforms.compose([transforms.colorJitter({ hue: 0.1 })]);
  expect(() => loader(set, { batchSize: 4, transform: jitter })).toThrow(ShapeError);
  expect(() => loader(set, { batchSize: 24, dropLast: true })).toThrow('at most 23, the number of images');
  expect(loader(set, { batchSize: 24 }).length).toBe(1);
});

test.skipIf(native.cudaDeviceCount() > 0)('refuses an absent device when it is created', () => {
  expect(() => loader(set, { batchSize: 4, device: 'cuda' })).toThrow(DeviceError);
});

test('200 epochs leave the number of tensors and the memory flat', async () => {
  const source = loader(set, {
    batchSize: 4,
    shuffle: true,
    transform: transforms.train({ size: 64, resize: 66 }),
  });
  const pass = async () => {
    for await (const { images, labels } of source) {
      images.dispose();
      labels.dispose();
    }
  };
  for (let epoch = 0; epoch < 20; epoch++) await pass();
  const resident = process.memoryUsage().rss;
  for (let epoch = 0; epoch < 180; epoch++) await pass();
  expect(leaked()).toBe(0);
  expect(process.memoryUsage().rss - resident).toBeLessThan(60e6);
});
