/**
 * Elements written by position, index and mask.
 * @see https://pytorch.org/docs/stable/torch.html#indexing-slicing-joining-mutating-ops
 * @module
 */
import { checkOptions, optionKeys } from '../check/index.js';
import { invalidArgument } from '../errors.js';
import { native, type Operand, type Tensor } from './core.js';
import type { DiagonalOptions } from './matrix.js';
import type { Index } from './slice.js';

const ACCUMULATE = optionKeys('accumulate');
const REDUCE_INCLUDE_SELF = optionKeys('reduce', 'includeSelf');
const ALPHA = optionKeys('alpha');
const DIM_START_END_STEP = optionKeys('dim', 'start', 'end', 'step');
const DIAGONAL_KEYS = optionKeys('offset', 'dim1', 'dim2');

/** Reductions of {@link Tensor.scatterReduce} for elements with the same index. */
export type ScatterReduction = 'sum' | 'prod' | 'mean' | 'amax' | 'amin';

const REDUCTIONS: readonly ScatterReduction[] = ['sum', 'prod', 'mean', 'amax', 'amin'];

/** Reductions of {@link Tensor.indexReduce} for elements with the same index. */
export type IndexReduction = 'prod' | 'mean' | 'amax' | 'amin';

/** Options of {@link Tensor.indexReduce}. */
export interface IndexReduceOptions {
  /** The reduction of elements with the same index. For sums see `indexAdd`. */
  reduce: IndexReduction;
  /** Include this tensor's elements. Default true. */
  includeSelf?: boolean | undefined;
}

const INDEX_REDUCTIONS: readonly IndexReduction[] = ['prod', 'mean', 'amax', 'amin'];

/** Options of {@link Tensor.sliceScatter}. */
export interface SliceScatterOptions {
  /** Default 0. */
  dim?: number | undefined;
  /** Default: the first position. Negative ones count from the end. */
  start?: number | undefined;
  /** End, exclusive. Default: after the last position. */
  end?: number | undefined;
  /** Default 1. */
  step?: number | undefined;
}

/** Elements written by position, index and mask. A trailing underscore marks methods that change their own tensor and return it. */
export abstract class ScatterMethods {
  /**
   * Assignment `x[indices] = value`, in place.
   * @param options.accumulate - Add instead of assigning, also for repeated positions; the indices must then be Tensors
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
  /** A copy with `x[indices] = value`. @param options.accumulate - Like {@link indexPut_}. Default false. */
  indexPut(
    this: Tensor,
    indices: readonly Index[],
    value: Operand,
    options: { accumulate?: boolean | undefined } = {},
  ): Tensor {
    return native.clone(this).indexPut_(indices, value, options);
  }
  /**
   * A copy with the elements of `source` at positions (int64, of source's shape) of the flattened tensor.
   * @param options.accumulate - Add instead. Default false. @throws ShapeError for a position outside the tensor.
   */
  put(
    this: Tensor,
    index: Tensor,
    source: Tensor,
    options: { accumulate?: boolean | undefined } = {},
  ): Tensor {
    const { accumulate = false } = checkOptions(options, ACCUMULATE);
    return native.put(this, index, source, accumulate);
  }
  /** In place: {@link put}. */
  put_(
    this: Tensor,
    index: Tensor,
    source: Tensor,
    options: { accumulate?: boolean | undefined } = {},
  ): Tensor {
    const { accumulate = false } = checkOptions(options, ACCUMULATE);
    native.putInPlace(this, index, source, accumulate).dispose();
    return this;
  }
  /** A copy with the elements of `source`, or one value, written to the positions `index` along `dim`. */
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
  /** A copy with the elements of `source` added to the positions `index` along `dim`; repeated positions are summed. */
  scatterAdd(this: Tensor, dim: number, index: Tensor, source: Tensor): Tensor {
    return native.scatterAdd(this, dim, index, source);
  }
  /** In place: {@link scatterAdd}. */
  scatterAdd_(this: Tensor, dim: number, index: Tensor, source: Tensor): Tensor {
    native.scatterAddInPlace(this, dim, index, source).dispose();
    return this;
  }
  /** A copy in which the elements of `source` are reduced with those at `index` along `dim`. @param options.includeSelf - Include this tensor's elements. Default true. */
  scatterReduce(
    this: Tensor,
    dim: number,
    index: Tensor,
    source: Tensor,
    options: { reduce: ScatterReduction; includeSelf?: boolean | undefined },
  ): Tensor {
    const { reduce, includeSelf = true } = checkOptions(options, REDUCE_INCLUDE_SELF);
    const name = reduction(reduce, REDUCTIONS);
    return native.scatterReduce(this, dim, index, source, name, includeSelf);
  }
  /** In place: {@link scatterReduce}. */
  scatterReduce_(
    this: Tensor,
    dim: number,
    index: Tensor,
    source: Tensor,
    options: { reduce: ScatterReduction; includeSelf?: boolean | undefined },
  ): Tensor {
    const { reduce, includeSelf = true } = checkOptions(options, REDUCE_INCLUDE_SELF);
    const name = reduction(reduce, REDUCTIONS);
    native.scatterReduceInPlace(this, dim, index, source, name, includeSelf).dispose();
    return this;
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
  /**
   * A copy in which the slices of `source` along `dim` are reduced with those at the positions `index` (int64 [N]).
   * @throws ShapeError for a position outside the dimension.
   * @see https://pytorch.org/docs/stable/generated/torch.Tensor.index_reduce_.html
   */
  indexReduce(this: Tensor, dim: number, index: Tensor, source: Tensor, options: IndexReduceOptions): Tensor {
    const { reduce, includeSelf = true } = checkOptions(options, REDUCE_INCLUDE_SELF);
    return native.indexReduce(this, dim, index, source, reduction(reduce, INDEX_REDUCTIONS), includeSelf);
  }
  /** In place: {@link indexReduce}. */
  indexReduce_(
    this: Tensor,
    dim: number,
    index: Tensor,
    source: Tensor,
    options: IndexReduceOptions,
  ): Tensor {
    const { reduce, includeSelf = true } = checkOptions(options, REDUCE_INCLUDE_SELF);
    const name = reduction(reduce, INDEX_REDUCTIONS);
    native.indexReduceInPlace(this, dim, index, source, name, includeSelf).dispose();
    return this;
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
  /** In place: {@link maskedScatter}. */
  maskedScatter_(this: Tensor, mask: Tensor, source: Tensor): Tensor {
    native.maskedScatterInPlace(this, mask, source).dispose();
    return this;
  }
  /** A copy with `select(dim, index)` replaced by `source`. */
  selectScatter(this: Tensor, source: Tensor, dim: number, index: number): Tensor {
    return native.selectScatter(this, source, dim, index);
  }
  /** A copy with a slice along one dimension replaced by `source`. */
  sliceScatter(this: Tensor, source: Tensor, options: SliceScatterOptions = {}): Tensor {
    const { dim = 0, start, end, step = 1 } = checkOptions(options, DIM_START_END_STEP);
    return native.sliceScatter(this, source, dim, start, end, step);
  }
  /** A copy with `source` in the place of {@link Tensor.diagonal}. */
  diagonalScatter(this: Tensor, source: Tensor, options: DiagonalOptions = {}): Tensor {
    const { offset = 0, dim1 = 0, dim2 = 1 } = checkOptions(options, DIAGONAL_KEYS);
    return native.diagonalScatter(this, source, offset, dim1, dim2);
  }
}

function reduction<T extends string>(reduce: T, names: readonly T[]): T {
  if (names.includes(reduce)) return reduce;
  throw invalidArgument('reduce', `one of ${names.map((name) => `'${name}'`).join(', ')}`, reduce);
}
