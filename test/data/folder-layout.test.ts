/** The folders of an image folder: which are splits, which are classes, and messages for those that are neither. */
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { imageFolder } from '../../lib/data/image-folder.js';
import type { FolderSplit } from '../../lib/data/picture-files.js';
import { putPictures } from './pictures.js';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'dyconv-layout-'));
});
afterEach(() => rm(root, { recursive: true }));

const put = (...paths: string[]) => putPictures(root, paths);
/** The files of a split, and what was left out. */
async function read(split: FolderSplit, folder = root) {
  const skipped: string[] = [];
  const onSkip = (file: string, reason: string) => skipped.push(`${file.slice(root.length + 1)}: ${reason}`);
  const set = await imageFolder({ root: folder, split, size: 4, onSkip });
  const names = Array.from({ length: set.length }, (_, i) => set.nameOf?.(i));
  return { names, classes: set.classes, skipped: skipped.sort() };
}

describe('the folders of splits', () => {
  it('may be written in upper case', async () => {
    await put('Train/a/1.png', 'Train/b/1.png', 'TEST/a/2.png', 'TEST/b/2.png', 'Validation/b/3.png');
    expect(await read('train')).toEqual({ names: ['a/1.png', 'b/1.png'], classes: ['a', 'b'], skipped: [] });
    expect((await read('test')).names).toEqual(['a/2.png', 'b/2.png']);
    expect((await read('val')).names).toEqual(['b/3.png']);
  });

  it.each([
    [['training_set', 'test_set'], 'test_set and training_set look like splits: name them test and train'],
    [['training', 'testing'], 'testing and training look like splits: name them test and train'],
    [['train-images', 'val'], 'train-images and val look like splits: name them train and val'],
    [['TrainData'], 'TrainData looks like a split: name it train'],
    [['train', 'testing'], 'testing looks like a split: name it test'],
  ])('are an error with other names: %s', async (folders, message) => {
    for (const name of folders) await put(`${name}/a/1.png`, `${name}/b/1.png`);
    await expect(read('train')).rejects.toThrow(`${root}: ${message}`);
  });

  it('are classes where one folder is no split, or has no folders', async () => {
    await put('testing/1.png', 'training/1.png');
    expect((await read('train')).classes).toEqual(['testing', 'training']);
    await put('testing/a/1.png', 'training/a/1.png', 'cat/1.png');
    expect((await read('train')).classes).toEqual(['cat', 'testing', 'training']);
  });

  it('have no other folders and files beside them: these are reported once', async () => {
    await put('train/a/1.png', 'train/b/1.png', 'test/a/2.png', 'test/b/2.png', 'dogs/1.png', 'stray.png');
    expect((await read('train')).skipped).toEqual([
      'dogs: not read: outside of train/ and test/',
      'stray.png: not read: outside of train/ and test/',
    ]);
    expect((await read('test')).skipped).toEqual([]);
  });

  it('are explained where a class is called train', async () => {
    await put('cat/1.png', 'train/1.png');
    await expect(read('train')).rejects.toThrow(
      `${root}: it has a folder train, so its folders are read as splits. To use train as a class, put the class folders into ${root}/train/`,
    );
  });
});

describe('too few class folders', () => {
  it('are counted and named, with the folder that was probably meant', async () => {
    await put('photos/cat/1.png', 'photos/dog/1.png');
    await expect(read('train')).rejects.toThrow(
      `${root}: expected at least 2 class folders but found 1: photos. Did you mean ${root}/photos?`,
    );
    await put('one/cat/1.png');
    const one = join(root, 'one');
    await expect(read('train', one)).rejects.toThrow(
      new RegExp(`^${one}: expected at least 2 class folders but found 1: cat$`),
    );
    await mkdir(join(root, 'none'));
    await expect(read('train', join(root, 'none'))).rejects.toThrow(
      /none: expected at least 2 class folders but found 0$/,
    );
  });

  it('have the reason of the file system where a folder cannot be read', async () => {
    const long = join(root, 'x'.repeat(300));
    await expect(read('train', long)).rejects.toThrow(`${long}: cannot be read: the name is too long`);
  });
});

it('the output folders of trainings are not part of a set', async () => {
  await put('cat/1.png', 'dog/1.png', 'out/curves.png', 'dog/run/curves.png');
  for (const run of ['out', 'dog/run'])
    for (const file of ['config.json', 'metrics.jsonl']) await writeFile(join(root, run, file), '');
  expect(await read('train')).toEqual({
    names: ['cat/1.png', 'dog/1.png'],
    classes: ['cat', 'dog'],
    skipped: ['dog/run: not read: folder of a training', 'out: not read: folder of a training'],
  });
});

describe('an image in two classes', () => {
  it('is an error where a link leads to it', async () => {
    await put('cat/1.png', 'dog/2.png');
    await symlink(join(root, 'cat/1.png'), join(root, 'dog/1.png'));
    await expect(read('train')).rejects.toThrow(
      `${root}/dog/1.png: expected every image in one class, but this link of dog leads to the same file as ${root}/cat/1.png of cat`,
    );
  });

  it('is an error where a folder is linked, also one above', async () => {
    await put('cat/1.png', 'dog/2.png');
    await symlink('..', join(root, 'cat/up'));
    await expect(read('train')).rejects.toThrow(
      `${root}/cat/up/dog/2.png: expected every image in one class, but this link of cat leads to the same file as ${root}/dog/2.png of dog`,
    );
  });

  it('is an error where two links lead to it from outside, and none in one class', async () => {
    await put('store/1.png', 'set/cat/2.png', 'set/dog/2.png');
    for (const name of ['cat/1.png', 'cat/3.png'])
      await symlink(join(root, 'store/1.png'), join(root, 'set', name));
    expect((await read('train', join(root, 'set'))).names).toHaveLength(4);
    await symlink(join(root, 'store'), join(root, 'set/dog/all'));
    await expect(read('train', join(root, 'set'))).rejects.toThrow(/dog\/all\/1\.png: expected every image/);
  });
});
