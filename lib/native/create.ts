/**
 * The table of cpp/bindings/create.cc.
 * @module
 */
import type { DType, Handle, Scalar, Sizes, TypedArray } from './types.js';

/** New tensors. */
export interface CreateTable<T extends Handle> {
  fromData(data: TypedArray, shape: Sizes, dtype: DType, device: string): T;
  empty(shape: Sizes, dtype: DType, device: string): T;
  full(shape: Sizes, value: Scalar, dtype: DType, device: string): T;
  rand(shape: Sizes, dtype: DType, device: string): T;
  randn(shape: Sizes, dtype: DType, device: string): T;
  randint(low: number, high: number, shape: Sizes, dtype: DType, device: string): T;
  randperm(n: number, dtype: DType, device: string): T;
  arange(start: number, end: number, step: number, dtype: DType, device: string): T;
  linspace(start: number, end: number, steps: number, dtype: DType, device: string): T;
  logspace(start: number, end: number, steps: number, base: number, dtype: DType, device: string): T;
  eye(n: number, m: number, dtype: DType, device: string): T;
  trilIndices(rows: number, columns: number, offset: number): T;
  triuIndices(rows: number, columns: number, offset: number): T;
}
