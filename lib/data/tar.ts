/**
 * Reads members of a .tar.gz while it is decompressed: nothing is unpacked to disk.
 * @module
 */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createGunzip } from 'node:zlib';
import { DatasetError } from '../errors.js';
import { allocateBytes } from './bytes.js';
import { datasetError } from './dataset.js';

/** Far larger than any member of a published archive; a header with more is damaged. */
const MAX_MEMBER_BYTES = 1 << 28;

async function sizeOf(file: string): Promise<number> {
  try {
    return (await stat(file)).size;
  } catch (error) {
    throw datasetError(file, `is damaged: ${(error as Error).message}`, error);
  }
}

/**
 * Reads an archive to its end and calls `onMember`. The checksum of gzip, which is at the end, covers every byte.
 *
 * @param file - Path of the .tar.gz.
 * @param wanted - Base names of the members to read; folders in front of them are ignored, and never used as paths.
 * @param onMember - Called with each requested member, in the order of the archive; the content is only valid during the call.
 * Its errors are reported with the file and the member.
 * @param onProgress - Called while it is read: bytes so far, and the total.
 * @returns The names that were not in the archive.
 * @throws DatasetError when the file is not a gzip'd tar, is truncated, or holds a wanted member twice.
 */
export async function readTarGz(
  file: string,
  wanted: ReadonlySet<string>,
  onMember: (name: string, content: Uint8Array) => void,
  onProgress?: (done: number, total: number) => void,
): Promise<Set<string>> {
  const missing = new Set(wanted);
  let buffer = new Uint8Array(0);
  const total = await sizeOf(file);
  const { extract } = await import('tar-stream');
  const source = createReadStream(file, { highWaterMark: 1 << 18 });
  const gunzip = createGunzip({ chunkSize: 1 << 18 });
  const tar = extract();
  // `pipe` does not forward errors; each stage forwards its own to the last one, which is awaited.
  source.on('error', (error) => tar.destroy(error));
  gunzip.on('error', (error) => tar.destroy(error));
  source.pipe(gunzip).pipe(tar);
  // There is no await between here and the loop, so an error always has a listener.
  try {
    for await (const entry of tar) {
      const { name: path, type, size = 0 } = entry.header;
      const name = path.split('/').at(-1)!;
      if (type !== 'file' || !wanted.has(name)) {
        entry.resume();
        continue;
      }
      if (!missing.delete(name)) throw new Error(`member ${name} occurs twice`);
      if (size > MAX_MEMBER_BYTES) throw new Error(`member ${name} declares ${size} bytes`);
      // One buffer for all members: new memory is expensive, and garbage of this size is collected late.
      if (buffer.length < size) buffer = allocateBytes(size);
      const content = buffer.subarray(0, size);
      let filled = 0;
      for await (const chunk of entry) {
        content.set(chunk as Buffer, filled);
        filled += (chunk as Buffer).length;
        onProgress?.(source.bytesRead, total);
      }
      if (filled !== size) throw new Error(`member ${name} ends after ${filled} of ${size} bytes`);
      try {
        onMember(name, content);
      } catch (error) {
        throw new Error(`member ${name}: ${(error as Error).message}`, { cause: error });
      }
    }
    onProgress?.(total, total);
    return missing;
  } catch (error) {
    if (error instanceof DatasetError) throw error;
    throw datasetError(file, `is damaged: ${(error as Error).message}`, error);
  } finally {
    source.destroy();
    gunzip.destroy();
    tar.destroy();
  }
}
