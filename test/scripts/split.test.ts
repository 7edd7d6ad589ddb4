/** Validation images split off the training set. */
import { describe, expect, it } from 'vitest';
import type { ImageDataset, InMemoryDataset } from '../../lib/data/dataset.js';

import { collectWarnings } from '../support/warnings.js';

const load = (path: string) => import(new URL(`../../${path}`, import.meta.url).href);
type Split = { share: number; seed: number; limit?: number };
const { chooseImages, splitForTest, splitForValidation } = (await load('scripts/cli/split.js')) as {
  chooseImages: <S extends ImageDataset>(set: S, options: { count: number; seed: number }) => S;
  splitForTest: <S extends ImageDataset>(
    set: S,
    options?: { source: string },
  ) => { trainSet: S; testSet: S } | null;
  splitForValidation: <S extends ImageDataset>(set: S, options: Split) => { trainSet: S; valSet: S };
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

describe('--calibration', () => {
  it('takes some images that the seed chooses, or all', () => {
    const chosen = chooseImages(set, { count: 12, seed: 1 });
    const found = numbers(chosen);
    expect(found).toHaveLength(12);
    expect(found).toEqual([...new Set(found)].sort((a, b) => a - b));
    expect([...chosen.labels]).toEqual(found.map((i) => labels[i]));
    expect(numbers(chooseImages(set, { count: 12, seed: 1 }))).toEqual(found);
    expect(numbers(chooseImages(set, { count: 12, seed: 2 }))).not.toEqual(found);
    expect(chooseImages(set, { count: 101, seed: 1 })).toBe(set);
  });
});

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

/** A set in which class i has `counts[i]` images; each pixel is the number of its image. */
function setOf(...counts: number[]): InMemoryDataset {
  const labels = counts.flatMap((count, label) => new Array(count).fill(label));
  return createDataset({
    ...{ name: 'folder', split: 'train', classes: counts.map((_, i) => `class ${i}`), shape: [1, 1, 1] },
    ...{ images: Uint8Array.from(labels, (_, i) => i), labels: Uint8Array.from(labels), source: 'few' },
    names: labels.map((_, i) => `${i}.png`),
  });
}

describe('a class of few images', () => {
  it('is trained on, and a warning says that it is not held out', async () => {
    const warnings = collectWarnings();
    // Without this rule the only image of a class is held out in a fifth of the cases.
    const few = setOf(40, ...new Array(20).fill(1));
    const parts = splitForTest(few, { source: 'photos' })!;
    expect(new Set(parts.trainSet.labels).size).toBe(21);
    expect([...new Set(parts.testSet.labels)]).toEqual([0]);
    expect([...numbers(parts.trainSet), ...numbers(parts.testSet)].sort((a, b) => a - b)).toEqual([
      ...Array(60).keys(),
    ]);
    for (let seed = 0; seed < 20; seed++) {
      const { trainSet } = splitForValidation(setOf(9, 1, 2), { share: 0.5, seed });
      expect(new Set(trainSet.labels).size, String(seed)).toBe(3);
    }
    const told = await warnings();
    expect(told[0]).toMatch(
      /^photos: no test images of 20 of 21 classes, which have too few: class 1, class 2, /,
    );
    expect(told[1]).toMatch(/^folder: no validation images of 1 of 3 classes, which have too few: class 1$/);
  });

  it('cannot be split where all have one', () => {
    expect(splitForTest(setOf(1, 1, 1, 1, 1))).toBeNull();
    expect(() => splitForValidation(setOf(1, 1, 1, 1), { share: 0.5, seed: 1 })).toThrow(
      /for --val-split that leaves/,
    );
  });
});

it('a set beyond memory is split into the same images, which are not read', async () => {
  const { images: _, ...lazy } = { ...set, get: async (index: number) => set.get(index) };
  const options = { share: 0.2, seed: 1 };
  const memory = splitForValidation(set, options);
  const parts = splitForValidation<ImageDataset>(lazy, options);
  for (const name of ['trainSet', 'valSet'] as const) {
    const [one, other] = [parts[name], memory[name]];
    expect('images' in one).toBe(false);
    for (const key of ['name', 'split', 'length', 'classes', 'shape'] as const)
      expect(one[key]).toEqual(other[key]);
    expect([...one.labels]).toEqual([...other.labels]);
    for (let i = 0; i < one.length; i++) {
      expect(await one.get(i)).toEqual(other.get(i));
      expect(one.nameOf!(i)).toBe(other.nameOf!(i));
    }
  }
});
