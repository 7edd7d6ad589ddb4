/**
 * Views and copies of a tensor in another shape or order.
 * @see https://pytorch.org/docs/stable/tensor_view.html
 * @module
 */
import { checkOptions, optionKeys } from '../check/index.js';
import { invalidArgument, ShapeError } from '../errors.js';
import { checkShape, checkTensor } from './check.js';
import { native, type Tensor } from './core.js';

const STORAGE_OFFSET = optionKeys('storageOffset');
const DIM = optionKeys('dim');
const K_DIMS = optionKeys('k', 'dims');

const listOf = (value: number | readonly number[]): readonly number[] =>
  typeof value === 'number' ? [value] : value;

/** Shapes, views, the order of dimensions and elements. */
export abstract class ShapeMethods {
  /** The same elements in another shape; one size may be -1, to be inferred. A view where strides allow it. */
  reshape(this: Tensor, shape: readonly number[]): Tensor {
    return native.reshape(this, shape);
  }
  /** {@link reshape} to the shape of another tensor. */
  reshapeAs(this: Tensor, other: Tensor): Tensor {
    return native.reshape(this, checkShape('other', other));
  }
  /** {@link reshape} that never copies. @throws ShapeError when the strides do not allow it. */
  view(this: Tensor, shape: readonly number[]): Tensor {
    return native.view(this, shape);
  }
  /** {@link view} in the shape of another tensor. */
  viewAs(this: Tensor, other: Tensor): Tensor {
    return native.view(this, checkShape('other', other));
  }
  /**
   * The view of this tensor's storage with the given sizes and strides, in elements.
   * @param options.storageOffset - Element of the storage to start at. Default: where this tensor starts.
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
  /** The dimensions in another order. */
  permute(this: Tensor, dims: readonly number[]): Tensor {
    return native.permute(this, dims);
  }
  /** Two dimensions exchanged. */
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
  /** A matrix with rows and columns exchanged; a vector or a single number as it is. @throws ShapeError beyond 2 dimensions: use `transpose(dim0, dim1)`. */
  t(this: Tensor): Tensor {
    const dimensions = native.ndim(this);
    if (dimensions > 2)
      throw new ShapeError(
        `Expected at most 2 dimensions for t() but received [${native.shape(this).join(', ')}]: use transpose(dim0, dim1)`,
      );
    return native.transpose(this, 0, -1);
  }
  /** Dimensions moved to other places. */
  movedim(this: Tensor, source: number | readonly number[], destination: number | readonly number[]): Tensor {
    return native.movedim(this, listOf(source), listOf(destination));
  }
  /** {@link movedim}. */
  moveaxis(
    this: Tensor,
    source: number | readonly number[],
    destination: number | readonly number[],
  ): Tensor {
    return checkTensor('input', this).movedim(source, destination);
  }
  /** Dimensions startDim to endDim as one. @param startDim - Default 0. @param endDim - Default -1. */
  flatten(this: Tensor, startDim = 0, endDim = -1): Tensor {
    return native.flatten(this, startDim, endDim);
  }
  /** All elements as one dimension: a view where strides allow it. */
  ravel(this: Tensor): Tensor {
    return native.reshape(this, [-1]);
  }
  /** One dimension as several; one size may be -1. */
  unflatten(this: Tensor, dim: number, sizes: readonly number[]): Tensor {
    return native.unflatten(this, dim, sizes);
  }
  /** Without the dimensions of size 1, or without those of `dim` that are. */
  squeeze(this: Tensor, dim?: number | readonly number[]): Tensor {
    return dim === undefined || typeof dim === 'number'
      ? native.squeeze(this, dim)
      : native.squeezeDims(this, dim);
  }
  /** With a new dimension of size 1 before `dim`. */
  unsqueeze(this: Tensor, dim: number): Tensor {
    return native.unsqueeze(this, dim);
  }
  /** Dimensions of size 1 repeated to `shape`, without a copy; -1 leaves a size. */
  expand(this: Tensor, shape: readonly number[]): Tensor {
    return native.expand(this, shape);
  }
  /** {@link expand} to the shape of another tensor. */
  expandAs(this: Tensor, other: Tensor): Tensor {
    return native.expand(this, checkShape('other', other));
  }
  /** {@link expand}: dimensions of size 1 repeated to `shape`, without a copy. */
  broadcastTo(this: Tensor, shape: readonly number[]): Tensor {
    return native.expand(this, shape);
  }
  /** The tensor laid out `repeats` times in each dimension. */
  repeat(this: Tensor, repeats: readonly number[]): Tensor {
    return native.repeat(this, repeats);
  }
  /** The tensor laid out `repeats` times; missing leading dimensions count as 1. */
  tile(this: Tensor, repeats: readonly number[]): Tensor {
    return native.tile(this, repeats);
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
  /** The order of the elements reversed along `dims`. */
  flip(this: Tensor, dims: number | readonly number[]): Tensor {
    return native.flip(this, listOf(dims));
  }
  /** The order of the columns reversed: {@link flip} of the second dimension. @throws ShapeError for fewer than two. */
  fliplr(this: Tensor): Tensor {
    checkDims(this, 2, 'fliplr');
    return native.flip(this, [1]);
  }
  /** The order of the rows reversed: {@link flip} of the first dimension. @throws ShapeError for a tensor without dimensions. */
  flipud(this: Tensor): Tensor {
    checkDims(this, 1, 'flipud');
    return native.flip(this, [0]);
  }
  /** The elements moved along `dims`, those pushed out coming in at the other end. @param dims - Default: of the flattened tensor. */
  roll(this: Tensor, shifts: number | readonly number[], dims: number | readonly number[] = []): Tensor {
    return native.roll(this, listOf(shifts), listOf(dims));
  }
  /** Turned by k quarter turns in the plane of two dimensions. @param options.k - Default 1. @param options.dims - Default [0, 1]. */
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
