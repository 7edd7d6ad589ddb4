/**
 * Tensors on the memory of typed arrays.
 * @module
 */
import { types } from 'node:util';
import { markAsUntransferable } from 'node:worker_threads';
import { checkOptions, optionKeys } from '../check/index.js';
import { ArgumentError, DTypeError, describe, invalidArgument } from '../errors.js';
import { ARRAY_OF, arrayKind, checkDType, type DType, dtypeOfArray, type TypedArray } from './dtype.js';
import { native, type Tensor } from './tensor.js';

/** Options of {@link fromTypedArray}. */
export interface FromTypedArrayOptions {
  /** Sizes. Default: [length]. */
  shape?: readonly number[] | undefined;
  /** Default: the array's own. Uint16Array needs `'float16'` or `'bfloat16'`; Uint8Array takes `'bool'` for bytes of 0 and 1. */
  dtype?: DType | undefined;
}

const FROM_TYPED_ARRAY_KEYS = optionKeys('shape', 'dtype');

/**
 * A tensor on the memory of a typed array, without a copy: writing to one changes the other. Like PyTorch's
 * `from_numpy`; {@link tensor} copies.
 *
 * The tensor, its views and its graph keep the array's buffer alive. The buffer is marked as not transferable to other
 * threads; if it is detached in another way, using the tensor throws a DisposedError.
 * @param array - Over an ArrayBuffer or a SharedArrayBuffer of fixed length.
 * @throws ArgumentError for a resizable buffer. @throws ShapeError when the shape does not fit the length.
 * @throws DTypeError when the dtype does not match the array.
 * @see https://pytorch.org/docs/stable/generated/torch.from_numpy.html
 * @example const samples = new Float32Array(16_000); const x = fromTypedArray(samples, { shape: [1, 16_000] });
 */
export function fromTypedArray(array: TypedArray, options: FromTypedArrayOptions = {}): Tensor {
  if (arrayKind(array) === undefined) throw invalidArgument('array', 'a typed array', array);
  if (typeof options !== 'object' || options === null)
    throw invalidArgument('options', 'an object such as { shape }', options);
  const { shape = [array.length] } = checkOptions(options, FROM_TYPED_ARRAY_KEYS);
  const dtype = dtypeFor(array, options.dtype);
  holdBuffer(array, 'array');
  const made = native.fromTypedArray(array, shape, dtype);
  return made;
}

function dtypeFor(array: TypedArray, dtype: DType | undefined): DType {
  if (dtype === undefined) return dtypeOfArray(array);
  checkDType('dtype', dtype);
  const kind = arrayKind(array)!;
  if (ARRAY_OF[dtype].name !== (kind === 'Uint8ClampedArray' ? 'Uint8Array' : kind))
    throw new DTypeError(
      `Expected a dtype that ${describe(array)} carries for dtype but received '${dtype}'`,
    );
  return dtype;
}

/**
 * Protects the memory of a typed array while native code uses it: a resizable buffer
 * is rejected, and other buffers are marked as not transferable.
 * @throws ArgumentError for a resizable buffer.
 */
export function holdBuffer(array: ArrayBufferView, name: string): void {
  const { buffer } = array;
  if (isResizable(buffer)) {
    throw new ArgumentError(
      `Expected an array over a buffer of fixed length for ${name} but received one that can be resized`,
    );
  }
  if (types.isArrayBuffer(buffer)) markAsUntransferable(buffer);
}

function isResizable(buffer: ArrayBufferLike): boolean {
  const { resizable, growable } = buffer as { resizable?: boolean; growable?: boolean };
  return resizable === true || growable === true;
}
