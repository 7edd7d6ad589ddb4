/**
 * Losses with a margin: of labels, of rankings and of embeddings.
 * @see https://pytorch.org/docs/stable/nn.functional.html#loss-functions
 * @module
 */

import { number } from '../check/arguments.js';
import { checkOptions, optionKeys } from '../check/index.js';
import { native, type Tensor } from '../tensor/tensor.js';
import { LOSS_KEYS, MARGIN_KEYS, MULTI_MARGIN_KEYS, WEIGHTED_LOSS_KEYS } from './option-keys.js';
import { type LossOptions, reductionOf } from './reduction.js';

/** A margin. */
export interface MarginOptions extends LossOptions {
  /** The margin. The default depends on the function. */
  margin?: number | undefined;
}

/** The input where target is 1, max(0, margin - input) where it is -1. @param options.margin - Default 1. */
export function hingeEmbeddingLoss(input: Tensor, target: Tensor, options: MarginOptions = {}): Tensor {
  return native.hingeEmbeddingLoss(
    input,
    target,
    checkOptions(options, MARGIN_KEYS).margin ?? 1,
    reductionOf(options),
  );
}

/** max(0, margin - target (input1 - input2)). @param target - 1 if input1 should be larger, -1 if input2 should be. @param options.margin - Default 0. */
export function marginRankingLoss(
  input1: Tensor,
  input2: Tensor,
  target: Tensor,
  options: MarginOptions = {},
): Tensor {
  return native.marginRankingLoss(
    input1,
    input2,
    target,
    checkOptions(options, MARGIN_KEYS).margin ?? 0,
    reductionOf(options),
  );
}

/** 1 - cos where target [B] is 1, max(0, cos - margin) where it is -1. @param input1 - [B, D]. @param options.margin - Default 0. */
export function cosineEmbeddingLoss(
  input1: Tensor,
  input2: Tensor,
  target: Tensor,
  options: MarginOptions = {},
): Tensor {
  return native.cosineEmbeddingLoss(
    input1,
    input2,
    target,
    checkOptions(options, MARGIN_KEYS).margin ?? 0,
    reductionOf(options),
  );
}

/** Options of {@link tripletMarginLoss}. */
export interface TripletOptions extends MarginOptions {
  /** p of the norm. Default 2. */
  p?: number | undefined;
  /** Added to differences. Default 1e-6. */
  eps?: number | undefined;
  /** Use the distance from positive to negative if that is smaller. Default false. */
  swap?: boolean | undefined;
}

const TRIPLET_KEYS = optionKeys(...MARGIN_KEYS, 'p', 'eps', 'swap');

/**
 * max(0, |anchor - positive| - |anchor - negative| + margin), [B, D] each.
 * @param options.margin - More than 0. Default 1.
 */
export function tripletMarginLoss(
  anchor: Tensor,
  positive: Tensor,
  negative: Tensor,
  options: TripletOptions = {},
): Tensor {
  const { margin = 1, p = 2, eps = 1e-6, swap = false } = checkOptions(options, TRIPLET_KEYS);
  number('margin', margin, { min: Number.MIN_VALUE });
  return native.tripletMarginLoss(anchor, positive, negative, margin, p, eps, swap, reductionOf(options));
}

/** log(1 + exp(-target input)). @param target - 1 or -1, of input's shape. */
export function softMarginLoss(input: Tensor, target: Tensor, options: LossOptions = {}): Tensor {
  return native.softMarginLoss(input, target, reductionOf(checkOptions(options, LOSS_KEYS)));
}

/** Options of {@link multiMarginLoss}. */
export interface MultiMarginOptions extends MarginOptions {
  /** 1 or 2. Default 1. */
  p?: 1 | 2 | undefined;
  /** [C] weights of the classes. */
  weight?: Tensor | null | undefined;
}

/** The hinge loss of several classes. @param input - [B, C]. @param target - int64 [B]. @param options.margin - Default 1. */
export function multiMarginLoss(input: Tensor, target: Tensor, options: MultiMarginOptions = {}): Tensor {
  const { p = 1, margin = 1, weight = null } = checkOptions(options, MULTI_MARGIN_KEYS);
  return native.multiMarginLoss(input, target, p, margin, weight, reductionOf(options));
}

/** The multi-label hinge loss. @param input - [B, C]. @param target - int64 [B, C]: labels, then -1. */
export function multilabelMarginLoss(input: Tensor, target: Tensor, options: LossOptions = {}): Tensor {
  return native.multilabelMarginLoss(input, target, reductionOf(checkOptions(options, LOSS_KEYS)));
}

/**
 * Multi-label binary cross entropy of logits, the mean over classes.
 * @param input - [B, C]. @param target - 0 or 1, of its shape and dtype. @param options.weight - [C], of the classes.
 * @see https://pytorch.org/docs/stable/generated/torch.nn.functional.multilabel_soft_margin_loss.html
 */
export function multilabelSoftMarginLoss(
  input: Tensor,
  target: Tensor,
  options: LossOptions & { weight?: Tensor | null | undefined } = {},
): Tensor {
  const { weight = null } = checkOptions(options, WEIGHTED_LOSS_KEYS);
  return native.multilabelSoftMarginLoss(input, target, weight, reductionOf(options));
}
