/**
 * Pooling, `unfold` and `fold`.
 * @module
 */

import { type OutputSize, outputSizes, type Pair, type Sizes, sizes } from '../check/arguments.js';
import { checkOptions, optionKeys } from '../check/index.js';
import { invalidArgument } from '../errors.js';
import { checkShape } from '../tensor/check.js';
import type { ValuesIndices } from '../tensor/dims.js';
import { native, type Tensor } from '../tensor/tensor.js';
import { AVG_POOL_3D_KEYS, AVG_POOL_KEYS, MAX_POOL_WITH_INDICES_KEYS } from './option-keys.js';

const RETURN_INDICES = optionKeys('returnIndices');

/** Options of the max pools. */
export interface MaxPoolOptions {
  /** Default: the kernel size. */
  stride?: Sizes | undefined;
  /** Default 0, at most half the kernel. */
  padding?: Sizes | undefined;
  /** Default 1. */
  dilation?: Sizes | undefined;
  /** Round the output size up instead of down. Default false. */
  ceilMode?: boolean | undefined;
}

/** Option of max pools for the positions of the maxima. */
export interface WithIndices {
  /**
   * Return `{ values, indices }`: indices is int64 of the shape of values, positions in the flattened spatial dimensions of
   * the input, for {@link maxUnpool2d}.
   */
  returnIndices: true;
}

/** Options of {@link maxPool2d}. */
export interface MaxPool2dOptions extends MaxPoolOptions {
  /** Default: the kernel size. */
  stride?: Pair | undefined;
  /** Default 0, at most half the kernel. */
  padding?: Pair | undefined;
  /** Default 1. */
  dilation?: Pair | undefined;
}

/** Options of the average pools. */
export interface AvgPoolOptions {
  /** Default: the kernel size. */
  stride?: Sizes | undefined;
  /** Default 0, at most half the kernel. */
  padding?: Sizes | undefined;
  /** Round the output size up instead of down. Default false. */
  ceilMode?: boolean | undefined;
  /** Count padding zeros in the mean. Default true. */
  countIncludePad?: boolean | undefined;
}

/** Options of {@link avgPool3d}. */
export interface AvgPool3dOptions extends AvgPoolOptions {
  /** Divisor of the sums. Default: the size of the window, see `countIncludePad`. */
  divisorOverride?: number | null | undefined;
}

/** Options of {@link avgPool2d}. */
export interface AvgPool2dOptions extends AvgPool3dOptions {
  /** Default: the kernel size. */
  stride?: Pair | undefined;
  /** Default 0, at most half the kernel. */
  padding?: Pair | undefined;
}

/** Checks the common arguments of max pools. */
function windows(
  count: number,
  kernelSize: Sizes,
  options: MaxPoolOptions & { returnIndices?: boolean | undefined },
): [kernel: number[], stride: number[], padding: number[], dilation: number[], ceilMode: boolean] {
  const { padding = 0, dilation = 1, ceilMode = false } = checkOptions(options, MAX_POOL_WITH_INDICES_KEYS);
  const kernel = sizes('kernelSize', kernelSize, count, 1);
  return [
    kernel,
    sizes('stride', options.stride ?? kernel, count, 1),
    sizes('padding', padding, count, 0),
    sizes('dilation', dilation, count, 1),
    ceilMode,
  ];
}

function maxPool(
  call: typeof native.maxPool1d,
  count: number,
  input: Tensor,
  kernelSize: Sizes,
  options: MaxPoolOptions & { returnIndices?: boolean | undefined },
): Tensor | ValuesIndices {
  const checked = windows(count, kernelSize, options);
  if (!flag('returnIndices', options.returnIndices)) return call(input, ...checked);
  const [values, indices] = native.maxPoolWithIndices(input, ...checked);
  return { values, indices };
}

function flag(name: string, value: unknown): boolean {
  if (value === undefined || typeof value === 'boolean') return value ?? false;
  throw invalidArgument(name, 'a boolean', value);
}

/** Checks the common arguments of average pools. */
function means(
  count: number,
  kernelSize: Sizes,
  options: AvgPoolOptions,
): [kernel: number[], stride: number[], padding: number[], ceilMode: boolean, includePad: boolean] {
  const { padding = 0, ceilMode = false, countIncludePad = true } = options;
  const kernel = sizes('kernelSize', kernelSize, count, 1);
  const stride = sizes('stride', options.stride ?? kernel, count, 1);
  return [kernel, stride, sizes('padding', padding, count, 0), ceilMode, countIncludePad];
}

function divisorOf(options: AvgPool3dOptions): number | undefined {
  const { divisorOverride } = checkOptions(options, AVG_POOL_3D_KEYS);
  return divisorOverride === undefined || divisorOverride === null
    ? undefined
    : nonZero('divisorOverride', divisorOverride);
}

function nonZero(name: string, value: unknown): number {
  if (Number.isSafeInteger(value) && value !== 0) return value as number;
  throw invalidArgument(name, 'an integer other than 0', value);
}

/**
 * The largest element of each window. @param input - [B, C, L]. @returns [B, C, L'].
 * @see https://pytorch.org/docs/stable/generated/torch.nn.functional.max_pool1d.html
 */
export function maxPool1d(input: Tensor, kernelSize: Sizes, options?: MaxPoolOptions): Tensor;
export function maxPool1d(
  input: Tensor,
  kernelSize: Sizes,
  options: MaxPoolOptions & WithIndices,
): ValuesIndices;
export function maxPool1d(
  input: Tensor,
  kernelSize: Sizes,
  options: MaxPoolOptions & { returnIndices?: boolean | undefined } = {},
): Tensor | ValuesIndices {
  return maxPool(native.maxPool1d, 1, input, kernelSize, options);
}

/**
 * The largest element of each window. @param input - [B, C, H, W]. @returns [B, C, H', W'].
 * @see https://pytorch.org/docs/stable/generated/torch.nn.functional.max_pool2d.html
 */
export function maxPool2d(input: Tensor, kernelSize: Pair, options?: MaxPool2dOptions): Tensor;
export function maxPool2d(
  input: Tensor,
  kernelSize: Pair,
  options: MaxPool2dOptions & WithIndices,
): ValuesIndices;
export function maxPool2d(
  input: Tensor,
  kernelSize: Pair,
  options: MaxPool2dOptions & { returnIndices?: boolean | undefined } = {},
): Tensor | ValuesIndices {
  return maxPool(native.maxPool2d, 2, input, kernelSize, options);
}

/**
 * The largest element of each window. @param input - [B, C, D, H, W]. @returns [B, C, D', H', W'].
 * @see https://pytorch.org/docs/stable/generated/torch.nn.functional.max_pool3d.html
 */
export function maxPool3d(input: Tensor, kernelSize: Sizes, options?: MaxPoolOptions): Tensor;
export function maxPool3d(
  input: Tensor,
  kernelSize: Sizes,
  options: MaxPoolOptions & WithIndices,
): ValuesIndices;
export function maxPool3d(
  input: Tensor,
  kernelSize: Sizes,
  options: MaxPoolOptions & { returnIndices?: boolean | undefined } = {},
): Tensor | ValuesIndices {
  return maxPool(native.maxPool3d, 3, input, kernelSize, options);
}

/** The mean of each window. @param input - [B, C, L]. @returns [B, C, L']. */
export function avgPool1d(input: Tensor, kernelSize: Sizes, options: AvgPoolOptions = {}): Tensor {
  return native.avgPool1d(input, ...means(1, kernelSize, checkOptions(options, AVG_POOL_KEYS)));
}

/** The mean of each window. @param input - [B, C, H, W]. @returns [B, C, H', W']. */
export function avgPool2d(input: Tensor, kernelSize: Pair, options: AvgPool2dOptions = {}): Tensor {
  const divisor = divisorOf(options);
  return native.avgPool2d(input, ...means(2, kernelSize, options), divisor);
}

/** The mean of each window. @param input - [B, C, D, H, W]. @returns [B, C, D', H', W']. */
export function avgPool3d(input: Tensor, kernelSize: Sizes, options: AvgPool3dOptions = {}): Tensor {
  const divisor = divisorOf(options);
  return native.avgPool3d(input, ...means(3, kernelSize, options), divisor);
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

/** The mean over windows chosen so that the output has the given size. @param outputSize - null keeps the size of the input. @returns [B, C, ...outputSize]. */
export function adaptiveAvgPool2d(input: Tensor, outputSize: OutputSize): Tensor {
  return native.adaptiveAvgPool2d(input, resultSizes(input, outputSize, 2));
}

/** The mean over windows chosen so that the output has the given size. @param outputSize - null keeps the size of the input. @returns [B, C, ...outputSize]. */
export function adaptiveAvgPool3d(input: Tensor, outputSize: OutputSize): Tensor {
  return native.adaptiveAvgPool3d(input, resultSizes(input, outputSize, 3));
}

/** An adaptive max pool: the maxima, or them and their positions. */
function adaptiveMax(
  call: typeof native.adaptiveMaxPool1d,
  count: number,
  input: Tensor,
  outputSize: OutputSize,
  options: { returnIndices?: boolean | undefined },
): Tensor | ValuesIndices {
  const withIndices = flag('returnIndices', checkOptions(options, RETURN_INDICES).returnIndices);
  const [values, indices] = call(input, resultSizes(input, outputSize, count));
  if (withIndices) return { values, indices };
  indices.dispose();
  return values;
}

/** The largest element of windows chosen so that the output has the given length. @returns [B, C, outputSize]. */
export function adaptiveMaxPool1d(input: Tensor, outputSize: OutputSize): Tensor;
export function adaptiveMaxPool1d(input: Tensor, outputSize: OutputSize, options: WithIndices): ValuesIndices;
export function adaptiveMaxPool1d(
  input: Tensor,
  outputSize: OutputSize,
  options: { returnIndices?: boolean | undefined } = {},
): Tensor | ValuesIndices {
  return adaptiveMax(native.adaptiveMaxPool1d, 1, input, outputSize, options);
}

/** The largest element of windows chosen so that the output has the given size. @returns [B, C, outputSize]. */
export function adaptiveMaxPool2d(input: Tensor, outputSize: OutputSize): Tensor;
export function adaptiveMaxPool2d(input: Tensor, outputSize: OutputSize, options: WithIndices): ValuesIndices;
export function adaptiveMaxPool2d(
  input: Tensor,
  outputSize: OutputSize,
  options: { returnIndices?: boolean | undefined } = {},
): Tensor | ValuesIndices {
  return adaptiveMax(native.adaptiveMaxPool2d, 2, input, outputSize, options);
}

/** The largest element of windows chosen so that the output has the given size. @returns [B, C, outputSize]. */
export function adaptiveMaxPool3d(input: Tensor, outputSize: OutputSize): Tensor;
export function adaptiveMaxPool3d(input: Tensor, outputSize: OutputSize, options: WithIndices): ValuesIndices;
export function adaptiveMaxPool3d(
  input: Tensor,
  outputSize: OutputSize,
  options: { returnIndices?: boolean | undefined } = {},
): Tensor | ValuesIndices {
  return adaptiveMax(native.adaptiveMaxPool3d, 3, input, outputSize, options);
}

/** Options of {@link unfold} and {@link fold}. */
export interface UnfoldOptions {
  /** Default 1. */
  dilation?: Pair | undefined;
  /** Default 0. */
  padding?: Pair | undefined;
  /** Default 1. */
  stride?: Pair | undefined;
}

const UNFOLD_KEYS = optionKeys('dilation', 'padding', 'stride');

/** Copies every window to a column. @param input - [B, C, H, W]. @returns [B, C kh kw, windows]. */
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

/** The inverse of {@link unfold}: copies columns to windows and adds overlapping elements. @param input - [B, C kh kw, windows]. @returns [B, C, outputSize]. */
export function fold(input: Tensor, outputSize: Pair, kernelSize: Pair, options: UnfoldOptions = {}): Tensor {
  const { dilation = 1, padding = 0, stride = 1 } = checkOptions(options, UNFOLD_KEYS);
  return native.col2im(
    input,
    resultSizes(input, outputSize, 2),
    sizes('kernelSize', kernelSize, 2, 1),
    sizes('dilation', dilation, 2, 1),
    sizes('padding', padding, 2, 0),
    sizes('stride', stride, 2, 1),
  );
}
