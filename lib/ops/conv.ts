/**
 * Two-dimensional convolution, linear maps and padding.
 * @module
 */

import { integer, oneOf, type Pair, pair } from '../check/arguments.js';
import { checkOptions, optionKeys } from '../check/index.js';
import { invalidArgument } from '../errors.js';
import { checkShape } from '../tensor/check.js';
import { native, type Tensor } from '../tensor/tensor.js';

const MODE_VALUE = optionKeys('mode', 'value');

/** Options of {@link conv2d}. */
export interface Conv2dOptions {
  /** Default 1. */
  stride?: Pair | undefined;
  /** Zeros added on each side; `'same'` keeps the size, for stride 1; `'valid'` adds none. Default 0. */
  padding?: Pair | 'same' | 'valid' | undefined;
  /** Distance between kernel elements. Default 1. */
  dilation?: Pair | undefined;
  /** Channels are convolved in this many separate groups. Default 1. */
  groups?: number | undefined;
}

/** @internal */
export const CONV2D_KEYS = optionKeys('stride', 'padding', 'dilation', 'groups');
const CONV2D_FUNCTION_KEYS = optionKeys(...CONV2D_KEYS, 'algorithm');

/** Algorithms of {@link conv2d} on the CPU. `'auto'` chooses the fastest for the sizes, separately for forward and backward. */
export type Conv2dAlgorithm = (typeof CONV2D_ALGORITHMS)[number];

const CONV2D_ALGORITHMS = ['auto', 'winograd', 'fused', 'libtorch'] as const;

/** {@link Conv2dOptions} with checks and defaults. `before`: zeros to add first, at the bottom and right. */
export interface ResolvedConv {
  stride: [number, number];
  padding: [number, number];
  dilation: [number, number];
  groups: number;
  extra: [number, number];
}

/**
 * Checks conv options. 'same' for an even kernel needs one more zero on one side than on the other: that one is `extra`,
 * at the bottom and right, as in PyTorch.
 */
export function resolveConv(kernelSize: readonly [number, number], options: Conv2dOptions): ResolvedConv {
  const stride = pair('stride', options.stride ?? 1, 1);
  const dilation = pair('dilation', options.dilation ?? 1, 1);
  const groups = integer('groups', options.groups ?? 1, 1);
  const { padding = 0 } = options;
  if (padding !== 'same') {
    const resolved = padding === 'valid' ? ([0, 0] as [number, number]) : pair('padding', padding, 0);
    return { stride, padding: resolved, dilation, groups, extra: [0, 0] };
  }
  if (stride[0] !== 1 || stride[1] !== 1)
    throw invalidArgument('stride', "1 with padding 'same'", options.stride);
  const total = [dilation[0] * (kernelSize[0] - 1), dilation[1] * (kernelSize[1] - 1)] as const;
  return {
    stride,
    padding: [total[0] >> 1, total[1] >> 1],
    dilation,
    groups,
    extra: [total[0] & 1, total[1] & 1],
  };
}

/** Adds the zeros that symmetric padding cannot express. */
export function padExtra(input: Tensor, [bottom, right]: readonly [number, number]): Tensor {
  return bottom || right ? native.pad(input, [0, right, 0, bottom], 'constant', 0) : input;
}

/** The last two sizes of a conv weight. */
export function kernelSizeOf(weight: Tensor, name = 'weight'): [number, number] {
  const shape = checkShape(name, weight);
  return [shape.at(-2) ?? 1, shape.at(-1) ?? 1];
}

/** Checks that it is one of {@link CONV2D_ALGORITHMS}. */
export function conv2dAlgorithm(algorithm: Conv2dAlgorithm = 'auto'): Conv2dAlgorithm {
  return oneOf('algorithm', CONV2D_ALGORITHMS, algorithm);
}

/**
 * 2-D convolution (cross-correlation).
 * @param input - [B, I, H, W]. @param weight - [O, I / groups, kh, kw]. @param bias - [O] or null.
 * @param options.algorithm - `'fused'` and `'winograd'` (3x3 or 5x5, stride and dilation 1) are dyconv's kernels, for
 * float32 or bfloat16 on the CPU without groups; `'fused'` also computes depthwise ones of contiguous inputs.
 * `'libtorch'` is libtorch's convolution. Default `'auto'`.
 * @returns [B, O, H', W'].
 * @throws ShapeError when sizes do not fit. @see https://pytorch.org/docs/stable/generated/torch.nn.functional.conv2d.html
 */
export function conv2d(
  input: Tensor,
  weight: Tensor,
  bias: Tensor | null = null,
  options: Conv2dOptions & { algorithm?: Conv2dAlgorithm | undefined } = {},
): Tensor {
  const algorithm = conv2dAlgorithm(checkOptions(options, CONV2D_FUNCTION_KEYS).algorithm);
  const { stride, padding, dilation, groups, extra } = resolveConv(kernelSizeOf(weight), options);
  return native.conv2d(padExtra(input, extra), weight, bias, stride, padding, dilation, groups, algorithm);
}

/** input weightᵀ + bias. @param input - [..., I]. @param weight - [O, I]. @param bias - [O] or null. @returns [..., O]. */
export function linear(input: Tensor, weight: Tensor, bias: Tensor | null = null): Tensor {
  return native.linear(input, weight, bias);
}

/**
 * Pads the last dimensions.
 * @param padding - [left, right] of the last dimension, then of the one before it, and so on.
 * @param options.mode - Default `'constant'`. @param options.value - Value of `'constant'` padding. Default 0.
 */
export function pad(
  input: Tensor,
  padding: readonly number[],
  options: {
    mode?: 'constant' | 'reflect' | 'replicate' | 'circular' | undefined;
    value?: number | undefined;
  } = {},
): Tensor {
  const { mode = 'constant', value = 0 } = checkOptions(options, MODE_VALUE);
  const checked = oneOf('mode', ['constant', 'reflect', 'replicate', 'circular'], mode);
  return native.pad(input, padding, checked, checked === 'constant' ? value : undefined);
}
