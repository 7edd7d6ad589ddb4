/**
 * The neural-network half of the type of the add-on's tables: see {@link Native} in native.ts, which extends it.
 * @module
 */

import type { DType } from '../tensor/dtype.js';
import type { Tensor } from '../tensor/tensor.js';

type Dims = readonly number[] | null;
type Sizes = readonly number[];
type Pair = [Tensor, Tensor];
type Reduction = 'none' | 'mean' | 'sum';
type Optional = Tensor | null;

type Unary = (input: Tensor) => Tensor;
type Conv = (
  input: Tensor,
  weight: Tensor,
  bias: Optional,
  stride: Sizes,
  padding: Sizes,
  dilation: Sizes,
  groups: number,
) => Tensor;
type TransposedConv = (
  input: Tensor,
  weight: Tensor,
  bias: Optional,
  stride: Sizes,
  padding: Sizes,
  outputPadding: Sizes,
  groups: number,
  dilation: Sizes,
) => Tensor;
type MaxPool = (
  input: Tensor,
  kernelSize: Sizes,
  stride: Sizes,
  padding: Sizes,
  dilation: Sizes,
  ceilMode: boolean,
) => Tensor;
type AvgPool = (
  input: Tensor,
  kernelSize: Sizes,
  stride: Sizes,
  padding: Sizes,
  ceilMode: boolean,
  countIncludePad: boolean,
) => Tensor;
type AvgPoolBy = (...args: [...Parameters<AvgPool>, divisorOverride: number | undefined]) => Tensor;
type ByMargin = (
  input: Tensor,
  other: Tensor,
  target: Tensor,
  margin: number,
  reduction: Reduction,
) => Tensor;

/** Convolution, pooling, normalisation, activations, losses. */
export interface NativeNn {
  // nn.cc
  conv2d: (...args: [...Parameters<Conv>, algorithm: string]) => Tensor;
  linear(input: Tensor, weight: Tensor, bias: Optional): Tensor;
  maxPool2d: MaxPool;
  avgPool2d: AvgPoolBy;
  adaptiveAvgPool2d(input: Tensor, outputSize: Sizes): Tensor;
  batchNorm(
    input: Tensor,
    weight: Optional,
    bias: Optional,
    runningMean: Optional,
    runningVar: Optional,
    training: boolean,
    momentum: number,
    eps: number,
  ): Tensor;
  layerNorm(
    input: Tensor,
    normalizedShape: readonly number[],
    weight: Optional,
    bias: Optional,
    eps: number,
  ): Tensor;
  groupNorm(input: Tensor, numGroups: number, weight: Optional, bias: Optional, eps: number): Tensor;
  dropout(input: Tensor, p: number, training: boolean): Tensor;
  embedding(weight: Tensor, indices: Tensor, paddingIdx: number): Tensor;
  oneHot(input: Tensor, numClasses: number): Tensor;
  reluInPlace: Unary;
  leakyRelu(input: Tensor, negativeSlope: number): Tensor;
  gelu(input: Tensor, approximate: string): Tensor;
  silu: Unary;
  hardswish: Unary;
  softplus(input: Tensor, beta: number, threshold: number): Tensor;
  softmax(input: Tensor, dim: number, dtype: DType | undefined): Tensor;
  logSoftmax(input: Tensor, dim: number, dtype: DType | undefined): Tensor;
  crossEntropy(
    input: Tensor,
    target: Tensor,
    weight: Optional,
    reduction: Reduction,
    ignoreIndex: number,
    labelSmoothing: number,
  ): Tensor;
  nllLoss(input: Tensor, target: Tensor, weight: Optional, reduction: Reduction, ignoreIndex: number): Tensor;
  mseLoss(input: Tensor, target: Tensor, reduction: Reduction): Tensor;
  l1Loss(input: Tensor, target: Tensor, reduction: Reduction): Tensor;
  binaryCrossEntropyWithLogits(
    input: Tensor,
    target: Tensor,
    weight: Optional,
    posWeight: Optional,
    reduction: Reduction,
  ): Tensor;

  // conv.cc
  conv1d: Conv;
  conv3d: Conv;
  convTranspose1d: TransposedConv;
  convTranspose2d: TransposedConv;
  convTranspose3d: TransposedConv;
  maxPool1d: MaxPool;
  maxPool3d: MaxPool;
  avgPool1d: AvgPool;
  avgPool3d: AvgPoolBy;
  adaptiveAvgPool1d(input: Tensor, outputSize: Sizes): Tensor;
  adaptiveAvgPool3d(input: Tensor, outputSize: Sizes): Tensor;
  adaptiveMaxPool1d(input: Tensor, outputSize: Sizes): Pair;
  adaptiveMaxPool2d(input: Tensor, outputSize: Sizes): Pair;
  adaptiveMaxPool3d(input: Tensor, outputSize: Sizes): Pair;
  interpolate(
    input: Tensor,
    size: Dims,
    scaleFactor: readonly number[] | null,
    mode: string,
    alignCorners: boolean,
    antialias: boolean,
  ): Tensor;
  gridSample(input: Tensor, grid: Tensor, mode: string, paddingMode: string, alignCorners: boolean): Tensor;
  affineGrid(theta: Tensor, size: Sizes, alignCorners: boolean): Tensor;
  pixelShuffle(input: Tensor, factor: number): Tensor;
  pixelUnshuffle(input: Tensor, factor: number): Tensor;
  im2col(input: Tensor, kernelSize: Sizes, dilation: Sizes, padding: Sizes, stride: Sizes): Tensor;
  col2im(
    input: Tensor,
    outputSize: Sizes,
    kernelSize: Sizes,
    dilation: Sizes,
    padding: Sizes,
    stride: Sizes,
  ): Tensor;

  // activation.cc
  relu6: Unary;
  selu: Unary;
  mish: Unary;
  hardsigmoid: Unary;
  logSigmoid: Unary;
  softsign: Unary;
  tanhshrink: Unary;
  elu(input: Tensor, alpha: number): Tensor;
  celu(input: Tensor, alpha: number): Tensor;
  hardtanh(input: Tensor, minVal: number, maxVal: number): Tensor;
  hardshrink(input: Tensor, lambda: number): Tensor;
  softshrink(input: Tensor, lambda: number): Tensor;
  threshold(input: Tensor, threshold: number, value: number): Tensor;
  prelu(input: Tensor, weight: Tensor): Tensor;
  rrelu(input: Tensor, lower: number, upper: number, training: boolean): Tensor;
  gumbelSoftmax(input: Tensor, tau: number, hard: boolean, dim: number): Tensor;
  glu(input: Tensor, dim: number): Tensor;
  featureDropout(input: Tensor, p: number, training: boolean): Tensor;
  alphaDropout(input: Tensor, p: number, training: boolean): Tensor;
  instanceNorm(
    input: Tensor,
    weight: Optional,
    bias: Optional,
    runningMean: Optional,
    runningVar: Optional,
    useInputStats: boolean,
    momentum: number,
    eps: number,
  ): Tensor;
  rmsNorm(input: Tensor, normalizedShape: Sizes, weight: Optional, eps: number | undefined): Tensor;
  localResponseNorm(input: Tensor, size: number, alpha: number, beta: number, k: number): Tensor;
  normalize(input: Tensor, p: number, dim: number, eps: number): Tensor;
  cosineSimilarity(input: Tensor, other: Tensor, dim: number, eps: number): Tensor;
  pairwiseDistance(input: Tensor, other: Tensor, p: number, eps: number, keepdim: boolean): Tensor;
  scaledDotProductAttention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attnMask: Optional,
    dropoutP: number,
    isCausal: boolean,
    scale: number | undefined,
  ): Tensor;
  bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Optional): Tensor;

  // loss.cc
  smoothL1Loss(input: Tensor, target: Tensor, beta: number, reduction: Reduction): Tensor;
  huberLoss(input: Tensor, target: Tensor, delta: number, reduction: Reduction): Tensor;
  binaryCrossEntropy(input: Tensor, target: Tensor, weight: Optional, reduction: Reduction): Tensor;
  klDiv(input: Tensor, target: Tensor, logTarget: boolean, reduction: Reduction): Tensor;
  poissonNllLoss(
    input: Tensor,
    target: Tensor,
    logInput: boolean,
    full: boolean,
    eps: number,
    reduction: Reduction,
  ): Tensor;
  gaussianNllLoss(
    input: Tensor,
    target: Tensor,
    variance: Tensor,
    full: boolean,
    eps: number,
    reduction: Reduction,
  ): Tensor;
  ctcLoss(
    logProbs: Tensor,
    targets: Tensor,
    inputLengths: Sizes,
    targetLengths: Sizes,
    blank: number,
    zeroInfinity: boolean,
    reduction: Reduction,
  ): Tensor;
  hingeEmbeddingLoss(input: Tensor, target: Tensor, margin: number, reduction: Reduction): Tensor;
  marginRankingLoss: ByMargin;
  cosineEmbeddingLoss: ByMargin;
  tripletMarginLoss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: number,
    p: number,
    eps: number,
    swap: boolean,
    reduction: Reduction,
  ): Tensor;
  softMarginLoss(input: Tensor, target: Tensor, reduction: Reduction): Tensor;
  multiMarginLoss(
    input: Tensor,
    target: Tensor,
    p: number,
    margin: number,
    weight: Optional,
    reduction: Reduction,
  ): Tensor;
  multilabelMarginLoss(input: Tensor, target: Tensor, reduction: Reduction): Tensor;
  mseLossWeighted(input: Tensor, target: Tensor, weight: Tensor, reduction: Reduction): Tensor;
  l1LossWeighted(input: Tensor, target: Tensor, weight: Tensor, reduction: Reduction): Tensor;
  huberLossWeighted(
    input: Tensor,
    target: Tensor,
    delta: number,
    weight: Tensor,
    reduction: Reduction,
  ): Tensor;
  multilabelSoftMarginLoss(input: Tensor, target: Tensor, weight: Optional, reduction: Reduction): Tensor;
}
