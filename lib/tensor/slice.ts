/**
 * Indices of tensors.
 * @module
 */
import { invalidArgument } from '../errors.js';
import type { Index as IndexOf, Slice } from '../native/types.js';
import type { Tensor } from './core.js';

export type { Slice } from '../native/types.js';

/**
 * One index: a position (negative counts from the end), a {@link slice}, `null` for a new
 * dimension of size 1, `'...'` for all dimensions not named, a boolean or a Tensor (int64 positions, or a bool mask).
 */
export type Index = IndexOf<Tensor>;

/**
 * `start:stop:step` for {@link Tensor.index}; `null` means no bound.
 * @param start - First position, default 0. Negative counts from the end.
 * @param stop - Position after the last, default the end.
 * @param step - Stride, at least 1, default 1.
 * @throws ArgumentError for values other than integers and `null`, or a step below 1.
 * @see https://pytorch.org/docs/stable/tensor_view.html
 * @example x.index(0, slice(1, null, 2), '...')
 */
export function slice(
  start: number | null = null,
  stop: number | null = null,
  step: number | null = null,
): Slice {
  for (const [name, value] of Object.entries({ start, stop, step })) {
    if (value !== null && !Number.isInteger(value)) throw invalidArgument(name, 'an integer or null', value);
  }
  if (step !== null && step < 1) throw invalidArgument('step', 'an integer of at least 1', step);
  return { start, stop, step };
}
