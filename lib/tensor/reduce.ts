/**
 * The third floor of {@link Tensor}: reductions, ordering and linear algebra.
 * @module
 */
import { checkOptions, optionKeys } from '../check/index.js';
import { native } from '../native/index.js';
import { TensorPointwise } from './pointwise.js';
import type { Tensor } from './tensor.js';

const DIM = optionKeys('dim');
const MINLENGTH = optionKeys('minlength');
const TOPK = optionKeys('dim', 'largest', 'sorted');
const DIM_DESCENDING = optionKeys('dim', 'descending');
const ALLCLOSE = optionKeys('rtol', 'atol', 'equalNan');

/** One dimension or several, negative ones counting from the end; left out: all of them. */
export interface ReduceOptions {
  dim?: number | readonly number[];
  /** Keep reduced dimensions with size 1. Default false. */
  keepdim?: boolean;
}

/** @internal */
export const REDUCE_KEYS = optionKeys('dim', 'keepdim');
const NORM = optionKeys(...REDUCE_KEYS, 'p');
const VAR = optionKeys(...REDUCE_KEYS, 'correction');

/** One dimension; left out: the flattened tensor. */
export interface DimOptions {
  dim?: number;
  /** Keep the reduced dimension with size 1. Default false. */
  keepdim?: boolean;
}

/** @internal */
export const DIM_KEYS = optionKeys('dim', 'keepdim');

/** @internal Dimensions as the add-on takes them. */
export function dims(dim: number | readonly number[] | undefined): readonly number[] | null {
  if (dim === undefined) return null;
  return typeof dim === 'number' ? [dim] : dim;
}

/** Reductions over dimensions, sorting, products of matrices. */
export abstract class TensorReduce extends TensorPointwise {
  /** Sum; integers and bools give int64. */
  sum(this: Tensor, options: ReduceOptions = {}): Tensor {
    const { dim, keepdim = false } = checkOptions(options, REDUCE_KEYS);
    return native.sum(this, dims(dim), keepdim);
  }
  /** Arithmetic mean of a floating-point tensor. @throws DTypeError for integers. */
  mean(this: Tensor, options: ReduceOptions = {}): Tensor {
    const { dim, keepdim = false } = checkOptions(options, REDUCE_KEYS);
    return native.mean(this, dims(dim), keepdim);
  }
  /** Variance with divisor N - correction. @param options.correction - Default 1. */
  var(this: Tensor, options: ReduceOptions & { correction?: number } = {}): Tensor {
    const { dim, keepdim = false, correction = 1 } = checkOptions(options, VAR);
    return native.variance(this, dims(dim), correction, keepdim);
  }
  /** Standard deviation with divisor N - correction. @param options.correction - Default 1. */
  std(this: Tensor, options: ReduceOptions & { correction?: number } = {}): Tensor {
    const { dim, keepdim = false, correction = 1 } = checkOptions(options, VAR);
    return native.std(this, dims(dim), correction, keepdim);
  }
  /** Product. */
  prod(this: Tensor, options: DimOptions = {}): Tensor {
    const { dim, keepdim = false } = checkOptions(options, DIM_KEYS);
    return native.prod(this, dim, keepdim);
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
  /** Running sum along `dim`. */
  cumsum(this: Tensor, options: { dim: number }): Tensor {
    const { dim } = checkOptions(options, DIM);
    return native.cumsum(this, dim);
  }
  /** p-norm of the elements. @param options.p - Default 2. */
  norm(this: Tensor, options: ReduceOptions & { p?: number } = {}): Tensor {
    const { dim, keepdim = false, p = 2 } = checkOptions(options, NORM);
    return native.norm(this, p, dims(dim), keepdim);
  }
  /** How often each value occurs in a 1-D tensor of non-negative integers. @param options.minlength - Default 0. */
  bincount(this: Tensor, options: { minlength?: number } = {}): Tensor {
    const { minlength = 0 } = checkOptions(options, MINLENGTH);
    return native.bincount(this, minlength);
  }
  /**
   * The k largest elements along `dim`.
   * @param options.dim - Default -1. @param options.largest - `false`: the smallest instead. Default true.
   * @param options.sorted - In order. Default true.
   */
  topk(
    this: Tensor,
    k: number,
    options: { dim?: number; largest?: boolean; sorted?: boolean } = {},
  ): { values: Tensor; indices: Tensor } {
    const { dim = -1, largest = true, sorted = true } = checkOptions(options, TOPK);
    const [values, indices] = native.topk(this, k, dim, largest, sorted);
    return { values, indices };
  }
  /** The elements in order along `dim`. @param options.dim - Default -1. @param options.descending - Default false. */
  sort(
    this: Tensor,
    options: { dim?: number; descending?: boolean } = {},
  ): { values: Tensor; indices: Tensor } {
    const { dim = -1, descending = false } = checkOptions(options, DIM_DESCENDING);
    const [values, indices] = native.sort(this, dim, descending);
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
    options: { rtol?: number; atol?: number; equalNan?: boolean } = {},
  ): boolean {
    const { rtol = 1e-5, atol = 1e-8, equalNan = false } = checkOptions(options, ALLCLOSE);
    return native.allclose(this, other, rtol, atol, equalNan);
  }
}
