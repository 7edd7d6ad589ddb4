/**
 * Medians, quantiles, covariances, histograms.
 * @module
 */
import { checkOptions, optionKeys } from '../check/index.js';
import { invalidArgument, ShapeError } from '../errors.js';
import { checkShape } from './check.js';
import { native, type Tensor } from './core.js';
import {
  ALONG_KEYS,
  type AlongOptions,
  along,
  DIM_KEYS,
  type DimOptions,
  named,
  type ValuesIndices,
} from './dims.js';

const DIM_KEEPDIM_INTERPOLATION = optionKeys('dim', 'keepdim', 'interpolation');
const CORRECTION_FWEIGHTS_AWEIGHTS = optionKeys('correction', 'fweights', 'aweights');
const HISTC = optionKeys('bins', 'min', 'max');
const RANGE_WEIGHT_DENSITY = optionKeys('range', 'weight', 'density');
const WEIGHTS_MINLENGTH = optionKeys('weights', 'minlength');

/** Options of {@link Tensor.quantile}. */
export interface QuantileOptions extends DimOptions {
  interpolation?: 'linear' | 'lower' | 'higher' | 'midpoint' | 'nearest' | undefined;
}

const INTERPOLATIONS = ['linear', 'lower', 'higher', 'midpoint', 'nearest'];

/** Options of {@link Tensor.histogram}. */
export interface HistogramOptions {
  /** Range of the bins if `bins` is a number. Default: the smallest and largest element. */
  range?: readonly [number, number] | undefined;
  /** Weight of each element, of the tensor's shape and dtype. Default: 1. */
  weight?: Tensor | undefined;
  /** Divide by the total and the widths of the bins, so that the integral is 1. Default false. */
  density?: boolean | undefined;
}

/** Statistics of samples. */
export abstract class StatisticsMethods {
  /** The median (the lower of two middle elements); with `dim`, along it with its position. */
  median(this: Tensor): Tensor;
  median(this: Tensor, options: AlongOptions): ValuesIndices;
  median(this: Tensor, options?: AlongOptions): Tensor | ValuesIndices {
    return options === undefined
      ? native.median(this)
      : along(this, checkOptions(options, ALONG_KEYS), native.medianDim);
  }
  /** {@link median} without NaN. */
  nanmedian(this: Tensor): Tensor;
  nanmedian(this: Tensor, options: AlongOptions): ValuesIndices;
  nanmedian(this: Tensor, options?: AlongOptions): Tensor | ValuesIndices {
    return options === undefined
      ? native.nanmedian(this)
      : along(this, checkOptions(options, ALONG_KEYS), native.nanmedianDim);
  }
  /** The most frequent element along `dim`, the smallest of several, and its last position. @param options.dim - Default -1. */
  mode(this: Tensor, options: DimOptions = {}): ValuesIndices {
    const { dim = -1, keepdim = false } = checkOptions(options, DIM_KEYS);
    return named(native.mode(this, dim, keepdim));
  }
  /**
   * The q-quantiles; NaN where an element is NaN. float32 or float64.
   * @param q - One or several numbers from 0 to 1, or a Tensor of this dtype of them; several add a leading dimension.
   * @param options.dim - Default: the flattened tensor.
   * @param options.interpolation - Interpolation between two elements. Default `'linear'`.
   */
  quantile(this: Tensor, q: number | readonly number[] | Tensor, options: QuantileOptions = {}): Tensor {
    return quantile(this, q, options, native.quantile);
  }
  /** {@link quantile} without NaN. */
  nanquantile(this: Tensor, q: number | readonly number[] | Tensor, options: QuantileOptions = {}): Tensor {
    return quantile(this, q, options, native.nanquantile);
  }
  /**
   * Covariances of variables (rows) over observations (columns), [N, M] -> [N, N]; a vector is one variable.
   * @param options.correction - Default 1: divided by M - 1.
   * @param options.fweights - int64 [M]: frequency of each observation. @param options.aweights - [M]: weight of each observation.
   * @see https://pytorch.org/docs/stable/generated/torch.cov.html
   */
  cov(
    this: Tensor,
    options: {
      correction?: number | undefined;
      fweights?: Tensor | undefined;
      aweights?: Tensor | undefined;
    } = {},
  ): Tensor {
    const {
      correction = 1,
      fweights = null,
      aweights = null,
    } = checkOptions(options, CORRECTION_FWEIGHTS_AWEIGHTS);
    return native.cov(this, correction, fweights, aweights);
  }
  /** Pearson's correlations of variables (rows) over observations (columns), [N, M] -> [N, N]. */
  corrcoef(this: Tensor): Tensor {
    return native.corrcoef(this);
  }
  /** The number of elements in each of `bins` equal parts of [min, max]; if both are 0, of the range of the data. */
  histc(
    this: Tensor,
    options: { bins?: number | undefined; min?: number | undefined; max?: number | undefined } = {},
  ): Tensor {
    const { bins = 100, min = 0, max = 0 } = checkOptions(options, HISTC);
    return native.histc(this, bins, min, max);
  }
  /**
   * The number or total weight of the elements in each bin; a bin includes its left edge, the last one both.
   * @param bins - A number of equal bins, or their N + 1 ascending edges, a Tensor of this dtype. float32 or float64.
   * @see https://pytorch.org/docs/stable/generated/torch.histogram.html
   */
  histogram(
    this: Tensor,
    bins: number | Tensor,
    options: HistogramOptions = {},
  ): { hist: Tensor; binEdges: Tensor } {
    const { range = null, weight = null, density = false } = checkOptions(options, RANGE_WEIGHT_DENSITY);
    if (typeof bins !== 'number' && range !== null)
      throw invalidArgument('range', 'no range when bins are edges', range);
    if (range !== null && (!Array.isArray(range) || range.length !== 2))
      throw invalidArgument('range', 'two numbers [min, max]', range);
    const [hist, binEdges] =
      typeof bins === 'number'
        ? native.histogram(this, bins, range, weight, density)
        : native.histogramEdges(this, bins, weight, density);
    return { hist, binEdges };
  }
  /**
   * The count of each value in a 1-D tensor of non-negative integers, int64 [largest value + 1].
   * @param options.weights - [N]: weight of each element instead of 1; the result is then float64, or float32 for
   * float32. @param options.minlength - Minimum length of the result. Default 0.
   */
  bincount(
    this: Tensor,
    options: { weights?: Tensor | undefined; minlength?: number | undefined } = {},
  ): Tensor {
    const { weights, minlength = 0 } = checkOptions(options, WEIGHTS_MINLENGTH);
    if (weights === undefined) return native.bincount(this, minlength);
    const [expected, received] = [checkShape('input', this), checkShape('weights', weights)];
    if (String(expected) !== String(received))
      throw new ShapeError(
        `Expected shape [${expected.join(', ')}] for weights but received [${received.join(', ')}]`,
      );
    return native.bincountWeighted(this, weights, minlength);
  }
}

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
