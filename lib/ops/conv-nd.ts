/**
 * Convolution of one and three dimensions, and transposed convolution.
 * @module
 */

import { integer, type Sizes, sizes } from '../check/arguments.js';
import { checkOptions, optionKeys } from '../check/index.js';
import { invalidArgument } from '../errors.js';
import { checkShape } from '../tensor/check.js';
import { native, type Tensor } from '../tensor/tensor.js';

/** Options of {@link conv1d} and {@link conv3d}. */
export interface ConvOptions {
  /** Default 1. */
  stride?: Sizes | undefined;
  /** Zeros added on each side; `'same'` keeps the size, for stride 1; `'valid'` adds none. Default 0. */
  padding?: Sizes | 'same' | 'valid' | undefined;
  /** Distance between kernel elements. Default 1. */
  dilation?: Sizes | undefined;
  /** Channels are convolved in this many separate groups. Default 1. */
  groups?: number | undefined;
}

/** @internal */
export const CONV_KEYS = optionKeys('stride', 'padding', 'dilation', 'groups');

/** {@link ConvOptions} with checks and defaults. `extra`: zeros to add first, at the far ends. */
interface Resolved {
  stride: number[];
  padding: number[];
  dilation: number[];
  groups: number;
  extra: number[];
}

/** Checks conv options. `'same'` for an even kernel needs one more zero at the far end than at the near one. */
export function resolveConvNd(kernelSize: readonly number[], options: ConvOptions): Resolved {
  const count = kernelSize.length;
  const stride = sizes('stride', options.stride ?? 1, count, 1);
  const dilation = sizes('dilation', options.dilation ?? 1, count, 1);
  const groups = integer('groups', options.groups ?? 1, 1);
  const { padding = 0 } = options;
  const none = kernelSize.map(() => 0);
  if (padding !== 'same') {
    const resolved = padding === 'valid' ? none : sizes('padding', padding, count, 0);
    return { stride, padding: resolved, dilation, groups, extra: none };
  }
  if (stride.some((step) => step !== 1))
    throw invalidArgument('stride', "1 with padding 'same'", options.stride);
  const total = kernelSize.map((size, i) => dilation[i]! * (size - 1));
  return {
    stride,
    padding: total.map((n) => n >> 1),
    dilation,
    groups,
    extra: total.map((n) => n & 1),
  };
}

/** Adds the zeros `extra`, if there are any. */
export function padFarEnds(input: Tensor, extra: readonly number[]): Tensor {
  if (!extra.some((n) => n > 0)) return input;
  // The last dimension comes first in a list of paddings.
  return native.pad(
    input,
    [...extra].reverse().flatMap((n) => [0, n]),
    'constant',
    0,
  );
}

/** The spatial sizes of a weight. */
export function kernelOf(weight: Tensor, count: number): number[] {
  const shape = checkShape('weight', weight);
  return Array.from({ length: count }, (_, i) => shape.at(i - count) ?? 1);
}

function convolve(
  call: typeof native.conv1d,
  count: number,
  input: Tensor,
  weight: Tensor,
  bias: Tensor | null,
  options: ConvOptions,
): Tensor {
  checkOptions(options, CONV_KEYS);
  const { stride, padding, dilation, groups, extra } = resolveConvNd(kernelOf(weight, count), options);
  return call(padFarEnds(input, extra), weight, bias, stride, padding, dilation, groups);
}

/**
 * 1-D convolution (cross-correlation).
 * @param input - [B, I, L]. @param weight - [O, I / groups, k]. @param bias - [O] or null.
 * @returns [B, O, L']. @see https://pytorch.org/docs/stable/generated/torch.nn.functional.conv1d.html
 */
export function conv1d(
  input: Tensor,
  weight: Tensor,
  bias: Tensor | null = null,
  options: ConvOptions = {},
): Tensor {
  return convolve(native.conv1d, 1, input, weight, bias, options);
}

/**
 * 3-D convolution (cross-correlation).
 * @param input - [B, I, D, H, W]. @param weight - [O, I / groups, kd, kh, kw]. @param bias - [O] or null.
 * @returns [B, O, D', H', W']. @see https://pytorch.org/docs/stable/generated/torch.nn.functional.conv3d.html
 */
export function conv3d(
  input: Tensor,
  weight: Tensor,
  bias: Tensor | null = null,
  options: ConvOptions = {},
): Tensor {
  return convolve(native.conv3d, 3, input, weight, bias, options);
}

/** Options of {@link convTranspose1d}, {@link convTranspose2d} and {@link convTranspose3d}. */
export interface ConvTransposeOptions {
  /** Default 1. */
  stride?: Sizes | undefined;
  /** dilation * (kernel - 1) - padding zeros are added on each side of the input. Default 0. */
  padding?: Sizes | undefined;
  /** Added to the output size at the far ends; below stride or dilation. Default 0. */
  outputPadding?: Sizes | undefined;
  /** Channels are convolved in this many separate groups. Default 1. */
  groups?: number | undefined;
  /** Distance between kernel elements. Default 1. */
  dilation?: Sizes | undefined;
}

/** @internal */
export const CONV_TRANSPOSE_KEYS = optionKeys('stride', 'padding', 'outputPadding', 'groups', 'dilation');

function transposed(
  call: typeof native.convTranspose1d,
  count: number,
  input: Tensor,
  weight: Tensor,
  bias: Tensor | null,
  options: ConvTransposeOptions,
): Tensor {
  const {
    stride = 1,
    padding = 0,
    outputPadding = 0,
    groups = 1,
    dilation = 1,
  } = checkOptions(options, CONV_TRANSPOSE_KEYS);
  return call(
    input,
    weight,
    bias,
    sizes('stride', stride, count, 1),
    sizes('padding', padding, count, 0),
    sizes('outputPadding', outputPadding, count, 0),
    integer('groups', groups, 1),
    sizes('dilation', dilation, count, 1),
  );
}

/**
 * Transposed 1-D convolution: the gradient of {@link conv1d} with respect to its input. @param input - [B, I, L]. @param weight - [I, O / groups, k].
 * @returns [B, O, L']. @see https://pytorch.org/docs/stable/generated/torch.nn.functional.conv_transpose1d.html
 */
export function convTranspose1d(
  input: Tensor,
  weight: Tensor,
  bias: Tensor | null = null,
  options: ConvTransposeOptions = {},
): Tensor {
  return transposed(native.convTranspose1d, 1, input, weight, bias, options);
}

/**
 * Transposed 2-D convolution: the gradient of {@link conv2d} with respect to its input. @param input - [B, I, H, W]. @param weight - [I, O / groups, kh, kw].
 * @returns [B, O, H', W']. @see https://pytorch.org/docs/stable/generated/torch.nn.functional.conv_transpose2d.html
 */
export function convTranspose2d(
  input: Tensor,
  weight: Tensor,
  bias: Tensor | null = null,
  options: ConvTransposeOptions = {},
): Tensor {
  return transposed(native.convTranspose2d, 2, input, weight, bias, options);
}

/**
 * Transposed 3-D convolution: the gradient of {@link conv3d} with respect to its input. @param input - [B, I, D, H, W].
 * @param weight - [I, O / groups, kd, kh, kw]. @returns [B, O, D', H', W'].
 */
export function convTranspose3d(
  input: Tensor,
  weight: Tensor,
  bias: Tensor | null = null,
  options: ConvTransposeOptions = {},
): Tensor {
  return transposed(native.convTranspose3d, 3, input, weight, bias, options);
}
