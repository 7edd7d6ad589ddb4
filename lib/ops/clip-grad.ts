/**
 * Keeping gradients within bounds, between the backward pass and the optimizer's step.
 * @module
 */
import { number } from '../check/arguments.js';
import { checkIterable, checkOptions, optionKeys } from '../check/index.js';
import { ArgumentError, invalidArgument } from '../errors.js';
import { isTensor, native, type Tensor } from '../tensor/tensor.js';

const NORM_TYPE_ERROR_IF_NONFINITE = optionKeys('normType', 'errorIfNonfinite');

/** Smallest positive number: what has to be above 0 is at least this. */
const ABOVE_ZERO = { min: Number.MIN_VALUE };

/**
 * Scales all gradients so that their joint norm is at most `maxNorm`. Parameters without a gradient are left out.
 * @param parameters - One tensor or several.
 * @param maxNorm - Above 0.
 * @param options.normType - p of the p-norm, above 0; `Infinity` for the largest value. Default 2.
 * @param options.errorIfNonfinite - Throw, with nothing changed, where the norm is NaN or infinite. Default false: a norm that is
 * NaN makes all gradients NaN, an infinite one all zero, those of infinite elements NaN.
 * @returns The norm before; NaN or infinite where a gradient is.
 * @throws ArgumentError with `errorIfNonfinite` for gradients that are not finite; for an expanded gradient.
 * @see https://pytorch.org/docs/stable/generated/torch.nn.utils.clip_grad_norm_.html
 */
export function clipGradNorm_(
  parameters: Tensor | Iterable<Tensor>,
  maxNorm: number,
  options: { normType?: number | undefined; errorIfNonfinite?: boolean | undefined } = {},
): number {
  const { normType = 2, errorIfNonfinite = false } = checkOptions(options, NORM_TYPE_ERROR_IF_NONFINITE);
  number('maxNorm', maxNorm, ABOVE_ZERO);
  if (normType !== Number.POSITIVE_INFINITY) number('normType', normType, ABOVE_ZERO);
  if (typeof errorIfNonfinite !== 'boolean')
    throw invalidArgument('errorIfNonfinite', 'a boolean', errorIfNonfinite);
  const norm = native.clipGradNorm(listOf(parameters), maxNorm, normType, errorIfNonfinite);
  if (errorIfNonfinite && !Number.isFinite(norm))
    throw new ArgumentError(`Expected finite gradients for clipGradNorm_ but their norm is ${norm}`);
  return norm;
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
