/**
 * Normalization, distances, attention and embeddings, as functions.
 * @module
 */

import { integer, number, row } from '../check/arguments.js';
import { checkOptions, optionKeys } from '../check/index.js';
import { checkShape } from '../tensor/check.js';
import { native, type Tensor } from '../tensor/tensor.js';
import { LOCAL_RESPONSE_NORM_KEYS } from './option-keys.js';

const P = optionKeys('p');

const PADDING_IDX = optionKeys('paddingIdx');
const WEIGHT_EPS = optionKeys('weight', 'eps');
const NORMALIZE = optionKeys('p', 'dim', 'eps');
const DIM_EPS = optionKeys('dim', 'eps');
const PAIRWISE_DISTANCE = optionKeys('p', 'eps', 'keepdim');

/** Options of {@link batchNorm}. */
export interface BatchNormOptions {
  /** [C]; updated in place while training. */
  runningMean?: Tensor | null | undefined;
  /** [C]; updated in place while training. */
  runningVar?: Tensor | null | undefined;
  /** [C]. */
  weight?: Tensor | null | undefined;
  /** [C]. */
  bias?: Tensor | null | undefined;
  /** Normalize by the batch's own statistics. Default false. */
  training?: boolean | undefined;
  /** Weight of the batch in the running statistics. Default 0.1. */
  momentum?: number | undefined;
  /** Added to the variance. Default 1e-5. */
  eps?: number | undefined;
}

const BATCH_NORM_KEYS = optionKeys(
  'runningMean',
  'runningVar',
  'weight',
  'bias',
  'training',
  'momentum',
  'eps',
);

/** Normalizes each channel over the batch. @param input - [B, C, ...]. @see https://arxiv.org/abs/1502.03167 */
export function batchNorm(input: Tensor, options: BatchNormOptions): Tensor {
  const {
    runningMean = null,
    runningVar = null,
    weight = null,
    bias = null,
  } = checkOptions(options, BATCH_NORM_KEYS);
  const { training = false, momentum = 0.1, eps = 1e-5 } = options;
  return native.batchNorm(input, weight, bias, runningMean, runningVar, training, momentum, eps);
}

/** Options of {@link layerNorm} and {@link groupNorm}. */
export interface NormOptions {
  /** Factor after the normalization. Default: none. */
  weight?: Tensor | null | undefined;
  /** Added after the factor. Default: none. */
  bias?: Tensor | null | undefined;
  /** Added to the variance. Default 1e-5. */
  eps?: number | undefined;
}

const NORM_KEYS = optionKeys('weight', 'bias', 'eps');

/** Normalizes the last dimensions, whose sizes are `normalizedShape`. @see https://arxiv.org/abs/1607.06450 */
export function layerNorm(
  input: Tensor,
  normalizedShape: readonly number[],
  options: NormOptions = {},
): Tensor {
  const { weight = null, bias = null, eps = 1e-5 } = checkOptions(options, NORM_KEYS);
  return native.layerNorm(input, normalizedShape, weight, bias, eps);
}

/** Normalizes groups of channels of each sample. @param input - [B, C, ...]. @see https://arxiv.org/abs/1803.08494 */
export function groupNorm(input: Tensor, numGroups: number, options: NormOptions = {}): Tensor {
  const { weight = null, bias = null, eps = 1e-5 } = checkOptions(options, NORM_KEYS);
  return native.groupNorm(input, numGroups, weight, bias, eps);
}

/**
 * Rows of `weight` [N, D] at the indices `input` (int64, any shape).
 * @param options.paddingIdx - Index of a row that gets no gradient; negative indices count from the end. Default null: none.
 * @returns [...input, D].
 * @throws ArgumentError for a paddingIdx outside of `weight`.
 */
export function embedding(
  input: Tensor,
  weight: Tensor,
  options: { paddingIdx?: number | null | undefined } = {},
): Tensor {
  const { paddingIdx } = checkOptions(options, PADDING_IDX);
  const padding =
    paddingIdx == null ? NO_ROW : row('paddingIdx', paddingIdx, checkShape('weight', weight)[0] ?? 0);
  return native.embedding(weight, input, padding);
}

/** libtorch's value for "no padding". */
const NO_ROW = -1;

/** One-hot vectors of int64 classes. @param numClasses - Default: the largest class + 1. @returns [..., numClasses] int64. */
export function oneHot(input: Tensor, numClasses = -1): Tensor {
  return native.oneHot(input, numClasses);
}

/** Options of {@link instanceNorm}. */
export interface InstanceNormOptions extends Omit<BatchNormOptions, 'training'> {
  /** Normalize by each sample's own statistics instead of the running ones. Default true. */
  useInputStats?: boolean | undefined;
}

const INSTANCE_NORM_KEYS = optionKeys(
  'runningMean',
  'runningVar',
  'weight',
  'bias',
  'momentum',
  'eps',
  'useInputStats',
);

/** Normalizes each channel of each sample. @param input - [B, C, ...]. @see https://arxiv.org/abs/1607.08022 */
export function instanceNorm(input: Tensor, options: InstanceNormOptions = {}): Tensor {
  const {
    runningMean = null,
    runningVar = null,
    weight = null,
    bias = null,
  } = checkOptions(options, INSTANCE_NORM_KEYS);
  const { useInputStats = true, momentum = 0.1, eps = 1e-5 } = options;
  return native.instanceNorm(input, weight, bias, runningMean, runningVar, useInputStats, momentum, eps);
}

/**
 * Divides by the root mean square of the last dimensions, whose sizes are `normalizedShape`.
 * @param options.eps - Added to the mean square. Default: the dtype's machine epsilon. @see https://arxiv.org/abs/1910.07467
 */
export function rmsNorm(
  input: Tensor,
  normalizedShape: readonly number[],
  options: { weight?: Tensor | null | undefined; eps?: number | undefined } = {},
): Tensor {
  const { weight = null, eps } = checkOptions(options, WEIGHT_EPS);
  return native.rmsNorm(input, normalizedShape, weight, eps);
}

/**
 * Divides each element by (k + alpha * mean of the squares over `size` neighboring channels) ^ beta.
 * @param input - [B, C, ...]. @param options.alpha - Default 1e-4. @param options.beta - Default 0.75. @param options.k - Default 1.
 * @see Krizhevsky et al., NeurIPS 2012; https://pytorch.org/docs/stable/generated/torch.nn.LocalResponseNorm.html
 */
export function localResponseNorm(
  input: Tensor,
  size: number,
  options: { alpha?: number | undefined; beta?: number | undefined; k?: number | undefined } = {},
): Tensor {
  const { alpha = 1e-4, beta = 0.75, k = 1 } = checkOptions(options, LOCAL_RESPONSE_NORM_KEYS);
  return native.localResponseNorm(input, integer('size', size, 1), alpha, beta, k);
}

/** Scales vectors along `dim` to p-norm 1. @param options.p - Default 2. @param options.dim - Default 1. @param options.eps - Smallest divisor. Default 1e-12. */
export function normalize(
  input: Tensor,
  options: { p?: number | undefined; dim?: number | undefined; eps?: number | undefined } = {},
): Tensor {
  const { p = 2, dim = 1, eps = 1e-12 } = checkOptions(options, NORMALIZE);
  return native.normalize(input, p, dim, eps);
}

/** The cosine of the angle between vectors along `dim`. @param options.dim - Default 1. @param options.eps - Default 1e-8. */
export function cosineSimilarity(
  input: Tensor,
  other: Tensor,
  options: { dim?: number | undefined; eps?: number | undefined } = {},
): Tensor {
  const { dim = 1, eps = 1e-8 } = checkOptions(options, DIM_EPS);
  return native.cosineSimilarity(input, other, dim, eps);
}

/** The p-norm of the difference of vectors in the last dimension. @param options.p - Default 2. @param options.eps - Added to the difference. Default 1e-6. */
export function pairwiseDistance(
  input: Tensor,
  other: Tensor,
  options: { p?: number | undefined; eps?: number | undefined; keepdim?: boolean | undefined } = {},
): Tensor {
  const { p = 2, eps = 1e-6, keepdim = false } = checkOptions(options, PAIRWISE_DISTANCE);
  return native.pairwiseDistance(input, other, p, eps, keepdim);
}

/** The p-distances of all pairs of rows, [N, M] -> [N (N - 1) / 2]. @param options.p - Default 2. */
export function pdist(input: Tensor, options: { p?: number | undefined } = {}): Tensor {
  const { p = 2 } = checkOptions(options, P);
  return native.pdist(input, p);
}

/** Options of {@link scaledDotProductAttention}. */
export interface AttentionOptions {
  /** Added to the scores, or bool: true for keys that are used; broadcasts to [B, ..., L, S]. */
  attnMask?: Tensor | null | undefined;
  /** Probability of dropping an attention weight. Default 0. */
  dropoutP?: number | undefined;
  /** Ignore keys after the query. Default false. */
  isCausal?: boolean | undefined;
  /** Factor on the scores. Default 1 / sqrt(E). */
  scale?: number | undefined;
  /** Grouped-query attention: every head of key and value [B, heads, S, E] serves several heads of the query. Default false. */
  enableGqa?: boolean | undefined;
}

const ATTENTION_KEYS = optionKeys('attnMask', 'dropoutP', 'isCausal', 'scale', 'enableGqa');

/**
 * softmax(query keyᵀ scale + mask) value.
 * @param query - [B, ..., L, E]. @param key - [B, ..., S, E]. @param value - [B, ..., S, V]. @returns [B, ..., L, V].
 * @see https://arxiv.org/abs/1706.03762
 */
export function scaledDotProductAttention(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  options: AttentionOptions = {},
): Tensor {
  const { attnMask = null, dropoutP = 0, isCausal = false } = checkOptions(options, ATTENTION_KEYS);
  const { scale, enableGqa = false } = options;
  number('dropoutP', dropoutP, { min: 0, max: 1 });
  return native.scaledDotProductAttention(query, key, value, attnMask, dropoutP, isCausal, scale, enableGqa);
}

/** y[o] = input1ᵀ weight[o] input2 + bias[o]. @param input1 - [B, I]. @param input2 - [B, J]. @param weight - [O, I, J]. @returns [B, O]. */
export function bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | null = null): Tensor {
  return native.bilinear(input1, input2, weight, bias);
}
