/**
 * Gradient clipping, between the backward pass and the optimizer step.
 * @module
 */
import { number } from '../check/arguments.js';
import { checkIterable, checkOptions, optionKeys } from '../check/index.js';
import { ArgumentError, invalidArgument } from '../errors.js';
import { isTensor, native, type Tensor } from '../tensor/tensor.js';

const NORM_TYPE_ERROR_IF_NONFINITE = optionKeys('normType', 'errorIfNonfinite');

/** Smallest positive number, the minimum of options that must be above 0. */
const ABOVE_ZERO = { min: Number.MIN_VALUE };

/**
 * Scales all gradients so that their total norm is at most `maxNorm`. Parameters without a gradient are ignored.
 * @param parameters - One tensor or several.
 * @param maxNorm - Above 0.
 * @param options.normType - p of the p-norm, above 0; `Infinity` for the largest value. Default 2.
 * @param options.errorIfNonfinite - Throw without changes if the norm is NaN or infinite. Default false: a NaN norm
 * makes all gradients NaN; an infinite norm makes all gradients zero, except infinite elements, which become NaN.
 * @returns The norm before clipping, which may be NaN or infinite.
 * @throws ArgumentError with `errorIfNonfinite` for non-finite gradients, and for an expanded gradient.
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
 * Clamps every element of every gradient to `-clipValue` ... `clipValue`.
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
