/**
 * Sums, means or maxima of rows of a table per bag.
 * @module
 */

import { oneOf } from '../check/arguments.js';
import { checkOptions, optionKeys } from '../check/index.js';
import { invalidArgument, ShapeError } from '../errors.js';
import { checkShape } from '../tensor/check.js';
import { native, type Tensor } from '../tensor/tensor.js';

const EMBEDDING_BAG = optionKeys('offsets', 'mode', 'perSampleWeights', 'includeLastOffset', 'paddingIdx');

const MODES = ['sum', 'mean', 'max'] as const;

/** Options of {@link embeddingBag}. */
export interface EmbeddingBagOptions {
  /** int64 [B], increasing from 0: the start of each bag in a one-dimensional `input`. */
  offsets?: Tensor | null | undefined;
  /** The reduction of a bag. Default `'mean'`. */
  mode?: 'sum' | 'mean' | 'max' | undefined;
  /** Factors of the rows, of input's shape, for `'sum'`. */
  perSampleWeights?: Tensor | null | undefined;
  /** The last offset is the end of the last bag, not the start of another one. Default false. */
  includeLastOffset?: boolean | undefined;
  /** Index of a row that is ignored and gets no gradient; negative indices count from the end. Default: none. */
  paddingIdx?: number | null | undefined;
}

/**
 * Reduces the rows of `weight` [N, D] at the indices `input` per bag, without creating the rows: [B, D]. An empty bag is 0.
 * @param input - int64: [B, L], bags of L rows each, or [M] with `offsets`.
 * @throws ShapeError for an index outside of the table, or offsets that do not increase from 0 to the length of input.
 * @see https://pytorch.org/docs/stable/generated/torch.nn.functional.embedding_bag.html
 */
export function embeddingBag(input: Tensor, weight: Tensor, options: EmbeddingBagOptions = {}): Tensor {
  const { mode = 'mean', offsets = null, perSampleWeights = null } = checkOptions(options, EMBEDDING_BAG);
  const { includeLastOffset = false, paddingIdx = null } = options;
  const kind = oneOf('mode', MODES, mode);
  const shape = checkShape('input', input);
  if (perSampleWeights !== null && mode !== 'sum')
    throw invalidArgument('mode', "'sum' with perSampleWeights", mode);
  const row = rowOf(paddingIdx, checkShape('weight', weight)[0] ?? 0);
  if (shape.length === 1) {
    if (offsets === null) throw invalidArgument('offsets', 'a Tensor for an input of one dimension', offsets);
    return native.embeddingBag(weight, input, offsets, kind, perSampleWeights, includeLastOffset, row);
  }
  if (shape.length !== 2)
    throw new ShapeError(`Expected one or two dimensions for input but received [${shape.join(', ')}]`);
  if (offsets !== null) throw invalidArgument('offsets', 'none for an input of two dimensions', offsets);
  const [bags, length] = shape as [number, number];
  using indices = native.reshape(input, [-1]);
  using step = native.full([bags], length, input.dtype, input.device);
  using ends = native.cumsum(step, 0, input.dtype);
  using starts = native.sub(ends, length, 1);
  using weights = perSampleWeights === null ? null : native.reshape(perSampleWeights, [-1]);
  return native.embeddingBag(weight, indices, starts, kind, weights, false, row);
}

function rowOf(paddingIdx: number | null, rows: number): number | undefined {
  if (paddingIdx === null) return undefined;
  if (Number.isInteger(paddingIdx) && paddingIdx >= -rows && paddingIdx < rows)
    return paddingIdx < 0 ? paddingIdx + rows : paddingIdx;
  throw invalidArgument('paddingIdx', `an integer from ${-rows} to ${rows - 1}`, paddingIdx);
}
