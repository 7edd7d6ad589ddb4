/**
 * Sums, extremes and norms over dimensions.
 * @see https://pytorch.org/docs/stable/torch.html#reduction-ops
 * @module
 */
import { checkOptions, optionKeys } from '../check/index.js';
import { invalidArgument, ShapeError } from '../errors.js';
import { native, type Tensor } from './core.js';
import {
  ALONG_KEYS,
  type AlongOptions,
  along,
  DIM_KEYS,
  type DimOptions,
  type DTypeOptions,
  dims,
  REDUCE_KEYS,
  type ReduceOptions,
  type ValuesIndices,
} from './dims.js';

const DIM_KEEPDIM_DTYPE = optionKeys('dim', 'keepdim', 'dtype');
const DIM = optionKeys('dim');
const DIM_KEEPDIM_P_DTYPE = optionKeys('dim', 'keepdim', 'p', 'dtype');
const P = optionKeys('p');
const VAR = optionKeys(...REDUCE_KEYS, 'correction');

/** Reductions over dimensions. */
export abstract class ReduceMethods {
  /** Sum; int64 for integers and bools. @see https://pytorch.org/docs/stable/generated/torch.sum.html */
  sum(this: Tensor, options: ReduceOptions & DTypeOptions = {}): Tensor {
    const { dim, keepdim = false, dtype } = checkOptions(options, DIM_KEEPDIM_DTYPE);
    return native.sum(this, dims(dim), keepdim, dtype);
  }
  /** The sum without NaN. */
  nansum(this: Tensor, options: ReduceOptions & DTypeOptions = {}): Tensor {
    const { dim, keepdim = false, dtype } = checkOptions(options, DIM_KEEPDIM_DTYPE);
    return native.nansum(this, dims(dim), keepdim, dtype);
  }
  /** Arithmetic mean of a floating-point tensor. @throws DTypeError for integers without a floating-point `dtype`. */
  mean(this: Tensor, options: ReduceOptions & DTypeOptions = {}): Tensor {
    const { dim, keepdim = false, dtype } = checkOptions(options, DIM_KEEPDIM_DTYPE);
    return native.mean(this, dims(dim), keepdim, dtype);
  }
  /** The mean without NaN. */
  nanmean(this: Tensor, options: ReduceOptions & DTypeOptions = {}): Tensor {
    const { dim, keepdim = false, dtype } = checkOptions(options, DIM_KEEPDIM_DTYPE);
    return native.nanmean(this, dims(dim), keepdim, dtype);
  }
  /** Product; int64 for integers and bools. */
  prod(this: Tensor, options: DimOptions & DTypeOptions = {}): Tensor {
    const { dim, keepdim = false, dtype } = checkOptions(options, DIM_KEEPDIM_DTYPE);
    return native.prod(this, dim, keepdim, dtype);
  }
  /** Variance with divisor N - correction. @param options.correction - Default 1. */
  var(this: Tensor, options: ReduceOptions & { correction?: number | undefined } = {}): Tensor {
    const { dim, keepdim = false, correction = 1 } = checkOptions(options, VAR);
    return native.variance(this, dims(dim), correction, keepdim);
  }
  /** Standard deviation with divisor N - correction. @param options.correction - Default 1. */
  std(this: Tensor, options: ReduceOptions & { correction?: number | undefined } = {}): Tensor {
    const { dim, keepdim = false, correction = 1 } = checkOptions(options, VAR);
    return native.std(this, dims(dim), correction, keepdim);
  }
  /** Variance and mean in one pass. @param options.correction - The divisor is N - correction. Default 1. */
  varMean(
    this: Tensor,
    options: ReduceOptions & { correction?: number | undefined } = {},
  ): { var: Tensor; mean: Tensor } {
    const { dim, keepdim = false, correction = 1 } = checkOptions(options, VAR);
    const [variance, mean] = native.varMean(this, dims(dim), correction, keepdim);
    return { var: variance, mean };
  }
  /** Standard deviation and mean in one pass. @param options.correction - The divisor is N - correction. Default 1. */
  stdMean(
    this: Tensor,
    options: ReduceOptions & { correction?: number | undefined } = {},
  ): { std: Tensor; mean: Tensor } {
    const { dim, keepdim = false, correction = 1 } = checkOptions(options, VAR);
    const [std, mean] = native.stdMean(this, dims(dim), correction, keepdim);
    return { std, mean };
  }
  /** Largest element. */
  amax(this: Tensor, options: ReduceOptions = {}): Tensor {
    const { dim, keepdim = false } = checkOptions(options, REDUCE_KEYS);
    return native.amax(this, dims(dim), keepdim);
  }
  /** Smallest element. */
  amin(this: Tensor, options: ReduceOptions = {}): Tensor {
    const { dim, keepdim = false } = checkOptions(options, REDUCE_KEYS);
    return native.amin(this, dims(dim), keepdim);
  }
  /** The smallest and the largest element, in one pass. */
  aminmax(this: Tensor, options: DimOptions = {}): { min: Tensor; max: Tensor } {
    const { dim, keepdim = false } = checkOptions(options, DIM_KEYS);
    const [min, max] = native.aminmax(this, dim, keepdim);
    return { min, max };
  }
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
  /** Position of the largest element, int64. */
  argmax(this: Tensor, options: DimOptions = {}): Tensor {
    const { dim, keepdim = false } = checkOptions(options, DIM_KEYS);
    return native.argmax(this, dim, keepdim);
  }
  /** Position of the smallest element, int64. */
  argmin(this: Tensor, options: DimOptions = {}): Tensor {
    const { dim, keepdim = false } = checkOptions(options, DIM_KEYS);
    return native.argmin(this, dim, keepdim);
  }
  /** Whether all elements are non-zero, bool. */
  all(this: Tensor, options: ReduceOptions = {}): Tensor {
    const { dim, keepdim = false } = checkOptions(options, REDUCE_KEYS);
    return native.all(this, dims(dim), keepdim);
  }
  /** Whether any element is non-zero, bool. */
  any(this: Tensor, options: ReduceOptions = {}): Tensor {
    const { dim, keepdim = false } = checkOptions(options, REDUCE_KEYS);
    return native.any(this, dims(dim), keepdim);
  }
  /** The number of non-zero elements, int64. */
  countNonzero(this: Tensor, options: { dim?: number | readonly number[] | undefined } = {}): Tensor {
    const { dim } = checkOptions(options, DIM);
    return native.countNonzero(this, dims(dim));
  }
  /** log(sum(exp(this))), computed without overflow. */
  logsumexp(this: Tensor, options: ReduceOptions & { dim: number | readonly number[] }): Tensor {
    const { dim, keepdim = false } = checkOptions(options, REDUCE_KEYS);
    return native.logsumexp(this, dims(dim) ?? [], keepdim);
  }
  /**
   * The norm of the elements.
   * @param options.p - A number for the p-norm; `'fro'`, the root of the sum of squares, is 2; `'nuc'`, the sum of the
   * singular values, takes a matrix or two dimensions. Default 2.
   * @throws ShapeError for `'nuc'` of other dimensions.
   * @see https://pytorch.org/docs/stable/generated/torch.norm.html
   */
  norm(
    this: Tensor,
    options: ReduceOptions & DTypeOptions & { p?: number | 'fro' | 'nuc' | undefined } = {},
  ): Tensor {
    const { dim, keepdim = false, p = 2, dtype } = checkOptions(options, DIM_KEEPDIM_P_DTYPE);
    if (p === 'nuc') return native.matrixNormNamed(this, p, dims(dim) ?? matrixDims(this), keepdim, dtype);
    if (typeof p !== 'number' && p !== 'fro') throw invalidArgument('p', "a number, 'fro' or 'nuc'", p);
    return native.norm(this, p === 'fro' ? 2 : p, dims(dim), keepdim, dtype);
  }
  /** The p-norm of this - other. @param options.p - Default 2. */
  dist(this: Tensor, other: Tensor, options: { p?: number | undefined } = {}): Tensor {
    const { p = 2 } = checkOptions(options, P);
    return native.dist(this, other, p);
  }
  /** A copy in which the slices along `dim` have a p-norm of at most `maxnorm`. */
  renorm(this: Tensor, p: number, dim: number, maxnorm: number): Tensor {
    return native.renorm(this, p, dim, maxnorm);
  }
}

/** Both dimensions of a matrix. */
function matrixDims(tensor: Tensor): readonly number[] {
  const { shape } = tensor;
  if (shape.length === 2) return [0, 1];
  throw new ShapeError(
    `Expected a matrix, or two dimensions for dim, with p 'nuc' but received shape [${shape.join(', ')}]`,
  );
}
