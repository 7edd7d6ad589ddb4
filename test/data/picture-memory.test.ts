/** Sets of image files beyond their memory limit: the same images, decoded when they are read. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { inspect } from 'node:util';
import { crc32, deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isInMemory } from '../../lib/data/dataset.js';
import { Random } from '../../lib/data/random.js';
import { DatasetError, data } from '../../lib/index.js';
import { png } from './streams.js';

const SIZE = 20;
const BYTES = 3 * SIZE * SIZE;
let root: string;
const put = async (path: string, content: Uint8Array | string) => {
  await mkdir(join(root, dirname(path)), { recursive: true });
  await writeFile(join(root, path), content);
};
const read = (folder: string, options: Partial<data.ImageFolderOptions> = {}) =>
  data.imageFolder({ root: join(root, folder), split: 'train', size: SIZE, ...options });

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'dyconv-memory-'));
  const random = new Random(4);
  for (let i = 0; i < 12; i++) {
    const [width, height] = [16 + 3 * i, 40 - 2 * i];
    const pixels = Buffer.from(Array.from({ length: 3 * width * height }, () => random.below(256)));
    const jpeg = await sharp(pixels, { raw: { width, height, channels: 3 } })
      .jpeg()
      .toBuffer();
    await put(`set/${['ant', 'bee', 'cat'][i % 3]}/${i}.jpg`, jpeg);
  }
});
afterAll(() => rm(root, { recursive: true }));

describe('beyond the limit', () => {
  it('a set has the bytes, labels, names and batches of the set in memory', async () => {
    const memory = await read('set', { memoryLimit: 12 * BYTES });
    const lazy = await read('set', { memoryLimit: 12 * BYTES - 1 });
    expect([isInMemory(memory), isInMemory(lazy)]).toEqual([true, false]);
    for (const key of ['name', 'split', 'length', 'classes', 'shape', 'labels'] as const)
      expect(lazy[key], key).toEqual(memory[key]);
    expect(inspect(lazy)).toBe(inspect(memory));
    for (let i = 0; i < 12; i++) {
      expect(lazy.nameOf!(i)).toBe(memory.nameOf!(i));
      const [a, b] = [await lazy.get(i), await memory.get(i)];
      expect(a.label).toBe(b.label);
      expect(Buffer.compare(a.image, b.image)).toBe(0);
    }
    const options: data.LoaderOptions = {
      ...{ batchSize: 5, shuffle: true, seed: 3, limit: 11, weights: data.balancedWeights(memory.labels) },
      transform: data.transforms.train({ resize: 18, size: 16 }),
      mix: data.transforms.mixup(),
    };
    const other = data.loader(memory, options)[Symbol.asyncIterator]();
    let compared = 0;
    for await (const { images, labels } of data.loader(lazy, options)) {
      const { value } = (await other.next()) as { value: data.Batch };
      expect(images.equal(value.images)).toBe(true);
      expect(labels.equal(value.labels)).toBe(true);
      compared += images.shape[0]!;
    }
    expect(compared).toBe(11);
    expect(await data.describe(lazy)).toEqual({
      ...(await data.describe(memory)),
      name: undefined,
      split: undefined,
    });
    expect(Buffer.compare(await data.grid(lazy, { rows: 2 }), await data.grid(memory, { rows: 2 }))).toBe(0);
  });

  it('a set cannot be read at other places, and missing images are found at once', async () => {
    const lazy = await read('set', { memoryLimit: 0 });
    await expect(lazy.get(12)).rejects.toThrow('an integer from 0 to 11 for index');
    expect(() => lazy.nameOf!(-1)).toThrow('an integer from 0 to 11 for index');
    await put('list.csv', 'path,label\nset/ant/0.jpg,a\nset/ant/none.jpg,b\n');
    const file = join(root, 'list.csv');
    await expect(data.manifest({ file, memoryLimit: 0 })).rejects.toThrow(
      `${file}, line 3: set/ant/none.jpg: cannot be read as an image (1 of 2 images): no such file`,
    );
  });

  it('a damaged image is an error with its name when it is read, or left out of the set as in memory', async () => {
    await put('damaged/ant/1.png', await png(1));
    const whole = await png(2, 40);
    await put('damaged/ant/2.png', whole.subarray(0, 60));
    await put('damaged/bee/3.png', await png(3));
    // Headers are read at the start.
    await expect(read('damaged', { memoryLimit: 0 })).rejects.toThrow(
      /ant\/2\.png: cannot be read as an image \(1 of 3 images\): the file is damaged or incomplete$/,
    );
    await put('damaged/ant/2.png', whole.subarray(0, whole.length - 30));
    const lazy = await read('damaged', { memoryLimit: 0 });
    expect(lazy.length).toBe(3);
    await expect(lazy.get(1)).rejects.toThrow(DatasetError);
    await expect(lazy.get(1)).rejects.toThrow(/damaged\/ant\/2\.png: cannot be read as an image: /);
    const names = async (memoryLimit: number | undefined) => {
      const skipped: string[] = [];
      const onSkip = (file: string) => skipped.push(file);
      const set = await read('damaged', { memoryLimit, unreadable: 'skip', onSkip });
      return [skipped, Array.from({ length: set.length }, (_, i) => set.nameOf!(i)), [...set.labels]];
    };
    expect(await names(0)).toEqual([[join(root, 'damaged/ant/2.png')], ['ant/1.png', 'bee/3.png'], [0, 1]]);
    expect(await names(0)).toEqual(await names(undefined));
  });
});

describe('samples that are requested at a time', () => {
  /** The most open requests of a loader. */
  async function most(set: { concurrency?: number | undefined }, options: { concurrency?: number } = {}) {
    let open = 0;
    let highest = 0;
    const counted: data.Dataset<data.ImageSample> = {
      ...{ length: 64, shape: [1, 1, 1], ...set },
      async get() {
        highest = Math.max(highest, ++open);
        await new Promise((resolve) => setImmediate(resolve));
        open--;
        return { image: new Uint8Array(1), label: 0 };
      },
    };
    const all = data.concat([
      data.subset(
        counted,
        Array.from({ length: 64 }, (_, i) => i),
      ),
    ]);
    for await (const { images, labels } of data.loader(all, { batchSize: 16, ...options }))
      for (const one of [images, labels]) one.dispose();
    return highest;
  }

  it('are as many as the loader or the set says', async () => {
    expect(await most({})).toBe(8);
    expect(await most({ concurrency: 20 })).toBe(20);
    expect(await most({ concurrency: 20 }, { concurrency: 3 })).toBe(3);
    await expect(most({ concurrency: 0 })).rejects.toThrow('an integer from 1 for concurrency');
    const mixed = data.concat([await read('set', { memoryLimit: 0 }), await read('set')] as data.Dataset[]);
    expect([(await read('set', { memoryLimit: 0 })).concurrency, mixed.concurrency]).toEqual([
      512,
      undefined,
    ]);
  });
});

/** A PNG of a few bytes that claims `side` x `side` pixels. */
function bomb(side: number): Buffer {
  const chunk = (type: string, content: Buffer) => {
    const body = Buffer.concat([Buffer.from(type), content]);
    const frame = Buffer.alloc(8);
    frame.writeUInt32BE(content.length);
    frame.writeUInt32BE(crc32(body), 4);
    return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(side);
  header.writeUInt32BE(side, 4);
  header.set([8, 2], 8); // 8 bits, RGB
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  const pixels = deflateSync(Buffer.alloc(1000));
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', pixels),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

it('an image of more pixels than the limit is not decoded, whatever the size of its file', async () => {
  await put('bomb/ant/1.png', await png(1));
  await put('bomb/bee/2.png', bomb(60_000));
  await put('bomb/bee/3.png', await png(3));
  const message = (pixels: number) =>
    new RegExp(
      `bee/2\\.png: cannot be read as an image.*: it has more than ${pixels} pixels, the limit of maxPixels$`,
    );
  for (const memoryLimit of [undefined, 0]) {
    const all = async (options: Partial<data.ImageFolderOptions>) => {
      const set = await read('bomb', { memoryLimit, ...options });
      return Promise.all(Array.from({ length: set.length }, (_, i) => set.get(i)));
    };
    await expect(all({})).rejects.toThrow(message(100_000_000));
    await expect(all({ maxPixels: 72 })).rejects.toThrow(message(72));
    expect(await all({ unreadable: 'skip', onSkip: () => {} })).toHaveLength(2);
  }
});
