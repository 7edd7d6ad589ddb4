/**
 * Reading and writing `.safetensors` files, the format PyTorch users exchange weights in.
 * @see https://huggingface.co/docs/safetensors
 * @module
 */
import { type FileHandle, open } from 'node:fs/promises';
import { commitOrDiscard, type StagedFile, stageFile } from './atomic-file.js';
import { CheckpointError, invalidArgument } from './errors.js';
import {
  formatHeader,
  MAX_HEADER_BYTES,
  parseHeader,
  type SafetensorsHeader,
  type TensorEntry,
} from './safetensors-header.js';
import { tensor } from './tensor/create.js';
import { ARRAY_OF, type DType, itemSize, type TypedArray } from './tensor/dtype.js';
import { isTensor, type Tensor } from './tensor/tensor.js';

/** Options of {@link saveSafetensors}. */
export interface SaveSafetensorsOptions {
  /** Strings kept in the header's `__metadata__`. Default: none. */
  metadata?: Record<string, string>;
}

/**
 * Reads every tensor of a safetensors file.
 * @param path - The file.
 * @returns Tensors by name, on the CPU, in the order of the file. The caller owns them.
 * @throws {CheckpointError} if the file is missing, truncated or damaged; the message names it and the tensor.
 * @example
 * const state = await loadSafetensors('runs/dy/best.safetensors')
 * model.loadStateDict(state)
 */
export async function loadSafetensors(path: string): Promise<Record<string, Tensor>> {
  const { tensors } = await readSafetensors(path);
  return tensors;
}

/**
 * Reads a safetensors file with its metadata.
 * @throws {CheckpointError} as {@link loadSafetensors}.
 */
export async function readSafetensors(
  path: string,
): Promise<{ tensors: Record<string, Tensor>; metadata: Record<string, string> }> {
  return withFile(path, async (file) => {
    const { header, dataStart } = await readHeader(file, path);
    const tensors: [string, Tensor][] = [];
    try {
      // One tensor after the other: beside the result, never more than one of them is held in memory.
      for (const entry of header.entries) {
        const values = await readEntry(file, path, entry, dataStart);
        tensors.push([entry.name, tensor(values, { shape: entry.shape, dtype: entry.dtype })]);
      }
    } catch (error) {
      for (const [, value] of tensors) value.dispose();
      throw error;
    }
    return { tensors: Object.fromEntries(tensors), metadata: header.metadata };
  });
}

/**
 * Reads only the header: names, dtypes, shapes and metadata, without touching the data.
 * @throws {CheckpointError} as {@link loadSafetensors}.
 */
export async function readSafetensorsHeader(path: string): Promise<SafetensorsHeader> {
  return withFile(path, async (file) => (await readHeader(file, path)).header);
}

/**
 * Writes tensors to a safetensors file, atomically: a file that was there before stays until the new one is complete
 * on disk.
 * @param path - The file; its folder must exist.
 * @param record - Tensors by name, from any device and with any strides. They are not changed.
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
    throw cannot('write', path, error);
  });
}

/**
 * The first half of {@link saveSafetensors}: the complete file under a temporary name. For writers of several files
 * that have to change together.
 * @throws {CheckpointError} as {@link saveSafetensors}.
 */
export async function stageSafetensors(
  path: string,
  record: Record<string, Tensor>,
  options: SaveSafetensorsOptions & { tag?: string } = {},
): Promise<StagedFile> {
  const { metadata = {}, tag } = options;
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
        await writeFully(file, bytes);
        for (const { name } of entries) await writeFully(file, asBytes(await record[name]!.data()));
      },
      { tag },
    );
  } catch (error) {
    throw cannot('write', path, error);
  }
}

async function withFile<T>(path: string, read: (file: FileHandle) => Promise<T>): Promise<T> {
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch (error) {
    throw cannot('read', path, error);
  }
  try {
    return await read(file);
  } catch (error) {
    throw cannot('read', path, error);
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
  await readFully(file, prefix, 0, path);
  const length = prefix.readBigUInt64LE(0);
  if (length > BigInt(MAX_HEADER_BYTES)) {
    throw new CheckpointError(
      `${path} is not a safetensors file: it announces a header of ${length} bytes, allowed are ${MAX_HEADER_BYTES}`,
    );
  }
  const dataStart = 8 + Number(length);
  if (dataStart > size) {
    throw new CheckpointError(
      `${path} is truncated: its header should take ${length} bytes, but the file has only ${size - 8} after the length`,
    );
  }
  const json = new Uint8Array(Number(length));
  await readFully(file, json, 8, path);
  return { header: parseHeader(json, size - dataStart, path), dataStart };
}

async function readEntry(
  file: FileHandle,
  path: string,
  entry: TensorEntry,
  dataStart: number,
): Promise<TypedArray> {
  // An array of its own, since the data of a tensor need not be aligned within the file.
  const values = new ARRAY_OF[entry.dtype]((entry.end - entry.begin) / itemSize(entry.dtype));
  await readFully(file, asBytes(values), dataStart + entry.begin, path);
  return values;
}

async function readFully(
  file: FileHandle,
  target: Uint8Array,
  position: number,
  path: string,
): Promise<void> {
  let done = 0;
  while (done < target.length) {
    // A single read call is limited to 2 GiB by the operating system.
    const length = Math.min(target.length - done, 1 << 30);
    const { bytesRead } = await file.read(target, done, length, position + done);
    if (bytesRead === 0)
      throw new CheckpointError(`${path} ended while it was read: has it just been replaced?`);
    done += bytesRead;
  }
}

async function writeFully(file: FileHandle, bytes: Uint8Array): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const { bytesWritten } = await file.write(bytes, done, Math.min(bytes.length - done, 1 << 30));
    done += bytesWritten;
  }
}

function asBytes(values: TypedArray): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

function checkRecord(
  record: Record<string, Tensor>,
): { name: string; dtype: DType; shape: readonly number[] }[] {
  return Object.entries(record).map(([name, value]) => {
    if (name === '__metadata__')
      throw invalidArgument('record', 'tensor names other than __metadata__', name);
    if (!isTensor(value)) throw invalidArgument(`record[${JSON.stringify(name)}]`, 'a Tensor', value);
    return { name, dtype: value.dtype, shape: value.shape };
  });
}

function checkMetadata(metadata: Record<string, string>): void {
  for (const [key, value] of Object.entries(metadata)) {
    if (typeof value !== 'string')
      throw invalidArgument(`metadata[${JSON.stringify(key)}]`, 'a string', value);
  }
}

/** File system errors as CheckpointErrors; our own pass through. */
function cannot(verb: 'read' | 'write', path: string, error: unknown): Error {
  if (!(error instanceof Error) || !('syscall' in error)) return error as Error;
  const reasons: Record<string, string> = {
    ENOENT: verb === 'read' ? 'no such file' : 'no such folder',
    EACCES: 'permission denied',
    EROFS: 'the file system is read-only',
    ENOSPC: 'the disk is full',
    EISDIR: 'it is a folder',
  };
  const { code = '' } = error as NodeJS.ErrnoException;
  return new CheckpointError(`Cannot ${verb} ${path}: ${reasons[code] ?? error.message}`, { cause: error });
}
