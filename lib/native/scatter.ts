/**
 * The table of cpp/bindings/scatter.cc.
 * @module
 */
import type { Handle, Index, Operand, Optional, Scalar } from './types.js';

type Put<T> = (input: T, index: T, source: T, accumulate: boolean) => T;
type Gathered<T> = (input: T, dim: number, index: T, source: T) => T;
type Filled<T> = (input: T, dim: number, index: T, value: Scalar) => T;
type Reduced<T> = (input: T, dim: number, index: T, source: T, reduce: string, includeSelf: boolean) => T;
type Added<T> = (input: T, dim: number, index: T, source: T, alpha: number) => T;

/** Elements written by position, index and mask. */
export interface ScatterTable<T extends Handle> {
  indexPut(input: T, indices: readonly Index<T>[], value: Operand<T>): T;
  indexPutAccumulate(input: T, indices: readonly Optional<T>[], value: Operand<T>): T;
  put: Put<T>;
  putInPlace: Put<T>;
  scatter(input: T, dim: number, index: T, source: T): T;
  scatterInPlace: Gathered<T>;
  scatterValue: Filled<T>;
  scatterValueInPlace: Filled<T>;
  scatterAdd: Gathered<T>;
  scatterAddInPlace: Gathered<T>;
  scatterReduce(input: T, dim: number, index: T, source: T, reduce: string, includeSelf: boolean): T;
  scatterReduceInPlace: Reduced<T>;
  indexAdd: Added<T>;
  indexAddInPlace: Added<T>;
  indexCopy: Gathered<T>;
  indexCopyInPlace: Gathered<T>;
  indexFill: Filled<T>;
  indexFillInPlace: Filled<T>;
  indexFillTensor(input: T, dim: number, index: T, value: T): T;
  indexFillTensorInPlace(input: T, dim: number, index: T, value: T): T;
  indexReduce: Reduced<T>;
  indexReduceInPlace: Reduced<T>;
  maskedFill(input: T, mask: T, value: Scalar): T;
  maskedFillInPlace(input: T, mask: T, value: Scalar): T;
  maskedFillTensor(input: T, mask: T, value: T): T;
  maskedFillTensorInPlace(input: T, mask: T, value: T): T;
  maskedScatter(input: T, mask: T, source: T): T;
  maskedScatterInPlace(input: T, mask: T, source: T): T;
  selectScatter(input: T, source: T, dim: number, index: number): T;
  sliceScatter(
    input: T,
    source: T,
    dim: number,
    start: number | undefined,
    end: number | undefined,
    step: number,
  ): T;
  diagonalScatter(input: T, source: T, offset: number, dim1: number, dim2: number): T;
}
