/**
 * Losses that are negative log likelihoods of counts, of normal distributions, and of sequences.
 * @see https://pytorch.org/docs/stable/nn.functional.html#loss-functions
 * @module
 */

import { checkOptions, optionKeys } from '../check/index.js';
import { isTensor, native, type Tensor } from '../tensor/tensor.js';
import { LOSS_KEYS, POISSON_NLL_KEYS } from './option-keys.js';
import { type LossOptions, reductionOf } from './reduction.js';

/** Options of {@link poissonNllLoss}. */
export interface PoissonNllOptions extends LossOptions {
  /** Whether `input` has logarithms of rates. Default true. */
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
  /** Smallest variance. Default 1e-6. */
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

/** Options of {@link ctcLoss}. */
export interface CtcOptions extends LossOptions {
  /** Index of the blank class. Default 0. */
  blank?: number | undefined;
  /** Return 0 instead of infinite losses if the input is too short. Default false. */
  zeroInfinity?: boolean | undefined;
}

const CTC_KEYS = optionKeys(...LOSS_KEYS, 'blank', 'zeroInfinity');

/** Lengths as arrays for the add-on. */
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
