/**
 * The table of cpp/bindings/norm.cc.
 * @module
 */
import type { Handle, Optional, Sizes } from './types.js';

/** What can follow a batch norm in the same operation. */
export type NormActivation = 'none' | 'relu' | 'relu6' | 'hardswish' | 'hardsigmoid' | 'silu';

/** Normalization, distances. */
export interface NormTable<T extends Handle> {
  /** @throws ShapeError unless the number of dimensions is one of `allowed`. */
  checkDims(input: T, allowed: Sizes, layer: string): void;
  batchNorm(
    input: T,
    weight: Optional<T>,
    bias: Optional<T>,
    runningMean: Optional<T>,
    runningVar: Optional<T>,
    training: boolean,
    momentum: number,
    eps: number,
  ): T;
  /** `activation(batchNorm(input) + residual)` while training. */
  batchNormActivation(
    input: T,
    residual: Optional<T>,
    weight: Optional<T>,
    bias: Optional<T>,
    runningMean: Optional<T>,
    runningVar: Optional<T>,
    momentum: number,
    eps: number,
    activation: NormActivation,
  ): T;
  layerNorm(input: T, normalizedShape: Sizes, weight: Optional<T>, bias: Optional<T>, eps: number): T;
  groupNorm(input: T, numGroups: number, weight: Optional<T>, bias: Optional<T>, eps: number): T;
  instanceNorm(
    input: T,
    weight: Optional<T>,
    bias: Optional<T>,
    runningMean: Optional<T>,
    runningVar: Optional<T>,
    useInputStats: boolean,
    momentum: number,
    eps: number,
  ): T;
  rmsNorm(input: T, normalizedShape: Sizes, weight: Optional<T>, eps: number | undefined): T;
  localResponseNorm(input: T, size: number, alpha: number, beta: number, k: number): T;
  normalize(input: T, p: number, dim: number, eps: number): T;
  cosineSimilarity(input: T, other: T, dim: number, eps: number): T;
  pairwiseDistance(input: T, other: T, p: number, eps: number, keepdim: boolean): T;
  pdist(input: T, p: number): T;
}
