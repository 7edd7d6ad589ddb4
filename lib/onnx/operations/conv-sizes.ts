/**
 * Sizes of kernels and padding.
 * @module
 */
import type { Step } from '../step.js';

/** What the operators call padding: before every dimension, then behind. */
export const padsOf = (padding: readonly number[]): number[] => [...padding, ...padding];

/** The sizes of a kernel: those of the weight behind its channels. */
export function kernelOf(step: Step, skipped: number): number[] {
  const sizes = step.sizes(1);
  return sizes.slice(skipped).map((_, i) => step.size(1, i + skipped));
}
