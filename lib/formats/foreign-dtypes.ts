/**
 * Element types of files that are not dtypes of dyconv: types that another dtype represents exactly are converted, the others
 * are rejected, for each array separately.
 * @module
 */
import { CheckpointError } from '../errors.js';
import { empty } from '../tensor/create.js';
import type { DType } from '../tensor/dtype.js';
import { native, type Tensor } from '../tensor/tensor.js';
import { asBytes, type ByteReader } from './tensor-bytes.js';

/** How elements of a type are read. */
interface ForeignType {
  /** Bytes of an element. */
  readonly size: number;
  /** The dtype to which they are converted; undefined if there is none. */
  readonly dtype?: DType | undefined;
}

const FLOAT8 = { size: 1, dtype: 'float32' } as const;

/** Element types by their names in PyTorch. */
const FOREIGN = {
  uint16: { size: 2, dtype: 'int32' },
  uint32: { size: 4, dtype: 'int64' },
  uint64: { size: 8, dtype: 'int64' },
  float8_e4m3fn: FLOAT8,
  float8_e5m2: FLOAT8,
  float8_e4m3fnuz: FLOAT8,
  float8_e5m2fnuz: FLOAT8,
  float8_e8m0fnu: FLOAT8,
  complex32: { size: 4 },
  complex64: { size: 8 },
  complex128: { size: 16 },
} satisfies Readonly<Record<string, ForeignType>>;

/** A type of {@link FOREIGN}. */
export type ForeignDType = keyof typeof FOREIGN;

/** Whether a name is one of {@link ForeignDType}. */
export function isForeign(name: string): name is ForeignDType {
  return Object.hasOwn(FOREIGN, name);
}

/** Size and target of a type. */
export function foreignType(name: ForeignDType): ForeignType {
  return FOREIGN[name];
}

/** The cause of an error that does not mean a damaged file. */
const UNREPRESENTABLE = new Error('no dtype can represent it');

/** Whether an array could not be read because no dtype can represent its numbers. */
export function isUnrepresentable(error: unknown): error is CheckpointError {
  return error instanceof CheckpointError && error.cause === UNREPRESENTABLE;
}

/** An error that {@link isUnrepresentable} recognizes. */
export function unrepresentable(message: string): CheckpointError {
  return new CheckpointError(message, { cause: UNREPRESENTABLE });
}

/** Number of elements converted at a time. */
const PIECE = 1 << 20;

/**
 * Reads and converts row-major elements of a foreign type.
 * @param options.swap - Whether the byte order differs from this machine's. Default false.
 * @throws {CheckpointError} for a type that no dtype can represent, and for a uint64 above the largest int64: see
 * {@link isUnrepresentable}.
 */
export async function readForeign(
  reader: ByteReader,
  shape: readonly number[],
  type: ForeignDType,
  options: { swap?: boolean | undefined } = {},
): Promise<Tensor> {
  const { size, dtype }: ForeignType = FOREIGN[type];
  if (dtype === undefined) throw unrepresentable(`its elements are ${type}, which no dtype can represent`);
  const result = empty(shape, { dtype });
  try {
    using flat = native.view(result, [-1]);
    const convert = converter(type);
    for (let start = 0; start < result.numel; start += PIECE) {
      using place = native.narrow(flat, 0, start, Math.min(PIECE, result.numel - start));
      const bytes = new Uint8Array(place.numel * size);
      await reader.fill(bytes);
      if (options.swap) swap(bytes, size);
      const values = convert(bytes);
      using piece = native.fromData(values, [values.length], dtype, 'cpu');
      native.copy(place, piece).dispose();
    }
    return result;
  } catch (error) {
    result.dispose();
    throw error;
  }
}

function converter(type: ForeignDType): (bytes: Uint8Array) => Int32Array | BigInt64Array | Float32Array {
  if (type === 'uint16') return ({ buffer }) => Int32Array.from(new Uint16Array(buffer as ArrayBuffer));
  if (type === 'uint32')
    return ({ buffer }) =>
      BigInt64Array.from(new Uint32Array(buffer as ArrayBuffer) as Iterable<number>, BigInt);
  if (type === 'uint64') {
    return ({ buffer }) => {
      const values = new BigInt64Array(buffer as ArrayBuffer);
      if (values.some((value) => value < 0n))
        throw unrepresentable('it has a uint64 beyond 2^63 - 1, which no dtype can represent');
      return values;
    };
  }
  const table = Float32Array.from({ length: 256 }, (_, byte) => float8(byte, type));
  return (bytes) => Float32Array.from(bytes, (byte) => table[byte]!);
}

/**
 * The number of a byte.
 * @see https://arxiv.org/abs/2209.05433 (E4M3, E5M2), https://arxiv.org/abs/2206.02915 (the fnuz forms), and the OCP
 *   specification of microscaling formats (E8M0)
 */
function float8(byte: number, type: ForeignDType): number {
  if (type === 'float8_e8m0fnu') return byte === 255 ? Number.NaN : 2 ** (byte - 127);
  const wide = type.startsWith('float8_e5m2');
  const [bits, bias] = wide ? [2, 15] : [3, 7];
  const unsignedZero = type.endsWith('fnuz');
  if (unsignedZero && byte === 0x80) return Number.NaN;
  const [sign, magnitude] = [byte & 0x80 ? -1 : 1, byte & 0x7f];
  const [exponent, fraction] = [magnitude >> bits, magnitude & ((1 << bits) - 1)];
  if (!unsignedZero && wide && exponent === 31) return fraction === 0 ? sign * Infinity : Number.NaN;
  if (!unsignedZero && !wide && magnitude === 0x7f) return Number.NaN;
  const shift = bias + (unsignedZero ? 1 : 0) + bits;
  return exponent === 0
    ? sign * fraction * 2 ** (1 - shift)
    : sign * (fraction + (1 << bits)) * 2 ** (exponent - shift);
}

function swap(bytes: Uint8Array, size: number): void {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (size === 2) buffer.swap16();
  else if (size === 4) buffer.swap32();
  else if (size === 8) buffer.swap64();
}

/** Bytes in memory as a {@link ByteReader}. */
export function bytesReader(bytes: Uint8Array): ByteReader {
  let next = 0;
  return {
    async fill(target) {
      target.set(bytes.subarray(next, next + target.length));
      next += target.length;
    },
  };
}

/** The bytes of a contiguous tensor on the CPU as a {@link ByteReader}. */
export function tensorReader(tensor: Tensor): ByteReader {
  return bytesReader(asBytes(tensor.dataSync({ copy: false })));
}
