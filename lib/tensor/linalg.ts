/**
 * Decompositions, solvers and norms of matrices, torch.linalg: `import { linalg } from 'dyconv'`. All take batches: the
 * last two dimensions are the matrix. float32 and float64.
 * @see https://pytorch.org/docs/stable/linalg.html
 * @module
 */
import { checkOptions, optionKeys } from '../check/index.js';
import { invalidArgument } from '../errors.js';
import { native } from '../native/index.js';
import type { Tensor } from './tensor.js';

const UPPER_UNITRIANGULAR = optionKeys('upper', 'unitriangular');
const UPPER = optionKeys('upper');
const MODE = optionKeys('mode');
const FULL_MATRICES = optionKeys('fullMatrices');
const MATRIX_NORM = optionKeys('p', 'dim', 'keepdim');

/** The inverse, [..., N, N]. @throws NativeError for a singular matrix. */
export function inv(input: Tensor): Tensor {
  return native.inv(input);
}

/** The Moore-Penrose inverse, [..., M, N] -> [..., N, M]. */
export function pinv(input: Tensor): Tensor {
  return native.pinv(input);
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

/** x with input x = other. @param other - [..., N] or [..., N, K]. @throws NativeError for a singular matrix. */
export function solve(input: Tensor, other: Tensor): Tensor {
  return native.solve(input, other);
}

/**
 * x with input x = other for a triangular `input`, of which the other half is not looked at.
 * @param options.upper - Which triangle. @param options.unitriangular - Take the diagonal as ones. Default false.
 */
export function solveTriangular(
  input: Tensor,
  other: Tensor,
  options: { upper: boolean; unitriangular?: boolean },
): Tensor {
  const { upper, unitriangular = false } = checkOptions(options, UPPER_UNITRIANGULAR);
  return native.solveTriangular(input, other, upper, unitriangular);
}

/** The x that brings input x closest to `other` in the 2-norm. */
export function lstsq(
  input: Tensor,
  other: Tensor,
): { solution: Tensor; residuals: Tensor; rank: Tensor; singularValues: Tensor } {
  const [solution, residuals, rank, singularValues] = native.lstsq(input, other);
  return { solution, residuals, rank, singularValues };
}

/** The lower triangular L with input = L Lᵀ. @param options.upper - The transpose of L instead. Default false. */
export function cholesky(input: Tensor, options: { upper?: boolean } = {}): Tensor {
  const { upper = false } = checkOptions(options, UPPER);
  return native.cholesky(input, upper);
}

/** Orthogonal Q and upper triangular R with input = Q R. @param options.mode - Default `'reduced'`: Q is [..., M, min(M, N)]. */
export function qr(input: Tensor, options: { mode?: 'reduced' | 'complete' } = {}): { Q: Tensor; R: Tensor } {
  const { mode = 'reduced' } = checkOptions(options, MODE);
  if (mode !== 'reduced' && mode !== 'complete')
    throw invalidArgument('mode', "'reduced' or 'complete'", mode);
  const [Q, R] = native.qr(input, mode);
  return { Q, R };
}

/** input = U diag(S) Vh, S falling. @param options.fullMatrices - U and Vh square. Default true. */
export function svd(
  input: Tensor,
  options: { fullMatrices?: boolean } = {},
): { U: Tensor; S: Tensor; Vh: Tensor } {
  const { fullMatrices = true } = checkOptions(options, FULL_MATRICES);
  const [U, S, Vh] = native.svd(input, fullMatrices);
  return { U, S, Vh };
}

/** The singular values, falling. */
export function svdvals(input: Tensor): Tensor {
  return native.svdvals(input);
}

/** Eigenvalues (rising) and eigenvectors (columns) of a symmetric matrix, of which the lower half is looked at. */
export function eigh(input: Tensor): { eigenvalues: Tensor; eigenvectors: Tensor } {
  const [eigenvalues, eigenvectors] = native.eigh(input);
  return { eigenvalues, eigenvectors };
}

/** The eigenvalues of a symmetric matrix, rising. */
export function eigvalsh(input: Tensor): Tensor {
  return native.eigvalsh(input);
}

/** The number of singular values that are not zero but for rounding, int64. */
export function matrixRank(input: Tensor): Tensor {
  return native.matrixRank(input);
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
  p?: number;
  /** Default: all elements. */
  dim?: number | readonly number[];
  /** Default false. */
  keepdim?: boolean;
}

const VECTOR_NORM_KEYS = optionKeys('p', 'dim', 'keepdim');

/** The p-norm of vectors. */
export function vectorNorm(input: Tensor, options: VectorNormOptions = {}): Tensor {
  const { p = 2, dim, keepdim = false } = checkOptions(options, VECTOR_NORM_KEYS);
  return native.norm(input, p, dim === undefined ? null : typeof dim === 'number' ? [dim] : dim, keepdim);
}

/**
 * A norm of matrices.
 * @param options.p - `'fro'` (root of the sum of squares), `'nuc'` (sum of singular values), 1, 2 or Infinity (largest
 * column sum, singular value, row sum), or their negatives (smallest). Default `'fro'`.
 * @param options.dim - Default [-2, -1].
 */
export function matrixNorm(
  input: Tensor,
  options: { p?: 'fro' | 'nuc' | number; dim?: readonly [number, number]; keepdim?: boolean } = {},
): Tensor {
  const { p = 'fro', dim = [-2, -1], keepdim = false } = checkOptions(options, MATRIX_NORM);
  if (typeof p === 'number') return native.matrixNorm(input, p, dim, keepdim);
  if (p !== 'fro' && p !== 'nuc') throw invalidArgument('p', "'fro', 'nuc' or a number", p);
  return native.matrixNormNamed(input, p, dim, keepdim);
}
