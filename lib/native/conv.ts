/**
 * The table of cpp/bindings/conv.cc.
 * @module
 */
import type { Handle, Optional, Sizes } from './types.js';

type Conv<T> = (
  input: T,
  weight: T,
  bias: Optional<T>,
  stride: Sizes,
  padding: Sizes,
  dilation: Sizes,
  groups: number,
) => T;
type TransposedConv<T> = (
  input: T,
  weight: T,
  bias: Optional<T>,
  stride: Sizes,
  padding: Sizes,
  outputPadding: Sizes,
  groups: number,
  dilation: Sizes,
) => T;

/** Convolutions. */
export interface ConvTable<T extends Handle> {
  conv1d: Conv<T>;
  conv2d(
    input: T,
    weight: T,
    bias: Optional<T>,
    stride: Sizes,
    padding: Sizes,
    dilation: Sizes,
    groups: number,
    algorithm: string,
  ): T;
  conv3d: Conv<T>;
  convTranspose1d: TransposedConv<T>;
  convTranspose2d: TransposedConv<T>;
  convTranspose3d: TransposedConv<T>;
  im2col(input: T, kernelSize: Sizes, dilation: Sizes, padding: Sizes, stride: Sizes): T;
  col2im(input: T, outputSize: Sizes, kernelSize: Sizes, dilation: Sizes, padding: Sizes, stride: Sizes): T;
}
