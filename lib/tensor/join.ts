/**
 * Joining, splitting and broadcasting several tensors.
 * @see https://pytorch.org/docs/stable/torch.html#indexing-slicing-joining-mutating-ops
 * @module
 */
import { checkOptions, optionKeys } from '../check/index.js';
import { invalidArgument, ShapeError } from '../errors.js';
import { native, type Tensor } from './core.js';

const INDEXING = optionKeys('indexing');

const DIM = optionKeys('dim');
const R_WITH_REPLACEMENT = optionKeys('r', 'withReplacement');

/** Maximum number of tensors that one call returns; kMaxTensors of cpp/bindings/sizes.h. */
const MAX_TENSORS = 2 ** 20;

/** A number of equal views, or the positions before which to split. */
export type Sections = number | readonly number[];

/** A tensor as several. */
export abstract class JoinMethods {
  /** Splits into views of the given sizes along `dim`, or of one size (the last may be smaller). @param dim - Default 0. */
  split(this: Tensor, sizes: number | readonly number[], dim = 0): Tensor[] {
    return native.split(this, typeof sizes === 'number' ? equalSizes(this, sizes, dim) : sizes, dim);
  }
  /** At most `chunks` views of equal size along `dim`. @param dim - Default 0. */
  chunk(this: Tensor, chunks: number, dim = 0): Tensor[] {
    return native.chunk(this, chunks, dim);
  }
  /** Views of every position along `dim`. @param dim - Default 0. */
  unbind(this: Tensor, dim = 0): Tensor[] {
    return native.unbind(this, dim);
  }
  /**
   * Splits into views along `dim`: a number of equal parts (the first ones are longer by one if necessary), or before the
   * given positions. @param options.dim - Default 0.
   */
  tensorSplit(this: Tensor, sections: Sections, options: { dim?: number | undefined } = {}): Tensor[] {
    const { dim = 0 } = checkOptions(options, DIM);
    return typeof sections === 'number'
      ? native.tensorSplit(this, sections, dim)
      : native.tensorSplitAt(this, sections, dim);
  }
  /** Views along the second dimension, of a vector along its only one: see {@link tensorSplit}. */
  hsplit(this: Tensor, sections: Sections): Tensor[] {
    return typeof sections === 'number' ? native.hsplit(this, sections) : native.hsplitAt(this, sections);
  }
  /** Views along the first of at least two dimensions: see {@link tensorSplit}. */
  vsplit(this: Tensor, sections: Sections): Tensor[] {
    return typeof sections === 'number' ? native.vsplit(this, sections) : native.vsplitAt(this, sections);
  }
  /** Views along the third dimension: see {@link tensorSplit}. */
  dsplit(this: Tensor, sections: Sections): Tensor[] {
    return typeof sections === 'number' ? native.dsplit(this, sections) : native.dsplitAt(this, sections);
  }
  /** All sub-sequences of r elements of a vector, [N] -> [C, r]. @param options.r - Default 2. @param options.withReplacement - Allow repeated elements. Default false. */
  combinations(
    this: Tensor,
    options: { r?: number | undefined; withReplacement?: boolean | undefined } = {},
  ): Tensor {
    const { r = 2, withReplacement = false } = checkOptions(options, R_WITH_REPLACEMENT);
    return native.combinations(this, r, withReplacement);
  }
}

function equalSizes(tensor: Tensor, size: number, dim: number): number[] {
  if (!Number.isInteger(size) || size < 1) throw invalidArgument('sizes', 'an integer of at least 1', size);
  if (!Number.isInteger(dim)) throw invalidArgument('dim', 'an integer', dim);
  const whole = native.shape(tensor).at(dim) ?? 0;
  const count = Math.max(1, Math.ceil(whole / size));
  if (count > MAX_TENSORS)
    throw new ShapeError(
      `Expected at most ${MAX_TENSORS} tensors from split but received sizes that give ${count}`,
    );
  return Array.from({ length: count }, (_, i) => Math.min(size, whole - i * size));
}

/** Concatenates tensors along an existing dimension. @param options.dim - Default 0. */
export function cat(tensors: readonly Tensor[], options: { dim?: number | undefined } = {}): Tensor {
  const { dim = 0 } = checkOptions(options, DIM);
  return native.cat(tensors, dim);
}

/** Stacks tensors of one shape along a new dimension. @param options.dim - Default 0. */
export function stack(tensors: readonly Tensor[], options: { dim?: number | undefined } = {}): Tensor {
  const { dim = 0 } = checkOptions(options, DIM);
  return native.stack(tensors, dim);
}

/** Grids of coordinates: for vectors of N, M, … elements, tensors [N, M, …]. @param options.indexing - `'xy'` swaps the first two dimensions. Default `'ij'`. */
export function meshgrid(
  tensors: readonly Tensor[],
  options: { indexing?: 'ij' | 'xy' | undefined } = {},
): Tensor[] {
  const { indexing = 'ij' } = checkOptions(options, INDEXING);
  if (indexing !== 'ij' && indexing !== 'xy') throw invalidArgument('indexing', "'ij' or 'xy'", indexing);
  return native.meshgrid(tensors, indexing);
}

/** Concatenates tensors along the second dimension, or the only one of vectors. @see https://pytorch.org/docs/stable/generated/torch.hstack.html */
export function hstack(tensors: readonly Tensor[]): Tensor {
  return native.hstack(tensors);
}

/** Concatenates tensors along the first dimension; vectors are rows. @see https://pytorch.org/docs/stable/generated/torch.vstack.html */
export function vstack(tensors: readonly Tensor[]): Tensor {
  return native.vstack(tensors);
}

/** Concatenates tensors along the third dimension, which is added to matrices. @see https://pytorch.org/docs/stable/generated/torch.dstack.html */
export function dstack(tensors: readonly Tensor[]): Tensor {
  return native.dstack(tensors);
}

/** Concatenates tensors along the second dimension; vectors are columns. @see https://pytorch.org/docs/stable/generated/torch.column_stack.html */
export function columnStack(tensors: readonly Tensor[]): Tensor {
  return native.columnStack(tensors);
}

/** A block-diagonal matrix; vectors are rows. @see https://pytorch.org/docs/stable/generated/torch.block_diag.html */
export function blockDiag(...tensors: Tensor[]): Tensor {
  return native.blockDiag(tensors);
}

/** The tensors {@link Tensor.expand}ed to their common shape, without copies. */
export function broadcastTensors(...tensors: Tensor[]): Tensor[] {
  return native.broadcastTensors(tensors);
}

/** The shape that tensors of the given shapes broadcast to. @throws ShapeError when they do not. @example broadcastShapes([2, 1], [3]); // [2, 3] */
export function broadcastShapes(...shapes: readonly (readonly number[])[]): number[] {
  for (const shape of shapes) {
    if (!Array.isArray(shape) || shape.some((size) => !Number.isInteger(size) || size < 0))
      throw invalidArgument('shapes', 'arrays of sizes', shape);
  }
  const rank = Math.max(0, ...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, i) => {
    const sizes = shapes.map((shape) => shape.at(i - rank) ?? 1).filter((size) => size !== 1);
    if (sizes.some((size) => size !== sizes[0]))
      throw new ShapeError(
        `Expected shapes that broadcast but received ${shapes.map((shape) => `[${shape.join(', ')}]`).join(' and ')}`,
      );
    return sizes[0] ?? 1;
  });
}

/** All tuples of one element of each vector, [N], [M], … -> [N M …, vectors]. @see https://pytorch.org/docs/stable/generated/torch.cartesian_prod.html */
export function cartesianProd(...tensors: Tensor[]): Tensor {
  return native.cartesianProd(tensors);
}

/** The tensor with at least one dimension. */
export function atleast1d(input: Tensor): Tensor {
  return native.atleast1d(input);
}

/** The tensor with at least two dimensions; a vector is a row. */
export function atleast2d(input: Tensor): Tensor {
  return native.atleast2d(input);
}

/** The tensor with at least three dimensions: [N] -> [1, N, 1], [N, M] -> [N, M, 1]. */
export function atleast3d(input: Tensor): Tensor {
  return native.atleast3d(input);
}
