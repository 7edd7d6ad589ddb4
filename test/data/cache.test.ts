import { constants } from 'node:buffer';
import { mkdtemp, readdir, readFile, rm, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { allocateBytes } from '../../lib/data/bytes.js';
import { type CachedArrays, cachePath, readCache, writeCache } from '../../lib/data/cache.js';
import { cifar10 } from '../../lib/data/cifar.js';
import { native } from '../../lib/tensor/tensor.js';
import { fakeBatch, pickleBatch, tarGz } from './fixtures.js';

let root: string;
let archive: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'dyconv-cache-'));
  archive = join(root, 'archive.tar.gz');
  await writeFile(archive, 'an archive');
});
afterEach(() => rm(root, { recursive: true }));

const arrays: CachedArrays = {
  classes: ['a', 'b'],
  shape: [1, 2, 2],
  images: Uint8Array.from({ length: 12 }, (_, i) => i),
  labels: Uint8Array.of(0, 1, 1),
};
const key = (changes = {}) => ({ archive, part: 'train', verify: true, ...changes });

test('returns the stored data, and leaves no other file', async () => {
  expect(await readCache(key())).toBeUndefined();
  await writeCache(key(), arrays);
  expect(await readCache(key())).toEqual(arrays);
  expect(await readCache(key({ verify: false }))).toEqual(arrays);
  expect(await readCache(key(), { map: true })).toEqual(arrays);
  expect(await readCache(key({ part: 'test' }))).toBeUndefined();
  expect((await readdir(root)).sort()).toEqual(['archive.tar.gz', 'archive.tar.gz.train.cache']);
});

test('a cache of an archive that was not verified does not serve a caller who wants that', async () => {
  await writeCache(key({ verify: false }), arrays);
  expect(await readCache(key())).toBeUndefined();
  expect(await readCache(key({ verify: false }))).toEqual(arrays);
});

test('is stale when the archive changed', async () => {
  await writeCache(key(), arrays);
  await utimes(archive, new Date(1e12), new Date(1e12));
  expect(await readCache(key())).toBeUndefined();
  await writeCache(key(), arrays);
  await writeFile(archive, 'another');
  expect(await readCache(key())).toBeUndefined();
});

test('is refused when a byte is wrong, wherever it is, or missing', async () => {
  await writeCache(key(), arrays);
  const good = await readFile(cachePath(key()));
  for (let i = 0; i < good.length; i++) {
    const bad = Buffer.from(good);
    bad[i]! ^= 0x10;
    await writeFile(cachePath(key()), bad);
    expect(await readCache(key(), { map: i % 2 === 0 })).toBeUndefined();
  }
  await writeFile(cachePath(key()), good);
  await truncate(cachePath(key()), good.length - 1);
  expect(await readCache(key())).toBeUndefined();
});

test('a large cache is read in pieces, or mapped from its file', async () => {
  const images = Uint8Array.from({ length: 13 << 20 }, (_, i) => i * i);
  const large: CachedArrays = { ...arrays, shape: [1, 1024, 1024], images, labels: new Uint8Array(13) };
  await writeCache(key(), large);
  for (const map of [false, true]) {
    const found = await readCache(key(), { map });
    expect(found?.labels).toEqual(large.labels);
    expect(Buffer.compare(found!.images, images)).toBe(0);
    found!.images[0] = 9;
  }
  // Writes to mapped images are private to their reader, also when the cache is replaced or removed.
  const mapped = await readCache(key(), { map: true });
  expect(mapped?.images[0]).toBe(0);
  await writeCache(key(), { ...large, images: new Uint8Array(13 << 20) });
  await rm(cachePath(key()));
  expect(Buffer.compare(mapped!.images, images)).toBe(0);
});

test('files of killed processes are removed, files of running processes are not', async () => {
  const old = `${cachePath(key())}.old.tmp`;
  const fresh = `${cachePath(key())}.fresh.tmp`;
  for (const file of [old, fresh]) await writeFile(file, 'half a cache');
  await utimes(old, new Date(1e12), new Date(1e12));
  await writeCache(key(), arrays);
  expect((await readdir(root)).sort()).toEqual([
    'archive.tar.gz',
    'archive.tar.gz.train.cache',
    'archive.tar.gz.train.cache.fresh.tmp',
  ]);
});

test('a cache that cannot be written is a warning, and the data is loaded without it', async () => {
  const warning = new Promise<NodeJS.ErrnoException>((resolve) => process.once('warning', resolve));
  await writeCache(key({ archive: join(root, 'gone', 'x') }), arrays);
  expect(await warning).toMatchObject({ code: 'DYCONV_CACHE', message: expect.stringContaining('ENOENT') });
  expect(await readdir(root)).toEqual(['archive.tar.gz']);
});

test('CIFAR-10 is parsed once; a broken cache is built anew', async () => {
  const batch = fakeBatch(1, 3);
  const file = join(root, 'cifar-10-python.tar.gz');
  await writeFile(file, await tarGz({ 'x/test_batch': pickleBatch(batch) }));
  const before = new Date(1.7e12);
  await utimes(file, before, before);
  const load = () => cifar10({ root, split: 'test', verify: false });
  const [first, second] = await Promise.all([load(), load()]);
  expect(second.images).toEqual(first.images);
  const cache = `${file}.labels-test.cache`;
  expect((await readdir(root)).sort()).toEqual([
    'archive.tar.gz',
    'cifar-10-python.tar.gz',
    `cifar-10-python.tar.gz.labels-test.cache`,
  ]);
  // The archive is not read again: other content of the same size and time is not noticed.
  const { length } = await readFile(file);
  await writeFile(file, Buffer.alloc(length));
  await utimes(file, before, before);
  const cached = await load();
  expect(Buffer.compare(cached.images, batch.images)).toBe(0);
  await expect(cifar10({ root, split: 'test', verify: false, cache: false })).rejects.toThrow(/is damaged/);
  await writeFile(cache, 'nonsense');
  await expect(load()).rejects.toThrow(/is damaged/);
});

test('memory beyond the longest buffer is an error of the add-on, and otherwise allocated by V8', async () => {
  // Regression: the add-on freed such memory twice, which ended the process.
  for (let i = 0; i < 3; i++) expect(() => native.allocateBytes(constants.MAX_LENGTH + 1)).toThrow();
  await new Promise((resolve) => setImmediate(resolve));
  if (constants.MAX_LENGTH > 2 ** 33) return; // more than any machine has
  try {
    expect(allocateBytes(constants.MAX_LENGTH + 1).length).toBe(constants.MAX_LENGTH + 1);
  } catch (error) {
    expect(error).toBeInstanceOf(RangeError);
  }
});
