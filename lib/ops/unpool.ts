/**
 * Max unpooling, and power-average pooling.
 * @module
 */

import { number, type Pair, type Sizes, sizes } from '../check/arguments.js';
import { checkOptions, optionKeys } from '../check/index.js';
import { invalidArgument, ShapeError } from '../errors.js';
import { checkShape } from '../tensor/check.js';
import { native, type Tensor } from '../tensor/tensor.js';

const MAX_UNPOOL = optionKeys('stride', 'padding', 'outputSize');
const LP_POOL = optionKeys('stride', 'ceilMode');

/** Options of the max unpools. */
export interface MaxUnpoolOptions {
  /** Default: the kernel size. */
  stride?: Sizes | undefined;
  /** Default 0. */
  padding?: Sizes | undefined;
  /**
   * Sizes of the result, the spatial ones or all; each less than one stride away from the default,
   * (input - 1) * stride - 2 * padding + kernel.
   */
  outputSize?: readonly number[] | null | undefined;
}

/** The sizes of an unpooled tensor: the requested ones, if pooling them can produce the input's. */
function unpooledSizes(
  shape: readonly number[],
  kernel: readonly number[],
  stride: readonly number[],
  padding: readonly number[],
  wanted: readonly number[] | null | undefined,
): number[] {
  const count = kernel.length;
  const usual = kernel.map((size, i) => {
    const length = shape.at(i - count) ?? 0;
    return (length - 1) * stride[i]! - 2 * padding[i]! + size;
  });
  if (wanted === undefined || wanted === null) return usual;
  if (!Array.isArray(wanted)) throw invalidArgument('outputSize', 'an array of sizes', wanted);
  const spatial = wanted.length === count + 2 ? wanted.slice(2) : wanted;
  const fits = (size: number, i: number) => Number.isInteger(size) && Math.abs(size - usual[i]!) < stride[i]!;
  if (spatial.length !== count || !spatial.every(fits)) {
    throw new ShapeError(
      `Expected ${count} sizes for outputSize, each less than its stride [${stride.join(', ')}] away from ` +
        `[${usual.join(', ')}], but received [${wanted.join(', ')}]`,
    );
  }
  return [...spatial];
}

function maxUnpool(
  count: number,
  input: Tensor,
  indices: Tensor,
  kernelSize: Sizes,
  options: MaxUnpoolOptions,
): Tensor {
  const { padding = 0, outputSize } = checkOptions(options, MAX_UNPOOL);
  const kernel = sizes('kernelSize', kernelSize, count, 1);
  const stride = sizes('stride', options.stride ?? kernel, count, 1);
  const around = sizes('padding', padding, count, 0);
  const size = unpooledSizes(checkShape('input', input), kernel, stride, around, outputSize);
  if (count !== 1) return native.maxUnpool(input, indices, size, stride, around);
  // A signal is treated as an image with one column.
  using columns = native.unsqueeze(input, -1);
  using positions = native.unsqueeze(indices, -1);
  using unpooled = native.maxUnpool(columns, positions, [size[0]!, 1], [...stride, 1], [...around, 0]);
  return native.squeeze(unpooled, -1);
}

/**
 * Puts the elements of `input` back to their positions before {@link maxPool1d}; all others are 0.
 * @param input - [B, C, L]. @param indices - int64 of its shape, from `returnIndices`. @returns [B, C, L'].
 * @throws ShapeError for an index outside of the result.
 * @see https://pytorch.org/docs/stable/generated/torch.nn.functional.max_unpool1d.html
 */
export function maxUnpool1d(
  input: Tensor,
  indices: Tensor,
  kernelSize: Sizes,
  options: MaxUnpoolOptions = {},
): Tensor {
  return maxUnpool(1, input, indices, kernelSize, options);
}

/**
 * Puts the elements of `input` back to their positions before {@link maxPool2d}; all others are 0.
 * @param input - [B, C, H, W]. @param indices - int64 of its shape, from `returnIndices`. @returns [B, C, H', W'].
 * @throws ShapeError for an index outside of the result.
 * @see https://pytorch.org/docs/stable/generated/torch.nn.functional.max_unpool2d.html
 */
export function maxUnpool2d(
  input: Tensor,
  indices: Tensor,
  kernelSize: Pair,
  options: MaxUnpoolOptions = {},
): Tensor {
  return maxUnpool(2, input, indices, kernelSize, options);
}

/**
 * Puts the elements of `input` back to their positions before {@link maxPool3d}; all others are 0.
 * @param input - [B, C, D, H, W]. @param indices - int64 of its shape, from `returnIndices`. @returns [B, C, D', H', W'].
 * @throws ShapeError for an index outside of the result.
 * @see https://pytorch.org/docs/stable/generated/torch.nn.functional.max_unpool3d.html
 */
export function maxUnpool3d(
  input: Tensor,
  indices: Tensor,
  kernelSize: Sizes,
  options: MaxUnpoolOptions = {},
): Tensor {
  return maxUnpool(3, input, indices, kernelSize, options);
}

/** Options of power-average pools. */
export interface LpPoolOptions {
  /** Default: the kernel size. */
  stride?: Sizes | undefined;
  /** Round the output size up instead of down. Default false. */
  ceilMode?: boolean | undefined;
}

/** (sum of x^p) ^ (1 / p) over windows, from the mean of the powers. */
function lpPool(
  input: Tensor,
  normType: number,
  kernel: readonly number[],
  means: (powers: Tensor) => Tensor,
): Tensor {
  number('normType', normType, { min: Number.MIN_VALUE });
  using powers = native.pow(input, normType);
  using mean = means(powers);
  using size = native.abs(mean);
  using positive = native.relu(size);
  using sign = native.sign(mean);
  using signed = native.mul(sign, positive);
  using sum = native.mul(
    signed,
    kernel.reduce((product, length) => product * length, 1),
  );
  return native.pow(sum, 1 / normType);
}

/**
 * The p-norm of each window. @param input - [B, C, L]. @param normType - p, above 0. @returns [B, C, L'].
 * @see https://pytorch.org/docs/stable/generated/torch.nn.functional.lp_pool1d.html
 */
export function lpPool1d(
  input: Tensor,
  normType: number,
  kernelSize: Sizes,
  options: LpPoolOptions = {},
): Tensor {
  const { ceilMode = false } = checkOptions(options, LP_POOL);
  const kernel = sizes('kernelSize', kernelSize, 1, 1);
  const stride = sizes('stride', options.stride ?? kernel, 1, 1);
  return lpPool(input, normType, kernel, (powers) =>
    native.avgPool1d(powers, kernel, stride, [0], ceilMode, true),
  );
}

/**
 * The p-norm of each window. @param input - [B, C, H, W]. @param normType - p, above 0. @returns [B, C, H', W'].
 * @see https://pytorch.org/docs/stable/generated/torch.nn.functional.lp_pool2d.html
 */
export function lpPool2d(
  input: Tensor,
  normType: number,
  kernelSize: Pair,
  options: LpPoolOptions = {},
): Tensor {
  const { ceilMode = false } = checkOptions(options, LP_POOL);
  const kernel = sizes('kernelSize', kernelSize, 2, 1);
  const stride = sizes('stride', options.stride ?? kernel, 2, 1);
  return lpPool(input, normType, kernel, (powers) =>
    native.avgPool2d(powers, kernel, stride, [0, 0], ceilMode, true, undefined),
  );
}
