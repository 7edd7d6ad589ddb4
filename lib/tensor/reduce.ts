/**
 * The third floor of {@link Tensor}: reductions, ordering and linear algebra.
 * @module
 */
import { checkOptions, optionKeys } from '../check/index.js';
import { invalidArgument, ShapeError } from '../errors.js';
import { native } from '../native/index.js';
import { checkShape } from './check.js';
import type { DType } from './dtype.js';
import { TensorPointwise } from './pointwise.js';
import type { Tensor } from './tensor.js';

const DIM_KEEPDIM_DTYPE = optionKeys('dim', 'keepdim', 'dtype');
const DIM_DTYPE = optionKeys('dim', 'dtype');
const DIM_KEEPDIM_P_DTYPE = optionKeys('dim', 'keepdim', 'p', 'dtype');
const WEIGHTS_MINLENGTH = optionKeys('weights', 'minlength');
const DIM_DESCENDING_STABLE = optionKeys('dim', 'descending', 'stable');

const TOPK = optionKeys('dim', 'largest', 'sorted');
const ALLCLOSE = optionKeys('rtol', 'atol', 'equalNan');

/** One dimension or several, negative ones counting from the end; left out: all of them. */
export interface ReduceOptions {
  dim?: number | readonly number[] | undefined;
  /** Keep reduced dimensions with size 1. Default false. */
  keepdim?: boolean | undefined;
}

/** @internal */
export const REDUCE_KEYS = optionKeys('dim', 'keepdim');
const VAR = optionKeys(...REDUCE_KEYS, 'correction');

/** One dimension; left out: the flattened tensor. */
export interface DimOptions {
  dim?: number | undefined;
  /** Keep the reduced dimension with size 1. Default false. */
  keepdim?: boolean | undefined;
}

/** What the elements are converted to before a sum, product or mean. */
export interface DTypeOptions {
  /**
   * The elements are converted to it first, which keeps small types from overflowing or losing digits, and the result has
   * it. Default: the tensor's own dtype; int64 for sums and products of integers and bools.
   */
  dtype?: DType | undefined;
}

/** @internal */
export const DIM_KEYS = optionKeys('dim', 'keepdim');

/** @internal Dimensions as the add-on takes them. */
export function dims(dim: number | readonly number[] | undefined): readonly number[] | null {
  if (dim === undefined) return null;
  return typeof dim === 'number' ? [dim] : dim;
}

/** Both dimensions of a matrix. */
function matrixDims(tensor: Tensor): readonly number[] {
  const { shape } = tensor;
  if (shape.length === 2) return [0, 1];
  throw new ShapeError(
    `Expected a matrix, or two dimensions for dim, with p 'nuc' but received shape [${shape.join(', ')}]`,
  );
}

/** Reductions over dimensions, sorting, products of matrices. */
export abstract class TensorReduce extends TensorPointwise {
  /** Sum; integers and bools give int64. @see https://pytorch.org/docs/stable/generated/torch.sum.html */
  sum(this: Tensor, options: ReduceOptions & DTypeOptions = {}): Tensor {
    const { dim, keepdim = false, dtype } = checkOptions(options, DIM_KEEPDIM_DTYPE);
    return native.sum(this, dims(dim), keepdim, dtype);
  }
  /** Arithmetic mean of a floating-point tensor. @throws DTypeError for integers without a floating-point `dtype`. */
  mean(this: Tensor, options: ReduceOptions & DTypeOptions = {}): Tensor {
    const { dim, keepdim = false, dtype } = checkOptions(options, DIM_KEEPDIM_DTYPE);
    return native.mean(this, dims(dim), keepdim, dtype);
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
  /** Product; integers and bools give int64. */
  prod(this: Tensor, options: DimOptions & DTypeOptions = {}): Tensor {
    const { dim, keepdim = false, dtype } = checkOptions(options, DIM_KEEPDIM_DTYPE);
    return native.prod(this, dim, keepdim, dtype);
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
  /** log(sum(exp(this))), computed without overflow. */
  logsumexp(this: Tensor, options: ReduceOptions & { dim: number | readonly number[] }): Tensor {
    const { dim, keepdim = false } = checkOptions(options, REDUCE_KEYS);
    return native.logsumexp(this, dims(dim) ?? [], keepdim);
  }
  /** Running sum along `dim`; integers and bools give int64. */
  cumsum(this: Tensor, options: { dim: number } & DTypeOptions): Tensor {
    const { dim, dtype } = checkOptions(options, DIM_DTYPE);
    return native.cumsum(this, dim, dtype);
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
  /**
   * How often each value occurs in a 1-D tensor of non-negative integers, int64 [largest value + 1].
   * @param options.weights - [N]: what each element counts instead of 1; the result is then float64, or float32 for
   * float32. @param options.minlength - Least length of the result. Default 0.
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
  /**
   * The k largest elements along `dim`.
   * @param options.dim - Default -1. @param options.largest - `false`: the smallest instead. Default true.
   * @param options.sorted - In order. Default true.
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
  /**
   * The elements in order along `dim`, and the positions (int64) they come from.
   * @param options.dim - Default -1. @param options.descending - Default false.
   * @param options.stable - Equal elements keep their order. Default false.
   */
  sort(
    this: Tensor,
    options: {
      dim?: number | undefined;
      descending?: boolean | undefined;
      stable?: boolean | undefined;
    } = {},
  ): { values: Tensor; indices: Tensor } {
    const { dim = -1, descending = false, stable = false } = checkOptions(options, DIM_DESCENDING_STABLE);
    const [values, indices] = native.sort(this, dim, descending, stable);
    return { values, indices };
  }

  /** Matrix product: vectors, matrices, or batches of them that broadcast. */
  matmul(this: Tensor, other: Tensor): Tensor {
    return native.matmul(this, other);
  }
  /** Batched matrix product, [B, N, M] x [B, M, P] -> [B, N, P]. */
  bmm(this: Tensor, other: Tensor): Tensor {
    return native.bmm(this, other);
  }

  /** Whether shapes and all elements agree exactly. */
  equal(this: Tensor, other: Tensor): boolean {
    return native.equal(this, other);
  }
  /**
   * Whether |this - other| <= atol + rtol * |other| everywhere.
   * @param options.rtol - Default 1e-5. @param options.atol - Default 1e-8. @param options.equalNan - Default false.
   */
  allclose(
    this: Tensor,
    other: Tensor,
    options: { rtol?: number | undefined; atol?: number | undefined; equalNan?: boolean | undefined } = {},
  ): boolean {
    const { rtol = 1e-5, atol = 1e-8, equalNan = false } = checkOptions(options, ALLCLOSE);
    return native.allclose(this, other, rtol, atol, equalNan);
  }
}
