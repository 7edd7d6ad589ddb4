/**
 * Options for the dimensions of reductions, and results with positions.
 * @module
 */
import { optionKeys } from '../check/index.js';
import type { Tensor } from './core.js';
import type { DType } from './dtype.js';

/** One dimension or several, negative ones counting from the end; left out: all of them. */
export interface ReduceOptions {
  dim?: number | readonly number[] | undefined;
  /** Keep reduced dimensions with size 1. Default false. */
  keepdim?: boolean | undefined;
}

/** @internal */
export const REDUCE_KEYS = optionKeys('dim', 'keepdim');

/** One dimension; left out: the flattened tensor. */
export interface DimOptions {
  dim?: number | undefined;
  /** Keep the reduced dimension with size 1. Default false. */
  keepdim?: boolean | undefined;
}

/** @internal */
export const DIM_KEYS = optionKeys('dim', 'keepdim');

/** A dimension that has to be named. */
export interface AlongOptions {
  dim: number;
  /** Keep the reduced dimension with size 1. Default false. */
  keepdim?: boolean | undefined;
}

/** @internal */
export const ALONG_KEYS = optionKeys('dim', 'keepdim');

/** What the elements are converted to before a sum, product or mean. */
export interface DTypeOptions {
  /**
   * The elements are converted to it first, which keeps small types from overflowing or losing digits, and the result has
   * it. Default: the tensor's own dtype; int64 for sums and products of integers and bools.
   */
  dtype?: DType | undefined;
}

/** Elements, and where along the reduced dimension they were (int64). */
export interface ValuesIndices {
  values: Tensor;
  indices: Tensor;
}

/** @internal Dimensions as the add-on takes them. */
export function dims(dim: number | readonly number[] | undefined): readonly number[] | null {
  if (dim === undefined) return null;
  return typeof dim === 'number' ? [dim] : dim;
}

type Along = (input: Tensor, dim: number, keepdim: boolean) => [Tensor, Tensor];

/** @internal */
export const named = ([values, indices]: [Tensor, Tensor]): ValuesIndices => ({ values, indices });

/** @internal A reduction that also gives positions. */
export function along(input: Tensor, { dim, keepdim = false }: AlongOptions, find: Along): ValuesIndices {
  return named(find(input, dim, keepdim));
}
