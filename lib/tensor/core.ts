/**
 * The core of {@link Tensor}: properties, data, conversion, gradients, disposal. tensor.ts adds the other methods, which are
 * in one file for each family. Outside this folder, import tensor.ts.
 * @module
 */
import { checkOptions, optionKeys } from '../check/index.js';
import { ArgumentError, DeviceError, DTypeError, invalidArgument, ShapeError } from '../errors.js';
import { tablesFor } from '../native/index.js';
import type { HANDLE, Handle, Operand as OperandOf } from '../native/types.js';
import {
  checkDType,
  type Device,
  type DType,
  newArray,
  type TypedArray,
  type TypedArrayOf,
} from './dtype.js';
import { checkHandle, makeHandle, type TensorHandle } from './handle.js';
import { checkNesting, type NestedArray, nest, readableDType } from './nested.js';

/** A tensor, or a number that takes part in an operation without widening the tensor's dtype. */
export type Operand = OperandOf<Tensor>;

const DTYPE = optionKeys('dtype');
const COPY_DTYPE = optionKeys('copy', 'dtype');
const CLAIMS = optionKeys('claims');
const MEMORY_FORMAT = optionKeys('memoryFormat');
const BACKWARD_KEYS = optionKeys('retainGraph', 'createGraph');

/** Options of {@link Tensor.to}. */
export interface ToOptions {
  /** Default: the tensor's device. */
  device?: Device | undefined;
  /** Default: the tensor's dtype. */
  dtype?: DType | undefined;
  /**
   * Do not wait for a copy from page-locked memory ({@link Tensor.pinMemory}) to a GPU, or back: the source must then not
   * be changed until the copy is complete. Default false.
   */
  nonBlocking?: boolean | undefined;
}

/** @internal */
export const TO_KEYS = optionKeys('device', 'dtype', 'nonBlocking');

/** Options of {@link Tensor.backward}. */
export interface BackwardOptions {
  /** Keep the graph for another backward pass. Default: `createGraph`. */
  retainGraph?: boolean | undefined;
  /** Record the backward pass, for higher derivatives. Default false. */
  createGraph?: boolean | undefined;
}

/**
 * An n-dimensional array on a device, made by `tensor()`, `zeros()` and the other factories.
 *
 * A tensor's memory is freed by {@link dispose}, at the end of the `using` or `tidy` block it belongs to, or when it is
 * collected. Methods are PyTorch's in camelCase, with one options object for keyword arguments.
 * @see https://pytorch.org/docs/stable/tensors.html
 * @example
 * const x = tensor([[1, 2], [3, 4]], { requiresGrad: true });
 * x.square().sum().backward();
 * x.grad; // [[2, 4], [6, 8]]
 */
export class Tensor implements Handle {
  /** @internal */
  declare readonly [HANDLE]: true;

  /** @internal The add-on creates instances. */
  private constructor() {
    throw new ArgumentError(
      'Expected tensor(), zeros() or another factory to make a Tensor, not new Tensor()',
    );
  }
  /** Sizes of the dimensions. */
  get shape(): number[] {
    return native.shape(this);
  }
  /** Steps between neighbors in each dimension, in elements. */
  get strides(): number[] {
    return native.strides(this);
  }
  /** Number of elements. */
  get numel(): number {
    return native.numel(this);
  }
  /** Number of dimensions. */
  get ndim(): number {
    return native.ndim(this);
  }
  /** Type of the elements. */
  get dtype(): DType {
    return native.dtype(this);
  }
  /** `'cpu'` or `'cuda:N'`. */
  get device(): Device {
    return native.device(this);
  }
  /** Whether the elements are in row-major order without gaps. */
  isContiguous(): boolean {
    return native.isContiguous(this);
  }
  /** Whether the tensor is in page-locked memory. */
  isPinned(): boolean {
    return native.isPinned(this);
  }
  /** Whether {@link dispose} has been called. */
  get isDisposed(): boolean {
    return native.isDisposed(this);
  }
  /** Whether operations on the tensor are recorded. Settable on leaves of a floating-point dtype. */
  get requiresGrad(): boolean {
    return native.requiresGrad(this);
  }
  set requiresGrad(value: boolean) {
    setRequiresGrad(this, value);
  }
  /** Whether the tensor is not the result of a recorded operation; only leaves accumulate {@link grad}. */
  get isLeaf(): boolean {
    return native.isLeaf(this);
  }
  /** The accumulated gradient, of the tensor's own shape; `null` before the first backward pass. */
  get grad(): Tensor | null {
    return native.grad(this);
  }
  set grad(value: Tensor | null) {
    if (value !== null) checkGrad(this, value);
    native.setGrad(this, value);
  }
  /** Whether {@link retainGrad} was called on this result. */
  get retainsGrad(): boolean {
    return native.retainsGrad(this);
  }
  /** The backward operation that made this result, such as `'MulBackward0'`; null for leaves. */
  get gradFn(): string | null {
    return native.gradFunction(this) || null;
  }
  /**
   * The only element: 0 or 1 for bool; a bigint for an int64 beyond 2^53, where a number would lose digits. `Number(x.item())`
   * is a number in any case.
   * @throws ShapeError when there is not exactly one element.
   * @see https://pytorch.org/docs/stable/generated/torch.Tensor.item.html
   */
  item(): number | bigint {
    const value = native.item(this);
    return typeof value === 'boolean' ? Number(value) : value;
  }
  /**
   * The elements in row-major order, for any strides and device, copied on a background thread.
   * @param options.dtype - The elements are converted to it first, and the array is of its type. Default: the tensor's own.
   * @returns The typed array of the dtype; raw bits in a Uint16Array for float16 and bfloat16, 0 and 1 for bool.
   * @throws DTypeError for an unknown dtype.
   * @example const values = await x.data({ dtype: 'float32' }); // Float32Array
   */
  data<D extends DType>(options: { dtype: D }): Promise<TypedArrayOf<D>>;
  data(options?: { dtype?: DType | undefined }): Promise<TypedArray>;
  data(options: { dtype?: DType | undefined } = {}): Promise<TypedArray> {
    const { dtype } = checkOptions(options, DTYPE);
    return dtype === undefined ? readLater(this) : readAs(this, dtype, readLater);
  }
  /**
   * {@link data}, synchronously.
   * @param options.dtype - As in {@link data}.
   * @param options.copy - Default true. With false the array uses the tensor's memory if possible (a
   * contiguous tensor of that dtype on the CPU, and a runtime that allows external memory, such as Node.js but not Electron):
   * writing to one changes the other, without notice to autograd. The memory is kept as long as either of them; it is freed
   * in a later iteration of the event loop than the one in which the array was collected.
   */
  dataSync<D extends DType>(options: { dtype: D; copy?: boolean | undefined }): TypedArrayOf<D>;
  dataSync(options?: { dtype?: DType | undefined; copy?: boolean | undefined }): TypedArray;
  dataSync(options: { dtype?: DType | undefined; copy?: boolean | undefined } = {}): TypedArray {
    const { copy = true, dtype } = checkOptions(options, COPY_DTYPE);
    if (typeof copy !== 'boolean') throw invalidArgument('copy', 'a boolean', copy);
    const readNow = copy ? readCopy : native.onTypedArray;
    return dtype === undefined ? readNow(this) : readAs(this, dtype, readNow);
  }
  /** The elements as nested arrays: booleans for bool, numbers otherwise, bigints for integers above 2^53. */
  async array(): Promise<NestedArray> {
    const [shape, dtype] = [native.shape(this), native.dtype(this)];
    checkNesting(shape);
    return nest(await readAs(this, readableDType(dtype), readLater), shape, dtype);
  }
  /** {@link array}, synchronously. */
  arraySync(): NestedArray {
    const [shape, dtype] = [native.shape(this), native.dtype(this)];
    checkNesting(shape);
    return nest(readAs(this, readableDType(dtype), readCopy), shape, dtype);
  }
  /**
   * A handle that gives another thread of this process access to the tensor, without a copy: post it in a message, and call
   * {@link Tensor.fromHandle} there. Both threads then use the same memory without synchronization. A tensor created by
   * `fromTypedArray()` is copied once, because its buffer ends with its thread.
   * @param options.claims - Number of threads that may claim the handle. Default 1.
   * @throws ArgumentError for a recorded result that requires a gradient: a graph stays on its thread; use `detach()`.
   * @example worker.postMessage({ weights: layer.weight.share() });
   */
  share(options: { claims?: number | undefined } = {}): TensorHandle {
    const { claims = 1 } = checkOptions(options, CLAIMS);
    if (!Number.isSafeInteger(claims) || claims < 1)
      throw invalidArgument('claims', 'an integer of at least 1', claims);
    return makeHandle(native.share(this, claims));
  }
  /**
   * The tensor of a handle of {@link share} from this or another thread of the process, with the same memory; a
   * leaf remains a leaf. The caller must dispose it.
   * @throws DisposedError when the handle has no claims left, was released, or is of another process.
   */
  static fromHandle(handle: TensorHandle): Tensor {
    return native.claimShared(checkHandle(handle));
  }
  /**
   * The tensor on another device or with another dtype; itself (a new handle) when nothing changes.
   * @throws DeviceError when the device is not available. @throws DTypeError for an unknown dtype.
   * @see https://pytorch.org/docs/stable/generated/torch.Tensor.to.html
   */
  to(options: ToOptions): Tensor {
    if (typeof options !== 'object' || options === null)
      throw invalidArgument('options', 'an object such as { device, dtype }', options);
    const { device, dtype, nonBlocking = false } = checkOptions(options, TO_KEYS);
    return native.to(this, device, dtype, nonBlocking);
  }
  /** {@link to} the dtype of another tensor. */
  typeAs(other: Tensor): Tensor {
    return native.to(this, undefined, native.dtype(other), false);
  }
  /** {@link to} the CPU. */
  cpu(): Tensor {
    return native.to(this, 'cpu', undefined, false);
  }
  /** {@link to} float32. */
  float(): Tensor {
    return native.to(this, undefined, 'float32', false);
  }
  /** {@link to} float64. */
  double(): Tensor {
    return native.to(this, undefined, 'float64', false);
  }
  /** {@link to} float16. */
  half(): Tensor {
    return native.to(this, undefined, 'float16', false);
  }
  /** {@link to} bfloat16. */
  bfloat16(): Tensor {
    return native.to(this, undefined, 'bfloat16', false);
  }
  /** {@link to} int64. */
  long(): Tensor {
    return native.to(this, undefined, 'int64', false);
  }
  /** {@link to} int32. */
  int(): Tensor {
    return native.to(this, undefined, 'int32', false);
  }
  /** {@link to} int16. */
  short(): Tensor {
    return native.to(this, undefined, 'int16', false);
  }
  /** {@link to} bool: whether the element is not 0. */
  bool(): Tensor {
    return native.to(this, undefined, 'bool', false);
  }
  /**
   * A copy in page-locked memory, for asynchronous copies to a GPU; the tensor itself if it is page-locked already.
   * @throws DeviceError without a CUDA device.
   * @see https://pytorch.org/docs/stable/generated/torch.Tensor.pin_memory.html
   */
  pinMemory(): Tensor {
    if (!native.cudaBuilt() || native.cudaDeviceCount() === 0) {
      throw new DeviceError('Expected a CUDA device for pinMemory() but none was found');
    }
    return native.pinMemory(this);
  }
  /** A copy, recorded for autograd. */
  clone(): Tensor {
    return native.clone(this);
  }
  /** A tensor with the same storage, outside of the graph. */
  detach(): Tensor {
    return native.detach(this);
  }
  /** The tensor in row-major order: a copy if necessary. */
  contiguous(options: { memoryFormat?: 'contiguous' | 'channelsLast' | undefined } = {}): Tensor {
    const { memoryFormat = 'contiguous' } = checkOptions(options, MEMORY_FORMAT);
    if (memoryFormat === 'channelsLast') return native.channelsLast(this);
    if (memoryFormat === 'contiguous') return native.contiguous(this);
    throw invalidArgument('memoryFormat', "'contiguous' or 'channelsLast'", memoryFormat);
  }
  /** In place: the elements of `source`, broadcast and converted. */
  copy_(source: Tensor): Tensor {
    native.copy(this, source).dispose();
    return this;
  }
  /** In place: every element becomes `value`. */
  fill_(value: number | bigint | boolean): Tensor {
    native.fill(this, value).dispose();
    return this;
  }
  /** In place: every element becomes 0. */
  zero_(): Tensor {
    native.fill(this, 0).dispose();
    return this;
  }
  /** Sets {@link requiresGrad} and returns the tensor. */
  requiresGrad_(value = true): Tensor {
    setRequiresGrad(this, value);
    return this;
  }
  /**
   * Computes the gradients of the tensor with respect to its leaves and adds them to their `grad`.
   * @param gradient - dL/dthis, of the tensor's shape. Default for a tensor of one element: 1.
   * @throws NativeError when nothing was recorded, or the graph was freed by an earlier pass.
   * @see https://pytorch.org/docs/stable/generated/torch.Tensor.backward.html
   */
  backward(gradient?: Tensor, options: BackwardOptions = {}): void {
    const { createGraph = false, retainGraph = createGraph } = checkOptions(options, BACKWARD_KEYS);
    native.backward(this, gradient, retainGraph, createGraph);
  }
  /** Makes a result keep its gradient in {@link grad}, like a leaf. No effect on leaves. */
  retainGrad(): void {
    native.retainGrad(this);
  }
  /** Frees the tensor before it is garbage-collected. Views keep their data. May be called repeatedly. */
  dispose(): void {
    native.dispose(this);
  }
  /** {@link dispose}, for `using x = ...`. */
  [Symbol.dispose](): void {
    native.dispose(this);
  }
}

/** The functions of the add-on. The objects that it creates are Tensors. */
export const native = tablesFor(Tensor.prototype);

/** Whether a value is a Tensor of this package and thread. */
export function isTensor(value: unknown): value is Tensor {
  return native.isTensor(value);
}

function setRequiresGrad(tensor: Tensor, value: boolean): void {
  if (!value && tensor.requiresGrad && !tensor.isLeaf) {
    throw new ArgumentError('Expected a leaf for requiresGrad = false but received a result: use detach()');
  }
  native.setRequiresGrad(tensor, value);
}

function checkGrad(tensor: Tensor, grad: Tensor): void {
  if (!native.isTensor(grad)) throw invalidArgument('grad', 'a Tensor or null', grad);
  const [expected, received] = [native.shape(tensor), native.shape(grad)];
  if (String(expected) !== String(received)) {
    throw new ShapeError(
      `Expected shape [${expected.join(', ')}] for grad but received [${received.join(', ')}]`,
    );
  }
  if (grad.dtype !== tensor.dtype)
    throw new DTypeError(`Expected dtype ${tensor.dtype} for grad but received ${grad.dtype}`);
}

/** A typed array for the elements of a tensor. */
function arrayFor(tensor: Tensor): TypedArray {
  const [dtype, count] = native.elements(tensor);
  return newArray(dtype, count);
}

function readLater(tensor: Tensor): Promise<TypedArray> {
  return native.readIntoAsync(tensor, arrayFor(tensor));
}

/** A new handle to the elements with another dtype, outside the graph. */
function convertedTo(tensor: Tensor, dtype: DType): Tensor {
  checkDType('dtype', dtype);
  using plain = native.detach(tensor);
  return native.to(plain, undefined, dtype, false);
}

/** The result of `read` for the elements with another dtype. */
function readAs<T>(tensor: Tensor, dtype: DType, read: (tensor: Tensor) => T): T {
  using converted = convertedTo(tensor, dtype);
  return read(converted);
}

function readCopy(tensor: Tensor): TypedArray {
  const array = arrayFor(tensor);
  native.readInto(tensor, array);
  return array;
}
