/**
 * The table of cpp/bindings/comparison.cc.
 * @module
 */
import type { Binary, Handle, Operand, Unary } from './types.js';

/** Comparisons, logical and bitwise operations, tests of every element. */
export interface ComparisonTable<T extends Handle> {
  eq: Binary<T>;
  ne: Binary<T>;
  lt: Binary<T>;
  le: Binary<T>;
  gt: Binary<T>;
  ge: Binary<T>;
  logicalAnd: Binary<T>;
  logicalOr: Binary<T>;
  logicalXor: Binary<T>;
  logicalNot: Unary<T>;
  bitwiseAnd: Binary<T>;
  bitwiseOr: Binary<T>;
  bitwiseXor: Binary<T>;
  bitwiseNot: Unary<T>;
  bitwiseLeftShift: Binary<T>;
  bitwiseRightShift: Binary<T>;
  isnan: Unary<T>;
  isfinite: Unary<T>;
  isinf: Unary<T>;
  isposinf: Unary<T>;
  isneginf: Unary<T>;
  signbit: Unary<T>;
  isclose(input: T, other: T, rtol: number, atol: number, equalNan: boolean): T;
  allclose(input: T, other: T, rtol: number, atol: number, equalNan: boolean): boolean;
  equal(input: T, other: T): boolean;
  isin(input: T, values: Operand<T>, assumeUnique: boolean, invert: boolean): T;
  where(condition: T, input: Operand<T>, other: Operand<T>): T;
}
