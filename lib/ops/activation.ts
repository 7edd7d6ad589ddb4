/**
 * Activations and dropout, as functions.
 * @module
 */

import { number, oneOf } from '../check/arguments.js';
import { checkOptions, optionKeys } from '../check/index.js';
import { invalidArgument } from '../errors.js';
import type { SoftmaxOptions } from '../tensor/activation.js';
import { native, type Tensor } from '../tensor/tensor.js';

const DIM_DTYPE = optionKeys('dim', 'dtype');
const TAU_HARD_DIM = optionKeys('tau', 'hard', 'dim');

const NEGATIVE_SLOPE = optionKeys('negativeSlope');
const APPROXIMATE = optionKeys('approximate');
const BETA_THRESHOLD = optionKeys('beta', 'threshold');
const DIM = optionKeys('dim');
const ALPHA = optionKeys('alpha');
const MIN_VAL_MAX_VAL = optionKeys('minVal', 'maxVal');
const LAMBDA = optionKeys('lambda');
const THRESHOLD_VALUE = optionKeys('threshold', 'value');
const RRELU = optionKeys('lower', 'upper', 'training');
const P_TRAINING = optionKeys('p', 'training');

/** max(input, 0). */
export function relu(input: Tensor): Tensor {
  return native.relu(input);
}

/** The input where positive, `negativeSlope` times it elsewhere. @param options.negativeSlope - Default 0.01. */
export function leakyRelu(input: Tensor, options: { negativeSlope?: number | undefined } = {}): Tensor {
  const { negativeSlope = 0.01 } = checkOptions(options, NEGATIVE_SLOPE);
  return native.leakyRelu(input, negativeSlope);
}

/** Gaussian error linear unit. @param options.approximate - Default `'none'`. */
export function gelu(input: Tensor, options: { approximate?: 'none' | 'tanh' | undefined } = {}): Tensor {
  const { approximate = 'none' } = checkOptions(options, APPROXIMATE);
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
export function softplus(
  input: Tensor,
  options: { beta?: number | undefined; threshold?: number | undefined } = {},
): Tensor {
  const { beta = 1, threshold = 20 } = checkOptions(options, BETA_THRESHOLD);
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

/** exp(input) / sum(exp(input)) along `dim`. @param options.dim - Default -1. @param options.dtype - The input is converted to it first. Default: that of the input. */
export function softmax(input: Tensor, options: SoftmaxOptions = {}): Tensor {
  const { dim = -1, dtype } = checkOptions(options, DIM_DTYPE);
  return native.softmax(input, dim, dtype);
}

/** log(softmax(input)), computed without overflow. @param options.dim - Default -1. */
export function logSoftmax(input: Tensor, options: SoftmaxOptions = {}): Tensor {
  const { dim = -1, dtype } = checkOptions(options, DIM_DTYPE);
  return native.logSoftmax(input, dim, dtype);
}

/** min(max(input, 0), 6). */
export function relu6(input: Tensor): Tensor {
  return native.relu6(input);
}

/** Scaled exponential linear unit. @see https://arxiv.org/abs/1706.02515 */
export function selu(input: Tensor): Tensor {
  return native.selu(input);
}

/** input * tanh(softplus(input)). @see https://arxiv.org/abs/1908.08681 */
export function mish(input: Tensor): Tensor {
  return native.mish(input);
}

/** relu6(input + 3) / 6. */
export function hardsigmoid(input: Tensor): Tensor {
  return native.hardsigmoid(input);
}

/** log(sigmoid(input)), computed without overflow. */
export function logSigmoid(input: Tensor): Tensor {
  return native.logSigmoid(input);
}

/** input / (1 + |input|). */
export function softsign(input: Tensor): Tensor {
  return native.softsign(input);
}

/** input - tanh(input). */
export function tanhshrink(input: Tensor): Tensor {
  return native.tanhshrink(input);
}

/** The input where positive, alpha (exp(input) - 1) elsewhere. @param options.alpha - Default 1. @see https://arxiv.org/abs/1511.07289 */
export function elu(input: Tensor, options: { alpha?: number | undefined } = {}): Tensor {
  const { alpha = 1 } = checkOptions(options, ALPHA);
  return native.elu(input, alpha);
}

/** The input where positive, alpha (exp(input / alpha) - 1) elsewhere. @param options.alpha - Default 1. @see https://arxiv.org/abs/1704.07483 */
export function celu(input: Tensor, options: { alpha?: number | undefined } = {}): Tensor {
  const { alpha = 1 } = checkOptions(options, ALPHA);
  return native.celu(input, alpha);
}

/**
 * Clamps to [minVal, maxVal]. @param options.minVal - Default -1. @param options.maxVal - Default 1.
 * @throws ArgumentError if minVal is above maxVal.
 */
export function hardtanh(
  input: Tensor,
  options: { minVal?: number | undefined; maxVal?: number | undefined } = {},
): Tensor {
  const { minVal = -1, maxVal = 1 } = checkOptions(options, MIN_VAL_MAX_VAL);
  if (minVal > maxVal) throw invalidArgument('minVal', `a number of at most maxVal ${maxVal}`, minVal);
  return native.hardtanh(input, minVal, maxVal);
}

/** 0 within ±lambda, the input elsewhere. @param options.lambda - Default 0.5. */
export function hardshrink(input: Tensor, options: { lambda?: number | undefined } = {}): Tensor {
  const { lambda = 0.5 } = checkOptions(options, LAMBDA);
  return native.hardshrink(input, lambda);
}

/** 0 within ±lambda, the input moved toward 0 by lambda elsewhere. @param options.lambda - Default 0.5. */
export function softshrink(input: Tensor, options: { lambda?: number | undefined } = {}): Tensor {
  const { lambda = 0.5 } = checkOptions(options, LAMBDA);
  return native.softshrink(input, number('lambda', lambda, { min: 0 }));
}

/** The input above `threshold`, `value` elsewhere. */
export function threshold(input: Tensor, options: { threshold: number; value: number }): Tensor {
  const { threshold: limit, value } = checkOptions(options, THRESHOLD_VALUE);
  return native.threshold(input, limit, value);
}

/** The input where positive, `weight` ([1], or one per channel) times it elsewhere. @see https://arxiv.org/abs/1502.01852 */
export function prelu(input: Tensor, weight: Tensor): Tensor {
  return native.prelu(input, weight);
}

/**
 * {@link leakyRelu} with slopes drawn from [lower, upper] while training, their mean otherwise.
 * @param options.lower - Default 1/8. @param options.upper - Default 1/3. @param options.training - Default false.
 */
export function rrelu(
  input: Tensor,
  options: { lower?: number | undefined; upper?: number | undefined; training?: boolean | undefined } = {},
): Tensor {
  const { lower = 1 / 8, upper = 1 / 3, training = false } = checkOptions(options, RRELU);
  return native.rrelu(input, lower, upper, training);
}

/**
 * Samples from the Gumbel-softmax distribution of logits: a differentiable approximation of a categorical sample.
 * @param options.tau - Temperature, above 0: smaller values are closer to one-hot. Default 1.
 * @param options.hard - Return one-hot vectors with the gradient of the soft ones. Default false.
 * @param options.dim - Dimension of the classes. Default -1. @see https://arxiv.org/abs/1611.01144
 */
export function gumbelSoftmax(
  input: Tensor,
  options: { tau?: number | undefined; hard?: boolean | undefined; dim?: number | undefined } = {},
): Tensor {
  const { tau = 1, hard = false, dim = -1 } = checkOptions(options, TAU_HARD_DIM);
  return native.gumbelSoftmax(input, number('tau', tau, { min: Number.MIN_VALUE }), hard, dim);
}

/** The first half along `dim` times the sigmoid of the second. @param options.dim - Default -1. @see https://arxiv.org/abs/1612.08083 */
export function glu(input: Tensor, options: { dim?: number | undefined } = {}): Tensor {
  const { dim = -1 } = checkOptions(options, DIM);
  return native.glu(input, dim);
}

/** softmax(-input). @param options.dim - Default -1. */
export function softmin(input: Tensor, options: SoftmaxOptions = {}): Tensor {
  const { dim = -1, dtype } = checkOptions(options, DIM_DTYPE);
  using negated = native.neg(input);
  return native.softmax(negated, dim, dtype);
}

/**
 * Zeroes elements with probability `p` and scales the rest by 1 / (1 - p), while training.
 * @param options.p - 0 to 1. Default 0.5. @param options.training - Default true.
 */
export function dropout(
  input: Tensor,
  options: { p?: number | undefined; training?: boolean | undefined } = {},
): Tensor {
  const { p = 0.5, training = true } = checkOptions(options, P_TRAINING);
  return native.dropout(input, number('p', p, { min: 0, max: 1 }), training);
}

/** Options of {@link dropout2d}. */
export interface DropoutOptions {
  /** Probability of a zero, 0 to 1. Default 0.5. */
  p?: number | undefined;
  /** Default true. */
  training?: boolean | undefined;
}

const DROPOUT_KEYS = optionKeys('p', 'training');

/** {@link dropout} of whole channels. @param input - [B, C, ...]. @see https://arxiv.org/abs/1411.4280 */
export function dropout2d(input: Tensor, options: DropoutOptions = {}): Tensor {
  const { p = 0.5, training = true } = checkOptions(options, DROPOUT_KEYS);
  return native.featureDropout(input, number('p', p, { min: 0, max: 1 }), training);
}

/** {@link alphaDropout} of whole channels. @param input - [B, C, ...]. @param options.training - Default false. */
export function featureAlphaDropout(input: Tensor, options: DropoutOptions = {}): Tensor {
  const { p = 0.5, training = false } = checkOptions(options, P_TRAINING);
  return native.featureAlphaDropout(input, number('p', p, { min: 0, max: 1 }), training);
}

/** Options of {@link alphaDropout}. */
export interface AlphaDropoutOptions {
  /** Probability of a drop, 0 to 1. Default 0.5. */
  p?: number | undefined;
  /** Default false, as in PyTorch. */
  training?: boolean | undefined;
}

const ALPHA_DROPOUT_KEYS = optionKeys('p', 'training');

/**
 * {@link dropout} that preserves mean and variance, for {@link selu}. Returns the input unless `training` is true.
 * @see https://arxiv.org/abs/1706.02515, https://pytorch.org/docs/stable/generated/torch.nn.functional.alpha_dropout.html
 */
export function alphaDropout(input: Tensor, options: AlphaDropoutOptions = {}): Tensor {
  const { p = 0.5, training = false } = checkOptions(options, ALPHA_DROPOUT_KEYS);
  return native.alphaDropout(input, number('p', p, { min: 0, max: 1 }), training);
}
