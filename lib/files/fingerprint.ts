/**
 * Recognizes the contents of files.
 * @module
 */
import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { openFile } from './open.js';

/** Bytes of each of the three samples of a file. */
const SAMPLE = 16 * 1024;

/** Files that a process reads at a time: more than its threads for files, so that these always have work. */
export const READS_AT_A_TIME = 16;

/**
 * A SHA-256 by which a changed file is recognized at little cost: of its length and its content, of a file of more than 48 KiB of the first,
 * the middle and the last 16 KiB. In compressed images, a change of any pixel changes what follows it, and thus the end or the length.
 * A change in the middle of a larger uncompressed file that keeps its length may go unnoticed.
 * @throws Errors of the file system; an error with the code `ENOTREG` for what is no regular file.
 * @see https://github.com/kalafut/imohash/blob/master/algorithm.md
 */
export async function fingerprint(path: string): Promise<Buffer> {
  const file = await openFile(path);
  try {
    const { size } = await file.stat();
    const hash = createHash('sha256').update(`${size} `);
    const parts =
      size <= 3 * SAMPLE
        ? [[0, size] as const]
        : ([0, Math.floor((size - SAMPLE) / 2), size - SAMPLE].map((at) => [at, SAMPLE]) as [
            number,
            number,
          ][]);
    for (const [at, length] of parts) hash.update(await readAt(file, at, length));
    return hash.digest();
  } finally {
    await file.close();
  }
}

/** Bytes of a file; fewer where it ends. */
async function readAt(file: FileHandle, at: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await file.read(bytes, done, length - done, at + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return bytes.subarray(0, done);
}

/** The SHA-256 of a whole file, read in parts. @throws Errors as of {@link fingerprint}. */
export async function contentHash(path: string): Promise<Buffer> {
  const file = await openFile(path);
  const hash = createHash('sha256');
  await pipeline(file.createReadStream(), hash); // closes the file
  return hash.digest();
}
