/**
 * Extremes, order statistics, cumulative operations and sets: the reductions beyond those of `reduce`.
 * @see https://pytorch.org/docs/stable/torch.html#reduction-ops
 * @module
 */
import { checkOptions, optionKeys } from '../check/index.js';
import { invalidArgument } from '../errors.js';
import { native, type Operand } from '../native/index.js';
import {
  DIM_KEYS,
  type DimOptions,
  type DTypeOptions,
  dims,
  REDUCE_KEYS,
  type ReduceOptions,
  TensorReduce,
} from './reduce.js';
import type { Tensor } from './tensor.js';

const DIM_KEEPDIM_INTERPOLATION = optionKeys('dim', 'keepdim', 'interpolation');
const DIM_KEEPDIM_DTYPE = optionKeys('dim', 'keepdim', 'dtype');
const DIM_DTYPE = optionKeys('dim', 'dtype');
const N_DIM_PREPEND_APPEND = optionKeys('n', 'dim', 'prepend', 'append');
const RIGHT_SIDE_SORTER_OUT_INT32 = optionKeys('right', 'side', 'sorter', 'outInt32');
const RIGHT_OUT_INT32 = optionKeys('right', 'outInt32');
const INVERT_ASSUME_UNIQUE = optionKeys('invert', 'assumeUnique');

const VAR_MEAN = optionKeys(...REDUCE_KEYS, 'correction');
const DIM = optionKeys('dim');
const P = optionKeys('p');
const ARGSORT = optionKeys('dim', 'descending', 'stable');
const DIM_SORTED = optionKeys('dim', 'sorted');
const HISTC = optionKeys('bins', 'min', 'max');

/** Elements, and where along the reduced dimension they were (int64). */
export interface ValuesIndices {
  values: Tensor;
  indices: Tensor;
}

/** A dimension that has to be named. */
export interface AlongOptions {
  dim: number;
  /** Keep the reduced dimension with size 1. Default false. */
  keepdim?: boolean | undefined;
}

const ALONG_KEYS = optionKeys('dim', 'keepdim');

/** What {@link TensorOrder.unique} gives. */
export interface UniqueResult {
  /** The distinct elements, or slices. */
  values: Tensor;
  /** For every element, where its value is among `values`; int64. */
  inverse: Tensor;
  /** How often each value occurs; int64. */
  counts: Tensor;
}

/** Options of {@link TensorOrder.quantile}. */
export interface QuantileOptions extends DimOptions {
  interpolation?: 'linear' | 'lower' | 'higher' | 'midpoint' | 'nearest' | undefined;
}

/** Options of {@link TensorOrder.searchsorted}. */
export interface SearchOptions {
  /** After equal elements instead of before them. Default false. */
  right?: boolean | undefined;
  /** The same as `right`, in NumPy's words. Default `'left'`. */
  side?: 'left' | 'right' | undefined;
  /** int64 of this tensor's shape: the order that sorts its last dimension, when it is not sorted itself. */
  sorter?: Tensor | undefined;
  /** int32 instead of int64. Default false. */
  outInt32?: boolean | undefined;
}

function sideOf(right: boolean | undefined, side: string | undefined): boolean {
  if (side === undefined) return right ?? false;
  if (side !== 'left' && side !== 'right') throw invalidArgument('side', "'left' or 'right'", side);
  if (right !== undefined && right !== (side === 'right'))
    throw invalidArgument('side', `'${right ? 'right' : 'left'}', as right says,`, side);
  return side === 'right';
}

const INTERPOLATIONS = ['linear', 'lower', 'higher', 'midpoint', 'nearest'];

function quantile(
  input: Tensor,
  q: number | readonly number[] | Tensor,
  options: QuantileOptions,
  compute: typeof native.nanquantile,
): Tensor {
  const { dim, keepdim = false, interpolation = 'linear' } = checkOptions(options, DIM_KEEPDIM_INTERPOLATION);
  if (!INTERPOLATIONS.includes(interpolation))
    throw invalidArgument(
      'interpolation',
      `one of ${INTERPOLATIONS.map((name) => `'${name}'`).join(', ')}`,
      interpolation,
    );
  if (native.isTensor(q)) return compute(input, q as Tensor, dim, keepdim, interpolation);
  const list = typeof q === 'number' ? [q] : (q as readonly number[]);
  if (!Array.isArray(list) || list.some((share) => !(share >= 0 && share <= 1)))
    throw invalidArgument('q', 'numbers from 0 to 1', q);
  const shape = typeof q === 'number' ? [] : [list.length];
  using wide = native.fromData(Float64Array.from(list), shape, 'float64', 'cpu');
  using shares = native.to(wide, input.device, input.dtype, false);
  return compute(input, shares, dim, keepdim, interpolation);
}

type Along = (input: Tensor, dim: number, keepdim: boolean) => [Tensor, Tensor];

const named = ([values, indices]: [Tensor, Tensor]): ValuesIndices => ({ values, indices });

function along(input: Tensor, { dim, keepdim = false }: AlongOptions, find: Along): ValuesIndices {
  return named(find(input, dim, keepdim));
}

/** Extremes, order statistics, cumulative operations, sets. */
export abstract class TensorOrder extends TensorReduce {
  /** The largest element; with `dim`, the largest along it and their positions. */
  max(this: Tensor): Tensor;
  max(this: Tensor, options: AlongOptions): ValuesIndices;
  max(this: Tensor, options?: AlongOptions): Tensor | ValuesIndices {
    return options === undefined
      ? native.max(this)
      : along(this, checkOptions(options, ALONG_KEYS), native.maxDim);
  }
  /** The smallest element; with `dim`, the smallest along it and their positions. */
  min(this: Tensor): Tensor;
  min(this: Tensor, options: AlongOptions): ValuesIndices;
  min(this: Tensor, options?: AlongOptions): Tensor | ValuesIndices {
    return options === undefined
      ? native.min(this)
      : along(this, checkOptions(options, ALONG_KEYS), native.minDim);
  }
  /** The median, of two in the middle the lower; with `dim`, along it with its position. */
  median(this: Tensor): Tensor;
  median(this: Tensor, options: AlongOptions): ValuesIndices;
  median(this: Tensor, options?: AlongOptions): Tensor | ValuesIndices {
    return options === undefined
      ? native.median(this)
      : along(this, checkOptions(options, ALONG_KEYS), native.medianDim);
  }
  /** {@link median} of what is not NaN. */
  nanmedian(this: Tensor): Tensor;
  nanmedian(this: Tensor, options: AlongOptions): ValuesIndices;
  nanmedian(this: Tensor, options?: AlongOptions): Tensor | ValuesIndices {
    return options === undefined
      ? native.nanmedian(this)
      : along(this, checkOptions(options, ALONG_KEYS), native.nanmedianDim);
  }
  /** The smallest and the largest element, in one pass. */
  aminmax(this: Tensor, options: DimOptions = {}): { min: Tensor; max: Tensor } {
    const { dim, keepdim = false } = checkOptions(options, DIM_KEYS);
    const [min, max] = native.aminmax(this, dim, keepdim);
    return { min, max };
  }
  /** The most frequent element along `dim`, the smallest of several, and its last position. @param options.dim - Default -1. */
  mode(this: Tensor, options: DimOptions = {}): ValuesIndices {
    const { dim = -1, keepdim = false } = checkOptions(options, DIM_KEYS);
    return named(native.mode(this, dim, keepdim));
  }
  /** The k-th smallest element along `dim`, counting from 1. @param options.dim - Default -1. */
  kthvalue(this: Tensor, k: number, options: DimOptions = {}): ValuesIndices {
    const { dim = -1, keepdim = false } = checkOptions(options, DIM_KEYS);
    return named(native.kthvalue(this, k, dim, keepdim));
  }
  /**
   * The q-quantiles; NaN where an element is NaN. float32 or float64.
   * @param q - One or several numbers from 0 to 1, or a Tensor of this dtype of them; several give a leading dimension.
   * @param options.dim - Default: the flattened tensor.
   * @param options.interpolation - What to do between two elements. Default `'linear'`.
   */
  quantile(this: Tensor, q: number | readonly number[] | Tensor, options: QuantileOptions = {}): Tensor {
    return quantile(this, q, options, native.quantile);
  }
  /** {@link quantile} of what is not NaN. */
  nanquantile(this: Tensor, q: number | readonly number[] | Tensor, options: QuantileOptions = {}): Tensor {
    return quantile(this, q, options, native.nanquantile);
  }
  /** The sum of what is not NaN. */
  nansum(this: Tensor, options: ReduceOptions & DTypeOptions = {}): Tensor {
    const { dim, keepdim = false, dtype } = checkOptions(options, DIM_KEEPDIM_DTYPE);
    return native.nansum(this, dims(dim), keepdim, dtype);
  }
  /** The mean of what is not NaN. */
  nanmean(this: Tensor, options: ReduceOptions & DTypeOptions = {}): Tensor {
    const { dim, keepdim = false, dtype } = checkOptions(options, DIM_KEEPDIM_DTYPE);
    return native.nanmean(this, dims(dim), keepdim, dtype);
  }
  /** Variance and mean in one pass. @param options.correction - The divisor is N - correction. Default 1. */
  varMean(
    this: Tensor,
    options: ReduceOptions & { correction?: number | undefined } = {},
  ): { var: Tensor; mean: Tensor } {
    const { dim, keepdim = false, correction = 1 } = checkOptions(options, VAR_MEAN);
    const [variance, mean] = native.varMean(this, dims(dim), correction, keepdim);
    return { var: variance, mean };
  }
  /** How many elements are not zero, int64. */
  countNonzero(this: Tensor, options: { dim?: number | readonly number[] | undefined } = {}): Tensor {
    const { dim } = checkOptions(options, DIM);
    return native.countNonzero(this, dims(dim));
  }
  /** The p-norm of this - other. @param options.p - Default 2. */
  dist(this: Tensor, other: Tensor, options: { p?: number | undefined } = {}): Tensor {
    const { p = 2 } = checkOptions(options, P);
    return native.dist(this, other, p);
  }

  /** Running product along `dim`; integers and bools give int64. */
  cumprod(this: Tensor, options: { dim: number } & DTypeOptions): Tensor {
    const { dim, dtype } = checkOptions(options, DIM_DTYPE);
    return native.cumprod(this, dim, dtype);
  }
  /** Running maximum along `dim`, and where it was. */
  cummax(this: Tensor, options: { dim: number }): ValuesIndices {
    const { dim } = checkOptions(options, DIM);
    return named(native.cummax(this, dim));
  }
  /** Running minimum along `dim`, and where it was. */
  cummin(this: Tensor, options: { dim: number }): ValuesIndices {
    const { dim } = checkOptions(options, DIM);
    return named(native.cummin(this, dim));
  }
  /** Running log(sum(exp(this))) along `dim`. */
  logcumsumexp(this: Tensor, options: { dim: number }): Tensor {
    const { dim } = checkOptions(options, DIM);
    return native.logcumsumexp(this, dim);
  }
  /**
   * Differences of neighbours along `dim`, taken n times.
   * @param options.n - Default 1. @param options.dim - Default -1.
   * @param options.prepend - Put before the elements along `dim` first. @param options.append - Put after them.
   */
  diff(
    this: Tensor,
    options: {
      n?: number | undefined;
      dim?: number | undefined;
      prepend?: Tensor | undefined;
      append?: Tensor | undefined;
    } = {},
  ): Tensor {
    const { n = 1, dim = -1, prepend = null, append = null } = checkOptions(options, N_DIM_PREPEND_APPEND);
    if (prepend === null && append === null) return native.diff(this, n, dim);
    return native.diffBetween(this, n, dim, prepend, append);
  }

  /**
   * The positions that put the elements in order along `dim`, int64.
   * @param options.dim - Default -1. @param options.descending - Default false.
   * @param options.stable - Equal elements keep their order. Default false.
   */
  argsort(
    this: Tensor,
    options: {
      dim?: number | undefined;
      descending?: boolean | undefined;
      stable?: boolean | undefined;
    } = {},
  ): Tensor {
    const { dim = -1, descending = false, stable = false } = checkOptions(options, ARGSORT);
    return native.argsort(this, dim, descending, stable);
  }
  /**
   * The distinct elements, with how to get back and how often each occurs.
   * @param options.dim - Distinct slices along it. Default: elements of the flattened tensor.
   * @param options.sorted - In order. Default true.
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
  /** {@link unique} that only merges neighbours. */
  uniqueConsecutive(this: Tensor, options: { dim?: number | undefined } = {}): UniqueResult {
    const { dim } = checkOptions(options, DIM);
    const [values, inverse, counts] = native.uniqueConsecutive(this, dim);
    return { values, inverse, counts };
  }
  /**
   * For each of `values`, where it would go into the last dimension of this sorted tensor, int64 of the shape of `values`.
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
   * For each element, the bucket between sorted `boundaries` ([N]) it falls into, int64.
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
  /** How many elements fall into each of `bins` equal parts of [min, max]; both 0: of the data's own range. */
  histc(
    this: Tensor,
    options: { bins?: number | undefined; min?: number | undefined; max?: number | undefined } = {},
  ): Tensor {
    const { bins = 100, min = 0, max = 0 } = checkOptions(options, HISTC);
    return native.histc(this, bins, min, max);
  }
  /**
   * Whether the element is one of `values`, bool.
   * @param options.invert - Whether it is none of them instead. Default false.
   * @param options.assumeUnique - Neither has an element twice, which saves work. Default false.
   */
  isin(
    this: Tensor,
    values: Operand,
    options: { invert?: boolean | undefined; assumeUnique?: boolean | undefined } = {},
  ): Tensor {
    const { invert = false, assumeUnique = false } = checkOptions(options, INVERT_ASSUME_UNIQUE);
    return native.isin(this, values, assumeUnique, invert);
  }
  /** The positions of what is not zero, int64 [N, ndim]. */
  nonzero(this: Tensor): Tensor {
    return native.nonzero(this);
  }
}
