/**
 * Properties, data, gradients and lifetime of {@link Tensor}.
 * @module
 */
import { inspect } from 'node:util';
import { checkOptions, optionKeys } from '../check/index.js';
import { ArgumentError, DeviceError, DTypeError, invalidArgument, ShapeError } from '../errors.js';
import { native } from '../native/index.js';
import type { Device, DType, TypedArray, TypedArrayOf } from './dtype.js';
import { checkDType, newArray } from './dtype.js';
import { makeHandle, type TensorHandle } from './handle.js';
import { type GradientHook, registerHook } from './hooks.js';
import { checkNesting, type NestedArray, nest, readableDType } from './nested.js';
import { format } from './print.js';
import type { Tensor } from './tensor.js';

const DTYPE = optionKeys('dtype');
const COPY_DTYPE = optionKeys('copy', 'dtype');
const CLAIMS = optionKeys('claims');
const MEMORY_FORMAT = optionKeys('memoryFormat');

/** Options of {@link TensorBase.to}. */
export interface ToOptions {
  /** Default: the tensor's device. */
  device?: Device | undefined;
  /** Default: the tensor's dtype. */
  dtype?: DType | undefined;
  /**
   * Do not wait for a copy from page-locked memory ({@link TensorBase.pinMemory}) to a GPU, or back: the source must then not not
   * be changed until the copy is complete. Default false.
   */
  nonBlocking?: boolean | undefined;
}

/** @internal */
export const TO_KEYS = optionKeys('device', 'dtype', 'nonBlocking');

/** Options of {@link TensorBase.backward}. */
export interface BackwardOptions {
  /** Keep the graph for another backward pass. Default: `createGraph`. */
  retainGraph?: boolean | undefined;
  /** Record the backward pass, for higher derivatives. Default false. */
  createGraph?: boolean | undefined;
}

const BACKWARD_KEYS = optionKeys('retainGraph', 'createGraph');

/** Properties, data, autograd and lifetime. */
export abstract class TensorBase {
  /** Sizes of the dimensions. */
  get shape(): number[] {
    return native.shape(this as unknown as Tensor);
  }

  /** Steps between neighbours in each dimension, in elements. */
  get strides(): number[] {
    return native.strides(this as unknown as Tensor);
  }

  /** Type of the elements. */
  get dtype(): DType {
    return native.dtype(this as unknown as Tensor);
  }

  /** `'cpu'` or `'cuda:N'`. */
  get device(): Device {
    return native.device(this as unknown as Tensor) as Device;
  }

  /** Number of elements. */
  get numel(): number {
    return native.numel(this as unknown as Tensor);
  }

  /** Number of dimensions. */
  get ndim(): number {
    return native.ndim(this as unknown as Tensor);
  }

  /** Whether the tensor is not the result of a recorded operation; only leaves accumulate {@link grad}. */
  get isLeaf(): boolean {
    return native.isLeaf(this as unknown as Tensor);
  }

  /** Whether {@link dispose} has been called. */
  get isDisposed(): boolean {
    return native.isDisposed(this as unknown as Tensor);
  }

  /** Whether operations on the tensor are recorded. Settable on leaves of a floating-point dtype. */
  get requiresGrad(): boolean {
    return native.requiresGrad(this as unknown as Tensor);
  }

  set requiresGrad(value: boolean) {
    setRequiresGrad(this as unknown as Tensor, value);
  }

  /** The accumulated gradient, of the tensor's own shape; `null` before the first backward pass. */
  get grad(): Tensor | null {
    return native.grad(this as unknown as Tensor);
  }

  set grad(value: Tensor | null) {
    if (value !== null) checkGrad(this as unknown as Tensor, value);
    native.setGrad(this as unknown as Tensor, value);
  }

  /** Whether the elements are in row-major order without gaps. */
  isContiguous(this: Tensor): boolean {
    return native.isContiguous(this);
  }

  /**
   * The elements in row-major order, for any strides and device, copied on a background thread.
   * @param options.dtype - The elements are converted to it first, and the array is of its type. Default: the tensor's own.
   * @returns The typed array of the dtype; raw bits in a Uint16Array for float16 and bfloat16, 0 and 1 for bool.
   * @throws DTypeError for an unknown dtype.
   * @example const values = await x.data({ dtype: 'float32' }); // Float32Array
   */
  data<D extends DType>(this: Tensor, options: { dtype: D }): Promise<TypedArrayOf<D>>;
  data(this: Tensor, options?: { dtype?: DType | undefined }): Promise<TypedArray>;
  data(this: Tensor, options: { dtype?: DType | undefined } = {}): Promise<TypedArray> {
    const { dtype } = checkOptions(options, DTYPE);
    return dtype === undefined ? readLater(this) : readAs(this, dtype, readLater);
  }

  /**
   * {@link data}, synchronously.
   * @param options.dtype - As in {@link data}.
   * @param options.copy - Default true. With false the array uses the tensor's memory if possible (a
   * contiguous tensor of that dtype on the CPU, a runtime that takes memory of others, as Node does and Electron does not):
   * writing to one changes the other, unseen by autograd. The memory lives as long as either of them; it is given back in
   * a later turn of the event loop than the one in which the array was collected.
   */
  dataSync<D extends DType>(this: Tensor, options: { dtype: D; copy?: boolean | undefined }): TypedArrayOf<D>;
  dataSync(this: Tensor, options?: { dtype?: DType | undefined; copy?: boolean | undefined }): TypedArray;
  dataSync(
    this: Tensor,
    options: { dtype?: DType | undefined; copy?: boolean | undefined } = {},
  ): TypedArray {
    const { copy = true, dtype } = checkOptions(options, COPY_DTYPE);
    if (typeof copy !== 'boolean') throw invalidArgument('copy', 'a boolean', copy);
    const readNow = copy ? readCopy : native.onTypedArray;
    return dtype === undefined ? readNow(this) : readAs(this, dtype, readNow);
  }

  /**
   * A handle that gives another thread of this process access to the tensor, without a copy: post it in a message, and call
   * {@link Tensor.fromHandle} there. Both threads then use the same memory without synchronisation. A tensor created by
   * {@link fromTypedArray} is copied once, because its buffer ends with its thread.
   * @param options.claims - Number of threads that may claim the handle. Default 1.
   * @throws ArgumentError for a recorded result that requires a gradient: a graph stays on its thread; use `detach()`.
   * @example worker.postMessage({ weights: layer.weight.share() });
   */
  share(this: Tensor, options: { claims?: number | undefined } = {}): TensorHandle {
    const { claims = 1 } = checkOptions(options, CLAIMS);
    if (!Number.isSafeInteger(claims) || claims < 1)
      throw invalidArgument('claims', 'an integer of at least 1', claims);
    return makeHandle(native.share(this, claims));
  }

  /** The elements as nested arrays: booleans for bool, numbers otherwise, bigints for integers above 2^53. */
  async array(this: Tensor): Promise<NestedArray> {
    const [shape, dtype] = [native.shape(this), native.dtype(this)];
    checkNesting(shape);
    return nest(await readAs(this, readableDType(dtype), readLater), shape, dtype);
  }

  /** {@link array}, synchronously. */
  arraySync(this: Tensor): NestedArray {
    const [shape, dtype] = [native.shape(this), native.dtype(this)];
    checkNesting(shape);
    return nest(readAs(this, readableDType(dtype), readCopy), shape, dtype);
  }

  /**
   * The only element: 0 or 1 for bool; a bigint for an int64 beyond 2^53, where a number would lose digits. `Number(x.item())`
   * is a number in any case.
   * @throws ShapeError when there is not exactly one element.
   * @see https://pytorch.org/docs/stable/generated/torch.Tensor.item.html
   */
  item(this: Tensor): number | bigint {
    const value = native.item(this);
    return typeof value === 'boolean' ? Number(value) : value;
  }

  /**
   * The tensor on another device or with another dtype; itself (a new handle) when nothing changes.
   * @throws DeviceError when the device is not available. @throws DTypeError for an unknown dtype.
   * @see https://pytorch.org/docs/stable/generated/torch.Tensor.to.html
   */
  to(this: Tensor, options: ToOptions): Tensor {
    if (typeof options !== 'object' || options === null)
      throw invalidArgument('options', 'an object such as { device, dtype }', options);
    const { device, dtype, nonBlocking = false } = checkOptions(options, TO_KEYS);
    return native.to(this, device, dtype, nonBlocking);
  }

  /**
   * A copy in page-locked memory, for asynchronous copies to a GPU; the tensor itself if it is page-locked already.
   * @throws DeviceError without a CUDA device.
   * @see https://pytorch.org/docs/stable/generated/torch.Tensor.pin_memory.html
   */
  pinMemory(this: Tensor): Tensor {
    if (!native.cudaBuilt() || native.cudaDeviceCount() === 0) {
      throw new DeviceError('Expected a CUDA device for pinMemory() but none was found');
    }
    return native.pinMemory(this);
  }

  /** Whether the tensor is in page-locked memory. */
  isPinned(this: Tensor): boolean {
    return native.isPinned(this);
  }

  /** A copy, recorded for autograd. */
  clone(this: Tensor): Tensor {
    return native.clone(this);
  }

  /** A tensor with the same storage, outside of the graph. */
  detach(this: Tensor): Tensor {
    return native.detach(this);
  }

  /** The tensor in row-major order: a copy if necessary. */
  contiguous(
    this: Tensor,
    options: { memoryFormat?: 'contiguous' | 'channelsLast' | undefined } = {},
  ): Tensor {
    const { memoryFormat = 'contiguous' } = checkOptions(options, MEMORY_FORMAT);
    if (memoryFormat === 'channelsLast') return native.channelsLast(this);
    if (memoryFormat === 'contiguous') return native.contiguous(this);
    throw invalidArgument('memoryFormat', "'contiguous' or 'channelsLast'", memoryFormat);
  }

  /** Sets {@link requiresGrad} and returns the tensor. */
  requiresGrad_(this: Tensor, value = true): Tensor {
    setRequiresGrad(this, value);
    return this;
  }

  /**
   * Computes the gradients of the tensor with respect to its leaves and adds them to their `grad`.
   * @param gradient - dL/dthis, of the tensor's shape. Default for a tensor of one element: 1.
   * @throws NativeError when nothing was recorded, or the graph was freed by an earlier pass.
   * @see https://pytorch.org/docs/stable/generated/torch.Tensor.backward.html
   */
  backward(this: Tensor, gradient?: Tensor, options: BackwardOptions = {}): void {
    const { createGraph = false, retainGraph = createGraph } = checkOptions(options, BACKWARD_KEYS);
    native.backward(this, gradient, retainGraph, createGraph);
  }

  /**
   * Calls `hook` with the tensor's gradient in every backward pass; if it returns a Tensor, this replaces the gradient.
   * Its errors are thrown to the caller of the pass. It runs on this thread. A hook that refers
   * to its own tensor keeps it alive until removed, or until the tensor is disposed.
   * @returns `remove()` removes the hook.
   * @see https://pytorch.org/docs/stable/generated/torch.Tensor.register_hook.html
   */
  registerHook(this: Tensor, hook: GradientHook): { remove(): void } {
    return registerHook(this, hook);
  }

  /** Makes a result keep its gradient in {@link grad}, like a leaf. No effect on leaves. */
  retainGrad(this: Tensor): void {
    native.retainGrad(this);
  }

  /** Whether {@link retainGrad} was called on this result. */
  get retainsGrad(): boolean {
    return native.retainsGrad(this as unknown as Tensor);
  }

  /** The backward operation that made this result, such as `'MulBackward0'`; null for leaves. */
  get gradFn(): string | null {
    return native.gradFunction(this as unknown as Tensor) || null;
  }

  /** Frees the tensor before it is garbage-collected. Views keep their data. May be called repeatedly. */
  dispose(this: Tensor): void {
    native.dispose(this);
  }

  /** {@link dispose}, for `using x = ...`. */
  [Symbol.dispose](): void {
    native.dispose(this as unknown as Tensor);
  }

  /** The values in PyTorch's format, with dtype, device and grad if they differ from the defaults. */
  toString(): string {
    return format(this as unknown as Tensor);
  }

  /** For `console.log`: values, shape if it is not visible, dtype. */
  [inspect.custom](): string {
    return this.toString();
  }
}

/** A typed array for the elements of a tensor. */
function arrayFor(tensor: Tensor): TypedArray {
  const [dtype, count] = native.elements(tensor);
  return newArray(dtype, count);
}

function readCopy(tensor: Tensor): TypedArray {
  const array = arrayFor(tensor);
  native.readInto(tensor, array);
  return array;
}

function readLater(tensor: Tensor): Promise<TypedArray> {
  return native.readIntoAsync(tensor, arrayFor(tensor));
}

/** What `read` makes of the elements with another dtype. */
function readAs<T>(tensor: Tensor, dtype: DType, read: (tensor: Tensor) => T): T {
  using converted = convertedTo(tensor, dtype);
  return read(converted);
}

/** A new handle to the elements with another dtype, outside the graph. */
function convertedTo(tensor: Tensor, dtype: DType): Tensor {
  checkDType('dtype', dtype);
  using plain = native.detach(tensor);
  return native.to(plain, undefined, dtype, false);
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
