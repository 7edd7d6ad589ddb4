/**
 * Element-wise operations beyond the arithmetic of `math`: trigonometry, bits, special functions, and the forms that
 * change their own tensor. Operands broadcast and promote dtypes by PyTorch's rules.
 * @see https://pytorch.org/docs/stable/torch.html#pointwise-ops
 * @module
 */
import { checkOptions, optionKeys } from '../check/index.js';
import { invalidArgument } from '../errors.js';
import { native, type Operand } from '../native/index.js';
import { clampByTensors, decimalsOf, type RoundOptions, TensorMath } from './math.js';
import type { Tensor } from './tensor.js';

const EPS = optionKeys('eps');
const ISCLOSE = optionKeys('rtol', 'atol', 'equalNan');
const MIN_MAX = optionKeys('min', 'max');

/** Options of `nanToNum`: what takes the place of each. */
export interface NanToNumOptions {
  /** Default 0. */
  nan?: number | undefined;
  /** Default: the largest number of the dtype. */
  posinf?: number | undefined;
  /** Default: the smallest number of the dtype. */
  neginf?: number | undefined;
}

const NAN_TO_NUM_KEYS = optionKeys('nan', 'posinf', 'neginf');

/** Options of the in-place product and quotient forms. */
export interface ValueOptions {
  /** Factor on the product or quotient. Default 1. */
  value?: number | undefined;
}

const VALUE_KEYS = optionKeys('value');

/** More element-wise operations. A trailing underscore marks those that change their own tensor and return it. */
export abstract class TensorPointwise extends TensorMath {
  /** Hyperbolic sine. */
  sinh(this: Tensor): Tensor {
    return native.sinh(this);
  }
  /** Hyperbolic cosine. */
  cosh(this: Tensor): Tensor {
    return native.cosh(this);
  }
  /** Arcsine, in radians. */
  asin(this: Tensor): Tensor {
    return native.asin(this);
  }
  /** Arccosine, in radians. */
  acos(this: Tensor): Tensor {
    return native.acos(this);
  }
  /** Arctangent, in radians. */
  atan(this: Tensor): Tensor {
    return native.atan(this);
  }
  /** Inverse hyperbolic sine. */
  asinh(this: Tensor): Tensor {
    return native.asinh(this);
  }
  /** Inverse hyperbolic cosine. */
  acosh(this: Tensor): Tensor {
    return native.acosh(this);
  }
  /** Inverse hyperbolic tangent. */
  atanh(this: Tensor): Tensor {
    return native.atanh(this);
  }
  /** 2 to the power of this. */
  exp2(this: Tensor): Tensor {
    return native.exp2(this);
  }
  /** Logarithm to base 10. */
  log10(this: Tensor): Tensor {
    return native.log10(this);
  }
  /** 1 - erf(this), accurate where that is small. */
  erfc(this: Tensor): Tensor {
    return native.erfc(this);
  }
  /** Inverse error function. */
  erfinv(this: Tensor): Tensor {
    return native.erfinv(this);
  }
  /** Logarithm of the absolute value of the gamma function. */
  lgamma(this: Tensor): Tensor {
    return native.lgamma(this);
  }
  /** Derivative of {@link lgamma}. */
  digamma(this: Tensor): Tensor {
    return native.digamma(this);
  }
  /** sin(pi this) / (pi this), 1 at 0. */
  sinc(this: Tensor): Tensor {
    return native.sinc(this);
  }
  /** Rounded towards zero. */
  trunc(this: Tensor): Tensor {
    return native.trunc(this);
  }
  /** What {@link trunc} leaves. */
  frac(this: Tensor): Tensor {
    return native.frac(this);
  }
  /** Degrees as radians. */
  deg2rad(this: Tensor): Tensor {
    return native.deg2rad(this);
  }
  /** Radians as degrees. */
  rad2deg(this: Tensor): Tensor {
    return native.rad2deg(this);
  }
  /** Whether the element is infinite, bool. */
  isinf(this: Tensor): Tensor {
    return native.isinf(this);
  }
  /** Whether the element is negative, -0 included, bool. */
  signbit(this: Tensor): Tensor {
    return native.signbit(this);
  }
  /** All bits flipped; of bools, the negation. */
  bitwiseNot(this: Tensor): Tensor {
    return native.bitwiseNot(this);
  }
  /** log(this / (1 - this)). @param options.eps - Limits this to [eps, 1 - eps] first. Default: no limit. */
  logit(this: Tensor, options: { eps?: number | undefined } = {}): Tensor {
    const { eps } = checkOptions(options, EPS);
    return native.logit(this, eps);
  }
  /** Without NaN and infinities. */
  nanToNum(this: Tensor, options: NanToNumOptions = {}): Tensor {
    const { nan, posinf, neginf } = checkOptions(options, NAN_TO_NUM_KEYS);
    return native.nanToNum(this, nan, posinf, neginf);
  }

  /** The remainder of this / other, with the sign of this. */
  fmod(this: Tensor, other: Operand): Tensor {
    return native.fmod(this, other);
  }
  /** The larger of the two; a number where the other is NaN. */
  fmax(this: Tensor, other: Operand): Tensor {
    return native.fmax(this, other);
  }
  /** The smaller of the two; a number where the other is NaN. */
  fmin(this: Tensor, other: Operand): Tensor {
    return native.fmin(this, other);
  }
  /** sqrt(this² + other²), without overflow. */
  hypot(this: Tensor, other: Operand): Tensor {
    return native.hypot(this, other);
  }
  /** this * log(other), 0 where this is 0. */
  xlogy(this: Tensor, other: Operand): Tensor {
    return native.xlogy(this, other);
  }
  /** log(exp(this) + exp(other)), without overflow. */
  logaddexp(this: Tensor, other: Operand): Tensor {
    return native.logaddexp(this, other);
  }
  /** |this| with the sign of other. */
  copysign(this: Tensor, other: Operand): Tensor {
    return native.copysign(this, other);
  }
  /** 0 where negative, 1 where positive, `other` where 0. */
  heaviside(this: Tensor, other: Operand): Tensor {
    return native.heaviside(this, other);
  }
  /** Exactly one is non-zero, bool. */
  logicalXor(this: Tensor, other: Operand): Tensor {
    return native.logicalXor(this, other);
  }
  /** Bits set in both. */
  bitwiseAnd(this: Tensor, other: Operand): Tensor {
    return native.bitwiseAnd(this, other);
  }
  /** Bits set in either. */
  bitwiseOr(this: Tensor, other: Operand): Tensor {
    return native.bitwiseOr(this, other);
  }
  /** Bits set in exactly one. */
  bitwiseXor(this: Tensor, other: Operand): Tensor {
    return native.bitwiseXor(this, other);
  }
  /** Bits moved up by other. */
  bitwiseLeftShift(this: Tensor, other: Operand): Tensor {
    return native.bitwiseLeftShift(this, other);
  }
  /** Bits moved down by other, the sign kept. */
  bitwiseRightShift(this: Tensor, other: Operand): Tensor {
    return native.bitwiseRightShift(this, other);
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
  /**
   * Whether |this - other| <= atol + rtol * |other|, bool.
   * @param options.rtol - Default 1e-5. @param options.atol - Default 1e-8. @param options.equalNan - Default false.
   */
  isclose(
    this: Tensor,
    other: Tensor,
    options: { rtol?: number | undefined; atol?: number | undefined; equalNan?: boolean | undefined } = {},
  ): Tensor {
    const { rtol = 1e-5, atol = 1e-8, equalNan = false } = checkOptions(options, ISCLOSE);
    return native.isclose(this, other, rtol, atol, equalNan);
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
  /** In place: e to the power of this. */
  exp_(this: Tensor): Tensor {
    native.expInPlace(this).dispose();
    return this;
  }
  /** In place: natural logarithm. */
  log_(this: Tensor): Tensor {
    native.logInPlace(this).dispose();
    return this;
  }
  /** In place: square root. */
  sqrt_(this: Tensor): Tensor {
    native.sqrtInPlace(this).dispose();
    return this;
  }
  /** In place: 1 / square root. */
  rsqrt_(this: Tensor): Tensor {
    native.rsqrtInPlace(this).dispose();
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
  /** In place: 1 / (1 + exp(-this)). */
  sigmoid_(this: Tensor): Tensor {
    native.sigmoidInPlace(this).dispose();
    return this;
  }
  /** In place: hyperbolic tangent. */
  tanh_(this: Tensor): Tensor {
    native.tanhInPlace(this).dispose();
    return this;
  }
  /** In place: max(this, 0). */
  relu_(this: Tensor): Tensor {
    native.reluInPlace(this).dispose();
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
  /** In place: limited to [min, max]; either may be left out. Bounds that are tensors broadcast. */
  clamp_(
    this: Tensor,
    options: { min?: number | Tensor | undefined; max?: number | Tensor | undefined },
  ): Tensor {
    const { min, max } = checkOptions(options, MIN_MAX);
    if (min === undefined && max === undefined)
      throw invalidArgument('options', 'min, max or both', { min, max });
    const limited =
      typeof min !== 'object' && typeof max !== 'object'
        ? native.clampInPlace(this, min, max)
        : clampByTensors(this, min, max, native.clampTensorInPlace);
    limited.dispose();
    return this;
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
