/**
 * The table of cpp/bindings/pool.cc.
 * @module
 */
import type { Handle, Pair, Sizes } from './types.js';

type MaxPool<T> = (
  input: T,
  kernelSize: Sizes,
  stride: Sizes,
  padding: Sizes,
  dilation: Sizes,
  ceilMode: boolean,
) => T;
type AvgPool<T> = (
  input: T,
  kernelSize: Sizes,
  stride: Sizes,
  padding: Sizes,
  ceilMode: boolean,
  countIncludePad: boolean,
) => T;
type AvgPoolBy<T> = (
  input: T,
  kernelSize: Sizes,
  stride: Sizes,
  padding: Sizes,
  ceilMode: boolean,
  countIncludePad: boolean,
  divisorOverride: number | undefined,
) => T;

/** Pooling and its inverse. */
export interface PoolTable<T extends Handle> {
  maxPool1d: MaxPool<T>;
  maxPool2d: MaxPool<T>;
  maxPool3d: MaxPool<T>;
  maxPoolWithIndices(
    input: T,
    kernelSize: Sizes,
    stride: Sizes,
    padding: Sizes,
    dilation: Sizes,
    ceilMode: boolean,
  ): Pair<T>;
  maxUnpool(input: T, indices: T, outputSize: Sizes, stride: Sizes, padding: Sizes): T;
  avgPool1d: AvgPool<T>;
  avgPool2d: AvgPoolBy<T>;
  avgPool3d: AvgPoolBy<T>;
  adaptiveAvgPool1d(input: T, outputSize: Sizes): T;
  adaptiveAvgPool2d(input: T, outputSize: Sizes): T;
  adaptiveAvgPool3d(input: T, outputSize: Sizes): T;
  adaptiveMaxPool1d(input: T, outputSize: Sizes): Pair<T>;
  adaptiveMaxPool2d(input: T, outputSize: Sizes): Pair<T>;
  adaptiveMaxPool3d(input: T, outputSize: Sizes): Pair<T>;
}
