/**
 * Mathematical functions of every element: exponentials, trigonometry, special functions.
 * @see https://pytorch.org/docs/stable/special.html
 * @module
 */
import { checkOptions, optionKeys } from '../check/index.js';
import { native, type Operand, type Tensor } from './core.js';

const EPS = optionKeys('eps');

/** Functions of every element. A trailing underscore marks those that change their own tensor and return it. */
export abstract class ElementwiseMethods {
  /** e to the power of this. */
  exp(this: Tensor): Tensor {
    return native.exp(this);
  }
  /** exp(this) - 1, accurate near 0. */
  expm1(this: Tensor): Tensor {
    return native.expm1(this);
  }
  /** 2 to the power of this. */
  exp2(this: Tensor): Tensor {
    return native.exp2(this);
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
  /** Logarithm to base 10. */
  log10(this: Tensor): Tensor {
    return native.log10(this);
  }
  /** log(exp(this) + exp(other)), without overflow. */
  logaddexp(this: Tensor, other: Operand): Tensor {
    return native.logaddexp(this, other);
  }
  /** log2(2 to the power of this + 2 to the power of other), without overflow. */
  logaddexp2(this: Tensor, other: Operand): Tensor {
    return native.logaddexp2(this, other);
  }
  /** Square root. */
  sqrt(this: Tensor): Tensor {
    return native.sqrt(this);
  }
  /** 1 / square root. */
  rsqrt(this: Tensor): Tensor {
    return native.rsqrt(this);
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
  /** The angle of the point (other, this), in radians. */
  atan2(this: Tensor, other: Operand): Tensor {
    return native.atan2(this, other);
  }
  /** Hyperbolic sine. */
  sinh(this: Tensor): Tensor {
    return native.sinh(this);
  }
  /** Hyperbolic cosine. */
  cosh(this: Tensor): Tensor {
    return native.cosh(this);
  }
  /** Hyperbolic tangent. */
  tanh(this: Tensor): Tensor {
    return native.tanh(this);
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
  /** sin(pi this) / (pi this), 1 at 0. */
  sinc(this: Tensor): Tensor {
    return native.sinc(this);
  }
  /** sqrt(this² + other²), without overflow. */
  hypot(this: Tensor, other: Operand): Tensor {
    return native.hypot(this, other);
  }
  /** Degrees as radians. */
  deg2rad(this: Tensor): Tensor {
    return native.deg2rad(this);
  }
  /** Radians as degrees. */
  rad2deg(this: Tensor): Tensor {
    return native.rad2deg(this);
  }
  /** 1 / (1 + exp(-this)). */
  sigmoid(this: Tensor): Tensor {
    return native.sigmoid(this);
  }
  /** log(this / (1 - this)). @param options.eps - Limits this to [eps, 1 - eps] first. Default: no limit. */
  logit(this: Tensor, options: { eps?: number | undefined } = {}): Tensor {
    const { eps } = checkOptions(options, EPS);
    return native.logit(this, eps);
  }
  /** Error function. */
  erf(this: Tensor): Tensor {
    return native.erf(this);
  }
  /** 1 - erf(this), accurate where that is small. */
  erfc(this: Tensor): Tensor {
    return native.erfc(this);
  }
  /** Inverse error function. */
  erfinv(this: Tensor): Tensor {
    return native.erfinv(this);
  }
  /** exp(this²) * erfc(this), without overflow. */
  erfcx(this: Tensor): Tensor {
    return native.erfcx(this);
  }
  /** Logarithm of the absolute value of the gamma function. */
  lgamma(this: Tensor): Tensor {
    return native.lgamma(this);
  }
  /** Derivative of {@link lgamma}. */
  digamma(this: Tensor): Tensor {
    return native.digamma(this);
  }
  /** The n-th derivative of `digamma`. @param n - At least 0. */
  polygamma(this: Tensor, n: number): Tensor {
    return native.polygamma(this, n);
  }
  /** Logarithm of the multivariate gamma function of dimension p; elements above (p - 1) / 2. */
  mvlgamma(this: Tensor, p: number): Tensor {
    return native.mvlgamma(this, p);
  }
  /** Hurwitz's zeta function: the sum of 1 / (k + other) to the power of this, from k = 0. */
  zeta(this: Tensor, other: Operand): Tensor {
    return native.zeta(this, other);
  }
  /** Modified Bessel function of the first kind, order 0. */
  i0(this: Tensor): Tensor {
    return native.i0(this);
  }
  /** {@link i0} times exp(-|this|). */
  i0e(this: Tensor): Tensor {
    return native.i0e(this);
  }
  /** Modified Bessel function of the first kind, order 1. */
  i1(this: Tensor): Tensor {
    return native.i1(this);
  }
  /** {@link i1} times exp(-|this|). */
  i1e(this: Tensor): Tensor {
    return native.i1e(this);
  }
  /** The distribution function of the standard normal distribution. */
  ndtr(this: Tensor): Tensor {
    return native.ndtr(this);
  }
  /** The inverse of {@link ndtr}. */
  ndtri(this: Tensor): Tensor {
    return native.ndtri(this);
  }
  /** log({@link ndtr}), accurate in the tail. */
  logNdtr(this: Tensor): Tensor {
    return native.logNdtr(this);
  }
  /** Entropy -this * log(this); 0 at 0, -Infinity below. */
  entr(this: Tensor): Tensor {
    return native.entr(this);
  }
  /** this * log(other), 0 where this is 0. */
  xlogy(this: Tensor, other: Operand): Tensor {
    return native.xlogy(this, other);
  }
  /** this * log1p(other), 0 where this is 0. */
  xlog1py(this: Tensor, other: Operand): Tensor {
    return native.xlog1py(this, other);
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
}
