/** A folder of class folders without train/ and test/: training and evaluation split it in the same way. */
import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { beforeAll, expect, it, vi } from 'vitest';
import type { InMemoryDataset } from '../../lib/data/dataset.js';
import { folder } from './support.js';

type Options = Record<string, unknown>;
const script = (name: string) => import(new URL(`../../scripts/cli/${name}.js`, import.meta.url).href);
const { loadSplits } = (await script('datasets')) as {
  loadSplits: (name: string, options: Options) => Promise<Record<'trainSet' | 'testSet', InMemoryDataset>>;
};
const { loadTestSet } = (await script('evaluation')) as {
  loadTestSet: (config: Options, options: Options) => Promise<InMemoryDataset>;
};

const root = join(folder, 'pictures');
const names = ({ length, nameOf }: InMemoryDataset) => Array.from({ length }, (_, i) => nameOf!(i));
/** The configuration of a run that was trained on the folder. */
const config = {
  ...{ dataset: 'folder', dataDir: root, classes: ['cats', 'dogs'], trainImages: 16, valImages: 4 },
  ...{ valSplit: null, limitTrain: null, imageShape: [3, 130, 130] },
};

beforeAll(async () => {
  for (const [name, background] of [
    ['cats', '#336699'],
    ['dogs', '#996633'],
  ] as const) {
    mkdirSync(join(root, name), { recursive: true });
    for (let i = 0; i < 10; i++) {
      const create = { width: 8 + i, height: 8, channels: 3 as const, background };
      await sharp({ create })
        .png()
        .toFile(join(root, name, `${i}.png`));
    }
  }
});

async function quietly<T>(action: () => Promise<T>): Promise<[result: T, told: string]> {
  const spy = vi.spyOn(console, 'error').mockImplementation(() => {});
  try {
    const result = await action();
    return [result, spy.mock.calls.flat().join('\n')];
  } finally {
    spy.mockRestore();
  }
}

it('is split into parts without common images, the same share of every class', async () => {
  const [{ trainSet, testSet }, told] = await quietly(() => loadSplits('folder', { root }));
  expect(told).toMatch(
    /pictures has no folders train\/ and test\/: 20 % of the images, 4 of 20, are used as test images$/,
  );
  expect([...names(trainSet), ...names(testSet)].sort()).toEqual(
    ['cats', 'dogs'].flatMap((name) => Array.from({ length: 10 }, (_, i) => `${name}/${i}.png`)),
  );
  expect([...testSet.labels].sort()).toEqual([0, 0, 1, 1]);
  const [again] = await quietly(() => loadSplits('folder', { root }));
  expect(names(again.testSet)).toEqual(names(testSet));
});

it('is evaluated on the images that were not trained on', async () => {
  const [{ testSet }] = await quietly(() => loadSplits('folder', { root }));
  expect(names((await quietly(() => loadTestSet(config, {})))[0])).toEqual(names(testSet));
  const split = { ...config, trainImages: 12, valImages: 4, valSplit: 0.25 };
  expect(names((await quietly(() => loadTestSet(split, { root })))[0])).toEqual(names(testSet));
});

it('is not evaluated where images were added or removed since', async () => {
  const changed = { ...config, trainImages: 24 };
  await expect(quietly(() => loadTestSet(changed, {}))).rejects.toThrow(
    /pictures: expected 24 training images, as when the run was trained, but found 16\. Changed images/,
  );
});

it('is evaluated completely if the run was trained on another folder', async () => {
  const [set, told] = await quietly(() => loadTestSet({ ...config, dataDir: 'elsewhere' }, { root }));
  expect(set.length).toBe(20);
  expect(told).toBe('');
});

it('is not split where it has both parts, and refused where it is too small', async () => {
  const both = join(folder, 'both');
  for (const part of ['train', 'test']) cpSync(root, join(both, part), { recursive: true });
  const [{ trainSet, testSet }, told] = await quietly(() => loadSplits('folder', { root: both }));
  expect([trainSet.length, testSet.length, told]).toEqual([20, 20, '']);
  const small = join(folder, 'small');
  cpSync(root, small, { recursive: true });
  for (const name of ['cats', 'dogs']) for (let i = 1; i < 10; i++) rmSync(join(small, name, `${i}.png`));
  await expect(loadSplits('folder', { root: small })).rejects.toThrow(
    /Expected .*small\/train\/<class>\/ and .*small\/test\/<class>\/, or more images to split, but found 2 in /,
  );
});
