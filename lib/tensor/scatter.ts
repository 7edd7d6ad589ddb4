/**
 * Writing into copies: reductions by index, slices and diagonals put back, and views by strides.
 * @see https://pytorch.org/docs/stable/torch.html#indexing-slicing-joining-mutating-ops
 * @module
 */
import { checkOptions, optionKeys } from '../check/index.js';
import { invalidArgument } from '../errors.js';
import type { Operand } from '../native/index.js';
import { native } from '../native/index.js';
import { REDUCTIONS, type ScatterReduction, TensorIndexing } from './indexing.js';
import type { DiagonalOptions } from './matrix.js';
import type { Index } from './slice.js';
import type { Tensor } from './tensor.js';

const REDUCE_INCLUDE_SELF = optionKeys('reduce', 'includeSelf');
const ACCUMULATE = optionKeys('accumulate');
const DIM_START_END_STEP = optionKeys('dim', 'start', 'end', 'step');
const OFFSET_DIM1_DIM2 = optionKeys('offset', 'dim1', 'dim2');
const STORAGE_OFFSET = optionKeys('storageOffset');

/** How {@link TensorScatter.indexReduce} joins elements that meet. */
export type IndexReduction = 'prod' | 'mean' | 'amax' | 'amin';

const INDEX_REDUCTIONS: readonly IndexReduction[] = ['prod', 'mean', 'amax', 'amin'];

/** Options of {@link TensorScatter.indexReduce}. */
export interface IndexReduceOptions {
  /** How elements that meet are joined. For sums see `indexAdd`. */
  reduce: IndexReduction;
  /** This tensor's own elements take part. Default true. */
  includeSelf?: boolean | undefined;
}

/** Options of {@link TensorScatter.sliceScatter}. */
export interface SliceScatterOptions {
  /** Default 0. */
  dim?: number | undefined;
  /** Default: the first position. Negative ones count from the end. */
  start?: number | undefined;
  /** Not included. Default: behind the last position. */
  end?: number | undefined;
  /** Default 1. */
  step?: number | undefined;
}

function reduction<T extends string>(reduce: T, names: readonly T[]): T {
  if (names.includes(reduce)) return reduce;
  throw invalidArgument('reduce', `one of ${names.map((name) => `'${name}'`).join(', ')}`, reduce);
}

/** Writing by position. */
export abstract class TensorScatter extends TensorIndexing {
  /** A copy with `x[indices] = value`. @param options.accumulate - As in {@link indexPut_}. Default false. */
  indexPut(
    this: Tensor,
    indices: readonly Index[],
    value: Operand,
    options: { accumulate?: boolean | undefined } = {},
  ): Tensor {
    return native.clone(this).indexPut_(indices, value, options);
  }
  /**
   * A copy where the slices of `source` along `dim` join those at the positions `index` (int64 [N]).
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
  /** In place: {@link maskedScatter}. */
  maskedScatter_(this: Tensor, mask: Tensor, source: Tensor): Tensor {
    native.maskedScatterInPlace(this, mask, source).dispose();
    return this;
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
  /** A copy with `source` in the place of `select(dim, index)`. */
  selectScatter(this: Tensor, source: Tensor, dim: number, index: number): Tensor {
    return native.selectScatter(this, source, dim, index);
  }
  /** A copy with `source` in the place of a slice along one dimension. */
  sliceScatter(this: Tensor, source: Tensor, options: SliceScatterOptions = {}): Tensor {
    const { dim = 0, start, end, step = 1 } = checkOptions(options, DIM_START_END_STEP);
    return native.sliceScatter(this, source, dim, start, end, step);
  }
  /** A copy with `source` in the place of {@link diagonal}. */
  diagonalScatter(this: Tensor, source: Tensor, options: DiagonalOptions = {}): Tensor {
    const { offset = 0, dim1 = 0, dim2 = 1 } = checkOptions(options, OFFSET_DIM1_DIM2);
    return native.diagonalScatter(this, source, offset, dim1, dim2);
  }
  /** The flattened tensor as the diagonal of a matrix. @param offset - Above (positive) or below the main diagonal. Default 0. */
  diagflat(this: Tensor, offset = 0): Tensor {
    return native.diagflat(this, offset);
  }
  /**
   * The view of this tensor's storage with the given sizes and strides, in elements.
   * @param options.storageOffset - Element of the storage to start at. Default: where this tensor starts.
   * @throws ShapeError for an element outside of the storage.
   * @see https://pytorch.org/docs/stable/generated/torch.as_strided.html
   */
  asStrided(
    this: Tensor,
    shape: readonly number[],
    strides: readonly number[],
    options: { storageOffset?: number | undefined } = {},
  ): Tensor {
    const { storageOffset } = checkOptions(options, STORAGE_OFFSET);
    return native.asStrided(this, shape, strides, storageOffset);
  }
}
