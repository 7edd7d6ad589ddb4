/**
 * Products of vectors and matrices, diagonals, triangles. Decompositions and solvers are functions: `linalg`.
 * @see https://pytorch.org/docs/stable/torch.html#blas-and-lapack-operations
 * @module
 */
import { checkOptions, optionKeys } from '../check/index.js';
import { invalidArgument } from '../errors.js';
import { checkTensor } from './check.js';
import { native, type Tensor } from './core.js';

const DIM = optionKeys('dim');
const DIMS = optionKeys('dims');
const P = optionKeys('p');
const PRODUCT_KEYS = optionKeys('beta', 'alpha');
const DIAGONAL_KEYS = optionKeys('offset', 'dim1', 'dim2');

/** Options of `addmm` and `baddbmm`. */
export interface ProductOptions {
  /** Factor on this. Default 1. */
  beta?: number | undefined;
  /** Factor on the product. Default 1. */
  alpha?: number | undefined;
}

/** The diagonal of a batch of matrices. */
export interface DiagonalOptions {
  /** Above (positive) or below the main diagonal. Default 0. */
  offset?: number | undefined;
  /** Default 0. */
  dim1?: number | undefined;
  /** Default 1. */
  dim2?: number | undefined;
}

/** Products of vectors and matrices, diagonals, triangles. */
export abstract class MatrixMethods {
  /** Matrix product: vectors, matrices, or batches of them that broadcast. */
  matmul(this: Tensor, other: Tensor): Tensor {
    return native.matmul(this, other);
  }
  /** Batched matrix product, [B, N, M] x [B, M, P] -> [B, N, P]. */
  bmm(this: Tensor, other: Tensor): Tensor {
    return native.bmm(this, other);
  }
  /** Matrix product, [N, M] x [M, P] -> [N, P], without broadcasting. */
  mm(this: Tensor, other: Tensor): Tensor {
    return native.mm(this, other);
  }
  /** Matrix times vector, [N, M] x [M] -> [N]. */
  mv(this: Tensor, vector: Tensor): Tensor {
    return native.mv(this, vector);
  }
  /** Inner product of two vectors. */
  dot(this: Tensor, other: Tensor): Tensor {
    return native.dot(this, other);
  }
  /** Sums of products over the last dimension of both, [..., N] and [..., N]; a scalar multiplies. */
  inner(this: Tensor, other: Tensor): Tensor {
    return native.inner(this, other);
  }
  /** All products of the elements of two vectors, [N] x [M] -> [N, M]. */
  outer(this: Tensor, other: Tensor): Tensor {
    return native.outer(this, other);
  }
  /** Kronecker product. */
  kron(this: Tensor, other: Tensor): Tensor {
    return native.kron(this, other);
  }
  /** Cross product of vectors of 3 along `dim`. @param options.dim - Default -1. */
  cross(this: Tensor, other: Tensor, options: { dim?: number | undefined } = {}): Tensor {
    const { dim = -1 } = checkOptions(options, DIM);
    return native.cross(this, other, dim);
  }
  /** Sums of products over dimensions of both: the last `dims` of this with the first of `other`, or pairs. @param options.dims - Default 2. */
  tensordot(
    this: Tensor,
    other: Tensor,
    options: { dims?: number | readonly [readonly number[], readonly number[]] | undefined } = {},
  ): Tensor {
    const { dims = 2 } = checkOptions(options, DIMS);
    if (typeof dims !== 'number') return native.tensordot(this, other, dims[0], dims[1]);
    const most = Math.min(this.ndim, checkTensor('other', other).ndim);
    if (!Number.isInteger(dims) || dims < 0 || dims > most)
      throw invalidArgument('dims', `an integer from 0 to ${most} or two lists of dimensions`, dims);
    const own = Array.from({ length: dims }, (_, i) => i - dims);
    return native.tensordot(
      this,
      other,
      own,
      own.map((dim) => dim + dims),
    );
  }
  /** p-distances between all rows of two (batches of) matrices, [N, D] x [M, D] -> [N, M]. @param options.p - Default 2. */
  cdist(this: Tensor, other: Tensor, options: { p?: number | undefined } = {}): Tensor {
    const { p = 2 } = checkOptions(options, P);
    return native.cdist(this, other, p);
  }
  /** beta * this + alpha * mat1 mat2. */
  addmm(this: Tensor, mat1: Tensor, mat2: Tensor, options: ProductOptions = {}): Tensor {
    const { beta = 1, alpha = 1 } = checkOptions(options, PRODUCT_KEYS);
    return native.addmm(this, mat1, mat2, beta, alpha);
  }
  /** beta * this + alpha * batch1 batch2, for batches of matrices. */
  baddbmm(this: Tensor, batch1: Tensor, batch2: Tensor, options: ProductOptions = {}): Tensor {
    const { beta = 1, alpha = 1 } = checkOptions(options, PRODUCT_KEYS);
    return native.baddbmm(this, batch1, batch2, beta, alpha);
  }
  /** beta * this + alpha * mat vec, [N, M] and [M]. */
  addmv(this: Tensor, mat: Tensor, vec: Tensor, options: ProductOptions = {}): Tensor {
    const { beta = 1, alpha = 1 } = checkOptions(options, PRODUCT_KEYS);
    return native.addmv(this, mat, vec, beta, alpha);
  }
  /** beta * this + alpha * the sum over a batch of batch1 batch2. */
  addbmm(this: Tensor, batch1: Tensor, batch2: Tensor, options: ProductOptions = {}): Tensor {
    const { beta = 1, alpha = 1 } = checkOptions(options, PRODUCT_KEYS);
    return native.addbmm(this, batch1, batch2, beta, alpha);
  }
  /** beta * this + alpha * the outer product of two vectors. */
  addr(this: Tensor, vec1: Tensor, vec2: Tensor, options: ProductOptions = {}): Tensor {
    const { beta = 1, alpha = 1 } = checkOptions(options, PRODUCT_KEYS);
    return native.addr(this, vec1, vec2, beta, alpha);
  }
  /** The sum of a matrix's diagonal. */
  trace(this: Tensor): Tensor {
    return native.trace(this);
  }
  /** The inverse of a matrix, or of each of a batch. @throws NativeError for a singular one. */
  inverse(this: Tensor): Tensor {
    return native.inv(this);
  }
  /** The determinant. */
  det(this: Tensor): Tensor {
    return native.det(this);
  }
  /** The lower triangle of the last two dimensions, the rest 0. @param diagonal - Default 0. */
  tril(this: Tensor, diagonal = 0): Tensor {
    return native.tril(this, diagonal);
  }
  /** The upper triangle of the last two dimensions, the rest 0. @param diagonal - Default 0. */
  triu(this: Tensor, diagonal = 0): Tensor {
    return native.triu(this, diagonal);
  }
  /** A vector as a diagonal matrix, or a matrix's diagonal as a vector. @param diagonal - Which one. Default 0. */
  diag(this: Tensor, diagonal = 0): Tensor {
    return native.diag(this, diagonal);
  }
  /** The view of a diagonal of two dimensions, as the last dimension. */
  diagonal(this: Tensor, options: DiagonalOptions = {}): Tensor {
    const { offset = 0, dim1 = 0, dim2 = 1 } = checkOptions(options, DIAGONAL_KEYS);
    return native.diagonal(this, offset, dim1, dim2);
  }
  /** The last dimension as the diagonal of matrices. @param options.dim1 - Default -2. @param options.dim2 - Default -1. */
  diagEmbed(this: Tensor, options: DiagonalOptions = {}): Tensor {
    const { offset = 0, dim1 = -2, dim2 = -1 } = checkOptions(options, DIAGONAL_KEYS);
    return native.diagEmbed(this, offset, dim1, dim2);
  }
  /** The flattened tensor as the diagonal of a matrix. @param offset - Above (positive) or below the main diagonal. Default 0. */
  diagflat(this: Tensor, offset = 0): Tensor {
    return native.diagflat(this, offset);
  }
  /** In place: `value` on the main diagonal. */
  fillDiagonal_(this: Tensor, value: number): Tensor {
    native.fillDiagonalInPlace(this, value).dispose();
    return this;
  }
}

/** Sums of products by Einstein's convention. @example einsum('bi,oi->bo', x, weight) */
export function einsum(equation: string, ...operands: Tensor[]): Tensor {
  return native.einsum(equation, operands);
}
