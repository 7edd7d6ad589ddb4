/**
 * The table of cpp/bindings/indexing.cc.
 * @module
 */
import type { Handle, Index, Unary } from './types.js';

/** Elements taken by position, index and mask. */
export interface IndexingTable<T extends Handle> {
  index(input: T, indices: readonly Index<T>[]): T;
  select(input: T, dim: number, index: number): T;
  indexSelect(input: T, dim: number, index: T): T;
  take(input: T, index: T): T;
  takeAlongDim(input: T, index: T, dim: number | undefined): T;
  gather(input: T, dim: number, index: T): T;
  maskedSelect(input: T, mask: T): T;
  nonzero: Unary<T>;
  argwhere: Unary<T>;
}
