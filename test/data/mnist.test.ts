import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { create, type DatasetName, list } from '../../lib/data/create.js';
import { describe } from '../../lib/data/describe.js';
import { bundled, fashionMnist, mnist } from '../../lib/data/mnist.js';
import { ArgumentError, DatasetError } from '../../lib/errors.js';
import { fakeBatch, idxPair } from './fixtures.js';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'dyconv-mnist-'));
});
afterEach(() => rm(root, { recursive: true }));

const batch = fakeBatch(3, 5, 10, 28 * 28);

async function writePair(
  folder: string,
  prefix: string,
  { images, labels } = idxPair(batch, 28),
): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, `${prefix}-images-idx3-ubyte.gz`), images);
  await writeFile(join(folder, `${prefix}-labels-idx1-ubyte.gz`), labels);
}

test('reads both splits, gray repeated to three channels or as it is', async () => {
  await writePair(root, 'train');
  await writePair(join(root, 'mnist'), 't10k');
  const seen: unknown[] = [];
  const onProgress = (file: string, done: number, total: number | undefined, phase: string) => {
    if (done === total) seen.push([file, phase]);
  };
  const train = await mnist({ root, split: 'train', verify: false, onProgress });
  expect(seen).toContainEqual(['train-images-idx3-ubyte.gz', 'parse']);
  expect(seen).toContainEqual(['train-labels-idx1-ubyte.gz', 'parse']);
  expect(train).toMatchObject({ name: 'mnist', length: 5, shape: [3, 28, 28] });
  expect(train.labels).toEqual(batch.labels);
  const { image } = train.get(4);
  for (const channel of [0, 1, 2]) {
    const plane = image.subarray(channel * 784, (channel + 1) * 784);
    expect(Buffer.compare(plane, batch.images.subarray(4 * 784))).toBe(0);
  }
  const grey = await mnist({ root, split: 'test', verify: false, channels: 1 });
  expect(grey.shape).toEqual([1, 28, 28]);
  expect(Buffer.compare(grey.images, batch.images)).toBe(0);
  await expect(mnist({ root, split: 'test', verify: false, channels: 2 as 3 })).rejects.toThrow(
    ArgumentError,
  );
});

test('Fashion-MNIST is found in a folder of its name first', async () => {
  await writePair(join(root, 'fashion-mnist'), 'train');
  const set = await fashionMnist({ root, split: 'train', verify: false });
  expect(set.length).toBe(5);
  expect(set.classes[9]).toBe('Ankle boot');
  await expect(fashionMnist({ root, split: 'train' })).rejects.toThrow(
    `${join(root, 'fashion-mnist', 'train-images-idx3-ubyte.gz')}: expected the published file with MD5 8d4fb7e6`,
  );
});

test('counts that disagree and labels without a class are errors', async () => {
  const { images, labels } = idxPair(batch, 28);
  await writePair(root, 'train', { images, labels: idxPair(fakeBatch(1, 4, 10, 784), 28).labels });
  await expect(mnist({ root, split: 'train', verify: false })).rejects.toThrow(
    /expected 5 labels but found 4/,
  );
  const wild = idxPair({ ...batch, labels: Uint8Array.of(1, 2, 3, 44, 5) }, 28);
  await writePair(root, 'train', { images, labels: wild.labels });
  await expect(mnist({ root, split: 'train', verify: false })).rejects.toThrow(/image 3 has label 44/);
  await writePair(root, 'train', { images: labels, labels });
  await expect(mnist({ root, split: 'train', verify: false })).rejects.toThrow(DatasetError);
});

test('a missing file names every folder that was looked in', async () => {
  await expect(mnist({ root, split: 'train' })).rejects.toThrow(
    `Expected train-images-idx3-ubyte.gz in ${join(root, 'mnist')} or ${root} but found no such file`,
  );
});

test('the bundled set is 2,000 + 500 real images, as many of every class', async () => {
  for (const [split, perClass] of [
    ['train', 200],
    ['test', 50],
  ] as const) {
    const set = await bundled({ split });
    const description = describe(set);
    expect(description).toMatchObject({ name: 'bundled', split, length: perClass * 10, shape: [3, 28, 28] });
    expect(description.counts.map(({ count }) => count)).toEqual(new Array(10).fill(perClass));
    // The whole of Fashion-MNIST has mean 0.2860 and standard deviation 0.3530.
    for (const mean of description.mean) expect(mean).toBeCloseTo(0.286, 2);
    for (const std of description.std) expect(std).toBeCloseTo(0.353, 2);
  }
});

test('create makes every set by its name', async () => {
  expect(list()).toEqual(['cifar10', 'cifar100', 'mnist', 'fashion-mnist', 'bundled', 'folder', 'manifest']);
  expect((await create('bundled', { split: 'test', root: '/nowhere' })).length).toBe(500);
  await writePair(root, 'train');
  expect((await create('mnist', { split: 'train', root, verify: false })).length).toBe(5);
  const unknown = create('imagenet' as DatasetName, { split: 'train' });
  await expect(unknown).rejects.toThrow(ArgumentError);
  await expect(unknown).rejects.toThrow(/one of cifar10, .* for dataset but received 'imagenet'/);
});

test('describe counts, and measures every channel by itself', () => {
  const images = new Uint8Array([0, 255, 10, 10, 255, 255, 20, 40]);
  const { counts, mean, std } = describe({
    name: 'x',
    split: 'train',
    length: 2,
    classes: ['a', 'b', 'c'],
    shape: [2, 1, 2],
    images,
    labels: new Uint8Array([2, 2]),
    get: () => ({ image: images, label: 0 }),
  });
  expect(counts).toEqual([
    { class: 'a', count: 0 },
    { class: 'b', count: 0 },
    { class: 'c', count: 2 },
  ]);
  expect(mean[0]).toBeCloseTo(0.75, 12);
  expect(std[0]).toBeCloseTo(Math.sqrt(0.1875), 12);
  expect(mean[1]).toBeCloseTo(20 / 255, 12);
  expect(std[1]).toBeCloseTo(Math.sqrt(150) / 255, 12);
});
