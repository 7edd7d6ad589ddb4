/**
 * The table of cpp/bindings/loss.cc.
 * @module
 */
import type { Handle, Optional, Reduction, Sizes } from './types.js';

type ByMargin<T> = (input1: T, input2: T, target: T, margin: number, reduction: Reduction) => T;

/** Losses. */
export interface LossTable<T extends Handle> {
  crossEntropy(
    input: T,
    target: T,
    weight: Optional<T>,
    reduction: Reduction,
    ignoreIndex: number,
    labelSmoothing: number,
  ): T;
  nllLoss(input: T, target: T, weight: Optional<T>, reduction: Reduction, ignoreIndex: number): T;
  mseLoss(input: T, target: T, reduction: Reduction): T;
  mseLossWeighted(input: T, target: T, weight: T, reduction: Reduction): T;
  l1Loss(input: T, target: T, reduction: Reduction): T;
  l1LossWeighted(input: T, target: T, weight: T, reduction: Reduction): T;
  smoothL1Loss(input: T, target: T, beta: number, reduction: Reduction): T;
  huberLoss(input: T, target: T, delta: number, reduction: Reduction): T;
  huberLossWeighted(input: T, target: T, delta: number, weight: T, reduction: Reduction): T;
  binaryCrossEntropy(input: T, target: T, weight: Optional<T>, reduction: Reduction): T;
  binaryCrossEntropyWithLogits(
    input: T,
    target: T,
    weight: Optional<T>,
    posWeight: Optional<T>,
    reduction: Reduction,
  ): T;
  klDiv(input: T, target: T, logTarget: boolean, reduction: Reduction): T;
  poissonNllLoss(input: T, target: T, logInput: boolean, full: boolean, eps: number, reduction: Reduction): T;
  gaussianNllLoss(input: T, target: T, variance: T, full: boolean, eps: number, reduction: Reduction): T;
  ctcLoss(
    logProbs: T,
    targets: T,
    inputLengths: Sizes,
    targetLengths: Sizes,
    blank: number,
    zeroInfinity: boolean,
    reduction: Reduction,
  ): T;
  hingeEmbeddingLoss(input: T, target: T, margin: number, reduction: Reduction): T;
  marginRankingLoss: ByMargin<T>;
  cosineEmbeddingLoss: ByMargin<T>;
  tripletMarginLoss(
    anchor: T,
    positive: T,
    negative: T,
    margin: number,
    p: number,
    eps: number,
    swap: boolean,
    reduction: Reduction,
  ): T;
  softMarginLoss(input: T, target: T, reduction: Reduction): T;
  multiMarginLoss(
    input: T,
    target: T,
    p: number,
    margin: number,
    weight: Optional<T>,
    reduction: Reduction,
  ): T;
  multilabelMarginLoss(input: T, target: T, reduction: Reduction): T;
  multilabelSoftMarginLoss(input: T, target: T, weight: Optional<T>, reduction: Reduction): T;
}
