/**
 * Elements taken by position, index and mask.
 * @see https://pytorch.org/docs/stable/torch.html#indexing-slicing-joining-mutating-ops
 * @module
 */
import { checkOptions, optionKeys } from '../check/index.js';
import { native, type Tensor } from './core.js';
import type { Index } from './slice.js';

const DIM = optionKeys('dim');

/** Elements taken by position, index and mask. */
export abstract class IndexingMethods {
  /**
   * Python's `x[i, 1:, ..., None]` as `x.index(i, slice(1), '...', null)`.
   * @param indices - One {@link Index} per dimension; other dimensions are not indexed.
   * @returns A view, or a copy if an index is a Tensor.
   * @throws ShapeError for a position outside the dimension.
   */
  index(this: Tensor, ...indices: Index[]): Tensor {
    return native.index(this, indices);
  }
  /** The view of one position along `dim`, without this dimension. */
  select(this: Tensor, dim: number, index: number): Tensor {
    return native.select(this, dim, index);
  }
  /** The positions `index` (int64 [N]) along `dim`. */
  indexSelect(this: Tensor, dim: number, index: Tensor): Tensor {
    return native.indexSelect(this, dim, index);
  }
  /** The elements at positions (int64) of the flattened tensor, in the shape of `index`. */
  take(this: Tensor, index: Tensor): Tensor {
    return native.take(this, index);
  }
  /** {@link gather} whose index broadcasts, such as that of `argsort`. @param options.dim - Default: of the flattened tensor. */
  takeAlongDim(this: Tensor, index: Tensor, options: { dim?: number | undefined } = {}): Tensor {
    const { dim } = checkOptions(options, DIM);
    return native.takeAlongDim(this, index, dim);
  }
  /** Elements picked along `dim` by `index`, int64 of this tensor's number of dimensions. */
  gather(this: Tensor, dim: number, index: Tensor): Tensor {
    return native.gather(this, dim, index);
  }
  /** The elements where the bool tensor `mask` is true, [N]. */
  maskedSelect(this: Tensor, mask: Tensor): Tensor {
    return native.maskedSelect(this, mask);
  }
  /** The positions of non-zero elements, int64 [N, ndim]. */
  nonzero(this: Tensor): Tensor {
    return native.nonzero(this);
  }
  /** The positions of non-zero elements, int64 [N, ndim]; like `nonzero`. */
  argwhere(this: Tensor): Tensor {
    return native.argwhere(this);
  }
}
