/**
 * Activations, normalisation, dropout and look-ups, as functions.
 * @module
 */
import { checkOptions } from '../errors.js';
import { native } from '../native.js';
import type { Tensor } from '../tensor/tensor.js';
import { number, oneOf } from './arguments.js';

/** max(input, 0). */
export function relu(input: Tensor): Tensor {
  return native.relu(input);
}

/** The input where positive, `negativeSlope` times it elsewhere. @param options.negativeSlope - Default 0.01. */
export function leakyRelu(input: Tensor, options: { negativeSlope?: number } = {}): Tensor {
  const { negativeSlope = 0.01 } = checkOptions(options);
  return native.leakyRelu(input, negativeSlope);
}

/** Gaussian error linear unit. @param options.approximate - Default `'none'`. */
export function gelu(input: Tensor, options: { approximate?: 'none' | 'tanh' } = {}): Tensor {
  const { approximate = 'none' } = checkOptions(options);
  return native.gelu(input, oneOf('approximate', ['none', 'tanh'], approximate));
}

/** input * sigmoid(input). */
export function silu(input: Tensor): Tensor {
  return native.silu(input);
}

/** input * relu6(input + 3) / 6. */
export function hardswish(input: Tensor): Tensor {
  return native.hardswish(input);
}

/** log(1 + exp(beta input)) / beta, linear above `threshold`. @param options.beta - Default 1. @param options.threshold - Default 20. */
export function softplus(input: Tensor, options: { beta?: number; threshold?: number } = {}): Tensor {
  const { beta = 1, threshold = 20 } = checkOptions(options);
  return native.softplus(input, beta, threshold);
}

/** 1 / (1 + exp(-input)). */
export function sigmoid(input: Tensor): Tensor {
  return native.sigmoid(input);
}

/** Hyperbolic tangent. */
export function tanh(input: Tensor): Tensor {
  return native.tanh(input);
}

/** exp(input) / sum(exp(input)) along `dim`. @param options.dim - Default -1. */
export function softmax(input: Tensor, options: { dim?: number } = {}): Tensor {
  const { dim = -1 } = checkOptions(options);
  return native.softmax(input, dim);
}

/** log(softmax(input)), computed without overflow. @param options.dim - Default -1. */
export function logSoftmax(input: Tensor, options: { dim?: number } = {}): Tensor {
  const { dim = -1 } = checkOptions(options);
  return native.logSoftmax(input, dim);
}

/**
 * Zeroes elements with probability `p` and scales the rest by 1 / (1 - p), while training.
 * @param options.p - 0 to 1. Default 0.5. @param options.training - Default true.
 */
export function dropout(input: Tensor, options: { p?: number; training?: boolean } = {}): Tensor {
  const { p = 0.5, training = true } = checkOptions(options);
  return native.dropout(input, number('p', p, { min: 0, max: 1 }), training);
}

/** Options of {@link batchNorm}. */
export interface BatchNormOptions {
  /** [C]; updated in place while training. */
  runningMean?: Tensor | null;
  /** [C]; updated in place while training. */
  runningVar?: Tensor | null;
  /** [C]. */
  weight?: Tensor | null;
  /** [C]. */
  bias?: Tensor | null;
  /** Normalise by the batch's own statistics. Default false. */
  training?: boolean;
  /** Share of the batch in the running statistics. Default 0.1. */
  momentum?: number;
  /** Added to the variance. Default 1e-5. */
  eps?: number;
}

/** Normalises each channel over the batch. @param input - [B, C, ...]. @see https://arxiv.org/abs/1502.03167 */
export function batchNorm(input: Tensor, options: BatchNormOptions): Tensor {
  const { runningMean = null, runningVar = null, weight = null, bias = null } = checkOptions(options);
  const { training = false, momentum = 0.1, eps = 1e-5 } = checkOptions(options);
  return native.batchNorm(input, weight, bias, runningMean, runningVar, training, momentum, eps);
}

/** Options of {@link layerNorm} and {@link groupNorm}. */
export interface NormOptions {
  weight?: Tensor | null;
  bias?: Tensor | null;
  /** Added to the variance. Default 1e-5. */
  eps?: number;
}

/** Normalises the last dimensions, whose sizes are `normalizedShape`. @see https://arxiv.org/abs/1607.06450 */
export function layerNorm(
  input: Tensor,
  normalizedShape: readonly number[],
  options: NormOptions = {},
): Tensor {
  const { weight = null, bias = null, eps = 1e-5 } = checkOptions(options);
  return native.layerNorm(input, normalizedShape, weight, bias, eps);
}

/** Normalises groups of channels of each sample. @param input - [B, C, ...]. @see https://arxiv.org/abs/1803.08494 */
export function groupNorm(input: Tensor, numGroups: number, options: NormOptions = {}): Tensor {
  const { weight = null, bias = null, eps = 1e-5 } = checkOptions(options);
  return native.groupNorm(input, numGroups, weight, bias, eps);
}

/** Rows of `weight` [N, D] picked by `input` (int64, any shape). @returns [...input, D]. */
export function embedding(input: Tensor, weight: Tensor): Tensor {
  return native.embedding(weight, input);
}

/** int64 classes as vectors with a single 1. @param numClasses - Default: the largest class + 1. @returns [..., numClasses] int64. */
export function oneHot(input: Tensor, numClasses = -1): Tensor {
  return native.oneHot(input, numClasses);
}
