/**
 * Tar shards in the format of WebDataset: the files of a sample follow each other and have the same name up to the first dot.
 * @module
 */
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { extract } from 'tar-stream';
import { DatasetError, DownloadError } from '../errors.js';
import { readSource } from '../files/remote.js';
import { datasetError } from './dataset.js';

/** The files of a sample by their extension, such as `jpg` and `cls`. */
export type SampleFiles = Record<string, Uint8Array>;

/** A sample as it is in a shard. */
export interface ShardSample {
  /** The shard and the key, for messages. */
  source: string;
  /** The common name of its files. */
  key: string;
  files: SampleFiles;
}

/** An archive ends with at least one block of zeros; without it, it may have been cut between two members. */
const END_BYTES = 512;

/** Larger members are not read: all members of a sample are held in memory. */
const MAX_MEMBER_BYTES = 1 << 28;

/**
 * The samples of a shard in order. One is in memory at a time.
 * @param shard - Path or http(s) address of a .tar or .tar.gz.
 * @throws DatasetError naming the shard if it is damaged or ends in the middle; DownloadError.
 */
export async function* readShard(shard: string): AsyncGenerator<ShardSample> {
  let current: ShardSample | undefined;
  for await (const { name, content } of members(shard)) {
    const parts = /^((?:.*\/)?[^./][^/.]*)\.([^/]+)$/.exec(name);
    // Folders and hidden files, such as the resource forks of macOS, are no samples.
    if (parts === null) continue;
    const [, key, ending] = parts as unknown as [string, string, string];
    if (current?.key !== key) {
      if (current) yield current;
      current = { key, source: `${shard} (${key})`, files: Object.create(null) as SampleFiles };
    }
    const extension = ending.toLowerCase();
    if (extension in current.files)
      throw datasetError(shard, `expected one file .${extension} of sample ${key} but found two`);
    current.files[extension] = content;
  }
  if (current) yield current;
}

/** The regular files of an archive with their content. */
async function* members(shard: string): AsyncGenerator<{ name: string; content: Uint8Array }> {
  const source = Readable.from(readSource(shard), { objectMode: false });
  const gunzip = /\.(tgz|gz)$/i.test(new URL(shard, 'file:///').pathname) ? createGunzip() : undefined;
  const tar = extract();
  // `pipe` does not forward errors; each stage forwards its own to the last one, which is awaited.
  source.on('error', (error) => tar.destroy(error));
  gunzip?.on('error', (error) => tar.destroy(error));
  const plain = gunzip ? source.pipe(gunzip) : source;
  let zeros = 0;
  plain.on('data', (chunk: Uint8Array) => {
    const end = trailingZeros(chunk);
    zeros = end === chunk.length ? zeros + end : end;
  });
  plain.pipe(tar);
  let last = '';
  try {
    for await (const entry of tar) {
      const { name, type, size = 0 } = entry.header;
      last = name;
      if (type !== 'file' && type !== 'contiguous-file') {
        entry.resume();
        continue;
      }
      if (size > MAX_MEMBER_BYTES)
        throw new Error(`member ${name} has ${size} bytes, more than ${MAX_MEMBER_BYTES}`);
      const content = new Uint8Array(size);
      let filled = 0;
      for await (const chunk of entry) {
        content.set(chunk as Buffer, filled);
        filled += (chunk as Buffer).length;
      }
      if (filled !== size) throw new Error(`member ${name} ends after ${filled} of ${size} bytes`);
      yield { name, content };
    }
    if (zeros < END_BYTES) throw new Error('it ends without an end mark: members may be missing');
  } catch (error) {
    if (error instanceof DatasetError || error instanceof DownloadError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw datasetError(shard, 'no such file', error);
    const where = last === '' ? '' : ` (after member ${last})`;
    throw datasetError(shard, `cannot be read as a tar archive${where}: ${message}`, error);
  } finally {
    source.destroy();
    gunzip?.destroy();
    tar.destroy();
  }
}

/** Number of zeros at the end of some bytes. */
function trailingZeros(bytes: Uint8Array): number {
  let count = 0;
  while (count < bytes.length && bytes[bytes.length - 1 - count] === 0) count++;
  return count;
}

/**
 * Names with the alternatives in braces written out: `train-{000..002}.tar`, `{a,b}.tar`. Numbers keep their leading zeros.
 */
export function expandBraces(pattern: string): string[] {
  const found = /\{(?:(\d+)\.\.(\d+)|([^{}]*,[^{}]*))\}/.exec(pattern);
  if (!found) return [pattern];
  const [text, first, last, list] = found as unknown as [string, string?, string?, string?];
  const [before, after] = [pattern.slice(0, found.index), pattern.slice(found.index + text.length)];
  const names = list === undefined ? numbers(first!, last!) : list.split(',');
  const rest = expandBraces(after);
  return names.flatMap((name) => rest.map((tail) => `${before}${name}${tail}`));
}

function numbers(first: string, last: string): string[] {
  const count = Math.max(0, Number(last) - Number(first) + 1);
  const width = first.startsWith('0') ? first.length : 0;
  return Array.from({ length: count }, (_, i) => String(Number(first) + i).padStart(width, '0'));
}
