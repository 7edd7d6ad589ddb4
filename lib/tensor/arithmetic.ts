/**
 * Arithmetic on every element: sums to powers, rounding, limits. Operands broadcast and promote dtypes by PyTorch's
 * rules; a number does not change the dtype.
 * @see https://pytorch.org/docs/stable/notes/broadcasting.html
 * @module
 */
import { checkOptions, optionKeys } from '../check/index.js';
import { invalidArgument } from '../errors.js';
import { native, type Operand, type Tensor } from './core.js';

const ALPHA_KEYS = optionKeys('alpha');
const ROUNDING_MODE = optionKeys('roundingMode');
const DECIMALS = optionKeys('decimals');
const MIN_MAX = optionKeys('min', 'max');
const VALUE_KEYS = optionKeys('value');
const NAN_TO_NUM_KEYS = optionKeys('nan', 'posinf', 'neginf');

/** Options of `add` and `sub`. */
export interface AlphaOptions {
  /** Factor on `other`. Default 1. */
  alpha?: number | undefined;
}

/** Options of `div`. */
export interface DivOptions {
  /** `'trunc'` toward zero, `'floor'` down; integers then stay integers. Default: exact. */
  roundingMode?: 'trunc' | 'floor' | null | undefined;
}

/** Options of `round`. */
export interface RoundOptions {
  /** Number of digits after the point. Default 0. */
  decimals?: number | undefined;
}

/** Options of the in-place product and quotient forms. */
export interface ValueOptions {
  /** Factor on the product or quotient. Default 1. */
  value?: number | undefined;
}

/** Options of `nanToNum`: the replacements. */
export interface NanToNumOptions {
  /** Default 0. */
  nan?: number | undefined;
  /** Default: the largest number of the dtype. */
  posinf?: number | undefined;
  /** Default: the smallest number of the dtype. */
  neginf?: number | undefined;
}

/** Arithmetic. Each method returns a new tensor; a trailing underscore marks those that change their own and return it. */
export abstract class ArithmeticMethods {
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
   * this / other; float32 for integers.
   * @param options.roundingMode - `'trunc'` toward zero, `'floor'` down; integers then stay integers. Default: exact.
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
  /** The remainder of this / other, with the sign of this. */
  fmod(this: Tensor, other: Operand): Tensor {
    return native.fmod(this, other);
  }
  /** this to the power of exponent. */
  pow(this: Tensor, exponent: Operand): Tensor {
    return native.pow(this, exponent);
  }
  /** this to the power of exponent, computed in float64, which is also the result's dtype. */
  floatPower(this: Tensor, exponent: Operand): Tensor {
    return native.floatPower(this, exponent);
  }
  /** The greatest common divisor of integers. */
  gcd(this: Tensor, other: Operand): Tensor {
    return native.gcd(this, other);
  }
  /** The least common multiple of integers. */
  lcm(this: Tensor, other: Operand): Tensor {
    return native.lcm(this, other);
  }
  /** this * 2 to the power of other. */
  ldexp(this: Tensor, other: Operand): Tensor {
    return native.ldexp(this, other);
  }
  /** The larger of the two, element by element. */
  maximum(this: Tensor, other: Operand): Tensor {
    return native.maximum(this, other);
  }
  /** The smaller of the two, element by element. */
  minimum(this: Tensor, other: Operand): Tensor {
    return native.minimum(this, other);
  }
  /** The larger of the two; if one is NaN, the other. */
  fmax(this: Tensor, other: Operand): Tensor {
    return native.fmax(this, other);
  }
  /** The smaller of the two; if one is NaN, the other. */
  fmin(this: Tensor, other: Operand): Tensor {
    return native.fmin(this, other);
  }
  /** |this| with the sign of other. */
  copysign(this: Tensor, other: Operand): Tensor {
    return native.copysign(this, other);
  }
  /** The next floating-point number after this in the direction of other. */
  nextafter(this: Tensor, other: Operand): Tensor {
    return native.nextafter(this, other);
  }
  /** 0 where negative, 1 where positive, `other` where 0. */
  heaviside(this: Tensor, other: Operand): Tensor {
    return native.heaviside(this, other);
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
  /** -1, 0 or 1, like `sign`. */
  sgn(this: Tensor): Tensor {
    return native.sgn(this);
  }
  /** 1 / this. */
  reciprocal(this: Tensor): Tensor {
    return native.reciprocal(this);
  }
  /** this * this. */
  square(this: Tensor): Tensor {
    return native.square(this);
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
   * @param options.decimals - Number of digits after the point; negative: before it. Default 0.
   */
  round(this: Tensor, options?: RoundOptions): Tensor {
    const decimals = decimalsOf(options);
    return decimals === 0 ? native.round(this) : native.roundDecimals(this, decimals);
  }
  /** Rounded toward zero. */
  trunc(this: Tensor): Tensor {
    return native.trunc(this);
  }
  /** The fractional part: this - trunc(this). */
  frac(this: Tensor): Tensor {
    return native.frac(this);
  }
  /** Clamps to [min, max]; either is optional. Bounds that are tensors broadcast. */
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
  /** {@link clamp}. */
  clip(
    this: Tensor,
    options: { min?: number | Tensor | undefined; max?: number | Tensor | undefined },
  ): Tensor {
    return ArithmeticMethods.prototype.clamp.call(this, options);
  }
  /** At least `min`, which broadcasts. */
  clampMin(this: Tensor, min: number | Tensor): Tensor {
    return ArithmeticMethods.prototype.clamp.call(this, { min });
  }
  /** At most `max`, which broadcasts. */
  clampMax(this: Tensor, max: number | Tensor): Tensor {
    return ArithmeticMethods.prototype.clamp.call(this, { max });
  }
  /** this + weight * (end - this). @param weight - A number, or a tensor that broadcasts. */
  lerp(this: Tensor, end: Tensor, weight: Operand): Tensor {
    return native.lerp(this, end, weight);
  }
  /** this + value * tensor1 * tensor2. */
  addcmul(this: Tensor, tensor1: Tensor, tensor2: Tensor, options: ValueOptions = {}): Tensor {
    const { value = 1 } = checkOptions(options, VALUE_KEYS);
    return native.addcmul(this, tensor1, tensor2, value);
  }
  /** this + value * tensor1 / tensor2. */
  addcdiv(this: Tensor, tensor1: Tensor, tensor2: Tensor, options: ValueOptions = {}): Tensor {
    const { value = 1 } = checkOptions(options, VALUE_KEYS);
    return native.addcdiv(this, tensor1, tensor2, value);
  }
  /** Replaces NaN and infinities. */
  nanToNum(this: Tensor, options: NanToNumOptions = {}): Tensor {
    const { nan, posinf, neginf } = checkOptions(options, NAN_TO_NUM_KEYS);
    return native.nanToNum(this, nan, posinf, neginf);
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
  /** In place: `floorDivide`. */
  floorDivide_(this: Tensor, other: Operand): Tensor {
    native.floorDivideInPlace(this, other).dispose();
    return this;
  }
  /** In place: `remainder`. */
  remainder_(this: Tensor, other: Operand): Tensor {
    native.remainderInPlace(this, other).dispose();
    return this;
  }
  /** In place: -this. */
  neg_(this: Tensor): Tensor {
    native.negInPlace(this).dispose();
    return this;
  }
  /** In place: |this|. */
  abs_(this: Tensor): Tensor {
    native.absInPlace(this).dispose();
    return this;
  }
  /** In place: this * this. */
  square_(this: Tensor): Tensor {
    native.squareInPlace(this).dispose();
    return this;
  }
  /** In place: 1 / this. */
  reciprocal_(this: Tensor): Tensor {
    native.reciprocalInPlace(this).dispose();
    return this;
  }
  /** In place: rounded down. */
  floor_(this: Tensor): Tensor {
    native.floorInPlace(this).dispose();
    return this;
  }
  /** In place: rounded up. */
  ceil_(this: Tensor): Tensor {
    native.ceilInPlace(this).dispose();
    return this;
  }
  /** In place: rounded to the nearest integer, halves to even. */
  round_(this: Tensor, options?: RoundOptions): Tensor {
    const decimals = decimalsOf(options);
    (decimals === 0 ? native.roundInPlace(this) : native.roundDecimalsInPlace(this, decimals)).dispose();
    return this;
  }
  /** In place: this to the power of exponent. */
  pow_(this: Tensor, exponent: Operand): Tensor {
    native.powInPlace(this, exponent).dispose();
    return this;
  }
  /** In place: clamps to [min, max]; either is optional. Bounds that are tensors broadcast. */
  clamp_(
    this: Tensor,
    options: { min?: number | Tensor | undefined; max?: number | Tensor | undefined },
  ): Tensor {
    return clampInPlace(this, options);
  }
  /** In place: {@link lerp}. */
  lerp_(this: Tensor, end: Tensor, weight: Operand): Tensor {
    native.lerpInPlace(this, end, weight).dispose();
    return this;
  }
  /** In place: {@link addcmul}. */
  addcmul_(this: Tensor, tensor1: Tensor, tensor2: Tensor, options: ValueOptions = {}): Tensor {
    const { value = 1 } = checkOptions(options, VALUE_KEYS);
    native.addcmulInPlace(this, tensor1, tensor2, value).dispose();
    return this;
  }
  /** In place: {@link addcdiv}. */
  addcdiv_(this: Tensor, tensor1: Tensor, tensor2: Tensor, options: ValueOptions = {}): Tensor {
    const { value = 1 } = checkOptions(options, VALUE_KEYS);
    native.addcdivInPlace(this, tensor1, tensor2, value).dispose();
    return this;
  }
}

/** Without an object made for a call that has no options: most calls, and it would be a tenth of a small one. */
function alphaOf(options: AlphaOptions | undefined): number {
  if (options === undefined) return 1;
  const { alpha = 1 } = checkOptions(options, ALPHA_KEYS);
  return alpha;
}

function roundingModeOf(options: DivOptions): 'trunc' | 'floor' | undefined {
  const { roundingMode } = checkOptions(options, ROUNDING_MODE);
  if (roundingMode === undefined || roundingMode === null) return undefined;
  if (roundingMode !== 'trunc' && roundingMode !== 'floor')
    throw invalidArgument('roundingMode', "'trunc', 'floor' or null", roundingMode);
  return roundingMode;
}

/** @internal The digits that a rounding keeps. */
export function decimalsOf(options: RoundOptions | undefined): number {
  return options === undefined ? 0 : (checkOptions(options, DECIMALS).decimals ?? 0);
}

/** Limits the values of a tensor in place. */
export function clampInPlace(
  input: Tensor,
  options: { min?: number | Tensor | undefined; max?: number | Tensor | undefined },
): Tensor {
  const { min, max } = checkOptions(options, MIN_MAX);
  if (min === undefined && max === undefined)
    throw invalidArgument('options', 'min, max or both', { min, max });
  const limited =
    typeof min !== 'object' && typeof max !== 'object'
      ? native.clampInPlace(input, min, max)
      : clampByTensors(input, min, max, native.clampTensorInPlace);
  limited.dispose();
  return input;
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
