/** Damaged or hostile archives, full disks, concurrent processes: clear errors, and no loss of data. */
import { execFile, spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync, gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { cifar10 } from '../../lib/data/cifar.js';
import { DatasetError } from '../../lib/errors.js';
import { type FakeBatch, fakeBatch, PickleWriter, pickleBatch, tarGz } from './fixtures.js';

const batches = [1, 2, 3, 4, 5].map((seed) => fakeBatch(seed, 7));
const expected = Buffer.concat(batches.map(({ images }) => images));
const members = () =>
  Object.fromEntries(batches.map((batch, i) => [`folder/data_batch_${i + 1}`, pickleBatch(batch)]));
const CACHE = 'cifar-10-python.tar.gz.labels-train.cache';

let root: string;
let archive: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'dyconv-bad-'));
  archive = join(root, 'cifar-10-python.tar.gz');
});
afterEach(() => rm(root, { recursive: true }));

const warnings: NodeJS.ErrnoException[] = [];
const listener = (warning: Error) => void warnings.push(warning);
beforeAll(() => void process.on('warning', listener));
afterAll(() => void process.off('warning', listener));
beforeEach(() => void warnings.splice(0));
/** Warnings are emitted on the next tick. */
const warned = async () => {
  await new Promise((resolve) => setImmediate(resolve));
  return warnings.filter(({ code }) => code === 'DYCONV_CACHE').map(({ message }) => message);
};

const load = (options = {}) => cifar10({ root, split: 'train', verify: false, ...options });
const same = (images: Uint8Array) => Buffer.compare(images, expected) === 0;

test('a truncated archive is an error, and the complete one works afterwards', async () => {
  const bytes = await tarGz(members());
  const lengths = Array.from({ length: 12 }, (_, part) => Math.floor((bytes.length * part) / 12));
  // The last one lacks only a part of gzip's checksum.
  for (const length of [...lengths, bytes.length - 4]) {
    await writeFile(archive, bytes.subarray(0, length));
    const damaged = load();
    await expect(damaged).rejects.toThrow(DatasetError);
    await expect(damaged).rejects.toThrow(archive);
  }
  expect(await readdir(root)).toEqual(['cifar-10-python.tar.gz']);
  await writeFile(archive, bytes);
  expect(same((await load()).images)).toBe(true);
});

test('a wrong bit anywhere in the compressed data is an error', async () => {
  const bytes = await tarGz(members());
  for (let part = 1; part < 12; part++) {
    const wrong = Buffer.from(bytes);
    wrong[Math.floor((bytes.length * part) / 12)]! ^= 4;
    await writeFile(archive, wrong);
    const damaged = load();
    await expect(damaged).rejects.toThrow(DatasetError);
    await expect(damaged).rejects.toThrow(/is damaged/);
  }
});

test('members that are links, or have paths that lead elsewhere, are neither followed nor written', async () => {
  const tar = pack();
  const { 'folder/data_batch_1': first, ...others } = members();
  tar.entry({ name: 'folder/data_batch_1', type: 'symlink', linkname: '/etc/passwd' });
  tar.entry({ name: 'folder/data_batch_1', type: 'link', linkname: '../../etc/passwd' });
  for (const [name, content] of Object.entries(others)) tar.entry({ name: `/absolute/../${name}` }, content);
  tar.entry({ name: '../../../dyconv-escaped' }, 'no');
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk as Buffer);
  await writeFile(archive, gzipSync(Buffer.concat(chunks)));
  await expect(load()).rejects.toThrow(/expected the member data_batch_1 but it is missing/);
  expect(await readdir(root)).toEqual(['cifar-10-python.tar.gz']);
  await writeFile(archive, await tarGz({ ...others, '../../folder/data_batch_1': first! }));
  expect(same((await load({ cache: false })).images)).toBe(true);
});

test('a header that claims a giant member, and a plain tar, are refused', async () => {
  const plain = gunzipSync(await tarGz(members()));
  await writeFile(archive, plain);
  await expect(load()).rejects.toThrow(/is damaged/);
  // The size of the first member, in octal at byte 124, and the header's checksum at byte 148.
  const giant = Buffer.from(plain);
  giant.write('77777777777\0', 124, 'latin1');
  giant.fill(' ', 148, 156);
  const sum = giant.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  giant.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  await writeFile(archive, gzipSync(giant));
  await expect(load()).rejects.toThrow(/data_batch_1 declares 8589934591 bytes/);
});

test('images of another size are an error, batches of different lengths are not', async () => {
  const writer = new PickleWriter();
  const odd = writer
    .dict({
      data: () => writer.array(new Uint8Array(2 * 3071), [2, 3071]),
      labels: () => writer.ints([0, 1]),
    })
    .end();
  await writeFile(archive, await tarGz({ ...members(), 'folder/data_batch_2': odd }));
  await expect(load()).rejects.toThrow(/data_batch_2: expected 'data' to be an array of N x 3072 bytes/);
  const uneven: FakeBatch[] = [3, 1, 4, 1, 5].map((count, i) => fakeBatch(20 + i, count));
  const order = [2, 5, 1, 4, 3];
  const unevenMembers = order.map((i) => [`x/data_batch_${i}`, pickleBatch(uneven[i - 1]!)]);
  await writeFile(archive, await tarGz(Object.fromEntries(unevenMembers)));
  const set = await load({ cache: false });
  expect(Buffer.compare(set.images, Buffer.concat(uneven.map(({ images }) => images)))).toBe(0);
  expect([...set.labels]).toEqual(uneven.flatMap(({ labels }) => [...labels]));
});

test('a cache that cannot be moved to its place is a warning, and the data is loaded', async () => {
  await writeFile(archive, await tarGz(members()));
  await mkdir(join(root, CACHE, 'in the way'), { recursive: true });
  expect(same((await load()).images)).toBe(true);
  expect(await warned()).toEqual([
    expect.stringMatching(/labels-train\.cache: the parsed images could not be cached \(.*\)/),
  ]);
  expect((await readdir(root)).sort()).toEqual(['cifar-10-python.tar.gz', CACHE]);
  await rm(join(root, CACHE), { recursive: true });
  expect(same((await load()).images)).toBe(true);
  expect(await warned()).toHaveLength(1);
  expect((await readFile(join(root, CACHE))).length).toBeGreaterThan(expected.length);
});

const mountable = (() => {
  const probe = spawnSync('sh', [
    '-c',
    'd=$(mktemp -d) && mount -t tmpfs -o size=64k none "$d" && umount "$d"; rmdir "$d"',
  ]);
  return probe.status === 0;
})();

test.skipIf(!mountable)('a full disk prevents only the cache', async () => {
  const full = join(root, 'full');
  await mkdir(full);
  const bytes = await tarGz(members());
  // Enough space for the archive, but not for the cached images.
  const size = Math.ceil((bytes.length + expected.length / 2) / 4096) * 4096;
  spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'none', full]);
  try {
    await writeFile(join(full, 'cifar-10-python.tar.gz'), bytes);
    expect(same((await load({ root: full })).images)).toBe(true);
    expect(await warned()).toEqual([expect.stringContaining('ENOSPC')]);
    expect(await readdir(full)).toEqual(['cifar-10-python.tar.gz']);
  } finally {
    spawnSync('umount', [full]);
  }
});

test('processes that build the cache at the same time all load the data, and leave one complete cache', async () => {
  await writeFile(archive, await tarGz(members()));
  const dist = new URL('../../dist/data/cifar.js', import.meta.url).href;
  const program = `
    import { createHash } from 'node:crypto';
    import { cifar10 } from '${dist}';
    const { images } = await cifar10({ root: ${JSON.stringify(root)}, split: 'train', verify: false });
    console.log(createHash('md5').update(images).digest('hex'));`;
  const run = () => promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program]);
  const results = await Promise.all([run(), run(), run()]);
  expect(new Set(results.map(({ stdout }) => stdout)).size).toBe(1);
  expect(results.map(({ stderr }) => stderr)).toEqual(['', '', '']);
  expect((await readdir(root)).sort()).toEqual(['cifar-10-python.tar.gz', CACHE]);
  await writeFile(archive, 'gone');
  await expect(load()).rejects.toThrow(/is damaged/);
});
