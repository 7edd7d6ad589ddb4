/**
 * Types that the tables share: see {@link Native} in index.ts.
 * @module
 */

/** Type of a tensor's elements, by PyTorch's name. */
export type DType =
  | 'float32'
  | 'float64'
  | 'float16'
  | 'bfloat16'
  | 'int64'
  | 'int32'
  | 'int16'
  | 'int8'
  | 'uint8'
  | 'bool';

/** Device of a tensor: `'cpu'`, `'cuda'` (the first GPU) or `'cuda:N'`. */
export type Device = 'cpu' | 'cuda' | `cuda:${number}`;

/** Typed arrays for the values of tensors. */
export type TypedArray =
  | Float32Array
  | Float64Array
  | BigInt64Array
  | Int32Array
  | Int16Array
  | Int8Array
  | Uint8Array
  | Uint8ClampedArray
  | Uint16Array;

/** Key of {@link Handle}; it exists for the compiler only. */
export declare const HANDLE: unique symbol;

/**
 * An opaque tensor: an object that the add-on created. The tables are generic in the type `T` of tensors, so that this folder
 * does not depend on lib/tensor, which uses them with its class.
 */
export interface Handle {
  /** @internal */
  readonly [HANDLE]: true;
}

/** A value of one element. */
export type Scalar = number | bigint | boolean;

/** A tensor, or a number that takes part in an operation without widening the tensor's dtype. */
export type Operand<T> = T | Scalar;

/** An optional tensor. */
export type Optional<T> = T | null;

/** A range of positions along one dimension, as Python's `start:stop:step`. Made by `slice()`. */
export interface Slice {
  /** First index; null: from the beginning. */
  readonly start: number | null;
  /** The index after the last; null: to the end. */
  readonly stop: number | null;
  /** Distance of two indices; null: 1. */
  readonly step: number | null;
}

/** One place of an index expression. */
export type Index<T> = number | Slice | null | '...' | boolean | T;

/** Sizes, positions or numbers of dimensions. */
export type Sizes = readonly number[];

/** Numbers of dimensions; null means all of them. */
export type Dims = Sizes | null;

/** Reduction of the losses of a batch. */
export type Reduction = 'none' | 'mean' | 'sum';

export type Unary<T> = (input: T) => T;
export type Binary<T> = (input: Operand<T>, other: Operand<T>) => T;
export type Pair<T> = [T, T];
export type Triple<T> = [T, T, T];
