import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { imageFolder } from '../../lib/data/image-folder.js';
import { ArgumentError, DatasetError } from '../../lib/errors.js';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'dyconv-folder-'));
});
afterEach(() => rm(root, { recursive: true }));

type Rgb = { r: number; g: number; b: number };

async function picture(path: string, background: Rgb, width = 20, height = 10): Promise<void> {
  await mkdir(join(root, path, '..'), { recursive: true });
  await sharp({ create: { width, height, channels: 3, background } }).toFile(join(root, path));
}

const red = { r: 200, g: 10, b: 20 };
const blue = { r: 5, g: 15, b: 250 };

test('reads PNG and JPEG by class, in alphabetical order, as planes', async () => {
  await picture('train/zebra/1.png', red);
  await picture('train/ant/b.png', blue);
  await picture('train/ant/a.jpg', blue, 9, 40);
  await picture('test/ant/1.png', red);
  await picture('test/zebra/1.png', red);
  await writeFile(join(root, 'train/ant/notes.txt'), 'no picture');
  const seen: [number, number][] = [];
  const set = await imageFolder({ root, split: 'train', size: 16, onProgress: (...step) => seen.push(step) });
  expect(set).toMatchObject({ name: 'folder', length: 3, classes: ['ant', 'zebra'], shape: [3, 16, 16] });
  expect([...set.labels]).toEqual([0, 0, 1]);
  expect([0, 1, 2].map((i) => set.nameOf?.(i))).toEqual(['ant/a.jpg', 'ant/b.png', 'zebra/1.png']);
  expect(() => set.nameOf?.(3)).toThrow('Expected an integer from 0 to 2 for index but received 3');
  const { image } = set.get(2);
  expect([image[0], image[255], image[256], image[511], image[512], image[767]]).toEqual([
    200, 200, 10, 10, 20, 20,
  ]);
  expect(seen.at(-1)).toEqual([3, 3]);
  expect((await imageFolder({ root, split: 'test', size: 16 })).length).toBe(2);
});

test('a folder without train and test is one set', async () => {
  await picture('ant/1.png', red);
  await picture('bee/1.png', blue);
  expect((await imageFolder({ root, split: 'train' })).shape).toEqual([3, 130, 130]);
});

test('gray, transparent and 16-bit pictures become RGB bytes', async () => {
  await picture('a/1.png', red);
  await mkdir(join(root, 'b'));
  const grey = sharp({ create: { width: 8, height: 8, channels: 3, background: { r: 90, g: 90, b: 90 } } });
  await grey.clone().toColourspace('b-w').png().toFile(join(root, 'b/1.png'));
  await grey.clone().ensureAlpha(0).png().toFile(join(root, 'b/2.png'));
  await grey.clone().toColourspace('rgb16').png().toFile(join(root, 'b/3.png'));
  const set = await imageFolder({ root, split: 'train', size: 8 });
  for (const [index, expected] of [
    [1, 90],
    [2, 0],
    [3, 90],
  ] as const) {
    const values = set.get(index).image;
    for (const value of values) expect(Math.abs(value - expected)).toBeLessThanOrEqual(1);
  }
});

test('an unreadable image is an error that names it, or is skipped and counted', async () => {
  await picture('a/1.png', red);
  await picture('b/2.png', blue);
  await writeFile(join(root, 'a/0.jpg'), 'not a picture');
  const failed = imageFolder({ root, split: 'train', size: 4 });
  await expect(failed).rejects.toThrow(DatasetError);
  await expect(failed).rejects.toThrow(/a\/0\.jpg: cannot be read as an image \(1 of 3 images\)/);
  const skipped: string[] = [];
  const set = await imageFolder({
    root,
    split: 'train',
    size: 4,
    unreadable: 'skip',
    onSkip: (file) => skipped.push(file),
  });
  expect(skipped).toEqual([join(root, 'a/0.jpg')]);
  expect([...set.labels]).toEqual([0, 1]);
  expect([set.nameOf?.(0), set.nameOf?.(1)]).toEqual(['a/1.png', 'b/2.png']);
  expect(set.get(0).image[0]).toBe(200);
  expect(set.get(1).image[0]).toBe(5);
});

test('a truncated JPEG is unreadable; several are counted, and skipped with a warning only when asked', async () => {
  for (const name of ['a/1.jpg', 'a/2.jpg', 'b/3.jpg', 'b/4.jpg']) await picture(name, red, 64, 64);
  for (const name of ['a/2.jpg', 'b/3.jpg']) {
    const bytes = await readFile(join(root, name));
    await writeFile(join(root, name), bytes.subarray(0, Math.floor(bytes.length * 0.8)));
  }
  const seen: number[] = [];
  const failed = imageFolder({ root, split: 'train', size: 4, onProgress: (done) => seen.push(done) });
  await expect(failed).rejects.toThrow(/a\/2\.jpg: cannot be read as an image, and 1 more \(2 of 4 images\)/);
  expect(seen.at(-1)).toBe(4);
  const warning = new Promise<NodeJS.ErrnoException>((resolve) => process.once('warning', resolve));
  const set = await imageFolder({ root, split: 'train', size: 4, unreadable: 'skip' });
  expect(await warning).toMatchObject({ code: 'DYCONV_SKIPPED', message: expect.stringContaining('2 of 4') });
  expect([...set.labels]).toEqual([0, 1]);
  for (const name of ['a/1.jpg', 'b/4.jpg']) await rm(join(root, name));
  await expect(
    imageFolder({ root, split: 'train', size: 4, unreadable: 'skip', onSkip: () => {} }),
  ).rejects.toThrow(new DatasetError(`${root}: none of its 2 images can be read`));
});

test.each([undefined, 0])(
  'a class without readable images is no class to train on: memoryLimit %s',
  async (limit) => {
    for (const name of ['train/a/1.png', 'train/b/1.png', 'test/a/1.png', 'test/b/2.png'])
      await picture(name, red);
    for (const name of ['train/b/1.png', 'test/b/2.png']) await writeFile(join(root, name), 'no picture');
    const options = { root, size: 4, unreadable: 'skip', onSkip: () => {}, memoryLimit: limit } as const;
    await expect(imageFolder({ ...options, split: 'train' })).rejects.toThrow(
      `${root}/train: expected images of every class but found none of b; left out 1 file(s): 1 unreadable`,
    );
    expect((await imageFolder({ ...options, split: 'test' })).length).toBe(1);
    await writeFile(join(root, 'test/a/1.png'), 'no picture');
    await expect(imageFolder({ ...options, split: 'test' })).rejects.toThrow(
      `${root}/test: none of its 2 images can be read`,
    );
    await rm(join(root, 'test/a/1.png'));
    await expect(imageFolder({ ...options, split: 'test' })).rejects.toThrow(
      `${root}/test: its only image cannot be read`,
    );
  },
);

test('a signal stops the reading', async () => {
  for (let i = 0; i < 40; i++) await picture(`${i % 2 ? 'a' : 'b'}/${i}.png`, red);
  const controller = new AbortController();
  let last = 0;
  const onProgress = (done: number) => {
    last = done;
    if (done === 3) controller.abort(new Error('enough'));
  };
  const { signal } = controller;
  await expect(imageFolder({ root, split: 'train', size: 4, onProgress, signal })).rejects.toThrow('enough');
  expect(last).toBeLessThan(40);
  await expect(imageFolder({ root, split: 'train', signal: 'stop' as never })).rejects.toThrow(
    "Expected an AbortSignal for signal but received 'stop'",
  );
});

test('missing and empty folders, and bad options, are errors', async () => {
  await expect(imageFolder({ root: join(root, 'none'), split: 'train' })).rejects.toThrow(DatasetError);
  await mkdir(join(root, 'train/a'), { recursive: true });
  await mkdir(join(root, 'train/b'));
  await expect(imageFolder({ root, split: 'train' })).rejects.toThrow(
    /expected images \(.*\) but found none$/,
  );
  await expect(imageFolder({ root, split: 'test' })).rejects.toThrow(DatasetError);
  await expect(imageFolder({ root, split: 'train', size: 0 })).rejects.toThrow(ArgumentError);
});
