/**
 * The elements of the tensors in an ONNX file, and of those in separate files next to it.
 * @module
 */
import { type FileHandle, realpath } from 'node:fs/promises';
import { dirname, isAbsolute, join, normalize, relative, sep } from 'node:path';
import { CheckpointError, DyconvError } from '../../errors.js';
import { fileError } from '../../files/error.js';
import { openFile } from '../../files/open.js';
import { bytesReader, type ForeignDType, foreignType, readForeign } from '../../formats/foreign-dtypes.js';
import {
  asBytes,
  type ByteReader,
  elementCount,
  fileReader,
  readTensor,
} from '../../formats/tensor-bytes.js';
import { type DType, itemSize } from '../../tensor/dtype.js';
import type { Tensor } from '../../tensor/tensor.js';
import { dtypeOf, type StoredTensor } from './model.js';

/** `TensorProto.DataType`s that are no dtypes but can be converted to one. */
const FOREIGN: Readonly<Record<number, ForeignDType>> = {
  ...{ 4: 'uint16', 12: 'uint32', 13: 'uint64' },
  ...{
    17: 'float8_e4m3fn',
    18: 'float8_e4m3fnuz',
    19: 'float8_e5m2',
    20: 'float8_e5m2fnuz',
    24: 'float8_e8m0fnu',
  },
};

/** Names of the others, for messages. */
const UNREADABLE: Readonly<Record<number, string>> = {
  ...{ 8: 'string', 14: 'complex64', 15: 'complex128', 21: 'uint4', 22: 'int4', 23: 'float4e2m1' },
};

const EXTERNAL = 1;
/** More elements than any memory holds; below it, products of sizes are exact. */
const MAX_ELEMENTS = 2 ** 48;
/** Most dimensions that the operations of libtorch take. */
const MAX_RANK = 64;

/** The type of stored elements: a dtype, or one that is converted. */
type Type = { readonly dtype: DType } | { readonly foreign: ForeignDType };

/** Reads elements. Files of external data stay open until {@link close}. */
export class ElementsReader {
  readonly #path: string;
  readonly #open = new Map<string, FileHandle>();

  /** @param path - The model. */
  constructor(path: string) {
    this.#path = path;
  }

  async close(): Promise<void> {
    for (const file of this.#open.values()) await file.close();
  }

  /**
   * A tensor on the CPU.
   * @param what - The tensor, for messages, such as `the initializer fc.weight`.
   * @throws CheckpointError for elements that are missing, too few, too many, or of a type that no dtype can represent.
   */
  async read(stored: StoredTensor, what: string): Promise<Tensor> {
    const { dims, fields } = stored;
    if (dims.length > MAX_RANK) throw this.#damaged(what, `has ${dims.length} dimensions`);
    // The product of the others is too large where one size is 0.
    const largest = elementCount(dims.filter((size) => size !== 0));
    if (dims.some((size) => size < 0) || !(largest <= MAX_ELEMENTS))
      throw this.#damaged(what, `has the shape [${dims.join(', ')}]`);
    const type = this.#typeOf(stored, what);
    const expected = elementCount(dims) * sizeOf(type);
    try {
      const reader =
        fields.integer(14) === EXTERNAL
          ? await this.#external(fields.entries(13), expected, what)
          : this.#inside(stored, type, expected, what);
      return 'foreign' in type
        ? await readForeign(reader, dims, type.foreign)
        : await readTensor(reader, dims, type.dtype);
    } catch (error) {
      // The fields of a message are read here, and those of a damaged file may have other kinds or end too soon.
      if (!(error instanceof DyconvError))
        throw new CheckpointError(`${this.#path} is damaged: ${what}: ${(error as Error).message}`, {
          cause: error,
        });
      if (error instanceof CheckpointError && !error.message.includes(this.#path))
        throw new CheckpointError(`Cannot read ${what} of ${this.#path}: ${error.message}`, { cause: error });
      throw error;
    }
  }

  #typeOf({ type }: StoredTensor, what: string): Type {
    const dtype = dtypeOf(type);
    if (dtype !== undefined) return { dtype };
    const foreign = FOREIGN[type];
    if (foreign !== undefined) return { foreign };
    throw new CheckpointError(
      `Cannot read ${what} of ${this.#path}: its elements are ${UNREADABLE[type] ?? `of type ${type}`}, which no dtype can represent`,
    );
  }

  /** Elements in the model: their bytes, or numbers in a separate field. */
  #inside(stored: StoredTensor, type: Type, expected: number, what: string): ByteReader {
    const bytes = stored.fields.bytes(9) ?? numbersOf(stored, type);
    if (bytes.length !== expected)
      throw this.#damaged(
        what,
        `has ${bytes.length} bytes of elements instead of ${expected}, those of shape [${stored.dims.join(', ')}]`,
      );
    return bytesReader(bytes);
  }

  /** Elements in a file of external data. Paths outside the model's folder are rejected, as by the onnx package. */
  async #external(entries: ReadonlyMap<string, string>, expected: number, what: string): Promise<ByteReader> {
    const location = entries.get('location') ?? '';
    const inside = normalize(location);
    if (location === '' || location.includes('\0') || isAbsolute(inside) || inside.split(sep)[0] === '..')
      throw this.#outside(location, what);
    const [start, length] = [entries.get('offset') ?? '0', entries.get('length') ?? `${expected}`].map(
      (text) => (/^-?\d+$/.test(text) ? Number(text) : Number.NaN),
    ) as [number, number];
    const path = join(dirname(this.#path), inside);
    const file = await this.#fileOf(path, what);
    if (!(await this.#isInside(path))) throw this.#outside(location, what);
    const { size } = await file.stat();
    if (length !== expected)
      throw this.#damaged(what, `has ${length} bytes of elements instead of ${expected}`);
    if (!Number.isSafeInteger(start) || start < 0 || start + expected > size)
      throw new CheckpointError(
        `${path} is truncated, or belongs to another model: ${what} should take ${expected} bytes from ${start} but the file has ${size}`,
      );
    return fileReader(file, path, start);
  }

  async #fileOf(path: string, what: string): Promise<FileHandle> {
    const known = this.#open.get(path);
    if (known !== undefined) return known;
    try {
      const file = await openFile(path);
      this.#open.set(path, file);
      return file;
    } catch (error) {
      const reason = fileError('read', path, error);
      throw new CheckpointError(`Cannot read ${what} of ${this.#path}: ${reason.message}`, { cause: error });
    }
  }

  /**
   * Whether a file is in the model's folder, or in that of the model's target, where symbolic links lead: caches of downloads have
   * links to both files.
   */
  async #isInside(path: string): Promise<boolean> {
    const [target, folder, model] = await Promise.all([
      realpath(path),
      realpath(dirname(this.#path)),
      realpath(this.#path),
    ]);
    return [folder, dirname(model)].some((root) => {
      const from = relative(root, target);
      return !isAbsolute(from) && from.split(sep)[0] !== '..';
    });
  }

  #outside(location: string, what: string): CheckpointError {
    const problem = `has its elements in '${location.slice(0, 80)}', which is no file of the model's folder`;
    return this.#damaged(what, problem);
  }

  #damaged(what: string, problem: string): CheckpointError {
    return new CheckpointError(`${this.#path} is damaged: ${what} ${problem}`);
  }
}

function sizeOf(type: Type): number {
  return 'foreign' in type ? foreignType(type.foreign).size : itemSize(type.dtype);
}

/** Elements that are stored as numbers: small types share `int32_data`, halves with their bits. */
function numbersOf({ fields }: StoredTensor, type: Type): Uint8Array {
  const name = 'foreign' in type ? type.foreign : type.dtype;
  if (name === 'float32') return asBytes(Float32Array.from(fields.floats(4)));
  if (name === 'float64') return asBytes(Float64Array.from(fields.doubles(10)));
  if (name === 'int64') return asBytes(BigInt64Array.from(fields.bigints(7)));
  if (name === 'uint64')
    return asBytes(BigInt64Array.from(fields.bigints(11), (value) => BigInt.asIntN(64, value)));
  if (name === 'uint32') return asBytes(Int32Array.from(fields.integers(11), (value) => value | 0));
  const values = fields.integers(5);
  if (name === 'float16' || name === 'bfloat16' || name === 'uint16' || name === 'int16')
    return asBytes(Int16Array.from(values));
  if (name === 'int32') return asBytes(Int32Array.from(values));
  return asBytes(Int8Array.from(values));
}
