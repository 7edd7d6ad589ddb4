/**
 * The table of cpp/bindings/exchange.cc.
 * @module
 */
import type { DType, Handle, Sizes, TypedArray } from './types.js';

/** Memory shared with JavaScript, threads and files. */
export interface ExchangeTable<T extends Handle> {
  fromTypedArray(data: TypedArray, shape: Sizes, dtype: DType): T;
  onTypedArray(input: T): TypedArray;
  mapFile(path: string, bytes: number): T;
  viewDType(input: T, dtype: DType): T;
  share(input: T, claims: number): number;
  claimShared(id: number): T;
  releaseShared(id: number): boolean;
  sharedStats(): [handles: number, bytes: number];
  processKey(): number;
}
