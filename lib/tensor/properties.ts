/**
 * Properties of a tensor as methods, transposed views, and new tensors of the same dtype and device.
 * @see https://pytorch.org/docs/stable/tensors.html
 * @module
 */
import { checkOptions, optionKeys } from '../check/index.js';
import { invalidArgument, ShapeError } from '../errors.js';
import { checkTensor } from './check.js';
import { native, type Tensor } from './core.js';
import { type Device, type DType, isFloatingPoint, itemSize } from './dtype.js';

/** Options of {@link PropertyMethods.newZeros} and the like. */
export interface NewTensorOptions {
  /** Default: the tensor's dtype. */
  dtype?: DType | undefined;
  /** Default: the tensor's device. */
  device?: Device | undefined;
  /** Record operations on the new tensor for autograd. Default false. */
  requiresGrad?: boolean | undefined;
}

const NEW_KEYS = optionKeys('dtype', 'device', 'requiresGrad');

/** Sizes, dtypes, devices; transposed views; new tensors. */
export abstract class PropertyMethods {
  /** The sizes of all dimensions, as {@link Tensor.shape}. */
  size(this: Tensor): number[];
  /** The size of one dimension. @throws ShapeError for a dimension that does not exist. */
  size(this: Tensor, dim: number): number;
  size(this: Tensor, dim?: number): number | number[] {
    const shape = native.shape(this);
    return dim === undefined ? shape : shape[dimOf(dim, shape)]!;
  }
  /** The steps between neighbors in all dimensions, in elements, as {@link Tensor.strides}. */
  stride(this: Tensor): number[];
  /** The step between neighbors in one dimension, in elements. @throws ShapeError for a dimension that does not exist. */
  stride(this: Tensor, dim: number): number;
  stride(this: Tensor, dim?: number): number | number[] {
    const strides = native.strides(this);
    return dim === undefined ? strides : strides[dimOf(dim, native.shape(this))]!;
  }
  /** The number of dimensions, as {@link Tensor.ndim}. */
  dim(this: Tensor): number {
    return native.ndim(this);
  }
  /** {@link dim}. */
  ndimension(this: Tensor): number {
    return native.ndim(this);
  }
  /** The number of elements, as {@link Tensor.numel}. */
  nelement(this: Tensor): number {
    return native.numel(this);
  }
  /** Bytes of an element. */
  elementSize(this: Tensor): number {
    return itemSize(native.dtype(this));
  }
  /** Bytes of an element. */
  get itemsize(): number {
    return itemSize(native.dtype(this as unknown as Tensor));
  }
  /** Bytes of all elements. */
  get nbytes(): number {
    const tensor = this as unknown as Tensor;
    return native.numel(tensor) * itemSize(native.dtype(tensor));
  }
  /** Whether the dtype is one of float16, bfloat16, float32 and float64. */
  isFloatingPoint(this: Tensor): boolean {
    return isFloatingPoint(native.dtype(this));
  }
  /** Whether the dtype has negative numbers: all but uint8 and bool. */
  isSigned(this: Tensor): boolean {
    const dtype = native.dtype(this);
    return dtype !== 'uint8' && dtype !== 'bool';
  }
  /** Whether the only element is not 0. @throws ShapeError when there is not exactly one element. */
  isNonzero(this: Tensor): boolean {
    return Number(native.item(this)) !== 0;
  }
  /** Whether another tensor has the same sizes. */
  isSameSize(this: Tensor, other: Tensor): boolean {
    const [own, theirs] = [native.shape(this), native.shape(other)];
    return own.length === theirs.length && own.every((size, i) => size === theirs[i]);
  }
  /** Whether the tensor is on a GPU. */
  get isCuda(): boolean {
    return native.device(this as unknown as Tensor) !== 'cpu';
  }
  /** Whether the tensor is on the CPU. */
  get isCpu(): boolean {
    return native.device(this as unknown as Tensor) === 'cpu';
  }
  /** The number of the GPU; -1 on the CPU. */
  getDevice(this: Tensor): number {
    const [, index] = native.device(this).split(':');
    return index === undefined ? -1 : Number(index);
  }
  /** The tensor on a GPU. @param device - A GPU or its number. Default: the current GPU. @throws DeviceError when it is not available. */
  cuda(this: Tensor, device: Device | number = 'cuda'): Tensor {
    const name = typeof device === 'number' ? `cuda:${device}` : device;
    if (typeof name !== 'string' || !name.startsWith('cuda'))
      throw invalidArgument('device', "'cuda', 'cuda:N' or the number of a GPU", device);
    return native.to(this, name, undefined, false);
  }
  /** {@link Tensor.to} int8. */
  char(this: Tensor): Tensor {
    return native.to(this, undefined, 'int8', false);
  }
  /** {@link Tensor.to} uint8. */
  byte(this: Tensor): Tensor {
    return native.to(this, undefined, 'uint8', false);
  }
  /** The elements as nested arrays, as {@link Tensor.arraySync}; a number for a tensor without dimensions. */
  tolist(this: Tensor): ReturnType<Tensor['arraySync']> {
    return checkTensor('input', this).arraySync();
  }
  /** A matrix with rows and columns exchanged: a view. A vector or a single number is unchanged. @throws ShapeError beyond 2 dimensions: use {@link mT}. */
  get T(): Tensor {
    return transposed(this as unknown as Tensor);
  }
  /** The matrices of a batch with rows and columns exchanged, [..., N, M] -> [..., M, N]: a view. @throws ShapeError for fewer than 2 dimensions. */
  get mT(): Tensor {
    return transposedBatch(this as unknown as Tensor);
  }
  /** {@link T}: the elements are real. */
  get H(): Tensor {
    return transposed(this as unknown as Tensor);
  }
  /** {@link mT}: the elements are real. */
  get mH(): Tensor {
    return transposedBatch(this as unknown as Tensor);
  }
  /** {@link mT}: the elements are real. */
  adjoint(this: Tensor): Tensor {
    return transposedBatch(this);
  }
  /** Zeros of a shape, with the tensor's dtype and device. */
  newZeros(this: Tensor, shape: readonly number[], options: NewTensorOptions = {}): Tensor {
    return filled(this, shape, 0, options);
  }
  /** Ones of a shape, with the tensor's dtype and device. */
  newOnes(this: Tensor, shape: readonly number[], options: NewTensorOptions = {}): Tensor {
    return filled(this, shape, 1, options);
  }
  /** A tensor of a shape with one value, and the tensor's dtype and device. */
  newFull(
    this: Tensor,
    shape: readonly number[],
    value: number | bigint | boolean,
    options: NewTensorOptions = {},
  ): Tensor {
    return filled(this, shape, value, options);
  }
  /** A tensor of a shape without defined values, with the tensor's dtype and device. */
  newEmpty(this: Tensor, shape: readonly number[], options: NewTensorOptions = {}): Tensor {
    return made(this, options, (dtype, device) => native.empty(shape, dtype, device));
  }
}

function transposed(tensor: Tensor): Tensor {
  if (native.ndim(tensor) > 2)
    throw new ShapeError(
      `Expected at most 2 dimensions for T but received [${native.shape(tensor).join(', ')}]: use mT for a batch of matrices, or permute`,
    );
  return native.transpose(tensor, 0, -1);
}

function transposedBatch(tensor: Tensor): Tensor {
  if (native.ndim(tensor) < 2)
    throw new ShapeError(
      `Expected at least 2 dimensions for mT but received [${native.shape(tensor).join(', ')}]`,
    );
  return native.transpose(tensor, -2, -1);
}

function filled(
  tensor: Tensor,
  shape: readonly number[],
  value: number | bigint | boolean,
  options: NewTensorOptions,
): Tensor {
  return made(tensor, options, (dtype, device) => native.full(shape, value, dtype, device));
}

function made(
  like: Tensor,
  options: NewTensorOptions,
  make: (dtype: DType, device: Device) => Tensor,
): Tensor {
  const [dtype, device] = [native.dtype(like), native.device(like)];
  const { requiresGrad = false, ...given } = checkOptions(options, NEW_KEYS);
  const tensor = make(given.dtype ?? dtype, given.device ?? device);
  return requiresGrad ? tensor.requiresGrad_() : tensor;
}

/** A dimension, counted from the start. */
function dimOf(dim: number, shape: readonly number[]): number {
  if (!Number.isInteger(dim)) throw invalidArgument('dim', 'an integer', dim);
  const count = shape.length;
  if (dim < -count || dim >= count)
    throw new ShapeError(
      count === 0
        ? `Expected a tensor with dimensions for dim ${dim} but received one without`
        : `Expected an integer from ${-count} to ${count - 1} for dim but received ${dim} for shape [${shape.join(', ')}]`,
    );
  return dim < 0 ? dim + count : dim;
}
