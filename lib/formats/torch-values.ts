/**
 * Creates the values of a file of PyTorch from its pickle: tensors on their storages, containers, and objects
 * of unknown classes.
 * @module
 */
import { endianness } from 'node:os';
import type { DType } from '../tensor/dtype.js';
import { isTensor, native, type Tensor } from '../tensor/tensor.js';
import { bytesReader, isForeign, isUnrepresentable, readForeign, tensorReader } from './foreign-dtypes.js';
import { NPY_CODES } from './npy-header.js';
import { type Pickled, PickledInstance, PickleError, Special } from './pickle.js';
import { PickledArray, PickledDtype } from './pickle-numpy.js';
import { type Layout, viewStorage } from './storage-view.js';
import { type ByteReader, readTensor } from './tensor-bytes.js';
import {
  isDType,
  isTorchDType,
  nameOf,
  type PickledStorage,
  PickledTensor,
  type StorageDType,
  storageItemSize,
} from './torch-pickle.js';

/** A value of a file of PyTorch. Dictionaries become objects; tuples and sets become arrays. */
export type TorchValue =
  | Tensor
  | TorchObject
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | TorchValue[]
  | { [key: string]: TorchValue };

/**
 * An object of an unknown Python class, or a tensor that no dtype can represent, with its stored fields.
 * No code was executed.
 */
export class TorchObject {
  /** Module and name of the class or function, such as `argparse.Namespace`. */
  readonly type: string;
  /** Arguments of the constructor or function. */
  args: TorchValue[] = [];
  /** Its saved attributes. */
  state: TorchValue = null;
  /** The items of a subclass of list. */
  items: TorchValue[] | null = null;
  /** The entries of a subclass of dict. */
  entries: { [key: string]: TorchValue } | null = null;

  constructor(type: string) {
    this.type = type;
  }
}

/** Reads all elements of a storage, row-major. */
export type StorageReader = <T>(
  storage: PickledStorage,
  read: (bytes: ByteReader) => Promise<T>,
) => Promise<T>;

/** Maximum nesting of containers. */
const MAX_DEPTH = 100;

/**
 * Creates the values. Each storage is read once, and its tensors are views of it, as when they were saved.
 */
export async function makeValues(value: Pickled, readStorage: StorageReader): Promise<TorchValue> {
  const maker = new Maker(readStorage);
  try {
    await maker.prepare(value);
    return maker.make(value, 0);
  } catch (error) {
    maker.dispose();
    throw error;
  } finally {
    maker.release();
  }
}

/** All elements of a storage as a one-dimensional tensor, or the reason why that is not possible. */
type Elements = Tensor | string;

class Maker {
  readonly #readStorage: StorageReader;
  readonly #made = new Map<Pickled, TorchValue>();
  /** By storage or bytes, and then by element type. */
  readonly #elements = new Map<unknown, Map<string, Elements>>();

  constructor(readStorage: StorageReader) {
    this.#readStorage = readStorage;
  }

  /** Reads the elements of all reachable tensors and arrays. */
  async prepare(root: Pickled): Promise<void> {
    const seen = new Set<unknown>();
    const rest: unknown[] = [root];
    while (rest.length > 0) {
      const value = rest.pop();
      if (typeof value !== 'object' || value === null || seen.has(value)) continue;
      seen.add(value);
      if (value instanceof PickledTensor) await this.#prepareTensor(value);
      else if (value instanceof PickledArray) await this.#prepareArray(value);
      else if (value instanceof PickledInstance)
        rest.push(value.args, value.state, value.items, value.entries);
      else if (Array.isArray(value) || value instanceof Map)
        for (const item of value.values()) rest.push(item);
    }
  }

  /** Releases the elements; views keep them alive. */
  release(): void {
    for (const kinds of this.#elements.values())
      for (const elements of kinds.values()) if (isTensor(elements)) elements.dispose();
  }

  /** Disposes the created values. */
  dispose(): void {
    for (const value of this.#made.values()) if (isTensor(value)) value.dispose();
  }

  async #prepareTensor({ storage, dtype, negative }: PickledTensor): Promise<void> {
    const own = await this.#once(storage.key, storage.dtype, () => this.#read(storage));
    if (!isTensor(own)) return;
    const read = await this.#once(storage.key, dtype, () => this.#reinterpret(own, dtype));
    if (negative && isTensor(read)) await this.#once(storage.key, `-${dtype}`, async () => native.neg(read));
  }

  async #once(key: unknown, kind: string, read: () => Promise<Elements>): Promise<Elements> {
    const kinds = this.#elements.get(key) ?? new Map<string, Elements>();
    this.#elements.set(key, kinds);
    const known = kinds.get(kind);
    if (known !== undefined) return known;
    const elements = await read().catch((error: unknown) => {
      if (isUnrepresentable(error)) return error.message;
      throw error;
    });
    kinds.set(kind, elements);
    return elements;
  }

  async #read(storage: PickledStorage): Promise<Elements> {
    const { dtype, length } = storage;
    if (isDType(dtype)) return this.#readStorage(storage, (bytes) => readTensor(bytes, [length], dtype));
    if (!isForeign(dtype)) return 'its elements are quantized';
    return this.#readStorage(storage, (bytes) => readForeign(bytes, [length], dtype));
  }

  /** Bytes of a storage without a type, as elements. */
  async #reinterpret(bytes: Tensor, dtype: StorageDType): Promise<Elements> {
    if (isForeign(dtype)) {
      const count = Math.floor(bytes.numel / storageItemSize(dtype));
      return readForeign(tensorReader(bytes), [count], dtype);
    }
    if (!isDType(dtype)) return 'its elements are quantized';
    if (dtype === 'bool') return native.ne(bytes, 0) as Tensor;
    using whole = native.narrow(bytes, 0, 0, bytes.numel - (bytes.numel % storageItemSize(dtype)));
    return native.viewDType(whole, dtype);
  }

  /** Reads the elements of an array once for all arrays that share them. */
  async #prepareArray({ data, dtype, opaque }: PickledArray): Promise<void> {
    if (opaque) return;
    const [, order = '|', code = ''] = /^([<>|=]?)(\w+)$/.exec(dtype) ?? [];
    const swap = order === (endianness() === 'LE' ? '>' : '<');
    const known = NPY_CODES.get(code);
    await this.#once(data, dtype, async () => {
      if (known === undefined) return `it holds elements of the type ${dtype}`;
      const shape = [data.length / Number(code.slice(1))];
      const reader = bytesReader(data);
      return isForeign(known)
        ? readForeign(reader, shape, known, { swap })
        : readTensor(reader, shape, known as DType, { swap });
    });
  }

  /** Converts a value. An object that is referred to twice is created once. */
  make(value: Pickled, depth: number): TorchValue {
    if (typeof value !== 'object' || value === null) return value;
    if (value instanceof Uint8Array) return new Uint8Array(value.buffer, value.byteOffset, value.length);
    const known = this.#made.get(value);
    if (known !== undefined) return known;
    if (depth > MAX_DEPTH) throw new PickleError(`its containers are nested more than ${MAX_DEPTH} deep`);
    const made = this.#makeObject(value, depth);
    this.#made.set(value, made);
    return made;
  }

  #makeObject(value: Pickled & object, depth: number): TorchValue {
    const make = (item: unknown) => this.make(item as Pickled, depth + 1);
    if (value instanceof PickledTensor) {
      const { storage, dtype, negative, shape, strides, offset } = value;
      return this.#view(storage.key, `${negative ? '-' : ''}${dtype}`, 'torch.Tensor', {
        shape,
        strides,
        offset,
      });
    }
    if (value instanceof PickledArray) {
      const { shape, fortranOrder, data, dtype } = value;
      return this.#view(data, dtype, 'numpy.ndarray', {
        shape,
        strides: dense(shape, fortranOrder),
        offset: 0,
      });
    }
    if (Array.isArray(value)) return value.map(make);
    if (value instanceof Map) return record(value, make);
    if (value instanceof PickledInstance) {
      const object = new TorchObject(value.type);
      object.args = make(value.args) as TorchValue[];
      object.state = make(value.state);
      object.items = value.items?.map(make) ?? null;
      object.entries = value.entries ? record(value.entries, make) : null;
      return object;
    }
    if (value instanceof PickledDtype) return `numpy.${value.code}`;
    if (!(value instanceof Special)) throw new PickleError('it contains a value that is not data');
    return isTorchDType(value) ? nameOf(value) : new TorchObject(nameOf(value));
  }

  /** The tensor on these elements, or an object that describes it. */
  #view(key: unknown, kind: string, type: string, layout: Layout): TorchValue {
    const kinds = this.#elements.get(key);
    const elements = kinds?.get(kind) ?? [...(kinds?.values() ?? [])].find((one) => typeof one === 'string');
    if (isTensor(elements)) return viewStorage(elements, layout);
    const object = new TorchObject(type);
    object.state = elements ?? 'it holds objects';
    return object;
  }
}

function record(map: ReadonlyMap<string, unknown>, make: (item: unknown) => TorchValue) {
  const fields: [string, TorchValue][] = [];
  for (const [key, item] of map) fields.push([key, make(item)]);
  return Object.fromEntries(fields);
}

/** Strides of an array without gaps. */
function dense(shape: readonly number[], fortranOrder: boolean): number[] {
  const sizes = fortranOrder ? [...shape] : [...shape].reverse();
  let step = 1;
  const strides = sizes.map((size) => {
    const stride = step;
    step *= Math.max(size, 1);
    return stride;
  });
  return fortranOrder ? strides : strides.reverse();
}
