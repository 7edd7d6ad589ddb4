/**
 * The table of cpp/bindings/tensor.cc.
 * @module
 */
import type { Device, DType, Handle, Scalar, TypedArray, Unary } from './types.js';

/** Properties of tensors, their elements, conversion and copies. */
export interface TensorTable<T extends Handle> {
  shape(input: T): number[];
  strides(input: T): number[];
  dtype(input: T): DType;
  device(input: T): Device;
  numel(input: T): number;
  ndim(input: T): number;
  isContiguous(input: T): boolean;
  isDisposed(input: T): boolean;
  dispose(input: T): void;
  elements(input: T): [dtype: DType, count: number];
  readInto(input: T, array: TypedArray): void;
  readIntoAsync(input: T, array: TypedArray): Promise<TypedArray>;
  item(input: T): Scalar;
  to(input: T, device: string | undefined, dtype: DType | undefined, nonBlocking: boolean): T;
  clone: Unary<T>;
  detach: Unary<T>;
  contiguous: Unary<T>;
  channelsLast: Unary<T>;
  setData(input: T, data: T): void;
  copy(input: T, source: T): T;
  fill(input: T, value: Scalar): T;
}
