/** Validation images split off the training set. */
import { describe, expect, it } from 'vitest';
import type { InMemoryDataset } from '../../lib/data/dataset.js';

const load = (path: string) => import(new URL(`../../${path}`, import.meta.url).href);
const { splitForValidation } = (await load('scripts/cli/split.js')) as {
  splitForValidation: (
    set: InMemoryDataset,
    options: { share: number; seed: number; limit?: number },
  ) => { trainSet: InMemoryDataset; valSet: InMemoryDataset };
};
const { createDataset } = (await load('dist/data/dataset.js')) as {
  createDataset: (parts: object) => InMemoryDataset;
};

/** 80 images of class 0, 15 of class 1, 5 of class 2; each pixel is the number of its image. */
const labels = Uint8Array.from({ length: 100 }, (_, i) => (i % 20 === 7 ? 2 : i % 20 < 3 ? 1 : 0));
const set = createDataset({
  name: 'numbers',
  split: 'train',
  classes: ['a', 'b', 'c'],
  shape: [1, 1, 2],
  images: Uint8Array.from({ length: 200 }, (_, i) => i >> 1),
  labels,
  source: 'numbers',
  names: Array.from({ length: 100 }, (_, i) => `${i}.png`),
});
const numbers = ({ length, get }: InMemoryDataset) => Array.from({ length }, (_, i) => get(i).image[0]!);

describe('--val-split', () => {
  const { trainSet, valSet } = splitForValidation(set, { share: 0.2, seed: 1 });

  it('splits every class alike, without common images', () => {
    expect([trainSet.length, valSet.length]).toEqual([80, 20]);
    expect([...numbers(trainSet), ...numbers(valSet)].sort((a, b) => a - b)).toEqual([...Array(100).keys()]);
    const counts = [0, 1, 2].map((label) => [...valSet.labels].filter((l) => l === label).length);
    expect(counts).toEqual([16, 3, 1]);
  });

  it('keeps labels, names and classes with their images', () => {
    for (const part of [trainSet, valSet]) {
      expect(part.classes).toEqual(['a', 'b', 'c']);
      for (const [i, number] of numbers(part).entries()) {
        expect(part.get(i).label).toBe(labels[number]);
        expect(part.nameOf!(i)).toBe(`${number}.png`);
      }
    }
  });

  it('depends on the seed alone', () => {
    expect(numbers(splitForValidation(set, { share: 0.2, seed: 1 }).valSet)).toEqual(numbers(valSet));
    expect(numbers(splitForValidation(set, { share: 0.2, seed: 2 }).valSet)).not.toEqual(numbers(valSet));
  });

  it('takes of the images that a loader with that limit has', () => {
    const { trainSet, valSet } = splitForValidation(set, { share: 0.25, seed: 1, limit: 40 });
    expect([trainSet.length, valSet.length]).toEqual([30, 10]);
    const all = [...numbers(trainSet), ...numbers(valSet)].sort((a, b) => a - b);
    expect(all).toEqual(Array.from({ length: 40 }, (_, i) => Math.floor((i * 100) / 40)));
  });

  it('refuses a part without images', () => {
    for (const share of [0.001, 0.999])
      expect(() => splitForValidation(set, { share, seed: 1 })).toThrow(
        /Expected a share for --val-split that leaves images for both parts of 100 but received 0\.(001|999)/,
      );
  });
});
