/**
 * The third floor of {@link Tensor}: reductions, ordering and linear algebra.
 * @module
 */
import { checkOptions } from '../check/index.js';
import { invalidArgument } from '../errors.js';
import { native } from '../native/index.js';
import { TensorPointwise } from './pointwise.js';
import type { Tensor } from './tensor.js';

/** One dimension or several, negative ones counting from the end; left out: all of them. */
export interface ReduceOptions {
  dim?: number | readonly number[];
  /** Keep reduced dimensions with size 1. Default false. */
  keepdim?: boolean;
}

/** One dimension; left out: the flattened tensor. */
export interface DimOptions {
  dim?: number;
  /** Keep the reduced dimension with size 1. Default false. */
  keepdim?: boolean;
}

/** @internal The options, unless a bare dimension came instead: `x.sum(0)` must not silently sum everything. */
export function optionsOf<T extends object>(options: T): T {
  if (typeof options === 'object' && options !== null && !Array.isArray(options)) return options;
  throw invalidArgument('options', 'an object such as { dim: 0 }', options);
}

/** @internal Dimensions as the add-on takes them. */
export function dims(dim: number | readonly number[] | undefined): readonly number[] | null {
  if (dim === undefined) return null;
  return typeof dim === 'number' ? [dim] : dim;
}

/** Reductions over dimensions, sorting, products of matrices. */
export abstract class TensorReduce extends TensorPointwise {
  /** Sum; integers and bools give int64. */
  sum(this: Tensor, options: ReduceOptions = {}): Tensor {
    const { dim, keepdim = false } = optionsOf(options);
    return native.sum(this, dims(dim), keepdim);
  }
  /** Arithmetic mean of a floating-point tensor. @throws DTypeError for integers. */
  mean(this: Tensor, options: ReduceOptions = {}): Tensor {
    const { dim, keepdim = false } = optionsOf(options);
    return native.mean(this, dims(dim), keepdim);
  }
  /** Variance with divisor N - correction. @param options.correction - Default 1. */
  var(this: Tensor, options: ReduceOptions & { correction?: number } = {}): Tensor {
    const { dim, keepdim = false, correction = 1 } = optionsOf(options);
    return native.variance(this, dims(dim), correction, keepdim);
  }
  /** Standard deviation with divisor N - correction. @param options.correction - Default 1. */
  std(this: Tensor, options: ReduceOptions & { correction?: number } = {}): Tensor {
    const { dim, keepdim = false, correction = 1 } = optionsOf(options);
    return native.std(this, dims(dim), correction, keepdim);
  }
  /** Product. */
  prod(this: Tensor, options: DimOptions = {}): Tensor {
    const { dim, keepdim = false } = optionsOf(options);
    return native.prod(this, dim, keepdim);
  }
  /** Largest element. */
  amax(this: Tensor, options: ReduceOptions = {}): Tensor {
    const { dim, keepdim = false } = optionsOf(options);
    return native.amax(this, dims(dim), keepdim);
  }
  /** Smallest element. */
  amin(this: Tensor, options: ReduceOptions = {}): Tensor {
    const { dim, keepdim = false } = optionsOf(options);
    return native.amin(this, dims(dim), keepdim);
  }
  /** Position of the largest element, int64. */
  argmax(this: Tensor, options: DimOptions = {}): Tensor {
    const { dim, keepdim = false } = optionsOf(options);
    return native.argmax(this, dim, keepdim);
  }
  /** Position of the smallest element, int64. */
  argmin(this: Tensor, options: DimOptions = {}): Tensor {
    const { dim, keepdim = false } = optionsOf(options);
    return native.argmin(this, dim, keepdim);
  }
  /** Whether all elements are non-zero, bool. */
  all(this: Tensor, options: ReduceOptions = {}): Tensor {
    const { dim, keepdim = false } = optionsOf(options);
    return native.all(this, dims(dim), keepdim);
  }
  /** Whether any element is non-zero, bool. */
  any(this: Tensor, options: ReduceOptions = {}): Tensor {
    const { dim, keepdim = false } = optionsOf(options);
    return native.any(this, dims(dim), keepdim);
  }
  /** log(sum(exp(this))), computed without overflow. */
  logsumexp(this: Tensor, options: ReduceOptions & { dim: number | readonly number[] }): Tensor {
    const { dim, keepdim = false } = optionsOf(options);
    return native.logsumexp(this, dims(dim) ?? [], keepdim);
  }
  /** Running sum along `dim`. */
  cumsum(this: Tensor, options: { dim: number }): Tensor {
    const { dim } = checkOptions(options);
    return native.cumsum(this, dim);
  }
  /** p-norm of the elements. @param options.p - Default 2. */
  norm(this: Tensor, options: ReduceOptions & { p?: number } = {}): Tensor {
    const { dim, keepdim = false, p = 2 } = optionsOf(options);
    return native.norm(this, p, dims(dim), keepdim);
  }
  /** How often each value occurs in a 1-D tensor of non-negative integers. @param options.minlength - Default 0. */
  bincount(this: Tensor, options: { minlength?: number } = {}): Tensor {
    const { minlength = 0 } = checkOptions(options);
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
    const { dim = -1, largest = true, sorted = true } = checkOptions(options);
    const [values, indices] = native.topk(this, k, dim, largest, sorted);
    return { values, indices };
  }
  /** The elements in order along `dim`. @param options.dim - Default -1. @param options.descending - Default false. */
  sort(
    this: Tensor,
    options: { dim?: number; descending?: boolean } = {},
  ): { values: Tensor; indices: Tensor } {
    const { dim = -1, descending = false } = checkOptions(options);
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
    const { rtol = 1e-5, atol = 1e-8, equalNan = false } = checkOptions(options);
    return native.allclose(this, other, rtol, atol, equalNan);
  }
}
