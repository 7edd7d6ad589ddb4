/**
 * Sorting, searching, distinct elements.
 * @module
 */
import { checkOptions, optionKeys } from '../check/index.js';
import { invalidArgument } from '../errors.js';
import { native, type Tensor } from './core.js';
import { DIM_KEYS, type DimOptions, named, type ValuesIndices } from './dims.js';

const SORT = optionKeys('dim', 'descending', 'stable');
const TOPK = optionKeys('dim', 'largest', 'sorted');
const DIM_SORTED = optionKeys('dim', 'sorted');
const DIM = optionKeys('dim');
const RIGHT_SIDE_SORTER_OUT_INT32 = optionKeys('right', 'side', 'sorter', 'outInt32');
const RIGHT_OUT_INT32 = optionKeys('right', 'outInt32');

/** Result of {@link Tensor.unique}. */
export interface UniqueResult {
  /** The distinct elements, or slices. */
  values: Tensor;
  /** The index in `values` of every element; int64. */
  inverse: Tensor;
  /** Count of each value; int64. */
  counts: Tensor;
}

/** Options of {@link Tensor.searchsorted}. */
export interface SearchOptions {
  /** Return the position after equal elements instead of before them. Default false. */
  right?: boolean | undefined;
  /** The same as `right`, with NumPy's name. Default `'left'`. */
  side?: 'left' | 'right' | undefined;
  /** int64 of this tensor's shape: the order that sorts its last dimension, when it is not sorted itself. */
  sorter?: Tensor | undefined;
  /** int32 instead of int64. Default false. */
  outInt32?: boolean | undefined;
}

/** Sorting and searching. */
export abstract class OrderMethods {
  /**
   * The sorted elements along `dim`, and their positions (int64).
   * @param options.dim - Default -1. @param options.descending - Default false.
   * @param options.stable - Keep the order of equal elements. Default false.
   */
  sort(
    this: Tensor,
    options: {
      dim?: number | undefined;
      descending?: boolean | undefined;
      stable?: boolean | undefined;
    } = {},
  ): { values: Tensor; indices: Tensor } {
    const { dim = -1, descending = false, stable = false } = checkOptions(options, SORT);
    const [values, indices] = native.sort(this, dim, descending, stable);
    return { values, indices };
  }
  /** The sorted elements along the first dimension. */
  msort(this: Tensor): Tensor {
    const [values, indices] = native.sort(this, 0, false, false);
    indices.dispose();
    return values;
  }
  /**
   * The positions that sort the elements along `dim`, int64.
   * @param options.dim - Default -1. @param options.descending - Default false.
   * @param options.stable - Keep the order of equal elements. Default false.
   */
  argsort(
    this: Tensor,
    options: {
      dim?: number | undefined;
      descending?: boolean | undefined;
      stable?: boolean | undefined;
    } = {},
  ): Tensor {
    const { dim = -1, descending = false, stable = false } = checkOptions(options, SORT);
    return native.argsort(this, dim, descending, stable);
  }
  /**
   * The k largest elements along `dim`.
   * @param options.dim - Default -1. @param options.largest - `false`: the smallest instead. Default true.
   * @param options.sorted - Sort the result. Default true.
   */
  topk(
    this: Tensor,
    k: number,
    options: { dim?: number | undefined; largest?: boolean | undefined; sorted?: boolean | undefined } = {},
  ): { values: Tensor; indices: Tensor } {
    const { dim = -1, largest = true, sorted = true } = checkOptions(options, TOPK);
    const [values, indices] = native.topk(this, k, dim, largest, sorted);
    return { values, indices };
  }
  /** The k-th smallest element along `dim`, counting from 1. @param options.dim - Default -1. */
  kthvalue(this: Tensor, k: number, options: DimOptions = {}): ValuesIndices {
    const { dim = -1, keepdim = false } = checkOptions(options, DIM_KEYS);
    return named(native.kthvalue(this, k, dim, keepdim));
  }
  /**
   * The distinct elements, with inverse indices and counts.
   * @param options.dim - Find distinct slices along it. Default: elements of the flattened tensor.
   * @param options.sorted - Sort the result. Default true.
   */
  unique(
    this: Tensor,
    options: { dim?: number | undefined; sorted?: boolean | undefined } = {},
  ): UniqueResult {
    const { dim, sorted = true } = checkOptions(options, DIM_SORTED);
    const [values, inverse, counts] =
      dim === undefined ? native.unique(this, sorted) : native.uniqueDim(this, dim, sorted);
    return { values, inverse, counts };
  }
  /** Like {@link unique}, but only consecutive duplicates are removed. */
  uniqueConsecutive(this: Tensor, options: { dim?: number | undefined } = {}): UniqueResult {
    const { dim } = checkOptions(options, DIM);
    const [values, inverse, counts] = native.uniqueConsecutive(this, dim);
    return { values, inverse, counts };
  }
  /**
   * The insertion position of each of `values` in the last dimension of this sorted tensor, int64 of the shape of `values`.
   * @param values - A Tensor with this tensor's leading dimensions, any shape for a 1-D tensor, or a number.
   * @see https://pytorch.org/docs/stable/generated/torch.searchsorted.html
   */
  searchsorted(this: Tensor, values: Tensor | number, options: SearchOptions = {}): Tensor {
    const {
      right,
      side,
      sorter = null,
      outInt32 = false,
    } = checkOptions(options, RIGHT_SIDE_SORTER_OUT_INT32);
    const after = sideOf(right, side);
    if (typeof values !== 'number') return native.searchsorted(this, values, outInt32, after, sorter);
    using value = native.full([], values, this.dtype, this.device);
    return native.searchsorted(this, value, outInt32, after, sorter);
  }
  /**
   * The bucket of each element between sorted `boundaries` ([N]), int64.
   * @param options.right - A boundary belongs to the bucket above it. Default false. @param options.outInt32 - int32 instead of int64. Default false.
   */
  bucketize(
    this: Tensor,
    boundaries: Tensor,
    options: { right?: boolean | undefined; outInt32?: boolean | undefined } = {},
  ): Tensor {
    const { right = false, outInt32 = false } = checkOptions(options, RIGHT_OUT_INT32);
    return native.bucketize(this, boundaries, outInt32, right);
  }
}

function sideOf(right: boolean | undefined, side: string | undefined): boolean {
  if (side === undefined) return right ?? false;
  if (side !== 'left' && side !== 'right') throw invalidArgument('side', "'left' or 'right'", side);
  if (right !== undefined && right !== (side === 'right'))
    throw invalidArgument('side', `'${right ? 'right' : 'left'}', as right says,`, side);
  return side === 'right';
}
