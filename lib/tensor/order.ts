/**
 * Extremes, order statistics, cumulative operations and sets: the reductions beyond those of `reduce`.
 * @see https://pytorch.org/docs/stable/torch.html#reduction-ops
 * @module
 */
import { checkOptions, optionKeys } from '../check/index.js';
import { invalidArgument } from '../errors.js';
import { native } from '../native/index.js';
import { DIM_KEYS, type DimOptions, dims, REDUCE_KEYS, type ReduceOptions, TensorReduce } from './reduce.js';
import type { Tensor } from './tensor.js';

const QUANTILE = optionKeys(...DIM_KEYS, 'interpolation');
const VAR_MEAN = optionKeys(...REDUCE_KEYS, 'correction');
const DIM = optionKeys('dim');
const P = optionKeys('p');
const N_DIM = optionKeys('n', 'dim');
const ARGSORT = optionKeys('dim', 'descending', 'stable');
const DIM_SORTED = optionKeys('dim', 'sorted');
const RIGHT = optionKeys('right');
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
  keepdim?: boolean;
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
   * The q-quantiles.
   * @param q - One or several numbers from 0 to 1; several give a leading dimension.
   * @param options.dim - Default: the flattened tensor.
   * @param options.interpolation - What to do between two elements. Default `'linear'`.
   */
  quantile(
    this: Tensor,
    q: number | readonly number[],
    options: DimOptions & { interpolation?: 'linear' | 'lower' | 'higher' | 'midpoint' | 'nearest' } = {},
  ): Tensor {
    const { dim, keepdim = false, interpolation = 'linear' } = checkOptions(options, QUANTILE);
    const list = typeof q === 'number' ? [q] : q;
    if (!Array.isArray(list) || list.some((share) => !(share >= 0 && share <= 1)))
      throw invalidArgument('q', 'numbers from 0 to 1', q);
    using shares = native.fromData(
      Float64Array.from(list),
      typeof q === 'number' ? [] : [list.length],
      'float64',
      'cpu',
    );
    return native.quantile(this, shares, dim, keepdim, interpolation);
  }
  /** The sum of what is not NaN. */
  nansum(this: Tensor, options: ReduceOptions = {}): Tensor {
    const { dim, keepdim = false } = checkOptions(options, REDUCE_KEYS);
    return native.nansum(this, dims(dim), keepdim);
  }
  /** The mean of what is not NaN. */
  nanmean(this: Tensor, options: ReduceOptions = {}): Tensor {
    const { dim, keepdim = false } = checkOptions(options, REDUCE_KEYS);
    return native.nanmean(this, dims(dim), keepdim);
  }
  /** Variance and mean in one pass. @param options.correction - The divisor is N - correction. Default 1. */
  varMean(
    this: Tensor,
    options: ReduceOptions & { correction?: number } = {},
  ): { var: Tensor; mean: Tensor } {
    const { dim, keepdim = false, correction = 1 } = checkOptions(options, VAR_MEAN);
    const [variance, mean] = native.varMean(this, dims(dim), correction, keepdim);
    return { var: variance, mean };
  }
  /** How many elements are not zero, int64. */
  countNonzero(this: Tensor, options: { dim?: number | readonly number[] } = {}): Tensor {
    const { dim } = checkOptions(options, DIM);
    return native.countNonzero(this, dims(dim));
  }
  /** The p-norm of this - other. @param options.p - Default 2. */
  dist(this: Tensor, other: Tensor, options: { p?: number } = {}): Tensor {
    const { p = 2 } = checkOptions(options, P);
    return native.dist(this, other, p);
  }

  /** Running product along `dim`. */
  cumprod(this: Tensor, options: { dim: number }): Tensor {
    const { dim } = checkOptions(options, DIM);
    return native.cumprod(this, dim);
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
  /** Differences of neighbours along `dim`, taken n times. @param options.n - Default 1. @param options.dim - Default -1. */
  diff(this: Tensor, options: { n?: number; dim?: number } = {}): Tensor {
    const { n = 1, dim = -1 } = checkOptions(options, N_DIM);
    return native.diff(this, n, dim);
  }

  /**
   * The positions that put the elements in order along `dim`, int64.
   * @param options.dim - Default -1. @param options.descending - Default false.
   * @param options.stable - Equal elements keep their order. Default false.
   */
  argsort(this: Tensor, options: { dim?: number; descending?: boolean; stable?: boolean } = {}): Tensor {
    const { dim = -1, descending = false, stable = false } = checkOptions(options, ARGSORT);
    return native.argsort(this, dim, descending, stable);
  }
  /**
   * The distinct elements, with how to get back and how often each occurs.
   * @param options.dim - Distinct slices along it. Default: elements of the flattened tensor.
   * @param options.sorted - In order. Default true.
   */
  unique(this: Tensor, options: { dim?: number; sorted?: boolean } = {}): UniqueResult {
    const { dim, sorted = true } = checkOptions(options, DIM_SORTED);
    const [values, inverse, counts] =
      dim === undefined ? native.unique(this, sorted) : native.uniqueDim(this, dim, sorted);
    return { values, inverse, counts };
  }
  /** {@link unique} that only merges neighbours. */
  uniqueConsecutive(this: Tensor, options: { dim?: number } = {}): UniqueResult {
    const { dim } = checkOptions(options, DIM);
    const [values, inverse, counts] = native.uniqueConsecutive(this, dim);
    return { values, inverse, counts };
  }
  /**
   * For each of `values`, where it would go into the last dimension of this sorted tensor, int64.
   * @param options.right - After equal elements instead of before them. Default false.
   */
  searchsorted(this: Tensor, values: Tensor, options: { right?: boolean } = {}): Tensor {
    const { right = false } = checkOptions(options, RIGHT);
    return native.searchsorted(this, values, right);
  }
  /** For each element, the bucket between sorted `boundaries` ([N]) it falls into, int64. @param options.right - Default false. */
  bucketize(this: Tensor, boundaries: Tensor, options: { right?: boolean } = {}): Tensor {
    const { right = false } = checkOptions(options, RIGHT);
    return native.bucketize(this, boundaries, right);
  }
  /** How many elements fall into each of `bins` equal parts of [min, max]; both 0: of the data's own range. */
  histc(this: Tensor, options: { bins?: number; min?: number; max?: number } = {}): Tensor {
    const { bins = 100, min = 0, max = 0 } = checkOptions(options, HISTC);
    return native.histc(this, bins, min, max);
  }
  /** Whether the element is one of `values`, bool. */
  isin(this: Tensor, values: Tensor): Tensor {
    return native.isin(this, values);
  }
  /** The positions of what is not zero, int64 [N, ndim]. */
  nonzero(this: Tensor): Tensor {
    return native.nonzero(this);
  }
}
