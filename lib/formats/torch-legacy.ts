/**
 * Files of `torch.save` before PyTorch 1.6: a sequence of pickles (a magic number, a version, the system, the value,
 * the keys of the storages), followed by the storages, each with a length and its elements.
 * @see https://github.com/pytorch/pytorch/blob/main/torch/serialization.py (`_legacy_save`)
 * @module
 */
import type { FileHandle } from 'node:fs/promises';
import { type Pickled, PickleEndError, PickleError, pickledText, readPickleAsync } from './pickle.js';
import { fileReader } from './tensor-bytes.js';
import { MAX_PICKLE_BYTES } from './torch-archive.js';
import { type PickledStorage, storageItemSize, torchDialect } from './torch-pickle.js';
import { makeValues, type StorageReader, type TorchValue } from './torch-values.js';

const PROTOCOL = 1001;
/** Number of bytes that are read first for the pickles. */
const HEAD = 1 << 20;

/** Reads an open file. @throws PickleError, or CheckpointError for a file that is truncated during reading. */
export async function readTorchLegacy(file: FileHandle, path: string): Promise<TorchValue> {
  const { size } = await file.stat();
  let head: Head | undefined;
  // The length of the pickles is known only at their end.
  for (let length = HEAD; head === undefined; length *= 4) {
    const whole = length >= Math.min(size, MAX_PICKLE_BYTES);
    const bytes = new Uint8Array(Math.min(length, size, MAX_PICKLE_BYTES));
    await fileReader(file, path, 0).fill(bytes);
    head = await readHead(bytes).catch((error: unknown) => {
      if (error instanceof PickleEndError && !whole) return undefined;
      throw error;
    });
  }
  const positions = await locate(file, path, head, size);
  const readStorage: StorageReader = async ({ key }, read) => {
    const position = positions.get(key);
    if (position === undefined) throw new PickleError(`it lacks the storage ${key}`);
    return read(fileReader(file, path, position));
  };
  return makeValues(head.value, readStorage);
}

/** Contents of the pickles. */
interface Head {
  value: Pickled;
  keys: string[];
  storages: ReadonlyMap<string, PickledStorage>;
  /** Offset of the storages. */
  end: number;
}

async function readHead(bytes: Uint8Array): Promise<Head> {
  const { dialect, storages } = torchDialect();
  let end = 0;
  const next = async (): Promise<Pickled> => {
    const read = await readPickleAsync(bytes, dialect, end);
    end = read.end;
    return read.value;
  };
  await next(); // the magic number
  if ((await next()) !== PROTOCOL) throw new PickleError(`it is not of version ${PROTOCOL} of its format`);
  const system = await next();
  if (system instanceof Map && system.get('little_endian') === false)
    throw new PickleError('its byte order is big, expected little');
  const value = await next();
  const names = await next();
  const keys = Array.isArray(names) ? names.map((name) => pickledText(name)) : [undefined];
  if (keys.includes(undefined)) throw new PickleError('the list of its storages is damaged');
  return { value, keys: keys as string[], storages, end };
}

/** Offsets of the elements of each storage. */
async function locate(
  file: FileHandle,
  path: string,
  { keys, storages, end }: Head,
  size: number,
): Promise<Map<string, number>> {
  const positions = new Map<string, number>();
  let position = end;
  for (const key of keys) {
    const storage = storages.get(key);
    if (storage === undefined) throw new PickleError(`its storage ${key.slice(0, 40)} belongs to no tensor`);
    if (position + 8 > size) throw new PickleError(`it ends before its storage ${key}`);
    const prefix = Buffer.alloc(8);
    await fileReader(file, path, position).fill(prefix);
    const length = Number(prefix.readBigInt64LE());
    if (length !== storage.length)
      throw new PickleError(`its storage ${key} has ${length} elements, expected ${storage.length}`);
    positions.set(key, position + 8);
    position += 8 + length * storageItemSize(storage.dtype);
    if (position > size) throw new PickleError(`it ends in the middle of its storage ${key}`);
  }
  return positions;
}
