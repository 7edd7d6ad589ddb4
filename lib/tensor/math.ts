/**
 * The second floor of {@link Tensor}: element-wise operations and comparisons. Operands broadcast and promote dtypes
 * by PyTorch's rules; a number takes part without widening the dtype.
 * @see https://pytorch.org/docs/stable/notes/broadcasting.html
 * @module
 */
import { checkOptions, optionKeys } from '../check/index.js';
import { invalidArgument } from '../errors.js';
import { native, type Operand } from '../native/index.js';
import { TensorBase } from './base.js';
import type { Tensor } from './tensor.js';

const ALPHA_KEYS = optionKeys('alpha');
const DECIMALS = optionKeys('decimals');

const ROUNDING_MODE = optionKeys('roundingMode');
const MIN_MAX = optionKeys('min', 'max');

/** Options of `add` and `sub`. */
export interface AlphaOptions {
  /** Factor on `other`. Default 1. */
  alpha?: number | undefined;
}

/** Options of `div`. */
export interface DivOptions {
  /** `'trunc'` towards zero, `'floor'` down; integers then stay integers. Default: exact. */
  roundingMode?: 'trunc' | 'floor' | null | undefined;
}

function roundingModeOf(options: DivOptions): 'trunc' | 'floor' | undefined {
  const { roundingMode } = checkOptions(options, ROUNDING_MODE);
  if (roundingMode === undefined || roundingMode === null) return undefined;
  if (roundingMode !== 'trunc' && roundingMode !== 'floor')
    throw invalidArgument('roundingMode', "'trunc', 'floor' or null", roundingMode);
  return roundingMode;
}

/** Options of `round`. */
export interface RoundOptions {
  /** Digits after the point that are kept. Default 0. */
  decimals?: number | undefined;
}

/** @internal The digits that a rounding keeps. */
export function decimalsOf(options: RoundOptions | undefined): number {
  return options === undefined ? 0 : (checkOptions(options, DECIMALS).decimals ?? 0);
}

/** Without an object made for a call that has no options: most calls, and it would be a tenth of a small one. */
function alphaOf(options: AlphaOptions | undefined): number {
  if (options === undefined) return 1;
  const { alpha = 1 } = checkOptions(options, ALPHA_KEYS);
  return alpha;
}

/** @internal Limits by bounds of which one is a tensor; `limit` takes tensors only. */
export function clampByTensors(
  tensor: Tensor,
  min: number | Tensor | undefined,
  max: number | Tensor | undefined,
  limit: typeof native.clampTensor,
): Tensor {
  const bound = (value: number | Tensor | undefined) =>
    typeof value === 'number' ? native.full([], value, tensor.dtype, tensor.device) : value;
  const bounds = [bound(min), bound(max)] as const;
  const limited = limit(tensor, ...bounds);
  if (bounds[0] !== min) bounds[0]?.dispose();
  if (bounds[1] !== max) bounds[1]?.dispose();
  return limited;
}

/** Element-wise operations. Each returns a new tensor; a trailing underscore marks those that change their own. */
export abstract class TensorMath extends TensorBase {
  /** this + alpha * other. */
  add(this: Tensor, other: Operand, options?: AlphaOptions): Tensor {
    return native.add(this, other, alphaOf(options));
  }
  /** this - alpha * other. */
  sub(this: Tensor, other: Operand, options?: AlphaOptions): Tensor {
    return native.sub(this, other, alphaOf(options));
  }
  /** this * other. */
  mul(this: Tensor, other: Operand): Tensor {
    return native.mul(this, other);
  }
  /**
   * this / other; integers give float32.
   * @param options.roundingMode - `'trunc'` towards zero, `'floor'` down; integers then stay integers. Default: exact.
   */
  div(this: Tensor, other: Operand, options: DivOptions = {}): Tensor {
    const mode = roundingModeOf(options);
    return mode === undefined ? native.div(this, other) : native.divRounded(this, other, mode);
  }
  /** this / other, rounded down. */
  floorDivide(this: Tensor, other: Operand): Tensor {
    return native.floorDivide(this, other);
  }
  /** this modulo other, with the sign of other. */
  remainder(this: Tensor, other: Operand): Tensor {
    return native.remainder(this, other);
  }
  /** this to the power of exponent. */
  pow(this: Tensor, exponent: Operand): Tensor {
    return native.pow(this, exponent);
  }
  /** The larger of the two, element by element. */
  maximum(this: Tensor, other: Operand): Tensor {
    return native.maximum(this, other);
  }
  /** The smaller of the two, element by element. */
  minimum(this: Tensor, other: Operand): Tensor {
    return native.minimum(this, other);
  }
  /** The angle of the point (other, this), in radians. */
  atan2(this: Tensor, other: Operand): Tensor {
    return native.atan2(this, other);
  }

  /** In place: this += alpha * other. */
  add_(this: Tensor, other: Operand, options: AlphaOptions = {}): Tensor {
    const { alpha = 1 } = checkOptions(options, ALPHA_KEYS);
    native.addInPlace(this, other, alpha).dispose();
    return this;
  }
  /** In place: this -= alpha * other. */
  sub_(this: Tensor, other: Operand, options: AlphaOptions = {}): Tensor {
    const { alpha = 1 } = checkOptions(options, ALPHA_KEYS);
    native.subInPlace(this, other, alpha).dispose();
    return this;
  }
  /** In place: this *= other. */
  mul_(this: Tensor, other: Operand): Tensor {
    native.mulInPlace(this, other).dispose();
    return this;
  }
  /** In place: this /= other. @param options.roundingMode - As in {@link div}. */
  div_(this: Tensor, other: Operand, options: DivOptions = {}): Tensor {
    const mode = roundingModeOf(options);
    (mode === undefined
      ? native.divInPlace(this, other)
      : native.divRoundedInPlace(this, other, mode)
    ).dispose();
    return this;
  }
  /** In place: every element becomes `value`. */
  fill_(this: Tensor, value: number | bigint | boolean): Tensor {
    native.fill(this, value).dispose();
    return this;
  }
  /** In place: every element becomes 0. */
  zero_(this: Tensor): Tensor {
    native.fill(this, 0).dispose();
    return this;
  }
  /** In place: the elements of `source`, broadcast and converted. */
  copy_(this: Tensor, source: Tensor): Tensor {
    native.copy(this, source).dispose();
    return this;
  }

  /** this == other, bool. */
  eq(this: Tensor, other: Operand): Tensor {
    return native.eq(this, other);
  }
  /** this != other, bool. */
  ne(this: Tensor, other: Operand): Tensor {
    return native.ne(this, other);
  }
  /** this < other, bool. */
  lt(this: Tensor, other: Operand): Tensor {
    return native.lt(this, other);
  }
  /** this <= other, bool. */
  le(this: Tensor, other: Operand): Tensor {
    return native.le(this, other);
  }
  /** this > other, bool. */
  gt(this: Tensor, other: Operand): Tensor {
    return native.gt(this, other);
  }
  /** this >= other, bool. */
  ge(this: Tensor, other: Operand): Tensor {
    return native.ge(this, other);
  }
  /** Both are non-zero, bool. */
  logicalAnd(this: Tensor, other: Operand): Tensor {
    return native.logicalAnd(this, other);
  }
  /** Either is non-zero, bool. */
  logicalOr(this: Tensor, other: Operand): Tensor {
    return native.logicalOr(this, other);
  }
  /** The element is zero, bool. */
  logicalNot(this: Tensor): Tensor {
    return native.logicalNot(this);
  }

  /** -this. */
  neg(this: Tensor): Tensor {
    return native.neg(this);
  }
  /** |this|. */
  abs(this: Tensor): Tensor {
    return native.abs(this);
  }
  /** -1, 0 or 1. */
  sign(this: Tensor): Tensor {
    return native.sign(this);
  }
  /** e to the power of this. */
  exp(this: Tensor): Tensor {
    return native.exp(this);
  }
  /** exp(this) - 1, accurate near 0. */
  expm1(this: Tensor): Tensor {
    return native.expm1(this);
  }
  /** Natural logarithm. */
  log(this: Tensor): Tensor {
    return native.log(this);
  }
  /** log(1 + this), accurate near 0. */
  log1p(this: Tensor): Tensor {
    return native.log1p(this);
  }
  /** Logarithm to base 2. */
  log2(this: Tensor): Tensor {
    return native.log2(this);
  }
  /** Square root. */
  sqrt(this: Tensor): Tensor {
    return native.sqrt(this);
  }
  /** 1 / square root. */
  rsqrt(this: Tensor): Tensor {
    return native.rsqrt(this);
  }
  /** this * this. */
  square(this: Tensor): Tensor {
    return native.square(this);
  }
  /** 1 / this. */
  reciprocal(this: Tensor): Tensor {
    return native.reciprocal(this);
  }
  /** Sine of radians. */
  sin(this: Tensor): Tensor {
    return native.sin(this);
  }
  /** Cosine of radians. */
  cos(this: Tensor): Tensor {
    return native.cos(this);
  }
  /** Tangent of radians. */
  tan(this: Tensor): Tensor {
    return native.tan(this);
  }
  /** Hyperbolic tangent. */
  tanh(this: Tensor): Tensor {
    return native.tanh(this);
  }
  /** Error function. */
  erf(this: Tensor): Tensor {
    return native.erf(this);
  }
  /** 1 / (1 + exp(-this)). */
  sigmoid(this: Tensor): Tensor {
    return native.sigmoid(this);
  }
  /** max(this, 0). */
  relu(this: Tensor): Tensor {
    return native.relu(this);
  }
  /** Rounded down. */
  floor(this: Tensor): Tensor {
    return native.floor(this);
  }
  /** Rounded up. */
  ceil(this: Tensor): Tensor {
    return native.ceil(this);
  }
  /**
   * Rounded to the nearest integer, halves to even.
   * @param options.decimals - Round to so many digits after the point, or for negative ones before it. Default 0.
   */
  round(this: Tensor, options?: RoundOptions): Tensor {
    const decimals = decimalsOf(options);
    return decimals === 0 ? native.round(this) : native.roundDecimals(this, decimals);
  }
  /** Whether the element is NaN, bool. */
  isnan(this: Tensor): Tensor {
    return native.isnan(this);
  }
  /** Whether the element is neither NaN nor infinite, bool. */
  isfinite(this: Tensor): Tensor {
    return native.isfinite(this);
  }
  /** Limited to [min, max]; either may be left out. Bounds that are tensors broadcast. */
  clamp(
    this: Tensor,
    options: { min?: number | Tensor | undefined; max?: number | Tensor | undefined },
  ): Tensor {
    const { min, max } = checkOptions(options, MIN_MAX);
    if (min === undefined && max === undefined)
      throw invalidArgument('options', 'min, max or both', { min, max });
    if (typeof min !== 'object' && typeof max !== 'object') return native.clamp(this, min, max);
    return clampByTensors(this, min, max, native.clampTensor);
  }
}
