/** Statistics and pictures of data sets: in memory, and custom ones whose samples are read one by one. */
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { ArgumentError, DatasetError, data, ShapeError } from '../../lib/index.js';

/** 40 images of different sizes; all bytes of image i are 5 i. */
const LENGTH = 40;
const sizeOf = (i: number): [number, number] => [4 + (i % 7), 12 - (i % 5)];
const reads: number[] = [];
const uneven: data.Dataset<data.ImageSample> = {
  length: LENGTH,
  classes: ['a', 'b', 'c'],
  async get(i) {
    reads.push(i);
    const [height, width] = sizeOf(i);
    return {
      image: new Uint8Array(3 * height * width).fill(5 * i),
      shape: [3, height, width],
      label: i % 2,
    };
  },
};

/** The same samples as a set in memory, read one by one. */
function oneByOne(set: data.InMemoryDataset): data.Dataset<data.ImageSample> {
  const { length, classes, shape } = set;
  return { length, classes, get: async (i) => ({ ...set.get(i), shape }) };
}

describe('data.describe', () => {
  it('describes a custom set, whose images may differ in size', async () => {
    const pixels = Array.from({ length: LENGTH }, (_, i) => sizeOf(i)[0] * sizeOf(i)[1]);
    const all = pixels.reduce((sum, n) => sum + n, 0);
    const mean = pixels.reduce((sum, n, i) => sum + 5 * i * n, 0) / all;
    const variance = pixels.reduce((sum, n, i) => sum + (5 * i - mean) ** 2 * n, 0) / all;
    reads.length = 0;
    const found = await data.describe(uneven);
    expect(found).toMatchObject({ length: LENGTH, shape: null });
    expect(found.counts).toEqual([
      { class: 'a', count: 20 },
      { class: 'b', count: 20 },
      { class: 'c', count: 0 },
    ]);
    for (const channel of [0, 1, 2]) {
      expect(found.mean[channel]).toBeCloseTo(mean / 255, 12);
      expect(found.std[channel]).toBeCloseTo(Math.sqrt(variance) / 255, 12);
    }
    expect(reads.sort((a, b) => a - b)).toEqual(Array.from({ length: LENGTH }, (_, i) => i));
  });

  it('is the same for images in memory and read one by one', async () => {
    const set = await data.bundled({ split: 'test' });
    const { name: _, split: __, ...numbers } = data.describe(set);
    expect(await data.describe(oneByOne(set))).toEqual(numbers);
  });

  it('uses labels as the names of classes without names', async () => {
    const set = { length: 3, get: (i: number) => ({ image: new Uint8Array(4), label: 2 * (i % 2) }) };
    const { counts, shape } = await data.describe({ ...set, shape: [1, 2, 2] as const });
    expect(shape).toEqual([1, 2, 2]);
    expect(counts).toEqual([
      { class: '0', count: 2 },
      { class: '1', count: 0 },
      { class: '2', count: 1 },
    ]);
  });

  it.each<[string, object, new (message: string) => Error]>([
    [
      'sample 1: expected { image, label } but found 5 (number)',
      { get: (i: number) => (i ? 5 : good) },
      DatasetError,
    ],
    [
      'sample 0: expected bytes (uint8) for image but found Float32Array (object)',
      { get: () => ({ ...good, image: new Float32Array(4) }) },
      DatasetError,
    ],
    [
      'sample 0: expected an integer from 0 to 1 for label but found 2 (number)',
      { classes: ['a', 'b'], get: () => ({ ...good, label: 2 }) },
      DatasetError,
    ],
    [
      'Expected images of 1 channels, as the first one, but sample 1 has 4',
      { get: (i: number) => ({ ...good, shape: i ? [4, 1, 1] : [1, 2, 2] }) },
      ShapeError,
    ],
  ])('%s', async (message, changes, kind) => {
    const error = await data.describe({ length: 2, ...changes } as never as typeof uneven).catch((e) => e);
    expect(error).toBeInstanceOf(kind);
    expect((error as Error).message).toBe(message);
  });
});

const good = { image: new Uint8Array(4), shape: [1, 2, 2], label: 0 };

describe('data.grid', () => {
  it('shows a custom set as it shows one in memory', async () => {
    const set = await data.bundled({ split: 'test' });
    const options = { transform: data.transforms.train({ size: 32 }), rows: 3, columns: 2, cell: 32 };
    expect((await data.grid(oneByOne(set), options)).equals(await data.grid(set, options))).toBe(true);
  });

  it('reads only the samples it shows, of any size', async () => {
    reads.length = 0;
    const transform = data.transforms.compose([data.transforms.resize({ size: 6 })]);
    const png = await data.grid(uneven, { transform, rows: 3, columns: 1, cell: 16 });
    expect(reads).toHaveLength(3);
    const { data: bytes, info } = await sharp(png).raw().toBuffer({ resolveWithObject: true });
    expect([info.width, info.height]).toEqual([4 + 2 * 20, 4 + 3 * 20]);
    for (const [row, key] of reads.entries()) {
      for (const column of [0, 1]) {
        const at = ((4 + 20 * row + 8) * info.width + 4 + 20 * column + 8) * 3;
        expect([...bytes.subarray(at, at + 3)]).toEqual([5 * key, 5 * key, 5 * key]);
      }
    }
  });

  it('reports samples that it cannot show', async () => {
    const two = { length: 1, get: () => ({ image: new Uint8Array(8), shape: [2, 2, 2] as const, label: 0 }) };
    await expect(data.grid(two)).rejects.toThrow(ShapeError);
    await expect(data.grid({ length: 0, get: two.get })).rejects.toThrow(ArgumentError);
  });
});
