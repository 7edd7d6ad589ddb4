/** Wrong arguments of the functions of the data pipeline. */
import { describe, expect, it } from 'vitest';
import { ArgumentError, data } from '../../lib/index.js';

const set = await data.bundled({ split: 'test' });
const like = (changes: object) => ({ ...set, ...changes }) as never;
const nothing = undefined as never;

const sets: [string, (dataset: never) => unknown][] = [
  ['describe', (dataset) => data.describe(dataset)],
  ['grid', (dataset) => data.grid(dataset)],
  ['loader', (dataset) => data.loader(dataset, { batchSize: 2 })],
];

describe.each(sets)('data.%s', (_, use) => {
  it.each<[string, never]>([
    ['a Dataset for dataset but received undefined', nothing],
    ['a Dataset for dataset but received 5 (number)', 5 as never],
    ['a Uint8Array for dataset.images', like({ images: [1, 2, 3] })],
    ['500 labels in a Uint8Array or Uint16Array for dataset.labels', like({ labels: new Float32Array(500) })],
    ['500 labels in a Uint8Array', like({ labels: new Uint8Array(3) })],
    ['[C, H, W] that gives the size of images for dataset.shape', like({ shape: [3, 28] })],
    ['[C, H, W] that gives the size of images', like({ shape: [3, 28, 29] })],
    ['an array of names for dataset.classes', like({ classes: [1, 2] })],
  ])('expects %s', async (message, dataset) => {
    const call = async () => use(dataset);
    await expect(call()).rejects.toThrow(ArgumentError);
    await expect(call()).rejects.toThrow(message);
  });
});

it.each<[string, () => unknown]>([
  ['a number for dataset.length but received undefined', () => data.describe({} as never)],
  ['a number for dataset.length but received undefined', () => data.grid({} as never)],
  ['at least 1 sample for dataset.length but received 0', () => data.grid({ length: 0, get: () => nothing })],
  ['a number for dataset.length but received undefined', () => data.loader({} as never, { batchSize: 1 })],
  ['an object for options but received undefined', () => data.loader(set, nothing)],
  ['an object for options but received null', () => data.cifar10(null as never)],
  ['an object for options but received undefined', () => data.cifar100(nothing)],
  ['an object for options but received undefined', () => data.mnist(nothing)],
  ["an object for options but received 'train' (string)", () => data.fashionMnist('train' as never)],
  ['an object for options but received undefined', () => data.bundled(nothing)],
  ['an object for options but received undefined', () => data.imageFolder(nothing)],
  ['an object for options but received undefined', () => data.create('cifar10', nothing)],
  ['for dataset but received an object', () => data.create(Object.create(null), {} as never)],
  ['an object for options but received undefined', () => data.download(nothing)],
  ['a string for options.url but received 5 (number)', () => data.download({ url: 5, file: 'x' } as never)],
  ['an object for options but received null', () => data.transforms.train(null as never)],
  ['an object for options but received undefined', () => data.transforms.resize(nothing)],
  [
    'a list of steps, at most 16777216 of them, for steps but received 4294967295',
    () => data.transforms.compose(new Array(2 ** 32 - 1)),
  ],
])('expects %s', async (message, call) => {
  const run = async () => call();
  await expect(run()).rejects.toThrow(ArgumentError);
  await expect(run()).rejects.toThrow(message);
});
