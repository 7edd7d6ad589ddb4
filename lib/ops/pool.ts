/**
 * Pooling, and windows as columns.
 * @module
 */

import { type OutputSize, outputSizes, type Pair, type Sizes, sizes } from '../check/arguments.js';
import { checkOptions, optionKeys } from '../check/index.js';
import { native } from '../native/index.js';
import { checkShape } from '../tensor/check.js';
import type { Tensor } from '../tensor/tensor.js';
import { AVG_POOL_KEYS, MAX_POOL_KEYS } from './option-keys.js';

/** Options of the max pools. */
export interface MaxPoolOptions {
  /** Default: the kernel size. */
  stride?: Sizes;
  /** Default 0, at most half the kernel. */
  padding?: Sizes;
  /** Default 1. */
  dilation?: Sizes;
  /** Round the output size up instead of down. Default false. */
  ceilMode?: boolean;
}

/** Options of {@link maxPool2d}. */
export interface MaxPool2dOptions extends MaxPoolOptions {
  /** Default: the kernel size. */
  stride?: Pair;
  /** Default 0, at most half the kernel. */
  padding?: Pair;
  /** Default 1. */
  dilation?: Pair;
}

/** Options of the average pools. */
export interface AvgPoolOptions {
  /** Default: the kernel size. */
  stride?: Sizes;
  /** Default 0, at most half the kernel. */
  padding?: Sizes;
  /** Round the output size up instead of down. Default false. */
  ceilMode?: boolean;
  /** Count padding zeros in the mean. Default true. */
  countIncludePad?: boolean;
}

/** Options of {@link avgPool2d}. */
export interface AvgPool2dOptions extends AvgPoolOptions {
  /** Default: the kernel size. */
  stride?: Pair;
  /** Default 0, at most half the kernel. */
  padding?: Pair;
}

function maxPool(
  call: typeof native.maxPool1d,
  count: number,
  input: Tensor,
  kernelSize: Sizes,
  options: MaxPoolOptions,
): Tensor {
  const { padding = 0, dilation = 1, ceilMode = false } = checkOptions(options, MAX_POOL_KEYS);
  const kernel = sizes('kernelSize', kernelSize, count, 1);
  const stride = sizes('stride', options.stride ?? kernel, count, 1);
  return call(
    input,
    kernel,
    stride,
    sizes('padding', padding, count, 0),
    sizes('dilation', dilation, count, 1),
    ceilMode,
  );
}

function avgPool(
  call: typeof native.avgPool1d,
  count: number,
  input: Tensor,
  kernelSize: Sizes,
  options: AvgPoolOptions,
): Tensor {
  const { padding = 0, ceilMode = false, countIncludePad = true } = checkOptions(options, AVG_POOL_KEYS);
  const kernel = sizes('kernelSize', kernelSize, count, 1);
  const stride = sizes('stride', options.stride ?? kernel, count, 1);
  return call(input, kernel, stride, sizes('padding', padding, count, 0), ceilMode, countIncludePad);
}

/** The largest element of each window. @param input - [B, C, L]. @returns [B, C, L']. */
export function maxPool1d(input: Tensor, kernelSize: Sizes, options: MaxPoolOptions = {}): Tensor {
  return maxPool(native.maxPool1d, 1, input, kernelSize, options);
}

/** The largest element of each window. @param input - [B, C, H, W]. @returns [B, C, H', W']. */
export function maxPool2d(input: Tensor, kernelSize: Pair, options: MaxPool2dOptions = {}): Tensor {
  return maxPool(native.maxPool2d, 2, input, kernelSize, options);
}

/** The largest element of each window. @param input - [B, C, D, H, W]. @returns [B, C, D', H', W']. */
export function maxPool3d(input: Tensor, kernelSize: Sizes, options: MaxPoolOptions = {}): Tensor {
  return maxPool(native.maxPool3d, 3, input, kernelSize, options);
}

/** The mean of each window. @param input - [B, C, L]. @returns [B, C, L']. */
export function avgPool1d(input: Tensor, kernelSize: Sizes, options: AvgPoolOptions = {}): Tensor {
  return avgPool(native.avgPool1d, 1, input, kernelSize, options);
}

/** The mean of each window. @param input - [B, C, H, W]. @returns [B, C, H', W']. */
export function avgPool2d(input: Tensor, kernelSize: Pair, options: AvgPool2dOptions = {}): Tensor {
  return avgPool(native.avgPool2d, 2, input, kernelSize, options);
}

/** The mean of each window. @param input - [B, C, D, H, W]. @returns [B, C, D', H', W']. */
export function avgPool3d(input: Tensor, kernelSize: Sizes, options: AvgPoolOptions = {}): Tensor {
  return avgPool(native.avgPool3d, 3, input, kernelSize, options);
}

function resultSizes(input: Tensor, value: OutputSize, count: number): number[] {
  const wanted = outputSizes(value, count);
  if (!wanted.includes(null)) return wanted as number[];
  const own = checkShape('input', input).slice(-count);
  return wanted.map((size, i) => size ?? own[i] ?? 1);
}

/** The mean over windows chosen so that the output has the given length. @param outputSize - null: that of the input. @returns [B, C, outputSize]. */
export function adaptiveAvgPool1d(input: Tensor, outputSize: OutputSize): Tensor {
  return native.adaptiveAvgPool1d(input, resultSizes(input, outputSize, 1));
}

/** The mean over windows chosen so that the output has the given size. @param outputSize - null among them: that of the input. @returns [B, C, ...outputSize]. */
export function adaptiveAvgPool2d(input: Tensor, outputSize: OutputSize): Tensor {
  return native.adaptiveAvgPool2d(input, resultSizes(input, outputSize, 2));
}

/** The mean over windows chosen so that the output has the given size. @param outputSize - null among them: that of the input. @returns [B, C, ...outputSize]. */
export function adaptiveAvgPool3d(input: Tensor, outputSize: OutputSize): Tensor {
  return native.adaptiveAvgPool3d(input, resultSizes(input, outputSize, 3));
}

/** The first of a pair; the second is let go at once. */
function firstOf([first, second]: [Tensor, Tensor]): Tensor {
  second.dispose();
  return first;
}

/** The largest element of windows chosen so that the output has the given length. @param outputSize - null: that of the input. @returns [B, C, outputSize]. */
export function adaptiveMaxPool1d(input: Tensor, outputSize: OutputSize): Tensor {
  return firstOf(native.adaptiveMaxPool1d(input, resultSizes(input, outputSize, 1)));
}

/** The largest element of windows chosen so that the output has the given size. @param outputSize - null among them: that of the input. @returns [B, C, ...outputSize]. */
export function adaptiveMaxPool2d(input: Tensor, outputSize: OutputSize): Tensor {
  return firstOf(native.adaptiveMaxPool2d(input, resultSizes(input, outputSize, 2)));
}

/** The largest element of windows chosen so that the output has the given size. @param outputSize - null among them: that of the input. @returns [B, C, ...outputSize]. */
export function adaptiveMaxPool3d(input: Tensor, outputSize: OutputSize): Tensor {
  return firstOf(native.adaptiveMaxPool3d(input, resultSizes(input, outputSize, 3)));
}

/** Options of {@link unfold} and {@link fold}. */
export interface UnfoldOptions {
  /** Default 1. */
  dilation?: Pair;
  /** Default 0. */
  padding?: Pair;
  /** Default 1. */
  stride?: Pair;
}

const UNFOLD_KEYS = optionKeys('dilation', 'padding', 'stride');

/** Every window as a column. @param input - [B, C, H, W]. @returns [B, C kh kw, windows]. */
export function unfold(input: Tensor, kernelSize: Pair, options: UnfoldOptions = {}): Tensor {
  const { dilation = 1, padding = 0, stride = 1 } = checkOptions(options, UNFOLD_KEYS);
  return native.im2col(
    input,
    sizes('kernelSize', kernelSize, 2, 1),
    sizes('dilation', dilation, 2, 1),
    sizes('padding', padding, 2, 0),
    sizes('stride', stride, 2, 1),
  );
}

/** Columns back to images, adding where windows overlap. @param input - [B, C kh kw, windows]. @returns [B, C, outputSize]. */
export function fold(input: Tensor, outputSize: Pair, kernelSize: Pair, options: UnfoldOptions = {}): Tensor {
  const { dilation = 1, padding = 0, stride = 1 } = checkOptions(options, UNFOLD_KEYS);
  return native.col2im(
    input,
    sizes('outputSize', outputSize, 2, 1),
    sizes('kernelSize', kernelSize, 2, 1),
    sizes('dilation', dilation, 2, 1),
    sizes('padding', padding, 2, 0),
    sizes('stride', stride, 2, 1),
  );
}
