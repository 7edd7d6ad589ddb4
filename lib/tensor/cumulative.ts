/**
 * Running sums and extremes, differences and integrals along a dimension.
 * @module
 */
import { checkOptions, optionKeys } from '../check/index.js';
import { native, type Tensor } from './core.js';
import { type DTypeOptions, named, type ValuesIndices } from './dims.js';

const DIM_DTYPE = optionKeys('dim', 'dtype');
const DIM = optionKeys('dim');
const N_DIM_PREPEND_APPEND = optionKeys('n', 'dim', 'prepend', 'append');
const X_DX_DIM = optionKeys('x', 'dx', 'dim');

/** Positions of the samples of {@link Tensor.trapezoid}. */
export interface TrapezoidOptions {
  /** The points of the samples: of the tensor's shape, or [N] along `dim`. */
  x?: Tensor | undefined;
  /** The distance of the points without `x`. Default 1. */
  dx?: number | undefined;
  /** Default -1. */
  dim?: number | undefined;
}

/** Operations along a dimension that keep it. */
export abstract class CumulativeMethods {
  /** Running sum along `dim`; int64 for integers and bools. */
  cumsum(this: Tensor, options: { dim: number } & DTypeOptions): Tensor {
    const { dim, dtype } = checkOptions(options, DIM_DTYPE);
    return native.cumsum(this, dim, dtype);
  }
  /** Running product along `dim`; int64 for integers and bools. */
  cumprod(this: Tensor, options: { dim: number } & DTypeOptions): Tensor {
    const { dim, dtype } = checkOptions(options, DIM_DTYPE);
    return native.cumprod(this, dim, dtype);
  }
  /** Running maximum along `dim`, and its position. */
  cummax(this: Tensor, options: { dim: number }): ValuesIndices {
    const { dim } = checkOptions(options, DIM);
    return named(native.cummax(this, dim));
  }
  /** Running minimum along `dim`, and its position. */
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
   * Differences of neighbors along `dim`, taken n times.
   * @param options.n - Default 1. @param options.dim - Default -1.
   * @param options.prepend - Concatenated before the elements along `dim`. @param options.append - Concatenated after them.
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
