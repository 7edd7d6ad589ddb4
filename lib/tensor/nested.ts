/**
 * Elements as nested arrays.
 * @module
 */
import { getHeapStatistics } from 'node:v8';
import { NativeError, ShapeError } from '../errors.js';
import type { DType, TypedArray } from './dtype.js';

/** Numbers, bigints or booleans, nested by dimension. */
export type NestedArray = number | bigint | boolean | NestedArray[];

/** The dtype in which JavaScript reads the numbers of another: it has no array of 16-bit floats, which float32 holds exactly. */
export function readableDType(dtype: DType): DType {
  return dtype === 'float16' || dtype === 'bfloat16' ? 'float32' : dtype;
}

/** V8's maximum array length; arrays above the second size become hash tables. */
const MAX_ARRAY = 2 ** 27;
const MAX_FAST_ARRAY = 2 ** 25;

/**
 * Checks that a shape can be nested arrays: V8 ends the process if its heap is full. With a size of 0 at the end there are
 * still as many arrays as the product of the other sizes.
 */
export function checkNesting(shape: readonly number[]): void {
  if (shape.length > 64)
    throw new ShapeError(
      `Expected at most 64 dimensions for array() but received ${shape.length}: use data()`,
    );
  let [arrays, bytes] = [1, 0];
  for (const size of shape) {
    bytes += arrays * (48 + size * (size > MAX_FAST_ARRAY ? 64 : 8));
    arrays *= size;
  }
  if (bytes < 2 ** 20) return;
  const { heap_size_limit: limit, used_heap_size: used } = getHeapStatistics();
  if (bytes <= limit - used && shape.every((size) => size <= MAX_ARRAY)) return;
  throw new NativeError(
    `Expected nested arrays that fit JavaScript's heap, ${Math.round((limit - used) / 2 ** 20)} MB free, for array() but ` +
      `shape [${shape.join(', ')}] takes some ${Math.round(bytes / 2 ** 20)} MB: use data()`,
  );
}

/** The elements of a tensor of the given shape as nested arrays: booleans for bool, bigints for integers above 2^53. */
export function nest(data: TypedArray, shape: readonly number[], dtype: DType): NestedArray {
  const element = (i: number): number | bigint | boolean => {
    const value = data[i]!;
    if (dtype === 'bool') return value !== 0;
    if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value;
    return value;
  };
  let next = 0;
  const level = (dim: number): NestedArray => {
    if (dim === shape.length) return element(next++);
    return Array.from({ length: shape[dim]! }, () => level(dim + 1));
  };
  return level(0);
}
