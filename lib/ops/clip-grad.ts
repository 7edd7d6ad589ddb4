/**
 * Keeping gradients within bounds, between the backward pass and the optimizer's step.
 * @module
 */

import { number } from '../check/arguments.js';
import { checkIterable, checkOptions } from '../check/index.js';
import { native } from '../native/index.js';
import { isTensor, type Tensor } from '../tensor/tensor.js';

/** Smallest positive number: what has to be above 0 is at least this. */
const ABOVE_ZERO = { min: Number.MIN_VALUE };

/**
 * Scales all gradients so that their joint norm is at most `maxNorm`. Parameters without a gradient are left out.
 * @param parameters - One tensor or several.
 * @param maxNorm - Above 0.
 * @param options.normType - p of the p-norm, above 0; `Infinity` for the largest value. Default 2.
 * @returns The norm before; NaN or infinite where a gradient is.
 * @see https://pytorch.org/docs/stable/generated/torch.nn.utils.clip_grad_norm_.html
 */
export function clipGradNorm_(
  parameters: Tensor | Iterable<Tensor>,
  maxNorm: number,
  options: { normType?: number } = {},
): number {
  const { normType = 2 } = checkOptions(options);
  number('maxNorm', maxNorm, ABOVE_ZERO);
  if (normType !== Number.POSITIVE_INFINITY) number('normType', normType, ABOVE_ZERO);
  return native.clipGradNorm(listOf(parameters), maxNorm, normType);
}

/**
 * Limits every element of every gradient to `-clipValue` ... `clipValue`.
 * @param parameters - One tensor or several.
 * @param clipValue - Above 0.
 * @see https://pytorch.org/docs/stable/generated/torch.nn.utils.clip_grad_value_.html
 */
export function clipGradValue_(parameters: Tensor | Iterable<Tensor>, clipValue: number): void {
  number('clipValue', clipValue, ABOVE_ZERO);
  native.clipGradValue(listOf(parameters), clipValue);
}

function listOf(parameters: Tensor | Iterable<Tensor>): Tensor[] {
  return isTensor(parameters) ? [parameters] : checkIterable(parameters, 'parameters', 'Tensors');
}
