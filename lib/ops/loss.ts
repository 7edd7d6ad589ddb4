/**
 * Losses, each reduced to its mean over the batch by default.
 * @module
 */

import { number } from '../check/arguments.js';
import { checkOptions } from '../check/index.js';
import { native, type Tensor } from '../tensor/tensor.js';
import {
  BCE_KEYS,
  BCE_WITH_LOGITS_KEYS,
  CROSS_ENTROPY_KEYS,
  HUBER_KEYS,
  KL_DIV_KEYS,
  NLL_LOSS_KEYS,
  SMOOTH_L1_KEYS,
  WEIGHTED_LOSS_KEYS,
} from './option-keys.js';
import { type LossOptions, type Reduction, reductionOf } from './reduction.js';

export type { LossOptions, Reduction };

/** Options of {@link crossEntropy}. */
export interface CrossEntropyOptions extends LossOptions {
  /** Label smoothing: fraction of the target that is spread evenly over all classes, 0 to 1. Default 0. */
  labelSmoothing?: number | undefined;
  /** [C] weights of the classes. */
  weight?: Tensor | null | undefined;
  /** Target value that is ignored. Default -100. */
  ignoreIndex?: number | undefined;
}

/**
 * Softmax cross entropy: with labelSmoothing s, (1 - s) nll + s * mean over classes of -log p.
 * @param input - Logits [B, C] or [B, C, ...]. @param target - int64 classes [B] or [B, ...], or probabilities of input's shape.
 * @see https://pytorch.org/docs/stable/generated/torch.nn.functional.cross_entropy.html, https://arxiv.org/abs/1512.00567
 */
export function crossEntropy(input: Tensor, target: Tensor, options: CrossEntropyOptions = {}): Tensor {
  const { labelSmoothing = 0, weight = null, ignoreIndex = -100 } = checkOptions(options, CROSS_ENTROPY_KEYS);
  const smoothing = number('labelSmoothing', labelSmoothing, { min: 0, max: 1 });
  return native.crossEntropy(input, target, weight, reductionOf(options), ignoreIndex, smoothing);
}

/** Options of {@link nllLoss}. */
export interface NllLossOptions extends LossOptions {
  /** [C] weights of the classes. */
  weight?: Tensor | null | undefined;
  /** Target value that is ignored. Default -100. */
  ignoreIndex?: number | undefined;
}

/** Negative log likelihood. @param input - Log-probabilities [B, C] or [B, C, ...]. @param target - int64 [B] or [B, ...]. */
export function nllLoss(input: Tensor, target: Tensor, options: NllLossOptions = {}): Tensor {
  const { weight = null, ignoreIndex = -100 } = checkOptions(options, NLL_LOSS_KEYS);
  return native.nllLoss(input, target, weight, reductionOf(options), ignoreIndex);
}

/** Options of the losses of two tensors. */
export interface WeightedLossOptions extends LossOptions {
  /** Factor on the loss of each element, of input's shape. */
  weight?: Tensor | null | undefined;
}

/** Squared difference; with `weight` the mean is divided by the sum of the weights. */
export function mseLoss(input: Tensor, target: Tensor, options: WeightedLossOptions = {}): Tensor {
  const { weight } = checkOptions(options, WEIGHTED_LOSS_KEYS);
  return weight
    ? native.mseLossWeighted(input, target, weight, reductionOf(options))
    : native.mseLoss(input, target, reductionOf(options));
}

/** Absolute difference; with `weight` the mean is divided by the sum of the weights. */
export function l1Loss(input: Tensor, target: Tensor, options: WeightedLossOptions = {}): Tensor {
  const { weight } = checkOptions(options, WEIGHTED_LOSS_KEYS);
  return weight
    ? native.l1LossWeighted(input, target, weight, reductionOf(options))
    : native.l1Loss(input, target, reductionOf(options));
}

/** Half the square of the difference below `beta`, divided by it, the absolute value above. @param options.beta - Default 1. */
export function smoothL1Loss(
  input: Tensor,
  target: Tensor,
  options: LossOptions & { beta?: number | undefined } = {},
): Tensor {
  const beta = number('beta', checkOptions(options, SMOOTH_L1_KEYS).beta ?? 1, { min: 0 });
  return native.smoothL1Loss(input, target, beta, reductionOf(options));
}

/** Half the square of the difference below `delta`, linear above. @param options.delta - Default 1. */
export function huberLoss(
  input: Tensor,
  target: Tensor,
  options: WeightedLossOptions & { delta?: number | undefined } = {},
): Tensor {
  const delta = number('delta', checkOptions(options, HUBER_KEYS).delta ?? 1, { min: Number.MIN_VALUE });
  const { weight } = options;
  if (weight) return native.huberLossWeighted(input, target, delta, weight, reductionOf(options));
  return native.huberLoss(input, target, delta, reductionOf(options));
}

/** Binary cross entropy of probabilities. @param target - Of input's shape and dtype. @param options.weight - Weights of the elements. */
export function binaryCrossEntropy(
  input: Tensor,
  target: Tensor,
  options: LossOptions & { weight?: Tensor | null | undefined } = {},
): Tensor {
  return native.binaryCrossEntropy(
    input,
    target,
    checkOptions(options, BCE_KEYS).weight ?? null,
    reductionOf(options),
  );
}

/**
 * Binary cross entropy of logits. @param target - Probabilities, of input's shape and dtype.
 * @param options.weight - Weights of the elements. @param options.posWeight - Weights of the positive part of each class.
 */
export function binaryCrossEntropyWithLogits(
  input: Tensor,
  target: Tensor,
  options: LossOptions & { weight?: Tensor | null | undefined; posWeight?: Tensor | null | undefined } = {},
): Tensor {
  const { weight = null, posWeight = null } = checkOptions(options, BCE_WITH_LOGITS_KEYS);
  return native.binaryCrossEntropyWithLogits(input, target, weight, posWeight, reductionOf(options));
}

/** Options of {@link klDiv}. */
export interface KlDivOptions {
  /** `'batchmean'`, the sum over the batch size, is the divergence of the formula. Default `'mean'`, of the elements. */
  reduction?: Reduction | 'batchmean' | undefined;
  /** Whether `target` has log-probabilities. Default false. */
  logTarget?: boolean | undefined;
}

/** Kullback-Leibler divergence from `target`. @param input - Log-probabilities. @param target - Probabilities, of input's shape. */
export function klDiv(input: Tensor, target: Tensor, options: KlDivOptions = {}): Tensor {
  const { reduction = 'mean', logTarget = false } = checkOptions(options, KL_DIV_KEYS);
  if (reduction !== 'batchmean') return native.klDiv(input, target, logTarget, reductionOf({ reduction }));
  using total = native.klDiv(input, target, logTarget, 'sum');
  return native.div(total, input.shape[0] ?? 1);
}
