/**
 * Reading the files of `torch.save`: weights and checkpoints, without running anything that is in them.
 * @see https://pytorch.org/docs/stable/generated/torch.load.html
 * @module
 */
import type { Readable } from 'node:stream';
import { crc32 } from 'node:zlib';
import type { Entry, ZipFile } from 'yauzl';
import { CheckpointError } from '../errors.js';
import { checkPath, fileError } from '../files/error.js';
import { openFile } from '../files/open.js';
import { openZip } from '../files/zip.js';
import { tensor } from '../tensor/create.js';
import { ARRAY_OF, itemSize, type TypedArray } from '../tensor/dtype.js';
import { isTensor, type Tensor } from '../tensor/tensor.js';
import { type Pickled, PickleError, readPickle } from './pickle.js';
import { type PickledStorage, PickledTensor, TORCH } from './torch-pickle.js';

/** What a file of PyTorch may hold. Dictionaries become objects, tuples arrays. */
export type TorchValue =
  | Tensor
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | TorchValue[]
  | { [key: string]: TorchValue };

/** Largest pickle accepted, in bytes: it describes tensors, it does not hold them. */
const MAX_PICKLE_BYTES = 100_000_000;

/** Deepest nesting of containers. */
const MAX_DEPTH = 100;

/** First bytes of what `torch.save` wrote before PyTorch 1.6: a pickle of a magic number. */
const LEGACY = Buffer.from('80028a0a6cfc9c46f9206aa85019', 'hex');

/**
 * Reads a file of `torch.save` (`.pt`, `.pth`; the zip format, which is the default since PyTorch 1.6). Nothing in it is
 * executed: only tensors, dictionaries, lists, tuples, numbers and texts can come of it, as with
 * `torch.load(..., weights_only=True)`; a file that asks for anything else is refused.
 * @param path - The file.
 * @returns What was saved, tensors on the CPU. The caller owns them.
 * @throws {CheckpointError} if the file is missing, damaged, of the old format, or holds something else.
 * @example
 * const { model } = (await loadTorch('checkpoint.pt')) as { model: Record<string, Tensor> }
 */
export async function loadTorch(path: string): Promise<TorchValue> {
  await checkKind(path);
  let zip: ZipFile;
  try {
    zip = await openZip(path, { strictFileNames: true });
  } catch (error) {
    throw damaged(path, error);
  }
  try {
    return await new Archive(zip).read();
  } catch (error) {
    throw damaged(path, error);
  } finally {
    zip.close();
  }
}

/** Keys under which checkpoints usually keep the weights of their model. */
const USUAL_KEYS = ['state_dict', 'model_state_dict', 'model'];

/**
 * Reads the weights in a file of PyTorch: what `torch.save(model.state_dict(), path)` wrote, or a checkpoint with such a
 * dictionary under `state_dict`, `model_state_dict` or `model`.
 * @returns Tensors by key, on the CPU. The caller owns them.
 * @throws {CheckpointError} as {@link loadTorch}, and if there is no such dictionary.
 * @example
 * model.loadStateDict(await loadTorchStateDict('alexnet.pth'))
 */
export async function loadTorchStateDict(path: string): Promise<Record<string, Tensor>> {
  const value = await loadTorch(path);
  const candidates = [value, ...USUAL_KEYS.map((key) => (isRecord(value) ? value[key] : undefined))];
  const found = candidates.find(isStateDict);
  const kept = new Set(found ? Object.values(found) : []);
  for (const one of tensorsIn(value)) if (!kept.has(one)) one.dispose();
  if (found) return found;
  const what = isRecord(value)
    ? `a dictionary of ${Object.keys(value).slice(0, 8).join(', ')}`
    : typeof value;
  throw new CheckpointError(
    `Expected a state dict in ${path}, itself or under ${USUAL_KEYS.join(', ')}, but received ${what}`,
  );
}

/** Tells files that are not of the zip format by their first bytes. */
async function checkKind(path: string): Promise<void> {
  checkPath(path);
  const start = Buffer.alloc(LEGACY.length);
  let bytesRead: number;
  try {
    const file = await openFile(path);
    try {
      ({ bytesRead } = await file.read(start, 0, start.length, 0));
    } finally {
      await file.close();
    }
  } catch (error) {
    throw fileError('read', path, error);
  }
  if (start.equals(LEGACY)) {
    throw new CheckpointError(
      `${path} is of the format of PyTorch before 1.6: load and save it once more in Python, torch.save(torch.load(path), path)`,
    );
  }
  if (bytesRead < 4 || start.toString('latin1', 0, 2) !== 'PK') {
    throw new CheckpointError(`${path} is not a file of PyTorch: it is no zip archive`);
  }
}

/** The archive under a file of PyTorch: `<name>/data.pkl`, `<name>/data/<storage>`, `<name>/byteorder` ... */
class Archive {
  readonly #zip: ZipFile;
  /** Entries by their name without the folder all of them are in. */
  readonly #entries = new Map<string, Entry>();
  readonly #made = new Map<Pickled, TorchValue>();
  readonly #storages = new Map<string, TypedArray>();

  constructor(zip: ZipFile) {
    this.#zip = zip;
  }

  async read(): Promise<TorchValue> {
    for await (const entry of this.#zip.eachEntry()) {
      const name = entry.fileName.slice(entry.fileName.indexOf('/') + 1);
      if (this.#entries.has(name)) throw new PickleError(`it has two files named ${name}`);
      this.#entries.set(name, entry);
    }
    if (this.#entries.has('constants.pkl')) {
      throw new PickleError('it is a TorchScript program, not weights');
    }
    if (this.#entries.has('byteorder')) {
      const order = (await this.#bytes('byteorder', 16)).toString('latin1');
      if (order !== 'little') throw new PickleError(`its byte order is ${order}, expected little`);
    }
    const pickled = readPickle(await this.#bytes('data.pkl', MAX_PICKLE_BYTES), TORCH);
    try {
      return await this.#make(pickled, 0);
    } catch (error) {
      for (const value of this.#made.values()) if (isTensor(value)) value.dispose();
      throw error;
    }
  }

  /** What stands for a value. An object that is referred to twice is made once. */
  async #make(value: Pickled, depth: number): Promise<TorchValue> {
    if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
    const known = this.#made.get(value);
    if (known !== undefined) return known;
    if (depth > MAX_DEPTH) throw new PickleError(`its containers are nested more than ${MAX_DEPTH} deep`);
    const made = await this.#makeObject(value, depth);
    this.#made.set(value, made);
    return made;
  }

  async #makeObject(value: Pickled & object, depth: number): Promise<TorchValue> {
    if (value instanceof PickledTensor) return this.#tensor(value);
    if (Array.isArray(value)) {
      const items: TorchValue[] = [];
      for (const item of value) items.push(await this.#make(item, depth + 1));
      return items;
    }
    if (!(value instanceof Map)) throw new PickleError('it holds something that is no data');
    const fields: [string, TorchValue][] = [];
    for (const [key, item] of value) fields.push([key, await this.#make(item, depth + 1)]);
    return Object.fromEntries(fields);
  }

  async #tensor({ storage, offset, shape, strides }: PickledTensor): Promise<Tensor> {
    const values = await this.#storage(storage);
    const { dtype } = storage;
    const count = shape.reduce((product, size) => product * size, 1);
    if (isContiguous(shape, strides)) {
      return tensor(values.subarray(offset, offset + count) as TypedArray, { shape, dtype });
    }
    const dense = new ARRAY_OF[dtype](count);
    gather(values, dense, { offset, shape, strides });
    return tensor(dense, { shape, dtype });
  }

  async #storage({ key, dtype, length }: PickledStorage): Promise<TypedArray> {
    const known = this.#storages.get(key);
    if (known instanceof ARRAY_OF[dtype] && known.length === length) return known;
    const size = length * itemSize(dtype);
    const bytes = await this.#bytes(`data/${key}`, size);
    if (bytes.length !== size) {
      throw new PickleError(`its storage ${key} has ${bytes.length} bytes, expected ${size}`);
    }
    const values = new ARRAY_OF[dtype](length);
    new Uint8Array(values.buffer).set(bytes);
    this.#storages.set(key, values);
    return values;
  }

  /** A whole file of the archive. */
  async #bytes(name: string, limit: number): Promise<Buffer> {
    const entry = this.#entries.get(name);
    if (!entry) throw new PickleError(`it lacks ${name}`);
    if (entry.uncompressedSize > limit) {
      throw new PickleError(`${name} in it has ${entry.uncompressedSize} bytes, allowed are ${limit}`);
    }
    // As torch.save writes it; a few compressed bytes could ask for any amount of memory.
    if (entry.compressionMethod !== 0) throw new PickleError(`${name} in it is compressed`);
    const stream: Readable = await this.#zip.openReadStreamPromise(entry);
    const bytes = Buffer.alloc(entry.uncompressedSize);
    let done = 0;
    for await (const chunk of stream) done += (chunk as Buffer).copy(bytes, done);
    if (crc32(bytes) !== entry.crc32) throw new PickleError(`${name} in it does not match its checksum`);
    return bytes;
  }
}

function isContiguous(shape: readonly number[], strides: readonly number[]): boolean {
  let expected = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    if (shape[i] !== 1 && strides[i] !== expected) return false;
    expected *= shape[i]!;
  }
  return true;
}

/** Copies a strided view into a dense array, row-major. */
function gather(
  from: TypedArray,
  to: TypedArray,
  view: { offset: number; shape: readonly number[]; strides: readonly number[] },
): void {
  const { offset, shape, strides } = view;
  const index = shape.map(() => 0);
  let position = offset;
  for (let i = 0; i < to.length; i++) {
    to[i] = from[position]!;
    for (let dim = shape.length - 1; dim >= 0; dim--) {
      index[dim]! += 1;
      position += strides[dim]!;
      if (index[dim]! < shape[dim]!) break;
      position -= strides[dim]! * shape[dim]!;
      index[dim] = 0;
    }
  }
}

function isRecord(value: TorchValue | undefined): value is { [key: string]: TorchValue } {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return !isTensor(value) && !(value instanceof Uint8Array);
}

function isStateDict(value: TorchValue | undefined): value is Record<string, Tensor> {
  return isRecord(value) && Object.keys(value).length > 0 && Object.values(value).every(isTensor);
}

function tensorsIn(value: TorchValue, found = new Set<Tensor>(), seen = new Set<TorchValue>()): Set<Tensor> {
  if (seen.has(value)) return found;
  seen.add(value);
  if (isTensor(value)) found.add(value);
  else if (Array.isArray(value)) for (const item of value) tensorsIn(item, found, seen);
  else if (isRecord(value)) for (const item of Object.values(value)) tensorsIn(item, found, seen);
  return found;
}

function damaged(path: string, error: unknown): CheckpointError {
  if (error instanceof CheckpointError) return error;
  return new CheckpointError(`Cannot read ${path} as a file of PyTorch: ${(error as Error).message}`, {
    cause: error,
  });
}
