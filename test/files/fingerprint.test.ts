/** Fingerprints of files: what changes them, and how much is read. */
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { contentHash, fingerprint } from '../../lib/files/fingerprint.js';
import { forEachParallel } from '../../lib/files/parallel.js';

const folder = mkdtempSync(join(tmpdir(), 'dyconv-fingerprint-'));
afterAll(() => rmSync(folder, { recursive: true }));

const KIB = 1024;
const bytesOf = (length: number) => Uint8Array.from({ length }, (_, i) => (i * 131) ^ (i >> 8));
async function both(bytes: Uint8Array): Promise<[sampled: string, whole: string]> {
  const file = join(folder, 'file');
  writeFileSync(file, bytes);
  return [(await fingerprint(file)).toString('hex'), (await contentHash(file)).toString('hex')];
}
const changedAt = (bytes: Uint8Array, at: number) => Uint8Array.from(bytes, (b, i) => (i === at ? b ^ 1 : b));

describe('fingerprint', () => {
  it.each([1, 100, 48 * KIB])('of %i bytes depends on every byte', async (length) => {
    const bytes = bytesOf(length);
    const [before] = await both(bytes);
    expect((await both(bytes))[0]).toBe(before);
    for (const at of [0, length >> 2, length >> 1, length - 1])
      expect((await both(changedAt(bytes, at)))[0], String(at)).not.toBe(before);
  });

  it('of a large file depends on its length, beginning, middle and end', async () => {
    const bytes = bytesOf(200 * KIB);
    const [before, whole] = await both(bytes);
    for (const at of [0, 16 * KIB - 1, 100 * KIB, 184 * KIB, 200 * KIB - 1])
      expect((await both(changedAt(bytes, at)))[0], String(at)).not.toBe(before);
    expect((await both(bytes.subarray(0, -1)))[0]).not.toBe(before);
    // What its description says of other bytes; the hash of the whole file has them.
    const [sampled, changed] = await both(changedAt(bytes, 40 * KIB));
    expect(sampled).toBe(before);
    expect(changed).not.toBe(whole);
  });

  it('of an empty file, and of one of 5 GiB whose bytes are not all read', async () => {
    const [empty] = await both(new Uint8Array());
    expect(empty).not.toBe((await both(new Uint8Array(1)))[0]);
    const file = join(folder, 'sparse');
    writeFileSync(file, 'begin');
    truncateSync(file, 5 * 2 ** 30);
    expect((await fingerprint(file)).toString('hex')).not.toBe(empty);
  });

  it('of a folder or a missing file is an error of the file system', async () => {
    for (const of of [fingerprint, contentHash]) {
      await expect(of(folder)).rejects.toMatchObject({ code: 'ENOTREG' });
      await expect(of(join(folder, 'none'))).rejects.toMatchObject({ code: 'ENOENT' });
    }
  });
});

describe('forEachParallel', () => {
  const pause = () => new Promise((resolve) => setTimeout(resolve, 1));

  it('calls for every item, so many at a time', async () => {
    let [running, most] = [0, 0];
    const seen: number[] = [];
    await forEachParallel([5, 6, 7, 8, 9], 2, async (item, i) => {
      most = Math.max(most, ++running);
      await pause();
      running--;
      seen[i] = item;
    });
    expect([seen, most]).toEqual([[5, 6, 7, 8, 9], 2]);
  });

  it('begins nothing after an error, and waits for what runs', async () => {
    const ended: number[] = [];
    const work = async (item: number) => {
      if (item === 1) throw new Error('one');
      await pause();
      ended.push(item);
    };
    await expect(forEachParallel([0, 1, 2, 3, 4], 2, work)).rejects.toThrow('one');
    expect(ended).toEqual([0]);
  });
});
