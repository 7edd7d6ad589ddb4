/**
 * Parsed archives, kept beside them in one flat file: the second start reads it in a fraction of the time.
 *
 * Layout: `DYCONVDS`, uint32 CRC-32 of all that follows, uint32 length of the header, header (JSON), images, labels.
 * A cache is used only if it is whole and the archive still has the size and modification time it had; otherwise it is built anew.
 * @module
 */
import { randomUUID } from 'node:crypto';
import { type FileHandle, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { crc32 } from 'node:zlib';
import { allocateBytes, mapBytes } from './bytes.js';
import { warn } from './dataset.js';

/** What is kept of an archive. */
export interface CachedArrays {
  classes: readonly string[];
  shape: readonly [number, number, number];
  images: Uint8Array;
  labels: Uint8Array;
}

/** Which parsed archive is meant. */
export interface CacheKey {
  /** Path of the archive. */
  archive: string;
  /** What was taken from it, such as `train-fine`: part of the cache's name. */
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

/** The path of a cache: beside the archive, named after it. */
export function cachePath({ archive, part }: CacheKey): string {
  return `${archive}.${part}.cache`;
}

/**
 * The cached arrays, or undefined where there are none, or none that can be trusted.
 * @param options.map - The arrays stand on the file's own pages. Default false: they are read into memory.
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
    return undefined; // Whatever is wrong with a cache, the archive itself is the better witness.
  }
}

/**
 * Keeps parsed arrays. A folder that cannot be written to, or a full disk, costs the next start its speed and nothing
 * else: it is told as a process warning with the code `DYCONV_CACHE`. Processes that write at the same time each write a
 * whole file, and the last one's stays.
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
    // Not synced: a cache torn by a power cut fails its CRC, and waiting for the disk would cost what it saves.
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    warn(
      'DYCONV_CACHE',
      `${path}: the parsed images could not be kept (${(error as Error).message}), so the next start reads the archive ` +
        'again. Use cache: false where that is meant',
    );
  }
}

/**
 * A whole file, and the CRC of what follows the field for it. Several pieces are read at once: most of the time goes by in
 * touching memory for the first time, which two processors do in half of it.
 * @param map - The file's own pages instead of memory that it is read into; it is read all the same, for the CRC.
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

/** How old an unfinished cache is that nobody is writing any more. */
const ABANDONED_MS = 3_600_000;

/** What processes that were killed while they wrote this cache have left. */
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
