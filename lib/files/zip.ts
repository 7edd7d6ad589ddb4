/**
 * Zip files whose contents are not trusted.
 * @module
 */
import { close, createReadStream, fstat, open, read } from 'node:fs';
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { fromRandomAccessReaderPromise, RandomAccessReader, type ZipFile } from 'yauzl';
import { checkRegular, READ_FLAGS } from './open.js';

/**
 * A file of which yauzl reads parts. Its own reader passes offsets that an archive claims straight to Node, which
 * throws for those beyond a file of any size, out of everybody's reach.
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
    // A stream that is destroyed closes its file, whatever `autoClose` says: the archive goes on with it.
    const fs = { read, close: ((_fd, done) => done?.(null)) as typeof close };
    return createReadStream('', { fd: this.#fd, fs, start, end: end - 1 });
  }

  override close(callback: (error: Error | null) => void): void {
    close(this.#fd, callback);
  }
}

/**
 * Opens a zip file, whose entries are then read one by one; to be closed.
 * @param options.strictFileNames - Backslashes in names are an error. Default false, where they become slashes.
 * @throws Error of the file system, or one that says what is wrong with the archive.
 */
export async function openZip(path: string, options: { strictFileNames?: boolean } = {}): Promise<ZipFile> {
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
