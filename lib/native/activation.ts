/**
 * The table of cpp/bindings/activation.cc.
 * @module
 */
import type { DType, Handle, Unary } from './types.js';

/** Activations and dropout. */
export interface ActivationTable<T extends Handle> {
  relu: Unary<T>;
  reluInPlace: Unary<T>;
  relu6: Unary<T>;
  leakyRelu(input: T, negativeSlope: number): T;
  prelu(input: T, weight: T): T;
  rrelu(input: T, lower: number, upper: number, training: boolean): T;
  elu(input: T, alpha: number): T;
  celu(input: T, alpha: number): T;
  selu: Unary<T>;
  gelu(input: T, approximate: string): T;
  silu: Unary<T>;
  mish: Unary<T>;
  softplus(input: T, beta: number, threshold: number): T;
  softsign: Unary<T>;
  softmax(input: T, dim: number, dtype: DType | undefined): T;
  logSoftmax(input: T, dim: number, dtype: DType | undefined): T;
  gumbelSoftmax(input: T, tau: number, hard: boolean, dim: number): T;
  logSigmoid: Unary<T>;
  hardsigmoid: Unary<T>;
  hardswish: Unary<T>;
  hardtanh(input: T, minVal: number, maxVal: number): T;
  hardshrink(input: T, lambda: number): T;
  softshrink(input: T, lambda: number): T;
  tanhshrink: Unary<T>;
  threshold(input: T, threshold: number, value: number): T;
  glu(input: T, dim: number): T;
  dropout(input: T, p: number, training: boolean): T;
  featureDropout(input: T, p: number, training: boolean): T;
  alphaDropout(input: T, p: number, training: boolean): T;
  featureAlphaDropout(input: T, p: number, training: boolean): T;
}
