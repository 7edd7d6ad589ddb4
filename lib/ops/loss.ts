/**
 * Losses, each reduced to its mean over the batch by default.
 * @module
 */
import { checkOptions } from '../errors.js';
import { native } from '../native.js';
import type { Tensor } from '../tensor/tensor.js';
import { number, oneOf } from './arguments.js';

/** What becomes of the losses of the elements. */
export type Reduction = 'none' | 'mean' | 'sum';

/** Options of every loss. */
export interface LossOptions {
  /** Default `'mean'`. */
  reduction?: Reduction;
}

const reductionOf = ({ reduction = 'mean' }: LossOptions): Reduction =>
  oneOf('reduction', ['none', 'mean', 'sum'], reduction);

/** Options of {@link crossEntropy}. */
export interface CrossEntropyOptions extends LossOptions {
  /** Share of the target spread evenly over all classes, 0 to 1. Default 0. */
  labelSmoothing?: number;
  /** [C] weights of the classes. */
  weight?: Tensor | null;
  /** Target value that does not count. Default -100. */
  ignoreIndex?: number;
}

/**
 * Softmax cross entropy: with labelSmoothing s, (1 - s) nll + s * mean over classes of -log p.
 * @param input - Logits [B, C] or [B, C, ...]. @param target - int64 classes [B] or [B, ...], or probabilities of input's shape.
 * @see https://pytorch.org/docs/stable/generated/torch.nn.functional.cross_entropy.html, https://arxiv.org/abs/1512.00567
 */
export function crossEntropy(input: Tensor, target: Tensor, options: CrossEntropyOptions = {}): Tensor {
  const { labelSmoothing = 0, weight = null, ignoreIndex = -100 } = checkOptions(options);
  const smoothing = number('labelSmoothing', labelSmoothing, { min: 0, max: 1 });
  return native.crossEntropy(input, target, weight, reductionOf(options), ignoreIndex, smoothing);
}

/** Negative log likelihood. @param input - Log-probabilities [B, C]. @param target - int64 [B]. */
export function nllLoss(input: Tensor, target: Tensor, options: LossOptions = {}): Tensor {
  return native.nllLoss(input, target, reductionOf(options));
}

/** Squared difference. */
export function mseLoss(input: Tensor, target: Tensor, options: LossOptions = {}): Tensor {
  return native.mseLoss(input, target, reductionOf(options));
}

/** Absolute difference. */
export function l1Loss(input: Tensor, target: Tensor, options: LossOptions = {}): Tensor {
  return native.l1Loss(input, target, reductionOf(options));
}

/** Binary cross entropy of logits. @param target - Probabilities, of input's shape and dtype. */
export function binaryCrossEntropyWithLogits(
  input: Tensor,
  target: Tensor,
  options: LossOptions = {},
): Tensor {
  return native.binaryCrossEntropyWithLogits(input, target, reductionOf(options));
}
