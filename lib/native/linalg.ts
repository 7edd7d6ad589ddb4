/**
 * The table of cpp/bindings/linalg.cc.
 * @module
 */
import type { Dims, DType, Handle, Pair, Sizes, Triple, Unary } from './types.js';

type Norm<T, P> = (input: T, ord: P, dim: Dims, keepdim: boolean, dtype: DType | undefined) => T;

/** Decompositions, solvers and norms of matrices: torch.linalg. */
export interface LinalgTable<T extends Handle> {
  inv: Unary<T>;
  pinv(input: T, atol: number | undefined, rtol: number | undefined, hermitian: boolean): T;
  det: Unary<T>;
  slogdet(input: T): Pair<T>;
  logdet: Unary<T>;
  solve(input: T, other: T, left: boolean): T;
  solveTriangular(input: T, other: T, upper: boolean, left: boolean, unitriangular: boolean): T;
  lstsq(input: T, other: T): [T, T, T, T];
  cholesky(input: T, upper: boolean): T;
  choleskySolve(input: T, factor: T, upper: boolean): T;
  choleskyInverse(input: T, upper: boolean): T;
  qr(input: T, mode: string): Pair<T>;
  svd(input: T, fullMatrices: boolean): Triple<T>;
  svdvals: Unary<T>;
  eigh(input: T, half: string): Pair<T>;
  eigvalsh(input: T, half: string): T;
  matrixPower(input: T, n: number): T;
  matrixExp: Unary<T>;
  matrixRank(input: T, atol: number | undefined, rtol: number | undefined, hermitian: boolean): T;
  matrixNorm(input: T, p: number, dim: Sizes, keepdim: boolean, dtype: DType | undefined): T;
  matrixNormNamed(input: T, p: string, dim: Sizes, keepdim: boolean, dtype: DType | undefined): T;
  linalgNorm: Norm<T, number | undefined>;
  linalgNormNamed: Norm<T, string>;
  cond(input: T, p: number | undefined): T;
  condNamed(input: T, p: string): T;
  multiDot(tensors: readonly T[]): T;
  vecdot(input: T, other: T, dim: number): T;
  vander(input: T, n: number | undefined): T;
}
