import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { encodeIdx, readIdx } from '../../lib/data/idx.js';
import { DatasetError } from '../../lib/errors.js';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'dyconv-idx-'));
});
afterEach(() => rm(root, { recursive: true }));

const array = { shape: [2, 3, 2], data: Uint8Array.from({ length: 12 }, (_, i) => i * 20) };

async function read(bytes: Uint8Array, dimensions = 3) {
  const file = join(root, 'file-idx');
  await writeFile(file, bytes);
  return readIdx(file, dimensions);
}

test('the header is that of the published files', () => {
  expect([...encodeIdx(array).subarray(0, 16)]).toEqual([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 2]);
});

test('reads plain and gzip files', async () => {
  expect(await read(encodeIdx(array))).toEqual(array);
  expect(await read(gzipSync(encodeIdx(array)))).toEqual(array);
});

test('refuses another magic number, type or rank, and a wrong length', async () => {
  const good = encodeIdx(array);
  const floats = Uint8Array.from(good);
  floats[2] = 0x0d;
  const broken: [Uint8Array, RegExp][] = [
    [floats, /magic 0x00000803\) but found 0x00000d03/],
    [encodeIdx({ shape: [12], data: array.data }), /but found 0x00000801/],
    [Buffer.from('<!doctype html>'), /but found 0x3c21646f/],
    [new Uint8Array(2), /but found 2 bytes/],
    [good.subarray(0, 20), /expected 28 bytes for shape \[2, 3, 2\] but found 20/],
    [Buffer.concat([good, Buffer.of(1)]), /expected 28 bytes .* but found 29/],
    [gzipSync(good).subarray(0, 20), /cannot be read: unexpected end of file/],
  ];
  for (const [bytes, message] of broken) {
    await expect(read(bytes)).rejects.toThrow(DatasetError);
    await expect(read(bytes)).rejects.toThrow(message);
  }
  await expect(readIdx(join(root, 'none'), 3)).rejects.toThrow(DatasetError);
});

test('reports progress in bytes of the file', async () => {
  const file = join(root, 'file-idx.gz');
  const noise = Uint8Array.from({ length: 1 << 20 }, (_, i) => (i * 2654435761) >>> 11);
  const bytes = gzipSync(encodeIdx({ shape: [1, 1024, 1024], data: noise }));
  await writeFile(file, bytes);
  const seen: number[] = [];
  await readIdx(file, 3, (done, total) => {
    expect(total).toBe(bytes.length);
    seen.push(done);
  });
  expect(seen.length).toBeGreaterThan(2);
  expect(seen).toEqual([...seen].sort((a, b) => a - b));
  expect(seen.at(-1)).toBe(bytes.length);
});
