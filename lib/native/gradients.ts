/**
 * The table of cpp/bindings/gradients.cc.
 * @module
 */
import type { Handle } from './types.js';

/** Gradients of many parameters: checks, clipping, scaling. */
export interface GradientsTable<T extends Handle> {
  zeroGrad(parameters: readonly T[]): void;
  withGradient(parameters: readonly T[]): number[];
  checkTrainable(parameters: readonly T[]): void;
  clipGradNorm(
    parameters: readonly T[],
    maxNorm: number,
    normType: number,
    errorIfNonfinite: boolean,
  ): number;
  clipGradValue(parameters: readonly T[], clipValue: number): void;
  ampUnscale(parameters: readonly T[], found: T, inverseScale: T): void;
  ampUpdateScale(scale: T, tracker: T, found: T, growth: number, backoff: number, interval: number): void;
}
