/** A folder of class folders without train/ and test/: training and evaluation split it in the same way. */
import { cpSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import type { InMemoryDataset } from '../../lib/data/dataset.js';
import { folder } from './support.js';

type Options = Record<string, unknown>;
const script = (name: string) => import(new URL(`../../scripts/cli/${name}.js`, import.meta.url).href);
const { loadSplits } = (await script('datasets')) as {
  loadSplits: (name: string, options: Options) => Promise<Record<'trainSet' | 'testSet', InMemoryDataset>>;
};
const { findTestImages, loadTestSet } = (await script('run-images')) as {
  findTestImages: (config: Options, options: Options) => Promise<{ set: InMemoryDataset; isOwn: boolean }>;
  loadTestSet: (config: Options, options: Options) => Promise<InMemoryDataset>;
};
const { digestsOf } = (await script('image-digests')) as { digestsOf: (sets: object) => Promise<Options> };

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

/** The configuration of a run that was trained on the folder. */
async function trained(): Promise<Options> {
  const [sets] = await quietly(() => loadSplits('folder', { root }));
  return { ...config, ...(await digestsOf(sets)) };
}

/** A copy of the folder, changed. */
function copy(name: string, change: (path: string) => void = () => {}): string {
  const path = join(folder, name);
  cpSync(root, path, { recursive: true });
  change(path);
  return path;
}

it('is evaluated on the images that were not trained on', async () => {
  const [{ testSet }] = await quietly(() => loadSplits('folder', { root }));
  const run = await trained();
  expect(names((await quietly(() => loadTestSet(run, {})))[0])).toEqual(names(testSet));
  const split = { ...run, trainImages: 12, valImages: 4, valSplit: 0.25 };
  expect(names((await quietly(() => loadTestSet(split, { root })))[0])).toEqual(names(testSet));
});

it('is split by the names: an image that is renamed changes sides alone', async () => {
  const [before] = await quietly(() => loadSplits('folder', { root }));
  const sideOf = (sets: typeof before, name: string) =>
    names(sets.trainSet).includes(name) ? 'train' : 'test';
  const others = [...names(before.trainSet), ...names(before.testSet)];
  let exchanged = 0;
  for (let i = 0; i < 10; i++) {
    const renamed = copy(`renamed-${i}`, (path) =>
      renameSync(join(path, 'cats/4.png'), join(path, `cats/a${i}.png`)),
    );
    const [after] = await quietly(() => loadSplits('folder', { root: renamed }));
    expect(after.testSet.length).toBe(4);
    const moved = others.filter(
      (name) => name !== 'cats/4.png' && sideOf(after, name) !== sideOf(before, name),
    );
    // Where the renamed image comes to be the one of the two, another one makes room for it.
    expect(moved.length, String(moved)).toBeLessThanOrEqual(1);
    exchanged += moved.length;
  }
  expect(exchanged).toBeLessThan(10);
});

it('is recognized under another path, and split', async () => {
  const run = await trained();
  const [own] = await quietly(() => findTestImages(run, {}));
  const link = join(folder, 'link');
  symlinkSync(root, link);
  for (const place of [link, copy('moved'), `${root}/../pictures/`]) {
    const [found] = await quietly(() => findTestImages(run, { root: place }));
    expect([names(found.set), found.isOwn]).toEqual([names(own.set), true]);
    // Older runs know the place alone.
    const [old] = await quietly(() => findTestImages(config, { root: place }));
    expect(old.isOwn, place).toBe(place !== join(folder, 'moved'));
  }
});

it.each([
  ['renamed', (path: string) => renameSync(join(path, 'cats/1.png'), join(path, 'cats/one.png'))],
  [
    'exchanged for another one',
    (path: string) => renameSync(join(path, 'cats/1.png'), join(path, 'dogs/x.png')),
  ],
  ['removed', (path: string) => rmSync(join(path, 'dogs/2.png'))],
])('is not evaluated in its place where an image was %s since', async (what, change) => {
  const run = { ...(await trained()), dataDir: copy(`place, ${what}`, change) };
  await expect(quietly(() => loadTestSet(run, {}))).rejects.toThrow(
    /place, .*: expected the images that the run was trained with but found others: images were added, removed or renamed/,
  );
});

describe('where the contents of an image have changed under its name', () => {
  const other = sharp({ create: { width: 9, height: 9, channels: 3, background: '#00ff00' } }).png();
  const changed = async (of: 'trainSet' | 'testSet', name: string) => {
    const [sets] = await quietly(() => loadSplits('folder', { root }));
    const image = await other.toBuffer();
    return copy(name, (path) => writeFileSync(join(path, sets[of].nameOf!(0)), image));
  };

  it('a test image is measured, but not as one of the training', async () => {
    const run = await trained();
    const [own] = await quietly(() => findTestImages(run, {}));
    const place = await changed('testSet', 'content of a test image');
    for (const [config, options] of [
      [run, { root: place }],
      [{ ...run, dataDir: place }, {}],
    ] as const) {
      const [found, told] = await quietly(() => findTestImages(config, options));
      expect([names(found.set), found.isOwn]).toEqual([names(own.set), false]);
      expect(told).toMatch(
        /: the contents of test images differ from those in the training: comparisons and reports leave the result out$/,
      );
    }
    // Runs without digests of the contents know the names alone.
    const { contentDigests: _, ...old } = run;
    expect((await quietly(() => findTestImages(old, { root: place })))[0].isOwn).toBe(true);
  });

  it('a training image changes nothing for the test images', async () => {
    const place = await changed('trainSet', 'content of a training image');
    const [{ isOwn }] = await quietly(async () => findTestImages(await trained(), { root: place }));
    expect(isOwn).toBe(true);
  });

  it('in a folder with splits, the test images are not those of the training', async () => {
    const both = join(folder, 'with splits');
    for (const part of ['train', 'test']) cpSync(root, join(both, part), { recursive: true });
    const [sets] = await quietly(() => loadSplits('folder', { root: both }));
    const run = { ...config, dataDir: both, ...(await digestsOf(sets)) };
    expect((await quietly(() => findTestImages(run, {})))[0].isOwn).toBe(true);
    writeFileSync(join(both, 'test/cats/1.png'), await other.toBuffer());
    const [{ isOwn }, told] = await quietly(() => findTestImages(run, {}));
    expect([isOwn, told.match(/these are not the test images of the training/)?.length]).toEqual([false, 1]);
  });

  it.each([undefined, 0])('is noticed in memory and beyond (%s bytes)', async (memoryLimit) => {
    const [sets] = await quietly(() => loadSplits('folder', { root, memoryLimit }));
    expect(await digestsOf(sets)).toEqual(
      await digestsOf((await quietly(() => loadSplits('folder', { root })))[0]),
    );
    const place = await changed('trainSet', `content, ${memoryLimit}`);
    const [after] = await quietly(() => loadSplits('folder', { root: place, memoryLimit }));
    const [a, b] = [await digestsOf(sets), await digestsOf(after)] as Record<
      string,
      Record<string, string>
    >[];
    expect(b!.imageDigests).toEqual(a!.imageDigests);
    expect(b!.contentDigests!.test).toBe(a!.contentDigests!.test);
    expect(b!.contentDigests!.train).not.toBe(a!.contentDigests!.train);
  });
});

it('is not evaluated where images were added or removed since an older run', async () => {
  const changed = { ...config, trainImages: 24 };
  await expect(quietly(() => loadTestSet(changed, {}))).rejects.toThrow(
    /pictures: expected 24 training images, as when the run was trained, but found 16\. Changed images/,
  );
});

it('is evaluated completely, with a message, if the run was trained on other images', async () => {
  const other = copy('other', (path) => rmSync(join(path, 'cats/0.png')));
  const run = await trained();
  const [{ set, isOwn }, told] = await quietly(() => findTestImages(run, { root: other }));
  expect([set.length, isOwn]).toEqual([19, false]);
  expect(told).toMatch(
    /other: all 19 images are used for testing; they must not have been used in training$/,
  );
  const old = { ...config, dataDir: join(folder, 'elsewhere') };
  const [whole, message] = await quietly(() => findTestImages(old, { root }));
  expect([whole.set.length, whole.isOwn]).toEqual([20, false]);
  expect(message).toMatch(/pictures: all 20 images are used for testing; they must not/);
});

it('says when the images are those of the training', async () => {
  const [{ trainSet, testSet }] = await quietly(() => loadSplits('folder', { root }));
  const part = join(folder, 'part');
  for (const name of names(trainSet)) cpSync(join(root, name), join(part, name));
  const run = await trained();
  const [found, told] = await quietly(() => findTestImages(run, { root: part }));
  expect([found.set.length, found.isOwn]).toEqual([16, false]);
  expect(told).toMatch(/part: all 16 images are used for testing; they are the training images of the run$/);
  const tests = join(folder, 'tests');
  for (const name of names(testSet)) cpSync(join(root, name), join(tests, name));
  expect((await quietly(() => findTestImages(run, { root: tests })))[0].isOwn).toBe(true);
});

it('names the place where the images of the training were', async () => {
  const gone = { ...config, dataDir: 'gone' };
  await expect(loadTestSet(gone, {})).rejects.toThrow(
    /^Cannot find \/.*\/gone, where the images were in the training: pass their folder with --data-dir$/,
  );
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
