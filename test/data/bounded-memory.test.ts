/** Data sets beyond memory need memory for a few batches, not for the set. */
import { createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { parquetWriteBuffer } from 'hyparquet-writer';
import sharp from 'sharp';
import { pack } from 'tar-stream';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Random } from '../../lib/data/random.js';
import { data } from '../../lib/index.js';
import { limit } from '../support/limit.js';

const MEGABYTE = 2 ** 20;
/** A PNG of noise, which cannot be compressed: a megabyte in the file, and a megabyte decoded. */
const SIDE = 600;
const LIMIT = 100 * MEGABYTE;

let folder: string;
let image: Buffer;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dyconv-bounded-'));
  const random = new Random(1);
  const noise = Buffer.from(
    Uint32Array.from({ length: (3 * SIDE * SIDE) / 4 }, () => random.uint32()).buffer,
  );
  image = await sharp(noise, { raw: { width: SIDE, height: SIDE, channels: 3 } })
    .png({ compressionLevel: 0 })
    .toBuffer();
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

/** Reads a set and returns the number of images and the growth of the memory of the process. */
async function growth(set: data.ImageStream | data.ImageDataset): Promise<{ images: number; bytes: number }> {
  const transform = data.transforms.compose([data.transforms.resize({ size: 8 })]);
  const loader = data.loader(set as data.ImageStream, { batchSize: 8, transform, prefetch: 2 });
  let before = 0;
  let most = 0;
  let batches = 0;
  for await (const { images, labels } of loader) {
    images.dispose();
    labels.dispose();
    // sharp, its threads and the first buffers are there for any set.
    if (++batches === 4) before = process.memoryUsage.rss();
    most = Math.max(most, process.memoryUsage.rss());
  }
  return { images: loader.stats.images, bytes: most - before };
}

it('of shards: 150 MB, and as much decoded, are read in far less memory', {
  timeout: limit(180_000),
}, async () => {
  const file = join(folder, 'large.tar');
  const archive = pack();
  const written = pipeline(Readable.from(archive), createWriteStream(file));
  for (let i = 0; i < 150; i++) {
    await new Promise((resolve) => archive.entry({ name: `${i}.png` }, image, resolve));
    archive.entry({ name: `${i}.cls` }, String(i % 10));
  }
  archive.finalize();
  await written;
  const { images, bytes } = await growth(data.webDataset(file));
  expect(images).toBe(150);
  expect(bytes).toBeLessThan(LIMIT);
  await rm(file);
});

it('of parquet: a row group at a time', { timeout: limit(180_000) }, async () => {
  const files: string[] = [];
  for (let i = 0; i < 2; i++) {
    files.push(join(folder, `${i}.parquet`));
    const columns = [
      {
        name: 'image',
        data: Array.from({ length: 75 }, () => image),
        type: 'BYTE_ARRAY',
        encoding: 'PLAIN',
      },
      { name: 'label', data: Array.from({ length: 75 }, (_, row) => row % 10), type: 'INT32' },
    ] as const;
    const content = parquetWriteBuffer({
      columnData: columns as never,
      rowGroupSize: 10,
      codec: 'UNCOMPRESSED',
    });
    await writeFile(files[i]!, Buffer.from(content));
  }
  const { images, bytes } = await growth(await data.parquet(files));
  expect(images).toBe(150);
  expect(bytes).toBeLessThan(LIMIT);
});

it('of folders: images beyond the memory limit are decoded for their batches', {
  timeout: limit(180_000),
}, async () => {
  for (const name of ['a', 'b']) {
    const store = join(folder, `${name}.png`);
    await writeFile(store, image);
    await mkdir(join(folder, 'set', name), { recursive: true });
    for (let i = 0; i < 75; i++) await symlink(store, join(folder, 'set', name, `${i}.png`));
  }
  const root = join(folder, 'set');
  const set = await data.imageFolder({ root, split: 'train', size: SIDE, memoryLimit: LIMIT });
  const { images, bytes } = await growth(set);
  expect(images).toBe(150);
  expect(bytes).toBeLessThan(LIMIT);
});
