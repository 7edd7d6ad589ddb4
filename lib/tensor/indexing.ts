/**
 * Picking and placing elements: masks, gather and scatter by index, and the rarer views.
 * @see https://pytorch.org/docs/stable/torch.html#indexing-slicing-joining-mutating-ops
 * @module
 */

import { checkOptions, optionKeys } from '../check/index.js';
import { invalidArgument } from '../errors.js';
import { native, type Operand } from '../native/index.js';
import { checkShape } from './check.js';
import { TensorMatrix } from './matrix.js';
import type { Index } from './slice.js';
import type { Tensor } from './tensor.js';

const ACCUMULATE = optionKeys('accumulate');
const DIM = optionKeys('dim');
const REDUCE_INCLUDE_SELF = optionKeys('reduce', 'includeSelf');
const ALPHA = optionKeys('alpha');
const K_DIMS = optionKeys('k', 'dims');

/** How {@link TensorIndexing.scatterReduce} joins elements that meet. */
export type ScatterReduction = 'sum' | 'prod' | 'mean' | 'amax' | 'amin';

/** @internal The names of {@link ScatterReduction}. */
export const REDUCTIONS: readonly ScatterReduction[] = ['sum', 'prod', 'mean', 'amax', 'amin'];

const list = (value: number | readonly number[]): readonly number[] =>
  typeof value === 'number' ? [value] : value;

/** Elements by position and by mask; views by position. */
export abstract class TensorIndexing extends TensorMatrix {
  /**
   * Python's `x[i, 1:, ..., None]` as `x.index(i, slice(1), '...', null)`.
   * @param indices - An {@link Index} a dimension; those not named are taken whole.
   * @returns A view, or a copy where a Tensor is among the indices.
   * @throws ShapeError for a position outside the dimension.
   */
  index(this: Tensor, ...indices: Index[]): Tensor {
    return native.index(this, indices);
  }
  /**
   * Assignment `x[indices] = value`, in place.
   * @param options.accumulate - Add instead, position by position, also where several meet; the indices are then Tensors
   * or null (the whole dimension). Default false.
   */
  indexPut_(
    this: Tensor,
    indices: readonly Index[],
    value: Operand,
    options: { accumulate?: boolean | undefined } = {},
  ): Tensor {
    const { accumulate = false } = checkOptions(options, ACCUMULATE);
    const put = accumulate
      ? native.indexPutAccumulate(this, indices as readonly (Tensor | null)[], value)
      : native.indexPut(this, indices, value);
    put.dispose();
    return this;
  }
  /** The view of one position along `dim`, which goes. */
  select(this: Tensor, dim: number, index: number): Tensor {
    return native.select(this, dim, index);
  }
  /** The positions `index` (int64 [N]) along `dim`. */
  indexSelect(this: Tensor, dim: number, index: Tensor): Tensor {
    return native.indexSelect(this, dim, index);
  }
  /** The elements at positions (int64) of the flattened tensor, in the shape of `index`. */
  take(this: Tensor, index: Tensor): Tensor {
    return native.take(this, index);
  }
  /** {@link gather} whose index broadcasts, such as that of `argsort`. @param options.dim - Default: of the flattened tensor. */
  takeAlongDim(this: Tensor, index: Tensor, options: { dim?: number | undefined } = {}): Tensor {
    const { dim } = checkOptions(options, DIM);
    return native.takeAlongDim(this, index, dim);
  }
  /** The elements where the bool tensor `mask` is true, [N]. */
  maskedSelect(this: Tensor, mask: Tensor): Tensor {
    return native.maskedSelect(this, mask);
  }
  /** A copy with `value`, a number or a Tensor without dimensions, where the bool tensor `mask` is true. */
  maskedFill(this: Tensor, mask: Tensor, value: Operand): Tensor {
    return typeof value === 'object'
      ? native.maskedFillTensor(this, mask, value)
      : native.maskedFill(this, mask, value);
  }
  /** In place: {@link maskedFill}. */
  maskedFill_(this: Tensor, mask: Tensor, value: Operand): Tensor {
    const filled =
      typeof value === 'object'
        ? native.maskedFillTensorInPlace(this, mask, value)
        : native.maskedFillInPlace(this, mask, value);
    filled.dispose();
    return this;
  }
  /** A copy with the elements of `source`, in order, where the bool tensor `mask` is true. */
  maskedScatter(this: Tensor, mask: Tensor, source: Tensor): Tensor {
    return native.maskedScatter(this, mask, source);
  }

  /** Elements picked along `dim` by `index`, int64 of this tensor's number of dimensions. */
  gather(this: Tensor, dim: number, index: Tensor): Tensor {
    return native.gather(this, dim, index);
  }
  /** A copy with the elements of `source`, or one value, written along `dim` at `index`. */
  scatter(this: Tensor, dim: number, index: Tensor, source: Tensor | number): Tensor {
    return typeof source === 'number'
      ? native.scatterValue(this, dim, index, source)
      : native.scatter(this, dim, index, source);
  }
  /** In place: {@link scatter}. */
  scatter_(this: Tensor, dim: number, index: Tensor, source: Tensor | number): Tensor {
    const written =
      typeof source === 'number'
        ? native.scatterValueInPlace(this, dim, index, source)
        : native.scatterInPlace(this, dim, index, source);
    written.dispose();
    return this;
  }
  /** A copy with the elements of `source` added along `dim` at `index`, also where several meet. */
  scatterAdd(this: Tensor, dim: number, index: Tensor, source: Tensor): Tensor {
    return native.scatterAdd(this, dim, index, source);
  }
  /** In place: {@link scatterAdd}. */
  scatterAdd_(this: Tensor, dim: number, index: Tensor, source: Tensor): Tensor {
    native.scatterAddInPlace(this, dim, index, source).dispose();
    return this;
  }
  /** A copy where the elements of `source` join those along `dim` at `index`. @param options.includeSelf - This tensor's own take part. Default true. */
  scatterReduce(
    this: Tensor,
    dim: number,
    index: Tensor,
    source: Tensor,
    options: { reduce: ScatterReduction; includeSelf?: boolean | undefined },
  ): Tensor {
    const { reduce, includeSelf = true } = checkOptions(options, REDUCE_INCLUDE_SELF);
    if (!REDUCTIONS.includes(reduce))
      throw invalidArgument('reduce', `one of ${REDUCTIONS.map((name) => `'${name}'`).join(', ')}`, reduce);
    return native.scatterReduce(this, dim, index, source, reduce, includeSelf);
  }

  /** A copy with alpha * `source` added to the positions `index` (int64 [N]) along `dim`. @param options.alpha - Default 1. */
  indexAdd(
    this: Tensor,
    dim: number,
    index: Tensor,
    source: Tensor,
    options: { alpha?: number | undefined } = {},
  ): Tensor {
    const { alpha = 1 } = checkOptions(options, ALPHA);
    return native.indexAdd(this, dim, index, source, alpha);
  }
  /** In place: {@link indexAdd}. */
  indexAdd_(
    this: Tensor,
    dim: number,
    index: Tensor,
    source: Tensor,
    options: { alpha?: number | undefined } = {},
  ): Tensor {
    const { alpha = 1 } = checkOptions(options, ALPHA);
    native.indexAddInPlace(this, dim, index, source, alpha).dispose();
    return this;
  }
  /** A copy with `source` at the positions `index` (int64 [N]) along `dim`. */
  indexCopy(this: Tensor, dim: number, index: Tensor, source: Tensor): Tensor {
    return native.indexCopy(this, dim, index, source);
  }
  /** In place: {@link indexCopy}. */
  indexCopy_(this: Tensor, dim: number, index: Tensor, source: Tensor): Tensor {
    native.indexCopyInPlace(this, dim, index, source).dispose();
    return this;
  }
  /** A copy with `value`, a number or a Tensor without dimensions, at the positions `index` (int64 [N]) along `dim`. */
  indexFill(this: Tensor, dim: number, index: Tensor, value: Operand): Tensor {
    return typeof value === 'object'
      ? native.indexFillTensor(this, dim, index, value)
      : native.indexFill(this, dim, index, value);
  }
  /** In place: {@link indexFill}. */
  indexFill_(this: Tensor, dim: number, index: Tensor, value: Operand): Tensor {
    const filled =
      typeof value === 'object'
        ? native.indexFillTensorInPlace(this, dim, index, value)
        : native.indexFillInPlace(this, dim, index, value);
    filled.dispose();
    return this;
  }

  /** Views of every position along `dim`. @param dim - Default 0. */
  unbind(this: Tensor, dim = 0): Tensor[] {
    return native.unbind(this, dim);
  }
  /** Dimensions moved to other places. */
  movedim(this: Tensor, source: number | readonly number[], destination: number | readonly number[]): Tensor {
    return native.movedim(this, list(source), list(destination));
  }
  /** One dimension as several; one size may be -1. */
  unflatten(this: Tensor, dim: number, sizes: readonly number[]): Tensor {
    return native.unflatten(this, dim, sizes);
  }
  /** The view of all windows of `size` along `dim`, `step` apart, as a new last dimension. */
  unfold(this: Tensor, dim: number, size: number, step: number): Tensor {
    return native.unfold(this, dim, size, step);
  }
  /** The tensor laid out `repeats` times; missing leading dimensions count as 1. */
  tile(this: Tensor, repeats: readonly number[]): Tensor {
    return native.tile(this, repeats);
  }
  /** Every element `repeats` times in a row. @param repeats - One number, or int64 [N]. @param options.dim - Default: of the flattened tensor. */
  repeatInterleave(
    this: Tensor,
    repeats: number | Tensor,
    options: { dim?: number | undefined } = {},
  ): Tensor {
    const { dim } = checkOptions(options, DIM);
    if (typeof repeats !== 'number') return native.repeatInterleave(this, repeats, dim);
    if (!Number.isSafeInteger(repeats) || repeats < 0)
      throw invalidArgument('repeats', 'an integer of at least 0 or an int64 Tensor', repeats);
    using count = native.full([1], repeats, 'int64', this.device);
    return native.repeatInterleave(this, count, dim);
  }
  /** Turned by k quarter turns in the plane of two dimensions. @param options.k - Default 1. @param options.dims - Default [0, 1]. */
  rot90(
    this: Tensor,
    options: { k?: number | undefined; dims?: readonly [number, number] | undefined } = {},
  ): Tensor {
    const { k = 1, dims = [0, 1] } = checkOptions(options, K_DIMS);
    return native.rot90(this, k, dims);
  }
  /** {@link expand} to the shape of another tensor. */
  expandAs(this: Tensor, other: Tensor): Tensor {
    return native.expand(this, checkShape('other', other));
  }
  /** {@link view} in the shape of another tensor. */
  viewAs(this: Tensor, other: Tensor): Tensor {
    return native.view(this, checkShape('other', other));
  }
}
