/**
 * The table of cpp/bindings/arithmetic.cc.
 * @module
 */
import type { Binary, Handle, Operand, Unary } from './types.js';

type Combined<T> = (input: T, tensor1: T, tensor2: T, value: number) => T;

/** Arithmetic on every element: sums to powers, rounding, limits, and their in-place forms. */
export interface ArithmeticTable<T extends Handle> {
  add(input: T, other: Operand<T>, alpha: number): T;
  sub(input: T, other: Operand<T>, alpha: number): T;
  mul: Binary<T>;
  div: Binary<T>;
  divRounded(input: T, other: Operand<T>, roundingMode: string): T;
  floorDivide: Binary<T>;
  remainder: Binary<T>;
  fmod: Binary<T>;
  pow(input: Operand<T>, exponent: Operand<T>): T;
  floatPower(input: Operand<T>, exponent: Operand<T>): T;
  gcd: Binary<T>;
  lcm: Binary<T>;
  ldexp: Binary<T>;
  maximum: Binary<T>;
  minimum: Binary<T>;
  fmax: Binary<T>;
  fmin: Binary<T>;
  copysign: Binary<T>;
  nextafter: Binary<T>;
  heaviside(input: Operand<T>, values: Operand<T>): T;
  neg: Unary<T>;
  abs: Unary<T>;
  sign: Unary<T>;
  sgn: Unary<T>;
  reciprocal: Unary<T>;
  square: Unary<T>;
  floor: Unary<T>;
  ceil: Unary<T>;
  round: Unary<T>;
  roundDecimals(input: T, decimals: number): T;
  trunc: Unary<T>;
  frac: Unary<T>;
  clamp(input: T, min: number | undefined, max: number | undefined): T;
  clampTensor(input: T, min: T | undefined, max: T | undefined): T;
  lerp(input: T, end: T, weight: Operand<T>): T;
  addcmul: Combined<T>;
  addcdiv: Combined<T>;
  nanToNum(input: T, nan: number | undefined, posinf: number | undefined, neginf: number | undefined): T;
  addInPlace(input: T, other: Operand<T>, alpha: number): T;
  subInPlace(input: T, other: Operand<T>, alpha: number): T;
  mulInPlace(input: T, other: Operand<T>): T;
  divInPlace(input: T, other: Operand<T>): T;
  divRoundedInPlace(input: T, other: Operand<T>, roundingMode: string): T;
  floorDivideInPlace(input: T, other: Operand<T>): T;
  remainderInPlace(input: T, other: Operand<T>): T;
  negInPlace: Unary<T>;
  absInPlace: Unary<T>;
  squareInPlace: Unary<T>;
  reciprocalInPlace: Unary<T>;
  floorInPlace: Unary<T>;
  ceilInPlace: Unary<T>;
  roundInPlace: Unary<T>;
  roundDecimalsInPlace(input: T, decimals: number): T;
  powInPlace(input: T, exponent: Operand<T>): T;
  clampInPlace(input: T, min: number | undefined, max: number | undefined): T;
  clampTensorInPlace(input: T, min: T | undefined, max: T | undefined): T;
  lerpInPlace(input: T, end: T, weight: Operand<T>): T;
  addcmulInPlace: Combined<T>;
  addcdivInPlace: Combined<T>;
}
