/**
 * Rarer element-wise operations: integers, powers, special functions; products of vectors; dtype by name.
 * @see https://pytorch.org/docs/stable/special.html
 * @module
 */
import { checkOptions, optionKeys } from '../check/index.js';
import { native, type Operand } from '../native/index.js';
import { checkTensor } from './check.js';
import type { ProductOptions } from './matrix.js';
import { TensorScatter } from './scatter.js';
import type { Tensor } from './tensor.js';

const BETA_ALPHA = optionKeys('beta', 'alpha');

/** Rarer element-wise operations. Operands broadcast and promote dtypes by PyTorch's rules. */
export abstract class TensorArithmetic extends TensorScatter {
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
  /** log2(2 to the power of this + 2 to the power of other), without overflow. */
  logaddexp2(this: Tensor, other: Operand): Tensor {
    return native.logaddexp2(this, other);
  }
  /** The next floating-point number after this in the direction of other. */
  nextafter(this: Tensor, other: Operand): Tensor {
    return native.nextafter(this, other);
  }
  /** this to the power of exponent, computed in float64, which is also the result's dtype. */
  floatPower(this: Tensor, exponent: Operand): Tensor {
    return native.floatPower(this, exponent);
  }
  /** -1, 0 or 1; as `sign`. */
  sgn(this: Tensor): Tensor {
    return native.sgn(this);
  }
  /** Whether the element is positive infinity, bool. */
  isposinf(this: Tensor): Tensor {
    return native.isposinf(this);
  }
  /** Whether the element is negative infinity, bool. */
  isneginf(this: Tensor): Tensor {
    return native.isneginf(this);
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
  /** Entropy -this * log(this); 0 at 0, -Infinity below. */
  entr(this: Tensor): Tensor {
    return native.entr(this);
  }
  /** exp(this²) * erfc(this), without overflow. */
  erfcx(this: Tensor): Tensor {
    return native.erfcx(this);
  }
  /** The area under the standard normal density up to this. */
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
  /** Hurwitz's zeta function: the sum of 1 / (k + other) to the power of this, from k = 0. */
  zeta(this: Tensor, other: Operand): Tensor {
    return native.zeta(this, other);
  }
  /** this * log1p(other), 0 where this is 0. */
  xlog1py(this: Tensor, other: Operand): Tensor {
    return native.xlog1py(this, other);
  }
  /** The n-th derivative of `digamma`. @param n - At least 0. */
  polygamma(this: Tensor, n: number): Tensor {
    return native.polygamma(this, n);
  }
  /** Logarithm of the multivariate gamma function of dimension p; elements above (p - 1) / 2. */
  mvlgamma(this: Tensor, p: number): Tensor {
    return native.mvlgamma(this, p);
  }

  /** In place: `remainder`. */
  remainder_(this: Tensor, other: Operand): Tensor {
    native.remainderInPlace(this, other).dispose();
    return this;
  }
  /** In place: `floorDivide`. */
  floorDivide_(this: Tensor, other: Operand): Tensor {
    native.floorDivideInPlace(this, other).dispose();
    return this;
  }

  /** Sums of products over the last dimension of both, [..., N] and [..., N]; a scalar multiplies. */
  inner(this: Tensor, other: Tensor): Tensor {
    return native.inner(this, other);
  }
  /** beta * this + alpha * mat vec, [N, M] and [M]. */
  addmv(this: Tensor, mat: Tensor, vec: Tensor, options: ProductOptions = {}): Tensor {
    const { beta = 1, alpha = 1 } = checkOptions(options, BETA_ALPHA);
    return native.addmv(this, mat, vec, beta, alpha);
  }
  /** beta * this + alpha * the sum over a batch of batch1 batch2. */
  addbmm(this: Tensor, batch1: Tensor, batch2: Tensor, options: ProductOptions = {}): Tensor {
    const { beta = 1, alpha = 1 } = checkOptions(options, BETA_ALPHA);
    return native.addbmm(this, batch1, batch2, beta, alpha);
  }
  /** beta * this + alpha * the outer product of two vectors. */
  addr(this: Tensor, vec1: Tensor, vec2: Tensor, options: ProductOptions = {}): Tensor {
    const { beta = 1, alpha = 1 } = checkOptions(options, BETA_ALPHA);
    return native.addr(this, vec1, vec2, beta, alpha);
  }

  /** {@link clamp}. */
  clip(
    this: Tensor,
    options: { min?: number | Tensor | undefined; max?: number | Tensor | undefined },
  ): Tensor {
    return checkTensor('input', this).clamp(options);
  }
  /** At least `min`, which broadcasts. */
  clampMin(this: Tensor, min: number | Tensor): Tensor {
    return checkTensor('input', this).clamp({ min });
  }
  /** At most `max`, which broadcasts. */
  clampMax(this: Tensor, max: number | Tensor): Tensor {
    return checkTensor('input', this).clamp({ max });
  }

  /** {@link to} the dtype of another tensor. */
  typeAs(this: Tensor, other: Tensor): Tensor {
    return native.to(this, undefined, checkTensor('other', other).dtype, false);
  }
  /** {@link to} the CPU. */
  cpu(this: Tensor): Tensor {
    return native.to(this, 'cpu', undefined, false);
  }
  /** {@link to} float32. */
  float(this: Tensor): Tensor {
    return native.to(this, undefined, 'float32', false);
  }
  /** {@link to} float64. */
  double(this: Tensor): Tensor {
    return native.to(this, undefined, 'float64', false);
  }
  /** {@link to} float16. */
  half(this: Tensor): Tensor {
    return native.to(this, undefined, 'float16', false);
  }
  /** {@link to} bfloat16. */
  bfloat16(this: Tensor): Tensor {
    return native.to(this, undefined, 'bfloat16', false);
  }
  /** {@link to} int64. */
  long(this: Tensor): Tensor {
    return native.to(this, undefined, 'int64', false);
  }
  /** {@link to} int32. */
  int(this: Tensor): Tensor {
    return native.to(this, undefined, 'int32', false);
  }
  /** {@link to} int16. */
  short(this: Tensor): Tensor {
    return native.to(this, undefined, 'int16', false);
  }
  /** {@link to} bool: whether the element is not 0. */
  bool(this: Tensor): Tensor {
    return native.to(this, undefined, 'bool', false);
  }
}
