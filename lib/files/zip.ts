/**
 * Reads untrusted zip files.
 * @module
 */
import { close, createReadStream, fstat, open, read } from 'node:fs';
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { crc32 } from 'node:zlib';
import { type Entry, fromRandomAccessReaderPromise, RandomAccessReader, type ZipFile } from 'yauzl';
import { checkRegular, READ_FLAGS } from './open.js';

/**
 * A file for yauzl. Its own reader passes offsets from the archive directly to Node.js, which
 * throws uncatchable errors for those beyond any file size.
 */
class FileReader extends RandomAccessReader {
  readonly #fd: number;
  readonly #size: number;

  constructor(fd: number, size: number) {
    super();
    this.#fd = fd;
    this.#size = size;
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null, bytesRead?: number) => void,
  ): void {
    if (position + length <= this.#size) read(this.#fd, buffer, offset, length, position, callback);
    else callback(new Error(`Expected ${length} bytes at ${position} but the file has ${this.#size} in all`));
  }

  override _readStreamForRange(start: number, end: number): Readable {
    // A destroyed stream closes its file even with `autoClose: false`, but the archive still needs it.
    const fs = { read, close: ((_fd, done) => done?.(null)) as typeof close };
    return createReadStream('', { fd: this.#fd, fs, start, end: end - 1 });
  }

  override close(callback: (error: Error | null) => void): void {
    close(this.#fd, callback);
  }
}

/**
 * Opens a zip file, whose entries are then read one by one. The caller must close it.
 * @param options.strictFileNames - Whether backslashes in names are an error. Default false: they become slashes.
 * @throws Errors of the file system, or an error that describes the problem of the archive.
 */
export async function openZip(
  path: string,
  options: { strictFileNames?: boolean | undefined } = {},
): Promise<ZipFile> {
  const fd = await promisify(open)(path, READ_FLAGS);
  try {
    const found = await promisify(fstat)(fd);
    checkRegular(found, path);
    const { size } = found;
    return await fromRandomAccessReaderPromise(new FileReader(fd, size), size, {
      ...options,
      autoClose: false,
    });
  } catch (error) {
    await promisify(close)(fd);
    throw error;
  }
}

/**
 * The entries of an archive by name.
 * @param name - Gives the name under which an entry is listed; null ignores the entry. Default: the name in the archive.
 * @throws Error when two entries have the same name, or when together they are larger than the file (they overlap).
 */
export async function listEntries(
  zip: ZipFile,
  name: (entry: Entry) => string | null = ({ fileName }) => fileName,
): Promise<Map<string, Entry>> {
  const entries = new Map<string, Entry>();
  let bytes = 0;
  for await (const entry of zip.eachEntry() as AsyncIterable<Entry>) {
    bytes += entry.compressedSize;
    if (bytes > zip.fileSize) throw new Error('its files are larger than the archive');
    const key = name(entry);
    if (key === null) continue;
    if (entries.has(key)) throw new Error(`it has two files named ${key}`);
    entries.set(key, entry);
  }
  return entries;
}

/** A file in an archive does not have its checksum. */
export class ChecksumError extends Error {}

/**
 * The bytes of an entry. A checksum of 0 is ignored: PyTorch writes files without checksums.
 * @throws ChecksumError after the last byte, if the checksum differs.
 */
export async function* entryBytes(zip: ZipFile, entry: Entry): AsyncGenerator<Buffer> {
  const stream = await zip.openReadStreamPromise(entry);
  let sum = 0;
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      sum = crc32(chunk, sum);
      yield chunk;
    }
  } finally {
    stream.destroy();
  }
  if (entry.crc32 !== 0 && sum !== entry.crc32) throw new ChecksumError('its checksum is wrong');
}
