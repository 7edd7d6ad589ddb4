/**
 * The table of cpp/bindings/join.cc.
 * @module
 */
import type { Handle, Sizes, Unary } from './types.js';

type Joined<T> = (tensors: readonly T[]) => T;
type SplitUp<T> = (input: T, sections: number) => T[];
type SplitAt<T> = (input: T, indices: Sizes) => T[];

/** Joining, splitting and broadcasting several tensors. */
export interface JoinTable<T extends Handle> {
  cat(tensors: readonly T[], dim: number): T;
  stack(tensors: readonly T[], dim: number): T;
  hstack: Joined<T>;
  vstack: Joined<T>;
  dstack: Joined<T>;
  columnStack: Joined<T>;
  blockDiag: Joined<T>;
  split(input: T, sizes: Sizes, dim: number): T[];
  chunk(input: T, chunks: number, dim: number): T[];
  unbind(input: T, dim: number): T[];
  tensorSplit(input: T, sections: number, dim: number): T[];
  tensorSplitAt(input: T, indices: Sizes, dim: number): T[];
  hsplit: SplitUp<T>;
  hsplitAt: SplitAt<T>;
  vsplit: SplitUp<T>;
  vsplitAt: SplitAt<T>;
  dsplit: SplitUp<T>;
  dsplitAt: SplitAt<T>;
  broadcastTensors(tensors: readonly T[]): T[];
  meshgrid(tensors: readonly T[], indexing: string): T[];
  cartesianProd: Joined<T>;
  combinations(input: T, r: number, withReplacement: boolean): T;
  atleast1d: Unary<T>;
  atleast2d: Unary<T>;
  atleast3d: Unary<T>;
}
