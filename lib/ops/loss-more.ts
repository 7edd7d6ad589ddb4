/**
 * Losses for counts, spreads, rankings, embeddings and sequences.
 * @see https://pytorch.org/docs/stable/nn.functional.html#loss-functions
 * @module
 */

import { number, oneOf } from '../check/arguments.js';
import { checkOptions, optionKeys } from '../check/index.js';
import { native } from '../native/index.js';
import { isTensor, type Tensor } from '../tensor/tensor.js';
import type { LossOptions, Reduction } from './loss.js';
import {
  LOSS_KEYS,
  MARGIN_KEYS,
  MULTI_MARGIN_KEYS,
  POISSON_NLL_KEYS,
  WEIGHTED_LOSS_KEYS,
} from './option-keys.js';

const reductionOf = (options: LossOptions): Reduction =>
  oneOf('reduction', ['none', 'mean', 'sum'], options.reduction ?? 'mean');

/** Options of {@link poissonNllLoss}. */
export interface PoissonNllOptions extends LossOptions {
  /** `input` holds logarithms of rates. Default true. */
  logInput?: boolean | undefined;
  /** Add Stirling's approximation of the constant term. Default false. */
  full?: boolean | undefined;
  /** Added to the rate inside the logarithm. Default 1e-8. */
  eps?: number | undefined;
}

/** Negative log likelihood of counts under a Poisson distribution. @param target - Counts, of input's shape. */
export function poissonNllLoss(input: Tensor, target: Tensor, options: PoissonNllOptions = {}): Tensor {
  const { logInput = true, full = false, eps = 1e-8 } = checkOptions(options, POISSON_NLL_KEYS);
  return native.poissonNllLoss(input, target, logInput, full, eps, reductionOf(options));
}

/** Options of {@link gaussianNllLoss}. */
export interface GaussianNllOptions extends LossOptions {
  /** Add the constant term. Default false. */
  full?: boolean | undefined;
  /** Least variance. Default 1e-6. */
  eps?: number | undefined;
}

const GAUSSIAN_NLL_KEYS = optionKeys(...LOSS_KEYS, 'full', 'eps');

/** Negative log likelihood under normal distributions. @param input - Means. @param variance - Of input's shape, or one that broadcasts. */
export function gaussianNllLoss(
  input: Tensor,
  target: Tensor,
  variance: Tensor,
  options: GaussianNllOptions = {},
): Tensor {
  const { full = false, eps = 1e-6 } = checkOptions(options, GAUSSIAN_NLL_KEYS);
  return native.gaussianNllLoss(input, target, variance, full, eps, reductionOf(options));
}

/** A margin. */
export interface MarginOptions extends LossOptions {
  /** How far apart the two cases have to be. The default is that of the function. */
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

/** max(0, margin - target (input1 - input2)). @param target - 1 or -1: which should be larger. @param options.margin - Default 0. */
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
  /** Which norm. Default 2. */
  p?: number | undefined;
  /** Added to differences. Default 1e-6. */
  eps?: number | undefined;
  /** Use the distance from positive to negative where that is smaller. Default false. */
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

/** The hinge loss of several labels each. @param input - [B, C]. @param target - int64 [B, C]: labels, then -1. */
export function multilabelMarginLoss(input: Tensor, target: Tensor, options: LossOptions = {}): Tensor {
  return native.multilabelMarginLoss(input, target, reductionOf(checkOptions(options, LOSS_KEYS)));
}

/**
 * Binary cross entropy of the logits of several labels each, the mean over classes.
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

/** Options of {@link ctcLoss}. */
export interface CtcOptions extends LossOptions {
  /** The class that stands for nothing. Default 0. */
  blank?: number | undefined;
  /** 0 instead of infinite losses, where the input is too short. Default false. */
  zeroInfinity?: boolean | undefined;
}

const CTC_KEYS = optionKeys(...LOSS_KEYS, 'blank', 'zeroInfinity');

/** Lengths as the add-on takes them. */
function lengthsOf(lengths: readonly number[] | Tensor): readonly number[] {
  return isTensor(lengths) ? Array.from(lengths.dataSync(), Number) : lengths;
}

/**
 * Connectionist temporal classification.
 * @param logProbs - [T, B, C]. @param targets - int64 [B, S]. @param inputLengths - B lengths up to T, or a Tensor of them.
 * @param targetLengths - B lengths up to S, or a Tensor of them. @see Graves et al., ICML 2006
 */
export function ctcLoss(
  logProbs: Tensor,
  targets: Tensor,
  inputLengths: readonly number[] | Tensor,
  targetLengths: readonly number[] | Tensor,
  options: CtcOptions = {},
): Tensor {
  const { blank = 0, zeroInfinity = false } = checkOptions(options, CTC_KEYS);
  return native.ctcLoss(
    logProbs,
    targets,
    lengthsOf(inputLengths),
    lengthsOf(targetLengths),
    blank,
    zeroInfinity,
    reductionOf(options),
  );
}
