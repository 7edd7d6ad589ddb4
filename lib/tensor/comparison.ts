/**
 * Comparisons, logical and bitwise operations, tests of every element. Operands broadcast.
 * @see https://pytorch.org/docs/stable/torch.html#comparison-ops
 * @module
 */
import { checkOptions, optionKeys } from '../check/index.js';
import { native, type Operand, type Tensor } from './core.js';

const ISCLOSE = optionKeys('rtol', 'atol', 'equalNan');
const INVERT_ASSUME_UNIQUE = optionKeys('invert', 'assumeUnique');

/** Comparisons, logic, bits. */
export abstract class ComparisonMethods {
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
  /** Whether exactly one is non-zero, bool. */
  logicalXor(this: Tensor, other: Operand): Tensor {
    return native.logicalXor(this, other);
  }
  /** The element is zero, bool. */
  logicalNot(this: Tensor): Tensor {
    return native.logicalNot(this);
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
  /** Inverts all bits; negates bools. */
  bitwiseNot(this: Tensor): Tensor {
    return native.bitwiseNot(this);
  }
  /** Shifts bits left by other. */
  bitwiseLeftShift(this: Tensor, other: Operand): Tensor {
    return native.bitwiseLeftShift(this, other);
  }
  /** Shifts bits right by other, with sign extension. */
  bitwiseRightShift(this: Tensor, other: Operand): Tensor {
    return native.bitwiseRightShift(this, other);
  }
  /** Whether the element is NaN, bool. */
  isnan(this: Tensor): Tensor {
    return native.isnan(this);
  }
  /** Whether the element is neither NaN nor infinite, bool. */
  isfinite(this: Tensor): Tensor {
    return native.isfinite(this);
  }
  /** Whether the element is infinite, bool. */
  isinf(this: Tensor): Tensor {
    return native.isinf(this);
  }
  /** Whether the element is positive infinity, bool. */
  isposinf(this: Tensor): Tensor {
    return native.isposinf(this);
  }
  /** Whether the element is negative infinity, bool. */
  isneginf(this: Tensor): Tensor {
    return native.isneginf(this);
  }
  /** Whether the element is negative, -0 included, bool. */
  signbit(this: Tensor): Tensor {
    return native.signbit(this);
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
  /**
   * Whether |this - other| <= atol + rtol * |other| everywhere.
   * @param options.rtol - Default 1e-5. @param options.atol - Default 1e-8. @param options.equalNan - Default false.
   */
  allclose(
    this: Tensor,
    other: Tensor,
    options: { rtol?: number | undefined; atol?: number | undefined; equalNan?: boolean | undefined } = {},
  ): boolean {
    const { rtol = 1e-5, atol = 1e-8, equalNan = false } = checkOptions(options, ISCLOSE);
    return native.allclose(this, other, rtol, atol, equalNan);
  }
  /** Whether shapes and all elements are equal. */
  equal(this: Tensor, other: Tensor): boolean {
    return native.equal(this, other);
  }
  /**
   * Whether the element is one of `values`, bool.
   * @param options.invert - Negate the result. Default false.
   * @param options.assumeUnique - Assume that neither has duplicates, which is faster. Default false.
   */
  isin(
    this: Tensor,
    values: Operand,
    options: { invert?: boolean | undefined; assumeUnique?: boolean | undefined } = {},
  ): Tensor {
    const { invert = false, assumeUnique = false } = checkOptions(options, INVERT_ASSUME_UNIQUE);
    return native.isin(this, values, assumeUnique, invert);
  }
}

/** `input` where `condition` (bool) is true, `other` elsewhere; all three broadcast. */
export function where(condition: Tensor, input: Tensor | number, other: Tensor | number): Tensor {
  return native.where(condition, input, other);
}
