/** Images and classes of a folder: the same labels in both splits, and a message for everything that is skipped. */
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { data } from '../../lib/index.js';
import { putPictures } from './pictures.js';

let root: string;
const warnings: NodeJS.ErrnoException[] = [];
const listener = (warning: Error) => void warnings.push(warning);
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'dyconv-classes-'));
  warnings.length = 0;
  process.on('warning', listener);
});
afterEach(async () => {
  process.off('warning', listener);
  await rm(root, { recursive: true });
});

const put = (...paths: string[]) => putPictures(root, paths);
const read = (split: data.FolderSplit, options: Partial<Omit<data.ImageFolderOptions, 'memoryLimit'>> = {}) =>
  data.imageFolder({ root, split, size: 4, ...options });
/** Warnings are emitted on the next tick. */
const warned = async (code: string) => {
  await new Promise((resolve) => setImmediate(resolve));
  return warnings.filter((warning) => warning.code === code).map(({ message }) => message);
};

describe('the labels of a test split', () => {
  it.each([
    ['the first class', ['bee', 'cat'], [1, 2]],
    ['a class in the middle', ['ant', 'cat'], [0, 2]],
    ['the last class', ['ant', 'bee'], [0, 1]],
  ])('are those of training where %s is missing, and a warning says so', async (_, present, labels) => {
    await put('train/ant/1.png', 'train/bee/1.png', 'train/cat/1.png');
    await put(...present.map((name) => `test/${name}/1.png`));
    const set = await read('test');
    expect(set.classes).toEqual(['ant', 'bee', 'cat']);
    expect([...set.labels]).toEqual(labels);
    const [missing] = ['ant', 'bee', 'cat'].filter((name) => !present.includes(name));
    expect(await warned('DYCONV_CLASSES')).toEqual([
      `${join(root, 'test')}: no images of 1 of 3 classes: ${missing}`,
    ]);
  });

  it('are refused for names that training does not have, with both lists', async () => {
    await put('train/cat/1.png', 'train/dog/1.png', 'test/Cat/1.png', 'test/dogs/1.png');
    await expect(read('test')).rejects.toThrow(
      `${join(root, 'test')}: expected the 2 classes cat, dog but found 2: Cat, dogs ` +
        '(not expected: Cat, dogs; missing: cat, dog)',
    );
  });

  it('are counted by names that are given, such as those of a run', async () => {
    await put('test/dog/1.png', 'test/ant/1.png');
    const classes = ['zebra', 'dog', 'ant'];
    expect([...(await read('test', { classes })).labels]).toEqual([1, 2]);
    const set = await data.create('folder', { root, split: 'test', classes });
    expect([set.classes, [...set.labels]]).toEqual([classes, [1, 2]]);
    await expect(read('test', { classes: ['ant', 'zebra'] })).rejects.toThrow(/not expected: dog; missing/);
    await expect(read('test', { classes: [1] as never })).rejects.toThrow('an array of names for classes');
  });
});

describe('a folder of validation images', () => {
  it.each(['val', 'valid', 'validation'])('may be called %s; it has the labels of training', async (name) => {
    await put('train/ant/1.png', 'train/bee/1.png', 'test/bee/1.png', 'test/bee/2.png', `${name}/bee/1.png`);
    const val = await read('val');
    expect([val.length, val.classes, [...val.labels]]).toEqual([1, ['ant', 'bee'], [1]]);
    expect((await data.create('folder', { root, split: 'val', size: 4 })).shape).toEqual([3, 4, 4]);
    expect((await read('test')).length).toBe(2);
    await rm(join(root, 'test'), { recursive: true });
    expect((await read('test')).length).toBe(1); // there are no other images to test with
  });

  it('is a class without train and test, and is not there for other sets', async () => {
    await put('val/1.png', 'ant/1.png');
    expect((await read('train')).classes).toEqual(['ant', 'val']);
    await expect(data.create('bundled', { split: 'val' })).rejects.toThrow(
      "Expected 'train' or 'test' for split",
    );
    await expect(read('dev' as never)).rejects.toThrow(/Expected .*'val'.* for split but received 'dev'/);
  });
});

it('other sets are compared with the names that are expected', async () => {
  const { classes } = await data.create('bundled', { split: 'test' });
  expect((await data.create('bundled', { split: 'test', classes })).length).toBe(500);
  const turned = data.create('bundled', { split: 'test', classes: classes.toReversed() });
  await expect(turned).rejects.toThrow(/^bundled \(test\): expected the 10 classes .*another order\)$/);
});

it('a class without pictures is no class to train on', async () => {
  await put('train/ant/1.png', 'train/bee/1.bmp', 'train/cat/1.png', 'train/cat/2.heic');
  await expect(read('train')).rejects.toThrow(
    /none of bee; left out 2 file\(s\): 1 \.bmp, 1 \.heic \(\.bmp, \.heic: not decoded, convert to PNG or JPEG\)$/,
  );
});

describe('an entry of a folder', () => {
  it('is read through links, in folders of any depth, of every ending', async () => {
    await put(
      'store/1.png',
      'single.png',
      'set/ant/deep/er/2.PNG',
      'set/ant/1.jpeg',
      'set/cat/x.tif',
      'set/cat/y.gif',
    );
    await symlink(join(root, 'store'), join(root, 'set/bee'));
    await symlink(join(root, 'single.png'), join(root, 'set/cat/z.webp'));
    await symlink(join(root, 'set/ant'), join(root, 'set/ant/deep/back')); // a cycle, which must not be followed
    const set = await read('train', { root: join(root, 'set') });
    expect(set.classes).toEqual(['ant', 'bee', 'cat']);
    expect(Array.from({ length: set.length }, (_, i) => set.nameOf?.(i))).toEqual([
      'ant/1.jpeg',
      'ant/deep/er/2.PNG',
      'bee/1.png',
      'cat/x.tif',
      'cat/y.gif',
      'cat/z.webp',
    ]);
    expect(await warned('DYCONV_LEFT_OUT')).toEqual([]);
  });

  it('that is skipped is reported by kind and number, or file by file', async () => {
    await put(
      'ant/1.png',
      'ant/2.bmp',
      'ant/3.BMP',
      'bee/1.png',
      'bee/notes',
      'stray.png',
      'ant/.hidden.png',
    );
    execFileSync('mkfifo', [join(root, 'bee/pipe.png')]);
    const set = await read('train');
    expect(set.length).toBe(2);
    expect(await warned('DYCONV_LEFT_OUT')).toEqual([
      `${root}: left out 5 file(s): 2 .bmp, 1 outside of a class folder, 1 without a file extension, 1 not a regular file ` +
        '(.bmp: not decoded, convert to PNG or JPEG)',
    ]);
    const skipped: string[] = [];
    await read('train', { onSkip: (file, reason) => skipped.push(`${file.slice(root.length)} ${reason}`) });
    expect(skipped.sort()).toEqual([
      '/ant/2.bmp images .bmp are not decoded: convert to PNG or JPEG',
      '/ant/3.BMP images .bmp are not decoded: convert to PNG or JPEG',
      '/bee/notes not read: without a file extension',
      '/bee/pipe.png not read: not a regular file',
      '/stray.png not read: outside of a class folder',
    ]);
    expect(await warned('DYCONV_LEFT_OUT')).toHaveLength(1);
  });

  it('that is hidden, a resource fork or a preview of the system is ignored', async () => {
    await put(
      'ant/1.png',
      'bee/1.png',
      'ant/._1.png',
      '.DS_Store',
      '._ant',
      '.git/1.png',
      'bee/.thumbs/1.png',
    );
    await put(
      '__MACOSX/ant/._1.png',
      '@eaDir/ant/1.png',
      'ant/@eaDir/1.png/thumb.jpg',
      'ant/Thumbs.db',
      'desktop.ini',
    );
    const set = await read('train');
    expect([set.classes, set.length]).toEqual([['ant', 'bee'], 2]);
    expect(await warned('DYCONV_LEFT_OUT')).toEqual([]);
  });

  it('is decoded whatever its format: TIFF, GIF, AVIF, WebP, PNG, JPEG', async () => {
    const image = sharp({ create: { width: 9, height: 9, channels: 3, background: '#c02040' } });
    const formats = { tif: 'tiff', gif: 'gif', avif: 'avif', webp: 'webp', png: 'png', jpg: 'jpeg' } as const;
    await put('b/1.png');
    await mkdir(join(root, 'a'));
    for (const [ending, format] of Object.entries(formats))
      await writeFile(join(root, `a/x.${ending}`), await image.clone().toFormat(format).toBuffer());
    const set = await read('train');
    expect(set.length).toBe(7);
    for (let i = 0; i < 6; i++) {
      const colour = [0, 16, 32].map((at) => set.get(i).image[at]!);
      for (const [c, level] of [0xc0, 0x20, 0x40].entries())
        expect(Math.abs(colour[c]! - level), set.nameOf!(i)).toBeLessThanOrEqual(4);
    }
  });

  it('that is a dangling link cannot be read', async () => {
    await put('ant/1.png', 'bee/1.png');
    await symlink(join(root, 'gone.png'), join(root, 'bee/2.png'));
    await expect(read('train')).rejects.toThrow(/bee\/2\.png: cannot be read as an image \(1 of 3/);
  });

  it('cannot put control sequences into a warning', async () => {
    await put('train/ant/1.png', 'train/b/1.png', 'test/ant/1.png');
    await rename(join(root, 'train/b'), join(root, 'train/b\u001b[2Jee'));
    await read('test');
    expect(await warned('DYCONV_CLASSES')).toEqual([
      `${join(root, 'test')}: no images of 1 of 2 classes: b\\x1b[2Jee`,
    ]);
  });
});
