/**
 * The table of cpp/bindings/order.cc.
 * @module
 */
import type { Handle, Optional, Pair, Triple } from './types.js';

/** Sorting, searching, distinct elements. */
export interface OrderTable<T extends Handle> {
  sort(input: T, dim: number, descending: boolean, stable: boolean): Pair<T>;
  argsort(input: T, dim: number, descending: boolean, stable: boolean): T;
  topk(input: T, k: number, dim: number, largest: boolean, sorted: boolean): Pair<T>;
  kthvalue(input: T, k: number, dim: number, keepdim: boolean): Pair<T>;
  unique(input: T, sorted: boolean): Triple<T>;
  uniqueDim(input: T, dim: number, sorted: boolean): Triple<T>;
  uniqueConsecutive(input: T, dim: number | undefined): Triple<T>;
  searchsorted(input: T, values: T, outInt32: boolean, right: boolean, sorter: Optional<T>): T;
  bucketize(input: T, boundaries: T, outInt32: boolean, right: boolean): T;
}
