/**
 * Reads and writes `.safetensors` files, the usual format for PyTorch weights.
 * @see https://huggingface.co/docs/safetensors
 * @module
 */
import type { FileHandle } from 'node:fs/promises';
import { checkOptions, optionKeys } from '../check/index.js';
import { CheckpointError, invalidArgument } from '../errors.js';
import { commitOrDiscard, type StagedFile, stageFile } from '../files/atomic.js';
import { checkPath, fileError } from '../files/error.js';
import { openFile } from '../files/open.js';
import { empty } from '../tensor/create.js';
import type { DType } from '../tensor/dtype.js';
import { isTensor, native, type Tensor } from '../tensor/tensor.js';
import { describeFile, kindOfFile } from './file-kind.js';
import { isUnrepresentable, readForeign } from './foreign-dtypes.js';
import { withRefused } from './refused.js';
import {
  foreignOf,
  formatHeader,
  MAX_HEADER_BYTES,
  parseHeader,
  type SafetensorsHeader,
  type TensorEntry,
} from './safetensors-header.js';
import { fileReader, readTensor, tensorPieces, writePieces } from './tensor-bytes.js';

const LOAD_KEYS = optionKeys('mmap');
const SAVE_KEYS = optionKeys('metadata', 'tag');

/** Options of {@link saveSafetensors}. */
export interface SaveSafetensorsOptions {
  /** Strings for the header's `__metadata__`. Default: none. */
  metadata?: Record<string, string> | undefined;
}

/** Options of {@link loadSafetensors}. */
export interface LoadSafetensorsOptions {
  /**
   * Map the file into memory instead of reading it: the tensors use the file's pages, which are read on
   * first use and are shared with other processes. Writing to a tensor does not change the file. The file must not be
   * truncated while the tensors exist: the system ends a process that reads pages beyond the end. Default false.
   */
  mmap?: boolean | undefined;
}

/**
 * Reads every tensor of a safetensors file in pieces: besides the tensors, at most 16 MB are in memory. U16, U32 and
 * U64 become int32, int64 and int64, 8-bit floats become float32. A tensor that no dtype can represent (C64, F4, F6, a U64 above
 * 2^63 - 1) is left out with a warning, and throws when it is accessed by its name; the others are read.
 * @param path - The file.
 * @returns Tensors by name, on the CPU, in the order of the file. The caller must dispose them.
 * @throws {CheckpointError} if the file is missing, truncated or damaged; the message names it and the tensor.
 * @example
 * const state = await loadSafetensors('runs/dy/best.safetensors')
 * model.loadStateDict(state)
 */
export async function loadSafetensors(
  path: string,
  options: LoadSafetensorsOptions = {},
): Promise<Record<string, Tensor>> {
  const { tensors } = await readSafetensors(path, options);
  return tensors;
}

/**
 * Reads a safetensors file with its metadata.
 * @throws {CheckpointError} like {@link loadSafetensors}.
 */
export async function readSafetensors(
  path: string,
  options: LoadSafetensorsOptions = {},
): Promise<{ tensors: Record<string, Tensor>; metadata: Record<string, string> }> {
  const { mmap = false } = checkOptions(options, LOAD_KEYS);
  if (typeof mmap !== 'boolean') throw invalidArgument('mmap', 'a boolean', mmap);
  return withFile(path, async (file) => {
    const { header, dataStart } = await readHeader(file, path);
    const tensors: [string, Tensor][] = [];
    const refused = new Map<string, string>();
    try {
      using mapped = mmap && header.entries.length > 0 ? await mapWhole(file, path) : undefined;
      for (const entry of header.entries) {
        const value = await readEntry(file, path, entry, dataStart, mapped);
        if (typeof value === 'string') refused.set(entry.name, value);
        else tensors.push([entry.name, value]);
      }
    } catch (error) {
      for (const [, value] of tensors) value.dispose();
      throw error;
    }
    return { tensors: withRefused(tensors, refused, path), metadata: header.metadata };
  });
}

/**
 * Reads only the header: names, dtypes, shapes and metadata, without touching the data.
 * @throws {CheckpointError} like {@link loadSafetensors}.
 */
export async function readSafetensorsHeader(path: string): Promise<SafetensorsHeader> {
  return withFile(path, async (file) => (await readHeader(file, path)).header);
}

/**
 * Writes tensors to a safetensors file, atomically: an existing file remains until the new one is complete
 * on disk.
 * @param path - The file; its folder must exist.
 * @param record - Tensors by name, from any device and with any strides. They must not change until the promise is settled.
 * @throws {CheckpointError} if the file cannot be written (no such folder, no permission, disk full).
 * @example
 * await saveSafetensors('alexnet.safetensors', model.stateDict(), { metadata: { epoch: '12' } })
 */
export async function saveSafetensors(
  path: string,
  record: Record<string, Tensor>,
  options: SaveSafetensorsOptions = {},
): Promise<void> {
  const staged = await stageSafetensors(path, record, options);
  await commitOrDiscard(staged).catch((error) => {
    throw fileError('write', path, error);
  });
}

/**
 * The first half of {@link saveSafetensors}: writes the complete file under a temporary name, for several files
 * that must be replaced together.
 * @throws {CheckpointError} like {@link saveSafetensors}.
 */
export async function stageSafetensors(
  path: string,
  record: Record<string, Tensor>,
  options: SaveSafetensorsOptions & { tag?: string | undefined } = {},
): Promise<StagedFile> {
  checkPath(path);
  const { metadata = {}, tag } = checkOptions(options, SAVE_KEYS);
  const tensors = checkRecord(record);
  checkMetadata(metadata);
  const { bytes, entries } = formatHeader(tensors, metadata);
  if (bytes.length - 8 > MAX_HEADER_BYTES) {
    throw new CheckpointError(
      `Cannot write ${path}: its header would take ${bytes.length - 8} bytes, the format allows ${MAX_HEADER_BYTES}`,
    );
  }
  try {
    return await stageFile(
      path,
      async (file) => {
        async function* pieces(): AsyncGenerator<Uint8Array> {
          yield bytes;
          for (const { name } of entries) yield* tensorPieces(record[name]!);
        }
        await writePieces(file, pieces());
      },
      { tag },
    );
  } catch (error) {
    throw fileError('write', path, error);
  }
}

async function withFile<T>(path: string, read: (file: FileHandle) => Promise<T>): Promise<T> {
  checkPath(path);
  let file: FileHandle;
  try {
    file = await openFile(path);
  } catch (error) {
    throw fileError('read', path, error);
  }
  try {
    return await read(file);
  } catch (error) {
    throw fileError('read', path, error);
  } finally {
    await file.close();
  }
}

async function readHeader(
  file: FileHandle,
  path: string,
): Promise<{ header: SafetensorsHeader; dataStart: number }> {
  const { size } = await file.stat();
  if (size < 8) {
    throw new CheckpointError(
      `${path} is not a safetensors file: it has ${size} bytes, the header's length alone takes 8`,
    );
  }
  const prefix = Buffer.alloc(8);
  await fileReader(file, path, 0).fill(prefix);
  const length = prefix.readBigUInt64LE(0);
  if (length > BigInt(MAX_HEADER_BYTES)) {
    const announced = `it declares a header of ${length} bytes, allowed are ${MAX_HEADER_BYTES}`;
    throw new CheckpointError(
      `${path} is not a safetensors file: ${describeFile(await kindOfFile(file), announced)}`,
    );
  }
  const dataStart = 8 + Number(length);
  if (dataStart > size) {
    throw new CheckpointError(
      `${path} is truncated: its header should take ${length} bytes, but the file has only ${size - 8} after the length`,
    );
  }
  const json = new Uint8Array(Number(length));
  await fileReader(file, path, 8).fill(json);
  return { header: parseHeader(json, size - dataStart, path), dataStart };
}

/** The file's bytes as a memory-mapped tensor. */
async function mapWhole(file: FileHandle, path: string): Promise<Tensor> {
  const { size } = await file.stat();
  return native.mapFile(path, size);
}

/** @returns The tensor, or the reason why no dtype can represent it. */
async function readEntry(
  file: FileHandle,
  path: string,
  entry: TensorEntry,
  dataStart: number,
  mapped: Tensor | undefined,
): Promise<Tensor | string> {
  const { begin, end, shape, dtype, storedAs } = entry;
  if (dtype === null) return `its elements are ${storedAs}, which no dtype can represent`;
  if (end === begin) return empty(shape, { dtype });
  const position = dataStart + begin;
  const foreign = foreignOf(entry);
  if (foreign !== undefined) {
    return readForeign(fileReader(file, path, position), shape, foreign).catch((error: unknown) => {
      if (isUnrepresentable(error)) return error.message;
      throw error;
    });
  }
  // A bool must be a byte of 0 or 1, which is checked only when it is read.
  if (mapped === undefined || dtype === 'bool')
    return readTensor(fileReader(file, path, position), shape, dtype);
  using bytes = native.narrow(mapped, 0, position, end - begin);
  // A tensor that does not start at a multiple of its element size, which the format allows, is copied.
  using aligned = position % 8 === 0 ? native.detach(bytes) : native.clone(bytes);
  using elements = native.viewDType(aligned, dtype);
  return native.view(elements, shape);
}

function checkRecord(
  record: Record<string, Tensor>,
): { name: string; dtype: DType; shape: readonly number[] }[] {
  if (typeof record !== 'object' || record === null || isTensor(record))
    throw invalidArgument('record', 'an object with a Tensor a name', record);
  return Object.entries(record).map(([name, value]) => {
    if (name === '__metadata__')
      throw invalidArgument('record', 'tensor names other than __metadata__', name);
    if (!isTensor(value)) throw invalidArgument(`record[${JSON.stringify(name)}]`, 'a Tensor', value);
    return { name, dtype: value.dtype, shape: value.shape };
  });
}

function checkMetadata(metadata: Record<string, string>): void {
  if (typeof metadata !== 'object' || metadata === null)
    throw invalidArgument('metadata', 'an object of strings', metadata);
  for (const [key, value] of Object.entries(metadata)) {
    if (typeof value !== 'string')
      throw invalidArgument(`metadata[${JSON.stringify(key)}]`, 'a string', value);
  }
}
