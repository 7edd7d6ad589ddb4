/**
 * Options for the dimensions of reductions, and results with positions.
 * @module
 */
import { optionKeys } from '../check/index.js';
import type { Tensor } from './core.js';
import type { DType } from './dtype.js';

/** One dimension or several, negative ones count from the end. Default: all. */
export interface ReduceOptions {
  dim?: number | readonly number[] | undefined;
  /** Keep reduced dimensions with size 1. Default false. */
  keepdim?: boolean | undefined;
}

/** @internal */
export const REDUCE_KEYS = optionKeys('dim', 'keepdim');

/** One dimension. Default: the flattened tensor. */
export interface DimOptions {
  dim?: number | undefined;
  /** Keep the reduced dimension with size 1. Default false. */
  keepdim?: boolean | undefined;
}

/** @internal */
export const DIM_KEYS = optionKeys('dim', 'keepdim');

/** A required dimension. */
export interface AlongOptions {
  dim: number;
  /** Keep the reduced dimension with size 1. Default false. */
  keepdim?: boolean | undefined;
}

/** @internal */
export const ALONG_KEYS = optionKeys('dim', 'keepdim');

/** The dtype option of sums, products and means. */
export interface DTypeOptions {
  /**
   * The elements are converted to it first, which prevents overflow and loss of digits of small types, and the result has
   * it. Default: the tensor's own dtype; int64 for sums and products of integers and bools.
   */
  dtype?: DType | undefined;
}

/** Elements, and their positions along the reduced dimension (int64). */
export interface ValuesIndices {
  values: Tensor;
  indices: Tensor;
}

/** @internal Dimensions for the add-on. */
export function dims(dim: number | readonly number[] | undefined): readonly number[] | null {
  if (dim === undefined) return null;
  return typeof dim === 'number' ? [dim] : dim;
}

type Along = (input: Tensor, dim: number, keepdim: boolean) => [Tensor, Tensor];

/** @internal */
export const named = ([values, indices]: [Tensor, Tensor]): ValuesIndices => ({ values, indices });

/** @internal A reduction that also returns positions. */
export function along(input: Tensor, { dim, keepdim = false }: AlongOptions, find: Along): ValuesIndices {
  return named(find(input, dim, keepdim));
}
