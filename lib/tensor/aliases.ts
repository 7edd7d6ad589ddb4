/**
 * Second names of operations, as in PyTorch.
 * @see https://pytorch.org/docs/stable/tensors.html
 * @module
 */
import { type AlphaOptions, ArithmeticMethods, clampInPlace, type DivOptions } from './arithmetic.js';
import { checkTensor } from './check.js';
import { native, type Operand, type Tensor } from './core.js';

/** Second names. They do not look up the first name in the object, whose prototype may have been changed. */
export abstract class AliasMethods {
  /** {@link Tensor.abs}. */
  absolute(this: Tensor): Tensor {
    return native.abs(this);
  }
  /** {@link Tensor.neg}. */
  negative(this: Tensor): Tensor {
    return native.neg(this);
  }
  /** {@link Tensor.mul}. */
  multiply(this: Tensor, other: Operand): Tensor {
    return native.mul(this, other);
  }
  /** {@link Tensor.sub}. */
  subtract(this: Tensor, other: Operand, options: AlphaOptions = {}): Tensor {
    return ArithmeticMethods.prototype.sub.call(this, other, options);
  }
  /** {@link Tensor.div}. */
  divide(this: Tensor, other: Operand, options: DivOptions = {}): Tensor {
    return ArithmeticMethods.prototype.div.call(this, other, options);
  }
  /** {@link Tensor.div}. */
  trueDivide(this: Tensor, other: Operand): Tensor {
    return native.div(this, other);
  }
  /** {@link Tensor.ne}. */
  notEqual(this: Tensor, other: Operand): Tensor {
    return native.ne(this, other);
  }
  /** {@link Tensor.gt}. */
  greater(this: Tensor, other: Operand): Tensor {
    return native.gt(this, other);
  }
  /** {@link Tensor.ge}. */
  greaterEqual(this: Tensor, other: Operand): Tensor {
    return native.ge(this, other);
  }
  /** {@link Tensor.lt}. */
  less(this: Tensor, other: Operand): Tensor {
    return native.lt(this, other);
  }
  /** {@link Tensor.le}. */
  lessEqual(this: Tensor, other: Operand): Tensor {
    return native.le(this, other);
  }
  /** {@link Tensor.trunc}. */
  fix(this: Tensor): Tensor {
    return native.trunc(this);
  }
  /** {@link Tensor.asin}. */
  arcsin(this: Tensor): Tensor {
    return native.asin(this);
  }
  /** {@link Tensor.acos}. */
  arccos(this: Tensor): Tensor {
    return native.acos(this);
  }
  /** {@link Tensor.atan}. */
  arctan(this: Tensor): Tensor {
    return native.atan(this);
  }
  /** {@link Tensor.atan2}. */
  arctan2(this: Tensor, other: Operand): Tensor {
    return native.atan2(this, other);
  }
  /** {@link Tensor.outer}. */
  ger(this: Tensor, other: Tensor): Tensor {
    return native.outer(this, other);
  }
  /** In place: {@link Tensor.mul_}. */
  multiply_(this: Tensor, other: Operand): Tensor {
    return ArithmeticMethods.prototype.mul_.call(this, other);
  }
  /** In place: {@link Tensor.sub_}. */
  subtract_(this: Tensor, other: Operand, options: AlphaOptions = {}): Tensor {
    return ArithmeticMethods.prototype.sub_.call(this, other, options);
  }
  /** In place: {@link Tensor.div_}. */
  divide_(this: Tensor, other: Operand, options: DivOptions = {}): Tensor {
    return ArithmeticMethods.prototype.div_.call(this, other, options);
  }
  /** In place: {@link Tensor.neg_}. */
  negative_(this: Tensor): Tensor {
    return ArithmeticMethods.prototype.neg_.call(this);
  }
  /** In place: {@link Tensor.clamp_}. */
  clip_(
    this: Tensor,
    options: { min?: number | Tensor | undefined; max?: number | Tensor | undefined },
  ): Tensor {
    return clampInPlace(checkTensor('input', this), options);
  }
  /** In place: {@link Tensor.clampMin}. */
  clampMin_(this: Tensor, min: number | Tensor): Tensor {
    return clampInPlace(checkTensor('input', this), { min });
  }
  /** In place: {@link Tensor.clampMax}. */
  clampMax_(this: Tensor, max: number | Tensor): Tensor {
    return clampInPlace(checkTensor('input', this), { max });
  }
  /** The matrix multiplied by itself n times; its inverse for negative n. */
  matrixPower(this: Tensor, n: number): Tensor {
    return native.matrixPower(this, n);
  }
  /** The matrix exponential. */
  matrixExp(this: Tensor): Tensor {
    return native.matrixExp(this);
  }
  /** The logarithm of the determinant, [..., N, N] -> [...]; NaN where that is negative. */
  logdet(this: Tensor): Tensor {
    return native.logdet(this);
  }
  /** The elements of this where `condition` is not 0, else those of `other`; all three broadcast. */
  where(this: Tensor, condition: Tensor, other: Tensor | number): Tensor {
    return native.where(condition, this, other);
  }
}
