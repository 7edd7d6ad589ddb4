/**
 * Cache files of parsed archives, next to the archives: the second start reads them in a fraction of the time.
 *
 * Layout: `DYCONVDS`, uint32 CRC-32 of all that follows, uint32 length of the header, header (JSON), images, labels.
 * A cache is used only if it is intact and the archive has the same size and modification time; otherwise it is rebuilt.
 * @module
 */
import { randomUUID } from 'node:crypto';
import { type FileHandle, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { crc32 } from 'node:zlib';
import { allocateBytes, mapBytes } from './bytes.js';
import { warn } from './dataset.js';

/** The contents of a cache. */
export interface CachedArrays {
  classes: readonly string[];
  shape: readonly [number, number, number];
  images: Uint8Array;
  labels: Uint8Array;
}

/** Identifies the cache of an archive. */
export interface CacheKey {
  /** Path of the archive. */
  archive: string;
  /** The part of the archive, such as `train-fine`; it is in the name of the cache. */
  part: string;
  /** Whether the caller needs the archive to have passed its checksum. */
  verify: boolean;
}

interface Header {
  version: number;
  /** Size and modification time of the archive. */
  archive: { size: number; mtimeMs: number };
  verified: boolean;
  classes: string[];
  shape: [number, number, number];
  count: number;
}

const MAGIC = 'DYCONVDS';
const VERSION = 1;
const CRC_AT = MAGIC.length;
const LENGTH_AT = CRC_AT + 4;
const PREFIX = LENGTH_AT + 4;
const CHUNK = 1 << 22;
/** Pieces of that size that are read at the same time. */
const AT_ONCE = 4;

/** The path of a cache: in the folder of the archive, with its name. */
export function cachePath({ archive, part }: CacheKey): string {
  return `${archive}.${part}.cache`;
}

/**
 * The cached arrays, or undefined if there is no valid cache.
 * @param options.map - Map the file into memory instead of reading it. Default: false.
 */
export async function readCache(
  key: CacheKey,
  { map = false }: { map?: boolean | undefined } = {},
): Promise<CachedArrays | undefined> {
  try {
    const { size, mtimeMs } = await stat(key.archive);
    const { bytes, crc } = await readWhole(cachePath(key), map);
    if (bytes.length < PREFIX || bytes.toString('latin1', 0, MAGIC.length) !== MAGIC) return undefined;
    if (crc !== bytes.readUInt32LE(CRC_AT)) return undefined;
    const start = PREFIX + bytes.readUInt32LE(LENGTH_AT);
    const header = JSON.parse(bytes.toString('utf8', PREFIX, start)) as Header;
    const { version, archive, shape, classes, count } = header;
    if (version !== VERSION || archive.size !== size || archive.mtimeMs !== mtimeMs) return undefined;
    if (key.verify && !header.verified) return undefined;
    const end = start + count * shape[0] * shape[1] * shape[2];
    if (bytes.length !== end + count) return undefined;
    return { classes, shape, images: view(bytes, start, end), labels: view(bytes, end, bytes.length) };
  } catch {
    return undefined; // A damaged cache is ignored; the archive is read instead.
  }
}

/**
 * Stores parsed arrays. If the folder cannot be written to or the disk is full, only the next start is slower: this
 * is reported as a process warning with the code `DYCONV_CACHE`. Processes that write at the same time each write a
 * complete file, and the last one remains.
 */
export async function writeCache(
  key: CacheKey,
  { classes, shape, images, labels }: CachedArrays,
): Promise<void> {
  const path = cachePath(key);
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    const { size, mtimeMs } = await stat(key.archive);
    await removeAbandoned(path);
    const header: Header = {
      version: VERSION,
      archive: { size, mtimeMs },
      verified: key.verify,
      classes: [...classes],
      shape: [...shape] as [number, number, number],
      count: labels.length,
    };
    const text = Buffer.from(JSON.stringify(header));
    const prefix = Buffer.alloc(PREFIX);
    prefix.write(MAGIC, 'latin1');
    prefix.writeUInt32LE(text.length, LENGTH_AT);
    let crc = crc32(prefix.subarray(LENGTH_AT));
    for (const part of [text, images, labels]) crc = crc32(part, crc);
    prefix.writeUInt32LE(crc, CRC_AT);
    const file = await open(temporary, 'wx');
    try {
      for (const part of [prefix, text, images, labels]) await file.writeFile(part);
    } finally {
      await file.close();
    }
    // No fsync: a cache damaged by a power failure fails its CRC, and waiting for the disk would cost the time that is saved.
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    warn(
      'DYCONV_CACHE',
      `${path}: the parsed images could not be cached (${(error as Error).message}), so the next start reads the archive ` +
        'again. Set cache: false to disable the cache',
    );
  }
}

/**
 * A whole file, and the CRC of the bytes after the CRC field. Several pieces are read at once: most of the time is spent on
 * the first access to memory, which two processors do in half the time.
 * @param map - Map the file into memory; it is still read once for the CRC.
 */
async function readWhole(path: string, map: boolean): Promise<{ bytes: Buffer; crc: number }> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const whole = map ? undefined : allocateBytes(size);
    const start = async (at: number, own?: Uint8Array) => {
      const length = Math.max(0, Math.min(CHUNK, size - at));
      const piece = whole?.subarray(at, at + length) ?? (own ?? new Uint8Array(CHUNK)).subarray(0, length);
      await fill(file, piece, at);
      return piece;
    };
    const reading = Array.from({ length: AT_ONCE }, (_, i) => start(i * CHUNK));
    let crc = 0;
    try {
      for (let at = 0; at < size; at += CHUNK) {
        const piece = await reading.shift()!;
        crc = crc32(at === 0 ? piece.subarray(LENGTH_AT) : piece, crc);
        reading.push(start(at + AT_ONCE * CHUNK, piece));
      }
    } finally {
      await Promise.allSettled(reading);
    }
    const { buffer, byteOffset, length } = whole ?? mapBytes(path, size);
    return { bytes: Buffer.from(buffer, byteOffset, length), crc };
  } finally {
    await file.close();
  }
}

/** Age from which an unfinished cache is considered abandoned. */
const ABANDONED_MS = 3_600_000;

/** Removes unfinished caches of killed processes. */
async function removeAbandoned(path: string): Promise<void> {
  const folder = dirname(path);
  const prefix = `${basename(path)}.`;
  for (const name of await readdir(folder)) {
    if (!name.startsWith(prefix) || !name.endsWith('.tmp')) continue;
    const { mtimeMs } = await stat(join(folder, name));
    if (Date.now() - mtimeMs > ABANDONED_MS) await rm(join(folder, name), { force: true });
  }
}

/** Reads until the piece is full. */
async function fill(file: FileHandle, piece: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < piece.length; ) {
    const { bytesRead } = await file.read(piece, done, piece.length - done, position + done);
    if (bytesRead === 0) throw new Error('the file became shorter');
    done += bytesRead;
  }
}

function view(bytes: Buffer, start: number, end: number): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start);
}
