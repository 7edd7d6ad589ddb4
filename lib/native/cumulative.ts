/**
 * The table of cpp/bindings/cumulative.cc.
 * @module
 */
import type { DType, Handle, Optional, Pair } from './types.js';

type Cumulated<T> = (input: T, dim: number) => Pair<T>;
type Integral<T> = (input: T, dx: number, dim: number) => T;
type IntegralAt<T> = (input: T, x: T, dim: number) => T;

/** Running sums and extremes, differences, integrals along a dimension. */
export interface CumulativeTable<T extends Handle> {
  cumsum(input: T, dim: number, dtype: DType | undefined): T;
  cumprod(input: T, dim: number, dtype: DType | undefined): T;
  cummax: Cumulated<T>;
  cummin: Cumulated<T>;
  logcumsumexp(input: T, dim: number): T;
  diff(input: T, n: number, dim: number): T;
  diffBetween(input: T, n: number, dim: number, prepend: Optional<T>, append: Optional<T>): T;
  trapezoid: Integral<T>;
  trapezoidAt: IntegralAt<T>;
  cumulativeTrapezoid: Integral<T>;
  cumulativeTrapezoidAt: IntegralAt<T>;
}
