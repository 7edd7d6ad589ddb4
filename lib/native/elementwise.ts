/**
 * The table of cpp/bindings/elementwise.cc.
 * @module
 */
import type { Binary, Handle, Unary } from './types.js';

/** Mathematical functions of every element: exponentials, trigonometry, special functions. */
export interface ElementwiseTable<T extends Handle> {
  exp: Unary<T>;
  expm1: Unary<T>;
  exp2: Unary<T>;
  log: Unary<T>;
  log1p: Unary<T>;
  log2: Unary<T>;
  log10: Unary<T>;
  logaddexp: Binary<T>;
  logaddexp2: Binary<T>;
  sqrt: Unary<T>;
  rsqrt: Unary<T>;
  sin: Unary<T>;
  cos: Unary<T>;
  tan: Unary<T>;
  asin: Unary<T>;
  acos: Unary<T>;
  atan: Unary<T>;
  atan2: Binary<T>;
  sinh: Unary<T>;
  cosh: Unary<T>;
  tanh: Unary<T>;
  asinh: Unary<T>;
  acosh: Unary<T>;
  atanh: Unary<T>;
  sinc: Unary<T>;
  hypot: Binary<T>;
  deg2rad: Unary<T>;
  rad2deg: Unary<T>;
  sigmoid: Unary<T>;
  logit(input: T, eps: number | undefined): T;
  erf: Unary<T>;
  erfc: Unary<T>;
  erfinv: Unary<T>;
  erfcx: Unary<T>;
  lgamma: Unary<T>;
  digamma: Unary<T>;
  polygamma(input: T, n: number): T;
  mvlgamma(input: T, p: number): T;
  zeta: Binary<T>;
  i0: Unary<T>;
  i0e: Unary<T>;
  i1: Unary<T>;
  i1e: Unary<T>;
  ndtr: Unary<T>;
  ndtri: Unary<T>;
  logNdtr: Unary<T>;
  entr: Unary<T>;
  xlogy: Binary<T>;
  xlog1py: Binary<T>;
  expInPlace: Unary<T>;
  logInPlace: Unary<T>;
  sqrtInPlace: Unary<T>;
  rsqrtInPlace: Unary<T>;
  sigmoidInPlace: Unary<T>;
  tanhInPlace: Unary<T>;
}
