/**
 * Decompositions, solvers and norms of matrices, torch.linalg: `import { linalg } from 'dyconv'`. All take batches: the
 * last two dimensions are the matrix. float32 and float64.
 * @see https://pytorch.org/docs/stable/linalg.html
 * @module
 */
import { checkOptions, optionKeys } from '../check/index.js';
import { invalidArgument } from '../errors.js';
import { dims } from './dims.js';
import type { DType } from './dtype.js';
import { native, type Tensor } from './tensor.js';

const ATOL_RTOL_HERMITIAN = optionKeys('atol', 'rtol', 'hermitian');
const LEFT = optionKeys('left');
const UPPER_LEFT_UNITRIANGULAR = optionKeys('upper', 'left', 'unitriangular');
const OPTIONS_OF_UPLO = optionKeys('UPLO');
const P_DIM_KEEPDIM_DTYPE = optionKeys('p', 'dim', 'keepdim', 'dtype');
const ORD_DIM_KEEPDIM_DTYPE = optionKeys('ord', 'dim', 'keepdim', 'dtype');
const P = optionKeys('p');
const DIM = optionKeys('dim');
const OPTIONS_OF_N = optionKeys('n');

const UPPER = optionKeys('upper');
const MODE = optionKeys('mode');
const FULL_MATRICES = optionKeys('fullMatrices');

/** The inverse, [..., N, N]. @throws NativeError for a singular matrix. */
export function inv(input: Tensor): Tensor {
  return native.inv(input);
}

/** Tolerances for singular values, and whether the matrix is symmetric. */
export interface ToleranceOptions {
  /** Values up to max(atol, rtol * the largest) are zero. Default 0. */
  atol?: number | undefined;
  /** Default: the machine epsilon times the larger size; 0 where `atol` is given. */
  rtol?: number | undefined;
  /** The matrix is symmetric: use eigenvalues instead of singular values. Default false. */
  hermitian?: boolean | undefined;
}

/** The Moore-Penrose inverse, [..., M, N] -> [..., N, M]. */
export function pinv(input: Tensor, options: ToleranceOptions = {}): Tensor {
  const { atol, rtol, hermitian = false } = checkOptions(options, ATOL_RTOL_HERMITIAN);
  return native.pinv(input, atol, rtol, hermitian);
}

/** The determinant, [..., N, N] -> [...]. */
export function det(input: Tensor): Tensor {
  return native.det(input);
}

/** The determinant's sign and the logarithm of its absolute value. */
export function slogdet(input: Tensor): { sign: Tensor; logabsdet: Tensor } {
  const [sign, logabsdet] = native.slogdet(input);
  return { sign, logabsdet };
}

/**
 * x with input x = other. @param other - [..., N] or [..., N, K].
 * @param options.left - `false`: x with x input = other instead. Default true. @throws NativeError for a singular matrix.
 */
export function solve(input: Tensor, other: Tensor, options: { left?: boolean | undefined } = {}): Tensor {
  const { left = true } = checkOptions(options, LEFT);
  return native.solve(input, other, left);
}

/**
 * x with input x = other for a triangular `input`; the other half is not read.
 * @param options.upper - Which triangle. @param options.unitriangular - Treat the diagonal as ones. Default false.
 * @param options.left - `false`: x with x input = other instead. Default true.
 */
export function solveTriangular(
  input: Tensor,
  other: Tensor,
  options: { upper: boolean; left?: boolean | undefined; unitriangular?: boolean | undefined },
): Tensor {
  const { upper, left = true, unitriangular = false } = checkOptions(options, UPPER_LEFT_UNITRIANGULAR);
  return native.solveTriangular(input, other, upper, left, unitriangular);
}

/** The x that minimizes the 2-norm of input x - other. */
export function lstsq(
  input: Tensor,
  other: Tensor,
): { solution: Tensor; residuals: Tensor; rank: Tensor; singularValues: Tensor } {
  const [solution, residuals, rank, singularValues] = native.lstsq(input, other);
  return { solution, residuals, rank, singularValues };
}

/** The lower triangular L with input = L Lᵀ. @param options.upper - The transpose of L instead. Default false. */
export function cholesky(input: Tensor, options: { upper?: boolean | undefined } = {}): Tensor {
  const { upper = false } = checkOptions(options, UPPER);
  return native.cholesky(input, upper);
}

/** Orthogonal Q and upper triangular R with input = Q R. @param options.mode - Default `'reduced'`: Q is [..., M, min(M, N)]. */
export function qr(
  input: Tensor,
  options: { mode?: 'reduced' | 'complete' | undefined } = {},
): { Q: Tensor; R: Tensor } {
  const { mode = 'reduced' } = checkOptions(options, MODE);
  if (mode !== 'reduced' && mode !== 'complete')
    throw invalidArgument('mode', "'reduced' or 'complete'", mode);
  const [Q, R] = native.qr(input, mode);
  return { Q, R };
}

/** input = U diag(S) Vh, S in descending order. @param options.fullMatrices - U and Vh square. Default true. */
export function svd(
  input: Tensor,
  options: { fullMatrices?: boolean | undefined } = {},
): { U: Tensor; S: Tensor; Vh: Tensor } {
  const { fullMatrices = true } = checkOptions(options, FULL_MATRICES);
  const [U, S, Vh] = native.svd(input, fullMatrices);
  return { U, S, Vh };
}

/** The singular values in descending order. */
export function svdvals(input: Tensor): Tensor {
  return native.svdvals(input);
}

/** The half of a symmetric matrix that is read. */
export interface HalfOptions {
  /** `'L'`, the lower, or `'U'`, the upper. Default `'L'`. */
  UPLO?: 'L' | 'U' | undefined;
}

function half(options: HalfOptions): string {
  const { UPLO = 'L' } = checkOptions(options, OPTIONS_OF_UPLO);
  if (UPLO !== 'L' && UPLO !== 'U') throw invalidArgument('UPLO', "'L' or 'U'", UPLO);
  return UPLO;
}

/** Eigenvalues (ascending) and eigenvectors (columns) of a symmetric matrix, of which one half is read. */
export function eigh(
  input: Tensor,
  options: HalfOptions = {},
): { eigenvalues: Tensor; eigenvectors: Tensor } {
  const [eigenvalues, eigenvectors] = native.eigh(input, half(options));
  return { eigenvalues, eigenvectors };
}

/** The eigenvalues (ascending) of a symmetric matrix, of which one half is read. */
export function eigvalsh(input: Tensor, options: HalfOptions = {}): Tensor {
  return native.eigvalsh(input, half(options));
}

/** The number of singular values above the tolerance, int64. */
export function matrixRank(input: Tensor, options: ToleranceOptions = {}): Tensor {
  const { atol, rtol, hermitian = false } = checkOptions(options, ATOL_RTOL_HERMITIAN);
  return native.matrixRank(input, atol, rtol, hermitian);
}

/** The matrix multiplied by itself n times; its inverse for negative n. */
export function matrixPower(input: Tensor, n: number): Tensor {
  return native.matrixPower(input, n);
}

/** The matrix exponential. */
export function matrixExp(input: Tensor): Tensor {
  return native.matrixExp(input);
}

/** The product of several matrices, in the order of fewest operations. */
export function multiDot(tensors: readonly Tensor[]): Tensor {
  return native.multiDot(tensors);
}

/** Options of {@link vectorNorm}. */
export interface VectorNormOptions {
  /** Default 2; Infinity for the largest absolute value. */
  p?: number | undefined;
  /** Default: all elements. */
  dim?: number | readonly number[] | undefined;
  /** Default false. */
  keepdim?: boolean | undefined;
  /** The input is converted to it first. Default: that of the input. */
  dtype?: DType | undefined;
}

/** The p-norm of vectors. */
export function vectorNorm(input: Tensor, options: VectorNormOptions = {}): Tensor {
  const { p = 2, dim, keepdim = false, dtype } = checkOptions(options, P_DIM_KEEPDIM_DTYPE);
  return native.norm(input, p, dims(dim), keepdim, dtype);
}

/**
 * A norm of matrices.
 * @param options.p - `'fro'` (root of the sum of squares), `'nuc'` (sum of singular values), 1, 2 or Infinity (largest
 * column sum, singular value, row sum), or their negatives (smallest). Default `'fro'`.
 * @param options.dim - Default [-2, -1].
 */
export function matrixNorm(
  input: Tensor,
  options: {
    p?: 'fro' | 'nuc' | number | undefined;
    dim?: readonly [number, number] | undefined;
    keepdim?: boolean | undefined;
    dtype?: DType | undefined;
  } = {},
): Tensor {
  const { p = 'fro', dim = [-2, -1], keepdim = false, dtype } = checkOptions(options, P_DIM_KEEPDIM_DTYPE);
  if (typeof p === 'number') return native.matrixNorm(input, p, dim, keepdim, dtype);
  if (p !== 'fro' && p !== 'nuc') throw invalidArgument('p', "'fro', 'nuc' or a number", p);
  return native.matrixNormNamed(input, p, dim, keepdim, dtype);
}

/**
 * A norm of vectors or matrices.
 * @param options.ord - Default: the 2-norm of all elements. With it, a number, and two dimensions a matrix norm (see
 * {@link matrixNorm}), with one a vector norm; `'fro'` and `'nuc'` are matrix norms.
 * @param options.dim - Default: all dimensions; one or two when `ord` is given. @param options.keepdim - Default false.
 * @see https://pytorch.org/docs/stable/generated/torch.linalg.norm.html
 */
export function norm(
  input: Tensor,
  options: {
    ord?: number | 'fro' | 'nuc' | undefined;
    dim?: number | readonly number[] | undefined;
    keepdim?: boolean | undefined;
    dtype?: DType | undefined;
  } = {},
): Tensor {
  const { ord, dim, keepdim = false, dtype } = checkOptions(options, ORD_DIM_KEEPDIM_DTYPE);
  if (ord === undefined || typeof ord === 'number')
    return native.linalgNorm(input, ord, dims(dim), keepdim, dtype);
  if (ord !== 'fro' && ord !== 'nuc') throw invalidArgument('ord', "a number, 'fro' or 'nuc'", ord);
  return native.linalgNormNamed(input, ord, dims(dim), keepdim, dtype);
}

/** The condition number of a matrix, [..., N, N] -> [...]. @param options.p - The norm, as in {@link matrixNorm}. Default 2, for [..., M, N] too. */
export function cond(input: Tensor, options: { p?: number | 'fro' | 'nuc' | undefined } = {}): Tensor {
  const { p } = checkOptions(options, P);
  if (p === undefined || typeof p === 'number') return native.cond(input, p);
  if (p !== 'fro' && p !== 'nuc') throw invalidArgument('p', "a number, 'fro' or 'nuc'", p);
  return native.condNamed(input, p);
}

/** The inner products of vectors along `dim`; the rest broadcasts. @param options.dim - Default -1. */
export function vecdot(input: Tensor, other: Tensor, options: { dim?: number | undefined } = {}): Tensor {
  const { dim = -1 } = checkOptions(options, DIM);
  return native.vecdot(input, other, dim);
}

/**
 * x with A x = input for the A whose Cholesky factor is `factor`, [..., N, K] and [..., N, N].
 * @param options.upper - The factor is upper triangular. Default false.
 * @see https://pytorch.org/docs/stable/generated/torch.cholesky_solve.html
 */
export function choleskySolve(
  input: Tensor,
  factor: Tensor,
  options: { upper?: boolean | undefined } = {},
): Tensor {
  const { upper = false } = checkOptions(options, UPPER);
  return native.choleskySolve(input, factor, upper);
}

/** The inverse of the matrix whose Cholesky factor is `input`, [..., N, N]. @param options.upper - The factor is upper triangular. Default false. */
export function choleskyInverse(input: Tensor, options: { upper?: boolean | undefined } = {}): Tensor {
  const { upper = false } = checkOptions(options, UPPER);
  return native.choleskyInverse(input, upper);
}

/** The logarithm of the determinant, [..., N, N] -> [...]; NaN where that is negative. */
export function logdet(input: Tensor): Tensor {
  return native.logdet(input);
}

/** The powers 0 to n - 1 of the elements, [..., N] -> [..., N, n]. @param options.n - Default: N. @see https://pytorch.org/docs/stable/generated/torch.linalg.vander.html */
export function vander(input: Tensor, options: { n?: number | undefined } = {}): Tensor {
  return native.vander(input, checkOptions(options, OPTIONS_OF_N).n);
}
