/** What the commands find out about image files before and after they are decoded: one listing, equal images, forgotten options. */
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { ImageDataset } from '../../lib/data/dataset.js';
import type { imageFolder as ImageFolder } from '../../lib/data/image-folder.js';
import { folder } from './support.js';

// The scripts use the compiled package, which cannot be loaded beside the sources.
const { imageFolder } = (await import(new URL('../../dist/data/image-folder.js', import.meta.url).href)) as {
  imageFolder: typeof ImageFolder;
};
const script = (name: string) => import(new URL(`../../scripts/cli/${name}.js`, import.meta.url).href);
const { sameImages } = (await script('same-images')) as {
  sameImages: (splits: Record<string, ImageDataset>) => Promise<{ images: string[]; problem: string }[]>;
};
const { listingOf, loadSplits } = (await script('datasets')) as {
  listingOf: (name: string, options: object) => object;
  loadSplits: (name: string, options: object) => Promise<Record<'trainSet' | 'testSet', ImageDataset>>;
};
const { checkDatasetGiven } = (await script('data-place')) as {
  checkDatasetGiven: (options: { dataDir: string }, given: ReadonlySet<string>) => Promise<void>;
};

const root = join(folder, 'listed');
const picture = (background: string, width = 8) =>
  sharp({ create: { width, height: 8, channels: 3, background } })
    .png()
    .toBuffer();

beforeAll(async () => {
  vi.spyOn(console, 'error').mockImplementation(() => {});
  for (const [i, name] of [
    'train/a/1',
    'train/a/2',
    'train/b/1',
    'train/b/2',
    'test/a/1',
    'test/b/1',
  ].entries()) {
    mkdirSync(join(root, name, '..'), { recursive: true });
    writeFileSync(join(root, `${name}.png`), await picture(`rgb(${40 * i}, 0, 0)`, 8 + i));
  }
});
afterAll(() => vi.restoreAllMocks());

/** A copy of the folder with other files. */
function copy(name: string, files: Record<string, Uint8Array> = {}): string {
  const path = join(folder, name);
  cpSync(root, path, { recursive: true });
  for (const [file, bytes] of Object.entries(files)) writeFileSync(join(path, file), bytes);
  return path;
}
const splitsOf = async (path: string, memoryLimit?: number) => ({
  train: await imageFolder({ root: path, split: 'train', size: 8, memoryLimit: memoryLimit! }),
  test: await imageFolder({ root: path, split: 'test', size: 8, memoryLimit: memoryLimit! }),
});

describe('a listing', () => {
  it.each(['folder', 'manifest'])('of a %s is what its images are loaded from, once', async (kind) => {
    const path = copy(`once, ${kind}`);
    const rows = ['a/1', 'a/2', 'b/1', 'b/2'].flatMap((name, i) => {
      const [label] = name.split('/');
      return [`train/${name}.png,${label},train`, ...(i % 2 === 0 ? [`test/${name}.png,${label},test`] : [])];
    });
    const list = join(path, 'list.csv');
    writeFileSync(list, `path,label,split\n${rows.join('\n')}\n`);
    const place = kind === 'folder' ? path : list;
    const listing = listingOf(kind, { root: place }) as { find: (split: string) => Promise<object> };
    const found = await listing.find('train');
    // What is added after the listing is not seen.
    writeFileSync(join(path, 'train/a/9.png'), await picture('#00f'));
    writeFileSync(list, `path,label,split\n${rows.join('\n')}\ntrain/a/9.png,a,train\n`);
    expect(await listing.find('train')).toBe(found);
    const before = await loadSplits(kind, { root: place, listing });
    expect([before.trainSet.length, before.testSet.length]).toEqual([4, 2]);
    expect((await loadSplits(kind, { root: place })).trainSet.length).toBe(5);
  });
});

describe('equal images', () => {
  it.each([undefined, 0])('are found in memory and beyond (%s bytes)', async (memoryLimit) => {
    const [one, other] = [await picture('#0f0'), await picture('#00f')];
    const path = copy(`equal, ${memoryLimit}`, { 'train/a/2.png': one, 'test/b/7.png': one });
    expect(await sameImages(await splitsOf(path, memoryLimit))).toMatchObject([{ problem: 'two classes' }]);
    writeFileSync(join(path, 'test/b/7.png'), other);
    writeFileSync(join(path, 'test/a/7.png'), one);
    writeFileSync(join(path, 'train/b/8.png'), other);
    expect(await sameImages(await splitsOf(path, memoryLimit))).toEqual([
      { images: ['train: a/2.png', 'test: a/7.png'], problem: 'two splits' },
      { images: ['train: b/8.png', 'test: b/7.png'], problem: 'two splits' },
    ]);
    expect(await sameImages(await splitsOf(root, memoryLimit))).toEqual([]);
  });

  it('of another file are found in memory alone, as a set beyond memory is not decoded', async () => {
    const create = { width: 8, height: 8, channels: 3, background: '#0f0' } as const;
    const files = {
      'train/b/2.png': await picture('#0f0'),
      'test/b/7.png': await sharp({ create }).webp({ lossless: true }).toBuffer(),
    };
    const path = copy('other file', files);
    const found = [{ images: ['train: b/2.png', 'test: b/7.png'], problem: 'two splits' }];
    expect(await sameImages(await splitsOf(path))).toEqual(found);
    expect(await sameImages(await splitsOf(path, 0))).toEqual([]);
  });

  it('of a set beyond memory are found without decoding, and a missing file is an error', async () => {
    const path = copy('lengths');
    const splits = await splitsOf(path, 0);
    const get = vi.spyOn(splits.train, 'get');
    expect(await sameImages(splits)).toEqual([]);
    expect(get).not.toHaveBeenCalled();
    rmSync(join(path, 'train/a/1.png'));
    await expect(sameImages(splits)).rejects.toThrow(/train.a.1\.png: cannot be read: .*no such file/);
  });

  it('of more than 48 KiB that differ where no sample is taken are not equal', async () => {
    // Uncompressed, so that one pixel changes one byte.
    const tiff = (value: number) => {
      const pixels = new Uint8Array(3 * 256 * 256);
      pixels[60_000] = value;
      return sharp(pixels, { raw: { width: 256, height: 256, channels: 3 } })
        .tiff({ compression: 'none' })
        .toBuffer();
    };
    const [one, other] = [await tiff(1), await tiff(2)];
    expect(other.length).toBe(one.length);
    const files = { 'train/a/8.tiff': one, 'train/b/8.tiff': other };
    expect(await sameImages(await splitsOf(copy('large', files), 0))).toEqual([]);
    const same = copy('large and equal', { ...files, 'train/b/8.tiff': one });
    expect(await sameImages(await splitsOf(same, 0))).toEqual([
      { images: ['train: a/8.tiff', 'train: b/8.tiff'], problem: 'two classes' },
    ]);
  });
});

describe('a place of images without --dataset', () => {
  const check = (dataDir: string, ...given: string[]) =>
    checkDatasetGiven({ dataDir }, new Set(['dataDir', ...given]));

  it.each([
    ['with splits', root],
    ['without splits', join(root, 'train')],
    ['with splits in upper case', 'TRAIN'],
  ])('is an error: a folder %s', async (_, path) => {
    const place = path === 'TRAIN' ? join(folder, 'upper') : path;
    if (path === 'TRAIN') cpSync(join(root, 'train'), join(place, 'Train'), { recursive: true });
    await expect(check(place)).rejects.toThrow(/ has folders of images: add --dataset folder$/);
    await expect(check(place, 'dataset')).resolves.toBeUndefined();
  });

  it('is an error: a manifest', async () => {
    await expect(check('list.csv')).rejects.toThrow('list.csv is a list of images: add --dataset manifest');
  });

  it('is none: a folder of archives, an empty or a missing one, one class, a folder without images', async () => {
    const place = join(folder, 'archives');
    for (const name of ['cifar-10-batches-bin', 'MNIST/raw'])
      mkdirSync(join(place, name), { recursive: true });
    writeFileSync(join(place, 'cifar-10-batches-bin/data_batch_1.bin'), '');
    for (const path of [place, join(folder, 'nosuch'), join(root, 'train/a')])
      await expect(check(path)).resolves.toBeUndefined();
  });
});
