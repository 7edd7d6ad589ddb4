/**
 * Tar shards in the format of WebDataset: the files of a sample follow each other and have the same name up to the first dot.
 * @module
 */
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import type { Extract } from 'tar-stream';
import { DatasetError, DownloadError } from '../errors.js';
import { readSource } from '../files/remote.js';
import { datasetError } from './dataset.js';

/** The files of a sample by their extension, such as `jpg` and `cls`. */
export type SampleFiles = Record<string, Uint8Array>;

/** A sample of a shard, not decoded. */
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

/** How far an archive was read: the names of the last members that were begun, and read to the end. */
interface Progress {
  begun: string;
  finished: string;
}

/** The key and the ending of a member; undefined for folders and hidden files, such as the resource forks of macOS. */
function partsOf(name: string): { key: string; ending: string } | undefined {
  const [, key, ending] = /^((?:.*\/)?[^./][^/.]*)\.([^/]+)$/.exec(name) ?? [];
  return key === undefined ? undefined : { key, ending: ending!.toLowerCase() };
}

/**
 * The samples of a shard in order. One is in memory at a time.
 * @param shard - Path or http(s) address of a tar archive, also a compressed one (gzip).
 * @throws DatasetError naming the shard if it is damaged or ends in the middle, after the samples before the damage; DownloadError.
 */
export async function* readShard(shard: string): AsyncGenerator<ShardSample> {
  const progress: Progress = { begun: '', finished: '' };
  let current: ShardSample | undefined;
  try {
    for await (const { name, content } of members(shard, progress)) {
      const parts = partsOf(name);
      if (parts === undefined) continue;
      const { key, ending } = parts;
      if (current?.key !== key) {
        if (current) yield current;
        current = { key, source: `${shard} (${key})`, files: Object.create(null) as SampleFiles };
      }
      if (ending in current.files)
        throw datasetError(shard, `expected one file .${ending} of sample ${key} but found two`);
      current.files[ending] = content;
    }
  } catch (error) {
    // Another sample had begun, so this one is complete.
    const { begun, finished } = progress;
    if (current && begun !== finished && partsOf(begun)?.key !== current.key) yield current;
    throw error;
  }
  if (current) yield current;
}

/** The regular files of an archive with their content. */
async function* members(
  shard: string,
  progress: Progress,
): AsyncGenerator<{ name: string; content: Uint8Array }> {
  const { extract } = await import('tar-stream');
  const tar = extract();
  let source: Readable | undefined;
  try {
    source = await openArchive(shard, tar);
    let zeros = 0;
    source.on('data', (chunk: Uint8Array) => {
      const end = trailingZeros(chunk);
      zeros = end === chunk.length ? zeros + end : end;
    });
    source.pipe(tar);
    for await (const entry of tar) {
      const { name, type, size = 0 } = entry.header;
      progress.begun = name;
      if (type !== 'file' && type !== 'contiguous-file') {
        entry.resume();
        progress.finished = name;
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
      progress.finished = name;
      yield { name, content };
    }
    if (zeros < END_BYTES)
      throw new Error('it has no end-of-archive marker: samples may be incomplete or missing');
  } catch (error) {
    throw readError(shard, error as NodeJS.ErrnoException, progress);
  } finally {
    source?.destroy();
    tar.destroy();
  }
}

function readError(shard: string, error: NodeJS.ErrnoException, { begun, finished }: Progress): Error {
  if (error instanceof DatasetError || error instanceof DownloadError) return error;
  if (error.code === 'ENOENT') return datasetError(shard, 'no such file', error);
  const where = begun === '' ? '' : ` (${begun === finished ? 'after' : 'in'} member ${begun})`;
  return datasetError(shard, `cannot be read as a tar archive${where}: ${error.message}`, error);
}

/** The first bytes of every gzip file. */
const GZIP = [0x1f, 0x8b] as const;

/** The bytes of an archive, decompressed if they are compressed, regardless of its name. @param target - Gets the errors of all stages. */
async function openArchive(shard: string, target: Extract): Promise<Readable> {
  const chunks = readSource(shard);
  const { value: first } = await chunks.next();
  async function* all(): AsyncGenerator<Uint8Array> {
    if (first !== undefined) yield first;
    yield* chunks;
  }
  // `pipe` does not forward errors; each stage forwards its own to the last one, which is awaited.
  const source = Readable.from(all(), { objectMode: false });
  source.on('error', (error) => target.destroy(error));
  if (!GZIP.every((byte, i) => first?.[i] === byte)) return source;
  const gunzip = createGunzip();
  gunzip.on('error', (error) => target.destroy(error));
  gunzip.on('close', () => source.destroy());
  return source.pipe(gunzip);
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
