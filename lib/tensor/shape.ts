/**
 * Views and copies of a tensor in another shape or order.
 * @see https://pytorch.org/docs/stable/tensor_view.html
 * @module
 */
import { checkOptions, optionKeys } from '../check/index.js';
import { invalidArgument, ShapeError } from '../errors.js';
import { checkShape } from './check.js';
import { native, type Tensor } from './core.js';

const STORAGE_OFFSET = optionKeys('storageOffset');
const DIM = optionKeys('dim');
const K_DIMS = optionKeys('k', 'dims');

/** Sizes or numbers of dimensions as one list or as several arguments: `view([2, -1])` or `view(2, -1)`. */
export type NumberList = [list: readonly number[]] | number[];

/** The list of a {@link NumberList}; anything else unchanged, for the check of the add-on. */
const listFrom = (args: NumberList): readonly number[] =>
  args.length === 0 || typeof args[0] === 'object' ? (args[0] as readonly number[]) : (args as number[]);

const listOf = (value: number | readonly number[]): readonly number[] =>
  typeof value === 'number' ? [value] : value;

/** Shapes, views, the order of dimensions and elements. */
export abstract class ShapeMethods {
  /** The same elements with another shape, `reshape([2, -1])` or `reshape(2, -1)`; one size may be -1 (inferred). A view if strides allow it. */
  reshape(this: Tensor, ...shape: NumberList): Tensor {
    return native.reshape(this, listFrom(shape));
  }
  /** {@link reshape} to the shape of another tensor. */
  reshapeAs(this: Tensor, other: Tensor): Tensor {
    return native.reshape(this, checkShape('other', other));
  }
  /** Like {@link reshape}, but never copies. @throws ShapeError when the strides do not allow it. */
  view(this: Tensor, ...shape: NumberList): Tensor {
    return native.view(this, listFrom(shape));
  }
  /** {@link view} in the shape of another tensor. */
  viewAs(this: Tensor, other: Tensor): Tensor {
    return native.view(this, checkShape('other', other));
  }
  /**
   * The view of this tensor's storage with the given sizes and strides, in elements.
   * @param options.storageOffset - First element of the storage. Default: that of this tensor.
   * @throws ShapeError for an element outside of the storage.
   * @see https://pytorch.org/docs/stable/generated/torch.as_strided.html
   */
  asStrided(
    this: Tensor,
    shape: readonly number[],
    strides: readonly number[],
    options: { storageOffset?: number | undefined } = {},
  ): Tensor {
    const { storageOffset } = checkOptions(options, STORAGE_OFFSET);
    return native.asStrided(this, shape, strides, storageOffset);
  }
  /** Reorders the dimensions: `permute([1, 0])` or `permute(1, 0)`. */
  permute(this: Tensor, ...dims: NumberList): Tensor {
    return native.permute(this, listFrom(dims));
  }
  /** Swaps two dimensions. */
  transpose(this: Tensor, dim0: number, dim1: number): Tensor {
    return native.transpose(this, dim0, dim1);
  }
  /** {@link transpose}. */
  swapaxes(this: Tensor, axis0: number, axis1: number): Tensor {
    return native.transpose(this, axis0, axis1);
  }
  /** {@link transpose}. */
  swapdims(this: Tensor, dim0: number, dim1: number): Tensor {
    return native.transpose(this, dim0, dim1);
  }
  /** Transposes a matrix; a vector or a single number is unchanged. @throws ShapeError beyond 2 dimensions: use `transpose(dim0, dim1)`. */
  t(this: Tensor): Tensor {
    const dimensions = native.ndim(this);
    if (dimensions > 2)
      throw new ShapeError(
        `Expected at most 2 dimensions for t() but received [${native.shape(this).join(', ')}]: use transpose(dim0, dim1)`,
      );
    return native.transpose(this, 0, -1);
  }
  /** Moves dimensions to other positions. */
  movedim(this: Tensor, source: number | readonly number[], destination: number | readonly number[]): Tensor {
    return native.movedim(this, listOf(source), listOf(destination));
  }
  /** {@link movedim}. */
  moveaxis(
    this: Tensor,
    source: number | readonly number[],
    destination: number | readonly number[],
  ): Tensor {
    return ShapeMethods.prototype.movedim.call(this, source, destination);
  }
  /** Flattens dimensions startDim to endDim. @param startDim - Default 0. @param endDim - Default -1. */
  flatten(this: Tensor, startDim = 0, endDim = -1): Tensor {
    return native.flatten(this, startDim, endDim);
  }
  /** Flattens to one dimension: a view if strides allow it. */
  ravel(this: Tensor): Tensor {
    return native.reshape(this, [-1]);
  }
  /** Splits one dimension into several; one size may be -1. */
  unflatten(this: Tensor, dim: number, sizes: readonly number[]): Tensor {
    return native.unflatten(this, dim, sizes);
  }
  /** Removes dimensions of size 1: all, or those of `dim`. */
  squeeze(this: Tensor, dim?: number | readonly number[]): Tensor {
    return dim === undefined || typeof dim === 'number'
      ? native.squeeze(this, dim)
      : native.squeezeDims(this, dim);
  }
  /** Adds a dimension of size 1 before `dim`. */
  unsqueeze(this: Tensor, dim: number): Tensor {
    return native.unsqueeze(this, dim);
  }
  /** Repeats dimensions of size 1 to `shape`, without a copy; -1 keeps a size. */
  expand(this: Tensor, ...shape: NumberList): Tensor {
    return native.expand(this, listFrom(shape));
  }
  /** {@link expand} to the shape of another tensor. */
  expandAs(this: Tensor, other: Tensor): Tensor {
    return native.expand(this, checkShape('other', other));
  }
  /** {@link expand}: dimensions of size 1 repeated to `shape`, without a copy. */
  broadcastTo(this: Tensor, ...shape: NumberList): Tensor {
    return native.expand(this, listFrom(shape));
  }
  /** Repeats the tensor `repeats` times in each dimension. */
  repeat(this: Tensor, ...repeats: NumberList): Tensor {
    return native.repeat(this, listFrom(repeats));
  }
  /** Repeats the tensor `repeats` times per dimension; missing leading dimensions count as 1. */
  tile(this: Tensor, ...repeats: NumberList): Tensor {
    return native.tile(this, listFrom(repeats));
  }
  /** Every element `repeats` times in a row. @param repeats - One number, or int64 [N]. @param options.dim - Default: of the flattened tensor. */
  repeatInterleave(
    this: Tensor,
    repeats: number | Tensor,
    options: { dim?: number | undefined } = {},
  ): Tensor {
    const { dim } = checkOptions(options, DIM);
    if (typeof repeats !== 'number') return native.repeatInterleave(this, repeats, dim);
    if (!Number.isSafeInteger(repeats) || repeats < 0)
      throw invalidArgument('repeats', 'an integer of at least 0 or an int64 Tensor', repeats);
    using count = native.full([1], repeats, 'int64', this.device);
    return native.repeatInterleave(this, count, dim);
  }
  /** Reverses the elements along `dims`. */
  flip(this: Tensor, dims: number | readonly number[], ...more: number[]): Tensor {
    return native.flip(this, typeof dims === 'number' ? [dims, ...more] : dims);
  }
  /** Reverses the columns: {@link flip} of the second dimension. @throws ShapeError for fewer than two. */
  fliplr(this: Tensor): Tensor {
    checkDims(this, 2, 'fliplr');
    return native.flip(this, [1]);
  }
  /** Reverses the rows: {@link flip} of the first dimension. @throws ShapeError for a tensor without dimensions. */
  flipud(this: Tensor): Tensor {
    checkDims(this, 1, 'flipud');
    return native.flip(this, [0]);
  }
  /** Shifts the elements along `dims`; elements that leave at one end enter at the other. @param dims - Default: the flattened tensor. */
  roll(this: Tensor, shifts: number | readonly number[], dims: number | readonly number[] = []): Tensor {
    return native.roll(this, listOf(shifts), listOf(dims));
  }
  /** Rotates by k * 90 degrees in the plane of two dimensions. @param options.k - Default 1. @param options.dims - Default [0, 1]. */
  rot90(
    this: Tensor,
    options: { k?: number | undefined; dims?: readonly [number, number] | undefined } = {},
  ): Tensor {
    const { k = 1, dims = [0, 1] } = checkOptions(options, K_DIMS);
    return native.rot90(this, k, dims);
  }
  /** The view of `length` positions from `start` along `dim`. */
  narrow(this: Tensor, dim: number, start: number, length: number): Tensor {
    return native.narrow(this, dim, start, length);
  }
  /** The view of all windows of `size` along `dim`, `step` apart, as a new last dimension. */
  unfold(this: Tensor, dim: number, size: number, step: number): Tensor {
    return native.unfold(this, dim, size, step);
  }
}

function checkDims(tensor: Tensor, least: number, name: string): void {
  if (tensor.ndim < least)
    throw new ShapeError(
      `Expected at least ${least} dimension${least === 1 ? '' : 's'} for input of ${name} but received shape [${tensor.shape.join(', ')}]`,
    );
}
