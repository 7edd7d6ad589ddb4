/**
 * Tensors on a part of a storage with shape, strides and offset from a file, like PyTorch's `as_strided`.
 * @module
 */
import { native, type Tensor } from '../tensor/tensor.js';

/** Shape, and strides and offset in elements. */
export interface Layout {
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  readonly offset: number;
}

/**
 * A view of a one-dimensional tensor. The layout must be within it.
 * @see https://pytorch.org/docs/stable/generated/torch.as_strided.html
 */
export function viewStorage(storage: Tensor, { shape, strides, offset }: Layout): Tensor {
  const last = shape.reduce((sum, size, i) => sum + (size - 1) * strides[i]!, 0);
  const empty = shape.includes(0);
  using part = native.narrow(storage, 0, empty ? 0 : offset, empty ? 0 : last + 1);
  if (empty || isDense(shape, strides)) return native.view(part, shape);
  // Each dimension consists of windows over the range of the dimensions with smaller strides.
  const order = shape.map((_, dim) => dim).filter((dim) => shape[dim] !== 1 && strides[dim] !== 0);
  order.sort((a, b) => strides[b]! - strides[a]!);
  let view = native.view(part, [last + 1]);
  const replace = (next: Tensor) => {
    view.dispose();
    view = next;
  };
  let span = last + 1;
  for (const [level, dim] of order.entries()) {
    span -= (shape[dim]! - 1) * strides[dim]!;
    replace(native.unfold(view, level, span, strides[dim]!));
  }
  replace(native.squeeze(view, order.length));
  const sorted = [...order].sort((a, b) => a - b);
  replace(
    native.permute(
      view,
      sorted.map((dim) => order.indexOf(dim)),
    ),
  );
  for (const [dim, size] of shape.entries())
    if (size === 1 || strides[dim] === 0) replace(native.unsqueeze(view, dim));
  replace(native.expand(view, shape));
  return view;
}

/** Whether the elements are in row-major order without gaps. */
function isDense(shape: readonly number[], strides: readonly number[]): boolean {
  let expected = 1;
  for (let dim = shape.length - 1; dim >= 0; dim--) {
    if (shape[dim] !== 1 && strides[dim] !== expected) return false;
    expected *= shape[dim]!;
  }
  return true;
}
