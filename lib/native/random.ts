/**
 * The table of cpp/bindings/random.cc.
 * @module
 */
import type { Handle, Unary } from './types.js';

/** Draws from the generator. */
export interface RandomTable<T extends Handle> {
  uniform(input: T, from: number, to: number): T;
  normal(input: T, mean: number, std: number): T;
  bernoulli: Unary<T>;
  multinomial(input: T, numSamples: number, replacement: boolean): T;
  poisson: Unary<T>;
  bernoulliInPlace(input: T, p: number): T;
  exponentialInPlace(input: T, lambda: number): T;
  logNormalInPlace(input: T, mean: number, std: number): T;
  cauchyInPlace(input: T, median: number, sigma: number): T;
  geometricInPlace(input: T, p: number): T;
  randomInPlace(input: T, from: number, to: number): T;
}
