/**
 * Names of dtypes, their kinds and ranges, and the typed arrays that hold them.
 * @module
 */
import { DTypeError, describe, NativeError } from '../errors.js';
import type { DType, TypedArray } from '../native/types.js';

export type { Device, DType, TypedArray } from '../native/types.js';

/** Every dtype, by PyTorch's name. */
export const DTYPES: readonly DType[] = [
  'float32',
  'float64',
  'float16',
  'bfloat16',
  'int64',
  'int32',
  'int16',
  'int8',
  'uint8',
  'bool',
];

/** The typed array that carries a dtype: `TypedArrayOf<'float32'>` is Float32Array. */
export type TypedArrayOf<D extends DType> = {
  float32: Float32Array;
  float64: Float64Array;
  float16: Uint16Array;
  bfloat16: Uint16Array;
  int64: BigInt64Array;
  int32: Int32Array;
  int16: Int16Array;
  int8: Int8Array;
  uint8: Uint8Array;
  bool: Uint8Array;
}[D];

type TypedArrayConstructor = {
  new (length: number): TypedArray;
  readonly BYTES_PER_ELEMENT: number;
};

/**
 * The typed array of each dtype. Node.js 20 has no array of 16-bit floats: `float16` and
 * `bfloat16` are raw bits in a Uint16Array, `bool` is 0 and 1 in a Uint8Array.
 */
export const ARRAY_OF: Readonly<Record<DType, TypedArrayConstructor>> = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int64: BigInt64Array,
  int32: Int32Array,
  int16: Int16Array,
  int8: Int8Array,
  uint8: Uint8Array,
  bool: Uint8Array,
};

/**
 * A typed array of zeros for a dtype.
 * @throws NativeError if there is not enough memory, or the array would be too long for JavaScript.
 */
export function newArray(dtype: DType, length: number): TypedArray {
  try {
    return new ARRAY_OF[dtype](length);
  } catch (cause) {
    throw new NativeError(
      `Expected memory for a ${ARRAY_OF[dtype].name} of ${length} elements but JavaScript has none: ${(cause as Error).message}`,
      { cause },
    );
  }
}

/** Bytes per element. */
export function itemSize(dtype: DType): number {
  return ARRAY_OF[dtype].BYTES_PER_ELEMENT;
}

/** Whether the dtype is a floating-point one and can thus require gradients. */
export function isFloatingPoint(dtype: DType): boolean {
  return dtype.startsWith('float') || dtype === 'bfloat16';
}

/** Identifies typed arrays, also those of another vm context, for which `instanceof` does not work. */
const kindOf = Object.getOwnPropertyDescriptor(
  Object.getPrototypeOf(Uint8Array.prototype),
  Symbol.toStringTag,
)!.get!;

/** The name of a typed array's class, such as `'Float32Array'`; undefined for anything else. */
export function arrayKind(value: unknown): string | undefined {
  return kindOf.call(value) as string | undefined;
}

/** The dtype of a typed array; a Uint16Array contains raw 16-bit floats, so its dtype must be given. */
export function dtypeOfArray(array: TypedArray): DType {
  const kind = arrayKind(array);
  if (kind === 'Uint8ClampedArray') return 'uint8';
  const found = DTYPES.find((dtype) => kind === ARRAY_OF[dtype].name);
  if (found === undefined) {
    const names = [...new Set(DTYPES.map((dtype) => ARRAY_OF[dtype].name))].join(', ');
    throw new DTypeError(`Expected one of ${names} for data but received ${describe(array)}`);
  }
  if (kind === 'Uint16Array') {
    throw new DTypeError(
      `Expected dtype 'float16' or 'bfloat16' for data but received none for ${describe(array)}`,
    );
  }
  return found;
}

/** Checks a dtype. @throws DTypeError naming the known ones. */
export function checkDType(name: string, dtype: unknown): DType {
  if (DTYPES.includes(dtype as DType)) return dtype as DType;
  throw new DTypeError(`Expected one of ${DTYPES.join(', ')} for ${name} but received ${describe(dtype)}`);
}
