/**
 * The type of the add-on's tables of rarer operations: see {@link Native}, which extends it.
 * @module
 */

import type { DType } from '../tensor/dtype.js';
import type { Tensor } from '../tensor/tensor.js';
import type { Operand } from './index.js';

type Dims = readonly number[] | null;
type Sizes = readonly number[];
type Dim = number | undefined;
type Optional = Tensor | null;
type Pair = [Tensor, Tensor];

type Unary = (input: Tensor) => Tensor;
type Binary = (input: Operand, other: Operand) => Tensor;
type Joined = (tensors: readonly Tensor[]) => Tensor;
type SplitUp = (input: Tensor, sections: number) => Tensor[];
type SplitAt = (input: Tensor, indices: Sizes) => Tensor[];
type Product = (input: Tensor, a: Tensor, b: Tensor, beta: number, alpha: number) => Tensor;
type Quantile = (input: Tensor, q: Tensor, dim: Dim, keepdim: boolean, interpolation: string) => Tensor;
type Integral = (input: Tensor, dx: number, dim: number) => Tensor;
type IntegralAt = (input: Tensor, x: Tensor, dim: number) => Tensor;
type Norm<P> = (input: Tensor, ord: P, dim: Dims, keepdim: boolean, dtype: DType | undefined) => Tensor;
type Put = (input: Tensor, index: Tensor, source: Tensor, accumulate: boolean) => Tensor;
type Reduced = (
  input: Tensor,
  dim: number,
  index: Tensor,
  source: Tensor,
  reduce: string,
  includeSelf: boolean,
) => Tensor;

/** Functions of the add-on's tables of rarer operations. */
export interface NativeMoreOps {
  // join.cc
  hstack: Joined;
  vstack: Joined;
  dstack: Joined;
  columnStack: Joined;
  blockDiag: Joined;
  broadcastTensors(tensors: readonly Tensor[]): Tensor[];
  cartesianProd: Joined;
  combinations(input: Tensor, r: number, withReplacement: boolean): Tensor;
  atleast1d: Unary;
  atleast2d: Unary;
  atleast3d: Unary;
  tensorSplit(input: Tensor, sections: number, dim: number): Tensor[];
  tensorSplitAt(input: Tensor, indices: Sizes, dim: number): Tensor[];
  hsplit: SplitUp;
  hsplitAt: SplitAt;
  vsplit: SplitUp;
  vsplitAt: SplitAt;
  dsplit: SplitUp;
  dsplitAt: SplitAt;

  // statistics.cc
  stdMean(input: Tensor, dim: Dims, correction: number, keepdim: boolean): Pair;
  cov(input: Tensor, correction: number, fweights: Optional, aweights: Optional): Tensor;
  corrcoef: Unary;
  nanquantile: Quantile;
  renorm(input: Tensor, p: number, dim: number, maxnorm: number): Tensor;
  argwhere: Unary;
  vander(input: Tensor, n: number | undefined): Tensor;
  histogram(
    input: Tensor,
    bins: number,
    range: readonly number[] | null,
    weight: Optional,
    density: boolean,
  ): Pair;
  histogramEdges(input: Tensor, bins: Tensor, weight: Optional, density: boolean): Pair;
  bincountWeighted(input: Tensor, weights: Tensor, minlength: number): Tensor;
  trapezoid: Integral;
  trapezoidAt: IntegralAt;
  cumulativeTrapezoid: Integral;
  cumulativeTrapezoidAt: IntegralAt;
  diffBetween(input: Tensor, n: number, dim: number, prepend: Optional, append: Optional): Tensor;

  // arithmetic.cc
  gcd: Binary;
  lcm: Binary;
  ldexp: Binary;
  logaddexp2: Binary;
  nextafter: Binary;
  floatPower: Binary;
  divRoundedInPlace(input: Tensor, other: Operand, roundingMode: string): Tensor;
  remainderInPlace(input: Tensor, other: Operand): Tensor;
  floorDivideInPlace(input: Tensor, other: Operand): Tensor;
  sgn: Unary;
  isposinf: Unary;
  isneginf: Unary;
  i0: Unary;
  i0e: Unary;
  i1: Unary;
  i1e: Unary;
  entr: Unary;
  erfcx: Unary;
  ndtr: Unary;
  ndtri: Unary;
  logNdtr: Unary;
  zeta: Binary;
  xlog1py: Binary;
  polygamma(input: Tensor, n: number): Tensor;
  mvlgamma(input: Tensor, p: number): Tensor;
  roundDecimals(input: Tensor, decimals: number): Tensor;
  roundDecimalsInPlace(input: Tensor, decimals: number): Tensor;
  inner(input: Tensor, other: Tensor): Tensor;
  addmv: Product;
  addbmm: Product;
  addr: Product;
  logdet: Unary;
  vecdot(input: Tensor, other: Tensor, dim: number): Tensor;
  linalgNorm: Norm<number | undefined>;
  linalgNormNamed: Norm<string>;
  cond(input: Tensor, p: number | undefined): Tensor;
  condNamed(input: Tensor, p: string): Tensor;
  choleskySolve(input: Tensor, factor: Tensor, upper: boolean): Tensor;
  choleskyInverse(input: Tensor, upper: boolean): Tensor;

  // scatter.cc
  indexReduce: Reduced;
  indexReduceInPlace: Reduced;
  scatterReduceInPlace: Reduced;
  maskedScatterInPlace(input: Tensor, mask: Tensor, source: Tensor): Tensor;
  maskedFillTensor(input: Tensor, mask: Tensor, value: Tensor): Tensor;
  maskedFillTensorInPlace(input: Tensor, mask: Tensor, value: Tensor): Tensor;
  indexFillTensor(input: Tensor, dim: number, index: Tensor, value: Tensor): Tensor;
  indexFillTensorInPlace(input: Tensor, dim: number, index: Tensor, value: Tensor): Tensor;
  put: Put;
  putInPlace: Put;
  selectScatter(input: Tensor, source: Tensor, dim: number, index: number): Tensor;
  sliceScatter(input: Tensor, source: Tensor, dim: number, start: Dim, end: Dim, step: number): Tensor;
  diagonalScatter(input: Tensor, source: Tensor, offset: number, dim1: number, dim2: number): Tensor;
  diagflat(input: Tensor, offset: number): Tensor;
  asStrided(input: Tensor, shape: Sizes, strides: Sizes, storageOffset: Dim): Tensor;
  squeezeDims(input: Tensor, dim: Sizes): Tensor;

  // pool.cc
  maxPoolWithIndices(
    input: Tensor,
    kernelSize: Sizes,
    stride: Sizes,
    padding: Sizes,
    dilation: Sizes,
    ceilMode: boolean,
  ): Pair;
  maxUnpool(input: Tensor, indices: Tensor, outputSize: Sizes, stride: Sizes, padding: Sizes): Tensor;
  embeddingBag(
    weight: Tensor,
    input: Tensor,
    offsets: Tensor,
    mode: number,
    perSampleWeights: Optional,
    includeLastOffset: boolean,
    paddingIdx: number | undefined,
  ): Tensor;
  pdist(input: Tensor, p: number): Tensor;
  channelShuffle(input: Tensor, groups: number): Tensor;
  featureAlphaDropout(input: Tensor, p: number, training: boolean): Tensor;
}
