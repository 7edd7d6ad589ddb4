/**
 * The tensor: an n-dimensional array of libtorch, with autograd. The class stands on floors, a file each: `base`
 * (properties, data, gradient, lifetime), `math` and `pointwise`, `reduce` and `order`, `matrix`, `indexing`, `random`,
 * `interop` (equality, JSON, iteration), and here views and the softmax family.
 * @module
 */
import { checkOptions, optionKeys } from '../check/index.js';
import { ArgumentError, invalidArgument, ShapeError } from '../errors.js';
import { native, TensorObject } from '../native/index.js';
import type { DType } from './dtype.js';
import { claimHandle, type TensorHandle } from './handle.js';
import { TensorInterop } from './interop.js';

const DIM_DTYPE = optionKeys('dim', 'dtype');

/** Options of the softmax family. */
export interface SoftmaxOptions {
  /** Default -1. */
  dim?: number | undefined;
  /** The elements are converted to it first, and the result has it. Default: the tensor's own. */
  dtype?: DType | undefined;
}

/**
 * An n-dimensional array on a device, made by {@link tensor}, {@link zeros} and the other factories.
 *
 * A tensor's memory is freed by {@link dispose}, at the end of the `using` or {@link tidy} block it belongs to, or when
 * it is collected. Methods are PyTorch's in camelCase, with one options object for keyword arguments.
 * @see https://pytorch.org/docs/stable/tensors.html
 * @example
 * const x = tensor([[1, 2], [3, 4]], { requiresGrad: true });
 * x.square().sum().backward();
 * x.grad; // [[2, 4], [6, 8]]
 */
export class Tensor extends TensorInterop {
  /** @internal Instances are made by the add-on. */
  private constructor() {
    super();
    throw new ArgumentError(
      'Expected tensor(), zeros() or another factory to make a Tensor, not new Tensor()',
    );
  }

  /** The same elements in another shape; one size may be -1, to be inferred. A view where strides allow it. */
  reshape(shape: readonly number[]): Tensor {
    return native.reshape(this, shape);
  }
  /**
   * The tensor behind a handle that {@link share} made, on this thread or another of the process, on the same memory; a
   * leaf again where it was one. The caller owns it.
   * @throws DisposedError when the handle was claimed as often as it may be, was released, or is of another process.
   */
  static fromHandle(handle: TensorHandle): Tensor {
    return claimHandle(handle);
  }

  /** {@link reshape} that never copies. @throws ShapeError when the strides do not allow it. */
  view(shape: readonly number[]): Tensor {
    return native.view(this, shape);
  }
  /** The dimensions in another order. */
  permute(dims: readonly number[]): Tensor {
    return native.permute(this, dims);
  }
  /** Two dimensions exchanged. */
  transpose(dim0: number, dim1: number): Tensor {
    return native.transpose(this, dim0, dim1);
  }
  /** A matrix with rows and columns exchanged; a vector or a single number as it is. @throws ShapeError beyond 2 dimensions: use `transpose(dim0, dim1)`. */
  t(): Tensor {
    const dimensions = native.ndim(this);
    if (dimensions > 2)
      throw new ShapeError(
        `Expected at most 2 dimensions for t() but received [${native.shape(this).join(', ')}]: use transpose(dim0, dim1)`,
      );
    return native.transpose(this, 0, -1);
  }
  /** Dimensions startDim to endDim as one. @param startDim - Default 0. @param endDim - Default -1. */
  flatten(startDim = 0, endDim = -1): Tensor {
    return native.flatten(this, startDim, endDim);
  }
  /** Without the dimensions of size 1, or without those of `dim` that are. */
  squeeze(dim?: number | readonly number[]): Tensor {
    return dim === undefined || typeof dim === 'number'
      ? native.squeeze(this, dim)
      : native.squeezeDims(this, dim);
  }
  /** With a new dimension of size 1 before `dim`. */
  unsqueeze(dim: number): Tensor {
    return native.unsqueeze(this, dim);
  }
  /** Dimensions of size 1 repeated to `shape`, without a copy; -1 leaves a size. */
  expand(shape: readonly number[]): Tensor {
    return native.expand(this, shape);
  }
  /** The tensor laid out `repeats` times in each dimension. */
  repeat(repeats: readonly number[]): Tensor {
    return native.repeat(this, repeats);
  }
  /** The order of the elements reversed along `dims`. */
  flip(dims: number | readonly number[]): Tensor {
    return native.flip(this, listOf(dims));
  }
  /** The elements moved along `dims`, those pushed out coming in at the other end. @param dims - Default: of the flattened tensor. */
  roll(shifts: number | readonly number[], dims: number | readonly number[] = []): Tensor {
    return native.roll(this, listOf(shifts), listOf(dims));
  }
  /** The lower triangle of the last two dimensions, the rest 0. @param diagonal - Default 0. */
  tril(diagonal = 0): Tensor {
    return native.tril(this, diagonal);
  }
  /** The upper triangle of the last two dimensions, the rest 0. @param diagonal - Default 0. */
  triu(diagonal = 0): Tensor {
    return native.triu(this, diagonal);
  }
  /** Views of the given sizes along `dim`, or of one size each but for the last. @param dim - Default 0. */
  split(sizes: number | readonly number[], dim = 0): Tensor[] {
    return native.split(this, typeof sizes === 'number' ? equalSizes(this, sizes, dim) : sizes, dim);
  }
  /** At most `chunks` views of equal size along `dim`. @param dim - Default 0. */
  chunk(chunks: number, dim = 0): Tensor[] {
    return native.chunk(this, chunks, dim);
  }
  /** The view of `length` positions from `start` along `dim`. */
  narrow(dim: number, start: number, length: number): Tensor {
    return native.narrow(this, dim, start, length);
  }
  /** exp(this) / sum(exp(this)) along `dim`. @param options.dim - Default -1. @param options.dtype - Converted to it first. Default: its own. */
  softmax(options: SoftmaxOptions = {}): Tensor {
    const { dim = -1, dtype } = checkOptions(options, DIM_DTYPE);
    return native.softmax(this, dim, dtype);
  }
  /** log(softmax(this)), computed without overflow. @param options.dim - Default -1. */
  logSoftmax(options: SoftmaxOptions = {}): Tensor {
    const { dim = -1, dtype } = checkOptions(options, DIM_DTYPE);
    return native.logSoftmax(this, dim, dtype);
  }
}

/** As many tensors as one call returns; kMaxTensors of cpp/bindings/sizes.h. */
const MAX_TENSORS = 2 ** 20;

const listOf = (value: number | readonly number[]): readonly number[] =>
  typeof value === 'number' ? [value] : value;

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

// One prototype with every method: completion in the REPL looks at five prototypes, and there are more floors than that.
for (let floor = Object.getPrototypeOf(Tensor.prototype); floor !== Object.prototype; ) {
  const { constructor: _, ...members } = Object.getOwnPropertyDescriptors(floor);
  for (const key of Reflect.ownKeys(members))
    if (!Object.hasOwn(Tensor.prototype, key))
      Object.defineProperty(Tensor.prototype, key, members[key as string]!);
  floor = Object.getPrototypeOf(floor);
}

// The add-on makes objects of its own class, which is quick; standing on Tensor.prototype makes them Tensors in every
// way that matters: methods, instanceof, constructor.
Object.setPrototypeOf(TensorObject.prototype, Tensor.prototype);
delete (TensorObject.prototype as { constructor?: unknown }).constructor;

/** Whether a value is a Tensor of this package and thread. */
export function isTensor(value: unknown): value is Tensor {
  return native.isTensor(value);
}
