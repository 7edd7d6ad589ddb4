/**
 * Statistics of samples: spread, covariance, histograms, integrals.
 * @module
 */
import { checkOptions, optionKeys } from '../check/index.js';
import { invalidArgument } from '../errors.js';
import { native } from '../native/index.js';
import { TensorArithmetic } from './arithmetic.js';
import { dims, type ReduceOptions } from './reduce.js';
import type { Tensor } from './tensor.js';

const DIM_KEEPDIM_CORRECTION = optionKeys('dim', 'keepdim', 'correction');
const CORRECTION_FWEIGHTS_AWEIGHTS = optionKeys('correction', 'fweights', 'aweights');
const RANGE_WEIGHT_DENSITY = optionKeys('range', 'weight', 'density');
const X_DX_DIM = optionKeys('x', 'dx', 'dim');

/** Options of {@link TensorStatistics.histogram}. */
export interface HistogramOptions {
  /** Ends of the outermost bins, when `bins` is a number. Default: the smallest and largest element. */
  range?: readonly [number, number] | undefined;
  /** What each element counts, of the tensor's shape and dtype. Default: 1. */
  weight?: Tensor | undefined;
  /** Divided by the total and the widths of the bins, so that the integral is 1. Default false. */
  density?: boolean | undefined;
}

/** Where the samples of {@link TensorStatistics.trapezoid} lie. */
export interface TrapezoidOptions {
  /** The points of the samples: of the tensor's shape, or [N] along `dim`. */
  x?: Tensor | undefined;
  /** The distance of the points when `x` is left out. Default 1. */
  dx?: number | undefined;
  /** Default -1. */
  dim?: number | undefined;
}

/** Spread, covariance, histograms, integrals. */
export abstract class TensorStatistics extends TensorArithmetic {
  /** Standard deviation and mean in one pass. @param options.correction - The divisor is N - correction. Default 1. */
  stdMean(
    this: Tensor,
    options: ReduceOptions & { correction?: number | undefined } = {},
  ): { std: Tensor; mean: Tensor } {
    const { dim, keepdim = false, correction = 1 } = checkOptions(options, DIM_KEEPDIM_CORRECTION);
    const [std, mean] = native.stdMean(this, dims(dim), correction, keepdim);
    return { std, mean };
  }
  /**
   * Covariances of variables (rows) over observations (columns), [N, M] -> [N, N]; a vector is one variable.
   * @param options.correction - Default 1: divided by M - 1.
   * @param options.fweights - int64 [M]: how often each observation counts. @param options.aweights - [M]: its importance.
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
  /**
   * How many elements, or how much weight, fall into each bin; a bin holds its left edge, the last one both.
   * @param bins - A number of equal bins, or their N + 1 rising edges, a Tensor of this dtype. float32 or float64.
   * @see https://pytorch.org/docs/stable/generated/torch.histogram.html
   */
  histogram(
    this: Tensor,
    bins: number | Tensor,
    options: HistogramOptions = {},
  ): { hist: Tensor; binEdges: Tensor } {
    const { range = null, weight = null, density = false } = checkOptions(options, RANGE_WEIGHT_DENSITY);
    if (typeof bins !== 'number' && range !== null)
      throw invalidArgument('range', 'no range beside the edges of bins', range);
    if (range !== null && (!Array.isArray(range) || range.length !== 2))
      throw invalidArgument('range', 'two numbers [min, max]', range);
    const [hist, binEdges] =
      typeof bins === 'number'
        ? native.histogram(this, bins, range, weight, density)
        : native.histogramEdges(this, bins, weight, density);
    return { hist, binEdges };
  }
  /** A copy in which the slices along `dim` have a p-norm of at most `maxnorm`. */
  renorm(this: Tensor, p: number, dim: number, maxnorm: number): Tensor {
    return native.renorm(this, p, dim, maxnorm);
  }
  /** The positions of what is not zero, int64 [N, ndim]; as `nonzero`. */
  argwhere(this: Tensor): Tensor {
    return native.argwhere(this);
  }
  /** The elements in order along the first dimension. */
  msort(this: Tensor): Tensor {
    const [values, indices] = native.sort(this, 0, false, false);
    indices.dispose();
    return values;
  }
  /** The integral of samples along `dim` by the trapezoid rule. */
  trapezoid(this: Tensor, options: TrapezoidOptions = {}): Tensor {
    const { x, dx = 1, dim = -1 } = checkOptions(options, X_DX_DIM);
    return x === undefined ? native.trapezoid(this, dx, dim) : native.trapezoidAt(this, x, dim);
  }
  /** The integrals up to each sample but the first, by the trapezoid rule. */
  cumulativeTrapezoid(this: Tensor, options: TrapezoidOptions = {}): Tensor {
    const { x, dx = 1, dim = -1 } = checkOptions(options, X_DX_DIM);
    return x === undefined
      ? native.cumulativeTrapezoid(this, dx, dim)
      : native.cumulativeTrapezoidAt(this, x, dim);
  }
}
