/**
 * The header of NumPy's `.npy` format: a magic number, a length, and a Python dictionary with dtype, order and shape.
 * @see https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 * @module
 */
import { endianness } from 'node:os';
import { CheckpointError, DTypeError } from '../errors.js';
import type { DType } from '../tensor/dtype.js';
import { type ForeignDType, foreignType, isForeign, unrepresentable } from './foreign-dtypes.js';

/** The first bytes of every file; a version of two bytes follows, then the header's length. */
const MAGIC = Uint8Array.of(0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59);
/** Bytes before the header's text in version 1, which dyconv writes. */
const PREFIX_BYTES = 10;
/** Longest accepted header. NumPy's limit is 10,000 characters, because of its parser; this reader uses only a few patterns. */
const MAX_HEADER = 1 << 20;
const ALIGNMENT = 64;
const MAX_DIMS = 64;

const CODES: Readonly<Partial<Record<DType, string>>> = {
  float32: 'f4',
  float64: 'f8',
  float16: 'f2',
  int64: 'i8',
  int32: 'i4',
  int16: 'i2',
  int8: 'i1',
  uint8: 'u1',
  bool: 'b1',
};
/** Supported element types by code: dtypes, and types that are converted. */
export const NPY_CODES: ReadonlyMap<string, DType | ForeignDType> = new Map<string, DType | ForeignDType>([
  ...Object.entries(CODES).map(([dtype, code]): [string, DType] => [code, dtype as DType]),
  ['u2', 'uint16'],
  ['u4', 'uint32'],
  ['u8', 'uint64'],
]);
const LITTLE = endianness() === 'LE';

/** The contents of a header. */
export interface NpyHeader {
  /** The dtype of the tensor. */
  dtype: DType;
  /** The type of the elements: the dtype, or one that is converted to it. */
  stored: DType | ForeignDType;
  shape: number[];
  /** Column-major elements. */
  fortranOrder: boolean;
  /** Whether the byte order differs from this machine's. */
  swap: boolean;
}

/**
 * Magic, version, length and header, padded to a multiple of 64 bytes.
 * @throws {DTypeError} for bfloat16, which NumPy does not have.
 */
export function formatNpyHeader(dtype: DType, shape: readonly number[]): Uint8Array {
  const code = CODES[dtype];
  if (code === undefined)
    throw new DTypeError(
      `Expected a dtype that NumPy has but received ${dtype}: convert it to float32 first`,
    );
  const order = code.endsWith('1') ? '|' : LITTLE ? '<' : '>';
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
  const text = `{'descr': '${order}${code}', 'fortran_order': False, 'shape': ${tuple}, }`;
  const length = Math.ceil((PREFIX_BYTES + text.length + 1) / ALIGNMENT) * ALIGNMENT - PREFIX_BYTES;
  const bytes = Buffer.alloc(PREFIX_BYTES + length, ' ');
  bytes.set(MAGIC);
  bytes[6] = 1;
  bytes[7] = 0;
  bytes.writeUInt16LE(length, 8);
  bytes.write(text, PREFIX_BYTES, 'latin1');
  bytes[bytes.length - 1] = 0x0a;
  return bytes;
}

/**
 * Number of bytes of the header's length: 2 in version 1, 4 in later ones.
 * @param start - Magic number and version.
 * @throws {CheckpointError} naming the file.
 */
export function lengthBytes(start: Uint8Array, file: string): 2 | 4 {
  if (MAGIC.some((byte, i) => start[i] !== byte))
    throw new CheckpointError(`${file} is not a npy file: its first bytes are not \\x93NUMPY`);
  const version = start[6]!;
  if (version < 1 || version > 3)
    throw new CheckpointError(`${file} has version ${version} of the npy format; supported are 1 to 3`);
  return version === 1 ? 2 : 4;
}

/** The length of the header's text. */
export function headerLength(bytes: Uint8Array, file: string): number {
  const length = bytes.reduceRight((sum, byte) => sum * 256 + byte, 0);
  if (length <= MAX_HEADER) return length;
  throw new CheckpointError(`${file} declares a header of ${length} bytes; at most ${MAX_HEADER} are read`);
}

/** Parses the dictionary. @throws {CheckpointError} naming the file and the problem. */
export function parseNpyHeader(text: string, file: string): NpyHeader {
  const fail = (what: string): never => {
    throw new CheckpointError(`${file} is not a npy file that can be read: ${what}`);
  };
  const field = (name: string, pattern: string): string =>
    new RegExp(`['"]${name}['"]\\s*:\\s*${pattern}`).exec(text)?.[1] ?? fail(`its header lacks ${name}`);
  const descr = field('descr', `(\\[|['"][^'"]*['"])`);
  const [, order, code] = /^['"]([<>|=]?)(\w+)['"]$/.exec(descr) ?? [];
  const stored = code === undefined ? undefined : NPY_CODES.get(code);
  const dtype = stored === undefined || !isForeign(stored) ? stored : foreignType(stored).dtype;
  if (stored === undefined || dtype === undefined) {
    const what = descr === '[' ? 'record' : describeText(descr);
    throw unrepresentable(
      `${file} is not a npy file that can be read: its elements are of type ${what}; supported are ${[...NPY_CODES.keys()].join(', ')}`,
    );
  }
  const sizes = field('shape', '\\(([^)]*)\\)')
    .split(',')
    .map((size) => size.trim());
  if (sizes.at(-1) === '') sizes.pop();
  const shape = sizes.map((size) =>
    /^\d+L?$/.test(size) ? Number.parseInt(size, 10) : fail(`its shape has ${size}`),
  );
  if (
    shape.length > MAX_DIMS ||
    !Number.isSafeInteger(shape.reduce((product, size) => product * Math.max(size, 1), 8))
  )
    fail('its shape is too large');
  return {
    dtype,
    stored,
    shape,
    fortranOrder: field('fortran_order', '(True|False)') === 'True',
    swap: order === (LITTLE ? '>' : '<'),
  };
}

function describeText(text: string): string {
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
