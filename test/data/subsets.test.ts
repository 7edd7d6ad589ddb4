import { describe, expect, it } from 'vitest';
import { ArgumentError, DatasetError, data } from '../../lib/index.js';

const labels = Array.from({ length: 100 }, (_, i) => (i < 80 ? 0 : i < 95 ? 1 : 2));
const set: data.Dataset<number> = {
  length: 100,
  classes: ['many', 'some', 'few'],
  labels,
  get: (i) => i,
  nameOf: (i) => `s${i}`,
};
const all = Array.from({ length: 100 }, (_, i) => i);

describe('randomSplit', () => {
  it('assigns every sample to one part, by the seed', () => {
    const parts = data.randomSplit(set, [0.7, 0.2, 0.1], { seed: 4 });
    expect(parts.map(({ length }) => length)).toEqual([70, 20, 10]);
    const indices = parts.flatMap(({ indices }) => indices);
    expect(indices).not.toEqual(all);
    expect([...indices].sort((a, b) => a - b)).toEqual(all);
    expect(data.randomSplit(set, [0.7, 0.2, 0.1], { seed: 4 })[1]!.indices).toEqual(parts[1]!.indices);
    expect(data.randomSplit(set, [0.7, 0.2, 0.1], { seed: 5 })[1]!.indices).not.toEqual(parts[1]!.indices);
  });

  it.each([
    [10, [0.9, 0.1], [9, 1]],
    [10, [1 / 3, 1 / 3, 1 / 3], [4, 3, 3]], // the remainder is distributed from the first on, as in PyTorch
    [10, [0.1, 0.2, 0.7], [1, 2, 7]],
    [10, [3, 7], [3, 7]],
    [10, [1], [10]],
    [1, [1], [1]],
  ])('of %d by %j is %j', (length, lengths, counts) => {
    const parts = data.randomSplit({ length, get: (i: number) => i }, lengths);
    expect(parts.map((part) => part.length)).toEqual(counts);
  });

  it('stratified gives every part the same share of every class', () => {
    for (const seed of [0, 1, 2, 3]) {
      const [train, val] = data.randomSplit(set, [0.8, 0.2], { seed, stratify: true });
      expect([train!.length, val!.length]).toEqual([80, 20]);
      const counts = [0, 1, 2].map((label) => Array.from(val!.labels!).filter((one) => one === label).length);
      for (const [label, share] of [16, 3, 1].entries())
        expect(Math.abs(counts[label]! - share)).toBeLessThanOrEqual(1);
      expect([...train!.indices, ...val!.indices].sort((a, b) => a - b)).toEqual(all);
    }
  });

  it('refuses what does not add up, and strata without labels', () => {
    const expected = 'shares that add up to 1, or integers that add up to 100 for lengths';
    for (const lengths of [[0.5, 0.4], [50, 49], [], [-1, 2], [Number.NaN, 1], [1.5, 98.5]])
      expect(() => data.randomSplit(set, lengths)).toThrow(expected);
    const bare = { length: 2, get: () => 0 };
    expect(() => data.randomSplit(bare, [1, 1], { stratify: true })).toThrow('2 labels, for stratify');
    expect(() => data.randomSplit(set, [1], { seed: 0.5 })).toThrow(ArgumentError);
    expect(() => data.randomSplit(set, [1], { stratified: true } as never)).toThrow(ArgumentError);
  });
});

describe('Subset', () => {
  it('is the samples of its indices, with names and labels', () => {
    const part = data.subset(set, [99, 0, 85]);
    expect(part).toBeInstanceOf(data.Subset);
    expect([part.length, part.classes, part.labels]).toEqual([3, set.classes, [2, 0, 1]]);
    expect([part.get(0), part.nameOf!(2)]).toEqual([99, 's85']);
    expect(data.subset(part, Uint8Array.of(1)).get(0)).toBe(0);
    expect(() => part.get(3)).toThrow('an integer from 0 to 2 for index but received 3');
    expect(() => data.subset(set, [1, 100])).toThrow(
      'an integer from 0 to 99 for indices[1] but received 100',
    );
  });

  it('of a set in memory is loaded, described and drawn like one', async () => {
    const clothes = await data.bundled({ split: 'test' });
    const part = data.subset(clothes, [7, 3]);
    const transform = data.transforms.test({ size: 28 });
    for await (const { images, labels } of data.loader(part, { batchSize: 2, transform })) {
      expect(images.shape).toEqual([2, 3, 28, 28]);
      expect(Array.from(labels.dataSync(), Number)).toEqual([clothes.labels[7], clothes.labels[3]]);
      const level = Number(images.dataSync()[400]) * 0.5 + 0.5;
      expect(Math.round(level * 255)).toBe(clothes.get(7).image[400]);
    }
  });
});

describe('ConcatDataset', () => {
  it('puts sets behind each other', () => {
    const both = data.concat([data.subset(set, [5, 90]), set]);
    expect(both).toBeInstanceOf(data.ConcatDataset);
    expect([both.length, both.get(1), both.get(2), both.nameOf!(101)]).toEqual([102, 90, 0, 's99']);
    expect(Array.from(both.labels!).slice(0, 3)).toEqual([0, 1, 0]);
    expect(() => both.get(102)).toThrow(ArgumentError);
  });

  it('refuses sets of other classes, and none', () => {
    const other = { ...set, classes: ['many', 'few', 'some'] };
    expect(() => data.concat([set, other])).toThrow(DatasetError);
    expect(() => data.concat([set, other])).toThrow(/datasets\[1\]: expected the 3 classes many, some, few/);
    expect(() => data.concat([])).toThrow('at least one data set for datasets');
  });
});
