/**
 * Reads and writes NumPy's `.npz` files: a zip archive with one `.npy` file per array.
 * @see https://numpy.org/doc/stable/reference/generated/numpy.savez.html
 * @module
 */

import { Readable } from 'node:stream';
import type { Entry, ZipFile as ZipReader } from 'yauzl';
import { ZipFile } from 'yazl';
import { checkOptions, optionKeys } from '../check/index.js';
import { CheckpointError, DyconvError, invalidArgument } from '../errors.js';
import { commitOrDiscard, stageFile } from '../files/atomic.js';
import { checkPath, fileError } from '../files/error.js';
import { ChecksumError, entryBytes, listEntries, openZip } from '../files/zip.js';
import { itemSize } from '../tensor/dtype.js';
import { isTensor, type Tensor } from '../tensor/tensor.js';
import { isUnrepresentable } from './foreign-dtypes.js';
import { readNpy } from './npy.js';
import { formatNpyHeader } from './npy-header.js';
import { withRefused } from './refused.js';
import { streamReader, tensorPieces, writePieces } from './tensor-bytes.js';

const SAVE_KEYS = optionKeys('compress');

/** Options of {@link saveNpz}. */
export interface SaveNpzOptions {
  /** Compress the arrays, like NumPy's `savez_compressed` instead of `savez`. Default false. */
  compress?: boolean | undefined;
}

// Entries have the first date of the zip format, so that equal tensors are written as equal bytes.
const MTIME = new Date(1980, 0, 1);

/**
 * Reads the arrays of NumPy's `savez` or `savez_compressed`, or {@link saveNpz}.
 * An array that no dtype can represent (strings, objects, records, complex numbers) is left out with a warning, and throws when it is
 * accessed by its name; the others are read.
 * @returns Tensors by name, on the CPU, in the order of the file. The caller must dispose them.
 * @throws {CheckpointError} if the file is missing, truncated or damaged, or has two arrays with the same name; the message names the file
 * and the array.
 */
export async function loadNpz(path: string): Promise<Record<string, Tensor>> {
  checkPath(path);
  let zip: ZipReader;
  try {
    zip = await openZip(path);
  } catch (error) {
    throw damaged(path, error);
  }
  const tensors: [string, Tensor][] = [];
  const refused = new Map<string, string>();
  try {
    for (const [name, entry] of await listEntries(zip, arrayName)) {
      const value = await readArray(zip, entry, `${path} (array ${name})`);
      if (typeof value === 'string') refused.set(name, value);
      else tensors.push([name, value]);
    }
    return withRefused(tensors, refused, path);
  } catch (error) {
    for (const [, tensor] of tensors) tensor.dispose();
    throw damaged(path, error);
  } finally {
    zip.close();
  }
}

/** The name of the array in an entry; null for another file. */
function arrayName({ fileName }: Entry): string | null {
  return fileName.endsWith('.npy') ? fileName.slice(0, -'.npy'.length) : null;
}

/**
 * Writes tensors for NumPy's `load`, atomically: an existing file remains until the new one is complete.
 * @param path - The file; its folder must exist.
 * @param record - Tensors by name, from any device and with any strides. They must not change until the promise is settled.
 * @throws {DTypeError} for bfloat16, which NumPy does not have. @throws {CheckpointError} if the file cannot be written.
 * @example await saveNpz('batch.npz', { images, labels }, { compress: true });
 */
export async function saveNpz(
  path: string,
  record: Record<string, Tensor>,
  options: SaveNpzOptions = {},
): Promise<void> {
  checkPath(path);
  const { compress = false } = checkOptions(options, SAVE_KEYS);
  if (typeof compress !== 'boolean') throw invalidArgument('compress', 'a boolean', compress);
  const zip = new ZipFile();
  const failed = new Promise<never>((_, reject) => zip.on('error', reject));
  for (const [name, tensor] of checkRecord(record)) addArray(zip, name, tensor, compress);
  zip.end();
  try {
    const staged = await stageFile(path, async (file) => {
      const written = writePieces(file, zip.outputStream as unknown as AsyncIterable<Uint8Array>);
      await Promise.race([written, failed]);
    });
    await commitOrDiscard(staged);
  } catch (error) {
    throw fileError('write', path, error);
  }
}

/** @returns The tensor, or the reason why no dtype can represent it. */
async function readArray(zip: ZipReader, entry: Entry, name: string): Promise<Tensor | string> {
  const bytes = entryBytes(zip, entry);
  let tensor: Tensor | undefined;
  try {
    tensor = await readNpy(streamReader(bytes, name), entry.uncompressedSize, name);
    // Size and checksum are checked at the end of the stream.
    for await (const _ of bytes);
    return tensor;
  } catch (error) {
    tensor?.dispose();
    if (error instanceof ChecksumError) throw new CheckpointError(`${name} is damaged: ${error.message}`);
    if (isUnrepresentable(error))
      return error.message.replace(`${name} is not a npy file that can be read: `, '');
    throw error;
  } finally {
    await bytes.return(undefined);
  }
}

function addArray(zip: ZipFile, name: string, tensor: Tensor, compress: boolean): void {
  const header = formatNpyHeader(tensor.dtype, tensor.shape);
  const size = header.length + tensor.numel * itemSize(tensor.dtype);
  async function* pieces(): AsyncGenerator<Uint8Array> {
    yield header;
    yield* tensorPieces(tensor);
  }
  const options = { compress, size, mtime: MTIME, forceDosTimestamp: true };
  zip.addReadStreamLazy(`${name}.npy`, options, (give) => {
    const stream = Readable.from(pieces(), { objectMode: false });
    stream.on('error', (error) => zip.emit('error', error));
    give(null, stream);
  });
}

function checkRecord(record: Record<string, Tensor>): [string, Tensor][] {
  if (typeof record !== 'object' || record === null || isTensor(record))
    throw invalidArgument('record', 'an object with a Tensor a name', record);
  const entries = Object.entries(record);
  for (const [name, value] of entries) {
    // File names that zip allows.
    if (!/^[^/\\][^\\]{0,1000}$/.test(name) || name.split('/').includes('..') || /^[A-Za-z]:\//.test(name))
      throw invalidArgument('record', 'names without backslashes and `..`', name);
    if (!isTensor(value)) throw invalidArgument(`record[${JSON.stringify(name)}]`, 'a Tensor', value);
    formatNpyHeader(value.dtype, value.shape);
  }
  return entries;
}

function damaged(path: string, error: unknown): Error {
  const known = fileError('read', path, error);
  if (known instanceof DyconvError) return known;
  return new CheckpointError(`${path} is not a npz file that can be read: ${known.message}`, {
    cause: error,
  });
}
