/**
 * The table of cpp/bindings/matrix.cc.
 * @module
 */
import type { Handle, Scalar, Sizes, Unary } from './types.js';

/** Products of vectors and matrices, diagonals, triangles. */
export interface MatrixTable<T extends Handle> {
  matmul(input: T, other: T): T;
  bmm(input: T, other: T): T;
  mm(input: T, other: T): T;
  mv(input: T, vector: T): T;
  dot(input: T, other: T): T;
  inner(input: T, other: T): T;
  outer(input: T, other: T): T;
  kron(input: T, other: T): T;
  cross(input: T, other: T, dim: number): T;
  tensordot(input: T, other: T, dims: Sizes, otherDims: Sizes): T;
  einsum(equation: string, operands: readonly T[]): T;
  cdist(input: T, other: T, p: number): T;
  addmm(input: T, mat1: T, mat2: T, beta: number, alpha: number): T;
  baddbmm(input: T, batch1: T, batch2: T, beta: number, alpha: number): T;
  addmv(input: T, mat: T, vec: T, beta: number, alpha: number): T;
  addbmm(input: T, batch1: T, batch2: T, beta: number, alpha: number): T;
  addr(input: T, vec1: T, vec2: T, beta: number, alpha: number): T;
  trace: Unary<T>;
  tril(input: T, diagonal: number): T;
  triu(input: T, diagonal: number): T;
  diag(input: T, diagonal: number): T;
  diagonal(input: T, offset: number, dim1: number, dim2: number): T;
  diagEmbed(input: T, offset: number, dim1: number, dim2: number): T;
  diagflat(input: T, offset: number): T;
  fillDiagonalInPlace(input: T, value: Scalar): T;
}
