/**
 * The rest of the type of the add-on's tables: see {@link Native} in native.ts, which extends it.
 * @module
 */

import type { DType } from '../tensor/dtype.js';
import type { Tensor } from '../tensor/tensor.js';
import type { Operand } from './index.js';

type Scalar = number | bigint | boolean;
type Dims = readonly number[] | null;
type Sizes = readonly number[];
type Dim = number | undefined;
type Optional = Tensor | null;

type Unary = (input: Tensor) => Tensor;
type Binary = (input: Operand, other: Operand) => Tensor;
type Gathered = (input: Tensor, dim: number, index: Tensor, source: Tensor) => Tensor;
type Filled = (input: Tensor, dim: number, index: Tensor, value: Scalar) => Tensor;
type Added = (input: Tensor, dim: number, index: Tensor, source: Tensor, alpha: number) => Tensor;
type Pair = [Tensor, Tensor];
type Triple = [Tensor, Tensor, Tensor];
type Along = (input: Tensor, dim: number, keepdim: boolean) => Pair;
type Cumulated = (input: Tensor, dim: number) => Pair;
type Combined = (input: Tensor, tensor1: Tensor, tensor2: Tensor, value: number) => Tensor;
type Product = (input: Tensor, a: Tensor, b: Tensor, beta: number, alpha: number) => Tensor;

/** Functions of the add-on's tables of operations beyond the first of each family. */
export interface NativeOps {
  // pointwise.cc
  sinh: Unary;
  cosh: Unary;
  asin: Unary;
  acos: Unary;
  atan: Unary;
  asinh: Unary;
  acosh: Unary;
  atanh: Unary;
  exp2: Unary;
  log10: Unary;
  erfc: Unary;
  erfinv: Unary;
  lgamma: Unary;
  digamma: Unary;
  sinc: Unary;
  trunc: Unary;
  frac: Unary;
  deg2rad: Unary;
  rad2deg: Unary;
  isinf: Unary;
  signbit: Unary;
  bitwiseNot: Unary;
  fmod: Binary;
  fmax: Binary;
  fmin: Binary;
  hypot: Binary;
  xlogy: Binary;
  logaddexp: Binary;
  copysign: Binary;
  heaviside: Binary;
  logicalXor: Binary;
  bitwiseAnd: Binary;
  bitwiseOr: Binary;
  bitwiseXor: Binary;
  bitwiseLeftShift: Binary;
  bitwiseRightShift: Binary;
  negInPlace: Unary;
  absInPlace: Unary;
  expInPlace: Unary;
  logInPlace: Unary;
  sqrtInPlace: Unary;
  rsqrtInPlace: Unary;
  squareInPlace: Unary;
  reciprocalInPlace: Unary;
  sigmoidInPlace: Unary;
  tanhInPlace: Unary;
  floorInPlace: Unary;
  ceilInPlace: Unary;
  roundInPlace: Unary;
  logit(input: Tensor, eps: number | undefined): Tensor;
  nanToNum(
    input: Tensor,
    nan: number | undefined,
    posinf: number | undefined,
    neginf: number | undefined,
  ): Tensor;
  divRounded(input: Tensor, other: Operand, roundingMode: string): Tensor;
  lerp(input: Tensor, end: Tensor, weight: Operand): Tensor;
  addcmul: Combined;
  addcdiv: Combined;
  clampTensor(input: Tensor, min: Tensor | undefined, max: Tensor | undefined): Tensor;
  isclose(input: Tensor, other: Tensor, rtol: number, atol: number, equalNan: boolean): Tensor;
  powInPlace(input: Tensor, exponent: Operand): Tensor;
  clampInPlace(input: Tensor, min: number | undefined, max: number | undefined): Tensor;
  clampTensorInPlace(input: Tensor, min: Tensor | undefined, max: Tensor | undefined): Tensor;
  lerpInPlace(input: Tensor, end: Tensor, weight: Operand): Tensor;
  addcmulInPlace: Combined;
  addcdivInPlace: Combined;

  // reduce.cc
  max: Unary;
  min: Unary;
  median: Unary;
  nanmedian: Unary;
  maxDim: Along;
  minDim: Along;
  medianDim: Along;
  nanmedianDim: Along;
  aminmax(input: Tensor, dim: Dim, keepdim: boolean): Pair;
  mode: Along;
  kthvalue(input: Tensor, k: number, dim: number, keepdim: boolean): Pair;
  quantile(input: Tensor, q: Tensor, dim: Dim, keepdim: boolean, interpolation: string): Tensor;
  nansum(input: Tensor, dim: Dims, keepdim: boolean, dtype: DType | undefined): Tensor;
  nanmean(input: Tensor, dim: Dims, keepdim: boolean, dtype: DType | undefined): Tensor;
  varMean(input: Tensor, dim: Dims, correction: number, keepdim: boolean): Pair;
  countNonzero(input: Tensor, dim: Dims): Tensor;
  dist(input: Tensor, other: Tensor, p: number): Tensor;
  cumprod(input: Tensor, dim: number, dtype: DType | undefined): Tensor;
  cummax: Cumulated;
  cummin: Cumulated;
  logcumsumexp(input: Tensor, dim: number): Tensor;
  diff(input: Tensor, n: number, dim: number): Tensor;
  argsort(input: Tensor, dim: number, descending: boolean, stable: boolean): Tensor;
  unique(input: Tensor, sorted: boolean): Triple;
  uniqueDim(input: Tensor, dim: number, sorted: boolean): Triple;
  uniqueConsecutive(input: Tensor, dim: Dim): Triple;
  searchsorted(
    input: Tensor,
    values: Tensor,
    outInt32: boolean,
    right: boolean,
    sorter: Tensor | null,
  ): Tensor;
  bucketize(input: Tensor, boundaries: Tensor, outInt32: boolean, right: boolean): Tensor;
  histc(input: Tensor, bins: number, min: number, max: number): Tensor;
  isin(input: Tensor, values: Operand, assumeUnique: boolean, invert: boolean): Tensor;
  nonzero: Unary;

  // linalg.cc
  mm(input: Tensor, other: Tensor): Tensor;
  mv(input: Tensor, vector: Tensor): Tensor;
  dot(input: Tensor, other: Tensor): Tensor;
  outer(input: Tensor, other: Tensor): Tensor;
  kron(input: Tensor, other: Tensor): Tensor;
  addmm: Product;
  baddbmm: Product;
  cross(input: Tensor, other: Tensor, dim: number): Tensor;
  tensordot(input: Tensor, other: Tensor, dims: Sizes, otherDims: Sizes): Tensor;
  multiDot(tensors: readonly Tensor[]): Tensor;
  cdist(input: Tensor, other: Tensor, p: number): Tensor;
  matrixPower(input: Tensor, n: number): Tensor;
  matrixExp: Unary;
  matrixNorm(input: Tensor, p: number, dim: Sizes, keepdim: boolean, dtype: DType | undefined): Tensor;
  matrixNormNamed(input: Tensor, p: string, dim: Sizes, keepdim: boolean, dtype: DType | undefined): Tensor;
  inv: Unary;
  det: Unary;
  slogdet(input: Tensor): Pair;
  solve(input: Tensor, other: Tensor, left: boolean): Tensor;
  solveTriangular(
    input: Tensor,
    other: Tensor,
    upper: boolean,
    left: boolean,
    unitriangular: boolean,
  ): Tensor;
  lstsq(input: Tensor, other: Tensor): [Tensor, Tensor, Tensor, Tensor];
  cholesky(input: Tensor, upper: boolean): Tensor;
  qr(input: Tensor, mode: string): Pair;
  svd(input: Tensor, fullMatrices: boolean): Triple;
  svdvals: Unary;
  eigh(input: Tensor, half: string): Pair;
  eigvalsh(input: Tensor, half: string): Tensor;
  pinv(input: Tensor, atol: number | undefined, rtol: number | undefined, hermitian: boolean): Tensor;
  matrixRank(input: Tensor, atol: number | undefined, rtol: number | undefined, hermitian: boolean): Tensor;
  trace: Unary;
  diag(input: Tensor, diagonal: number): Tensor;
  diagonal(input: Tensor, offset: number, dim1: number, dim2: number): Tensor;
  diagEmbed(input: Tensor, offset: number, dim1: number, dim2: number): Tensor;
  trilIndices(rows: number, columns: number, offset: number): Tensor;
  triuIndices(rows: number, columns: number, offset: number): Tensor;

  // index.cc
  take(input: Tensor, index: Tensor): Tensor;
  takeAlongDim(input: Tensor, index: Tensor, dim: Dim): Tensor;
  maskedSelect(input: Tensor, mask: Tensor): Tensor;
  maskedScatter(input: Tensor, mask: Tensor, source: Tensor): Tensor;
  indexAdd: Added;
  indexCopy: Gathered;
  indexFill: Filled;
  scatterValue: Filled;
  scatterAdd: Gathered;
  scatterReduce(
    input: Tensor,
    dim: number,
    index: Tensor,
    source: Tensor,
    reduce: string,
    includeSelf: boolean,
  ): Tensor;
  select(input: Tensor, dim: number, index: number): Tensor;
  unbind(input: Tensor, dim: number): Tensor[];
  movedim(input: Tensor, source: Sizes, destination: Sizes): Tensor;
  unflatten(input: Tensor, dim: number, sizes: Sizes): Tensor;
  unfold(input: Tensor, dim: number, size: number, step: number): Tensor;
  tile(input: Tensor, repeats: Sizes): Tensor;
  repeatInterleave(input: Tensor, repeats: Tensor, dim: Dim): Tensor;
  rot90(input: Tensor, k: number, dims: Sizes): Tensor;
  meshgrid(tensors: readonly Tensor[], indexing: string): Tensor[];
  indexPutAccumulate(input: Tensor, indices: readonly Optional[], value: Operand): Tensor;
  indexAddInPlace: Added;
  indexCopyInPlace: Gathered;
  indexFillInPlace: Filled;
  scatterInPlace: Gathered;
  scatterValueInPlace: Filled;
  scatterAddInPlace: Gathered;
  maskedFillInPlace(input: Tensor, mask: Tensor, value: Scalar): Tensor;
  fillDiagonalInPlace(input: Tensor, value: Scalar): Tensor;

  // random.cc
  bernoulli: Unary;
  multinomial(input: Tensor, numSamples: number, replacement: boolean): Tensor;
  poisson: Unary;
  bernoulliInPlace(input: Tensor, p: number): Tensor;
  exponentialInPlace(input: Tensor, lambda: number): Tensor;
  logNormalInPlace(input: Tensor, mean: number, std: number): Tensor;
  cauchyInPlace(input: Tensor, median: number, sigma: number): Tensor;
  geometricInPlace(input: Tensor, p: number): Tensor;
  randomInPlace(input: Tensor, from: number, to: number): Tensor;

  // autograd.cc
  customFunction(
    name: string,
    inputs: readonly Tensor[],
    outputs: readonly Tensor[],
    differentiable: readonly boolean[],
    saved: readonly Tensor[],
    materialize: boolean,
    backward: (gradients: (Tensor | null)[], saved: Tensor[]) => void,
  ): void;
  returnGradients(gradients: readonly (Tensor | null)[]): void;
  registerHook(input: Tensor, hook: (gradient: Tensor) => void): number;
  removeHook(input: Tensor, hook: number): void;
  retainGrad(input: Tensor): void;
  retainsGrad(input: Tensor): boolean;
  gradFunction(input: Tensor): string;
  setAnomaly(enabled: boolean, checkNan: boolean, capture: (() => string) | null): void;
}
