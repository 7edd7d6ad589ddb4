/**
 * The table of cpp/bindings/reduce.cc.
 * @module
 */
import type { Dims, DType, Handle, Pair, Sizes, Unary } from './types.js';

type Along<T> = (input: T, dim: number, keepdim: boolean) => Pair<T>;

/** Sums, extremes and norms over dimensions. */
export interface ReduceTable<T extends Handle> {
  sum(input: T, dim: Dims, keepdim: boolean, dtype: DType | undefined): T;
  nansum(input: T, dim: Dims, keepdim: boolean, dtype: DType | undefined): T;
  mean(input: T, dim: Dims, keepdim: boolean, dtype: DType | undefined): T;
  nanmean(input: T, dim: Dims, keepdim: boolean, dtype: DType | undefined): T;
  prod(input: T, dim: number | undefined, keepdim: boolean, dtype: DType | undefined): T;
  variance(input: T, dim: Dims, correction: number, keepdim: boolean): T;
  std(input: T, dim: Dims, correction: number, keepdim: boolean): T;
  varMean(input: T, dim: Dims, correction: number, keepdim: boolean): Pair<T>;
  stdMean(input: T, dim: Dims, correction: number, keepdim: boolean): Pair<T>;
  amax(input: T, dim: Dims, keepdim: boolean): T;
  amin(input: T, dim: Dims, keepdim: boolean): T;
  aminmax(input: T, dim: number | undefined, keepdim: boolean): Pair<T>;
  max: Unary<T>;
  min: Unary<T>;
  maxDim: Along<T>;
  minDim: Along<T>;
  argmax(input: T, dim: number | undefined, keepdim: boolean): T;
  argmin(input: T, dim: number | undefined, keepdim: boolean): T;
  all(input: T, dim: Dims, keepdim: boolean): T;
  any(input: T, dim: Dims, keepdim: boolean): T;
  countNonzero(input: T, dim: Dims): T;
  logsumexp(input: T, dim: Sizes, keepdim: boolean): T;
  norm(input: T, p: number, dim: Dims, keepdim: boolean, dtype: DType | undefined): T;
  dist(input: T, other: T, p: number): T;
  renorm(input: T, p: number, dim: number, maxnorm: number): T;
}
