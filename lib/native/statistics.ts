/**
 * The table of cpp/bindings/statistics.cc.
 * @module
 */
import type { Dims, Handle, Optional, Pair, Unary } from './types.js';

type Along<T> = (input: T, dim: number, keepdim: boolean) => Pair<T>;
type Quantile<T> = (input: T, q: T, dim: number | undefined, keepdim: boolean, interpolation: string) => T;

/** Medians, quantiles, covariances, histograms. */
export interface StatisticsTable<T extends Handle> {
  median: Unary<T>;
  nanmedian: Unary<T>;
  medianDim: Along<T>;
  nanmedianDim: Along<T>;
  mode: Along<T>;
  quantile(input: T, q: T, dim: number | undefined, keepdim: boolean, interpolation: string): T;
  nanquantile: Quantile<T>;
  cov(input: T, correction: number, fweights: Optional<T>, aweights: Optional<T>): T;
  corrcoef: Unary<T>;
  histc(input: T, bins: number, min: number, max: number): T;
  histogram(input: T, bins: number, range: Dims, weight: Optional<T>, density: boolean): Pair<T>;
  histogramEdges(input: T, bins: T, weight: Optional<T>, density: boolean): Pair<T>;
  bincount(input: T, minlength: number): T;
  bincountWeighted(input: T, weights: T, minlength: number): T;
}
