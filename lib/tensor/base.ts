/**
 * The first floor of {@link Tensor}: what it is, its data, its gradient, its end.
 * @module
 */
import { inspect } from 'node:util';
import { getHeapStatistics } from 'node:v8';
import { checkOptions, optionKeys } from '../check/index.js';
import {
  ArgumentError,
  DeviceError,
  DTypeError,
  invalidArgument,
  NativeError,
  ShapeError,
} from '../errors.js';
import { native } from '../native/index.js';
import type { Device, DType, TypedArray } from './dtype.js';
import { isFloatingPoint, newArray } from './dtype.js';
import { makeHandle, type TensorHandle } from './handle.js';
import { type GradientHook, registerHook } from './hooks.js';
import { format } from './print.js';
import type { Tensor } from './tensor.js';

const COPY = optionKeys('copy');
const CLAIMS = optionKeys('claims');
const MEMORY_FORMAT = optionKeys('memoryFormat');

/** Numbers, bigints or booleans, nested as deep as the tensor has dimensions. */
export type NestedArray = number | bigint | boolean | NestedArray[];

/** Options of {@link TensorBase.to}. */
export interface ToOptions {
  /** Default: where the tensor is. */
  device?: Device;
  /** Default: what the tensor has. */
  dtype?: DType;
  /**
   * Do not wait for a copy from page-locked memory ({@link TensorBase.pinMemory}) to a GPU, or back: the source must then
   * stay as it is until the device has caught up. Default false.
   */
  nonBlocking?: boolean;
}

/** @internal */
export const TO_KEYS = optionKeys('device', 'dtype', 'nonBlocking');

/** Options of {@link TensorBase.backward}. */
export interface BackwardOptions {
  /** Keep the graph for another backward pass. Default: `createGraph`. */
  retainGraph?: boolean;
  /** Record the backward pass itself, for higher derivatives. Default false. */
  createGraph?: boolean;
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

  /** Whether the tensor was made by no recorded operation; only leaves accumulate {@link grad}. */
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

  /** Whether the elements lie in row-major order without gaps. */
  isContiguous(this: Tensor): boolean {
    return native.isContiguous(this);
  }

  /**
   * The elements in row-major order, whatever the strides and the device, copied on a background thread.
   * @returns The typed array of the dtype; raw bits in a Uint16Array for float16 and bfloat16, 0 and 1 for bool.
   */
  data(this: Tensor): Promise<TypedArray> {
    return native.readIntoAsync(this, arrayFor(this));
  }

  /**
   * {@link data}, at once.
   * @param options.copy - Default true. With false the array stands on the tensor's own memory where that is possible (a
   * contiguous tensor on the CPU, a runtime that takes memory of others, as Node does and Electron does not): writing to
   * one changes the other, unseen by autograd. The memory lives as long as either of them; it is given back in a later
   * turn of the event loop than the one in which the array was collected.
   */
  dataSync(this: Tensor, options: { copy?: boolean } = {}): TypedArray {
    const { copy = true } = checkOptions(options, COPY);
    if (typeof copy !== 'boolean') throw invalidArgument('copy', 'a boolean', copy);
    if (!copy) return native.onTypedArray(this);
    const array = arrayFor(this);
    native.readInto(this, array);
    return array;
  }

  /**
   * A handle by which another thread of this process gets the tensor, without a copy: post it in a message, and call
   * {@link Tensor.fromHandle} there. Both threads then see the same memory; nothing orders their writes. A tensor made by
   * {@link fromTypedArray} is copied once, as its buffer ends with its thread.
   * @param options.claims - How many threads may claim the handle. Default 1.
   * @throws ArgumentError for a recorded result that requires a gradient: a graph stays on its thread; use `detach()`.
   * @example worker.postMessage({ weights: layer.weight.share() });
   */
  share(this: Tensor, options: { claims?: number } = {}): TensorHandle {
    const { claims = 1 } = checkOptions(options, CLAIMS);
    if (!Number.isSafeInteger(claims) || claims < 1)
      throw invalidArgument('claims', 'an integer of at least 1', claims);
    return makeHandle(native.share(this, claims));
  }

  /** The elements as nested arrays: booleans for bool, numbers otherwise, bigints for integers beyond 2^53. */
  async array(this: Tensor): Promise<NestedArray> {
    const shape = native.shape(this);
    const { dtype } = this;
    checkNesting(shape);
    using plain = readable(this);
    return nest(await plain.data(), shape, dtype);
  }

  /** {@link array}, at once. */
  arraySync(this: Tensor): NestedArray {
    const shape = native.shape(this);
    const { dtype } = this;
    checkNesting(shape);
    using plain = readable(this);
    return nest(plain.dataSync(), shape, dtype);
  }

  /**
   * The only element: 0 or 1 for bool, a bigint where a number would lose digits.
   * @throws ShapeError when there is not exactly one element.
   */
  item(this: Tensor): number {
    const value = native.item(this);
    // The type says number: an int64 beyond 2^53 is the documented exception, as in `array()`.
    return typeof value === 'boolean' ? Number(value) : (value as number);
  }

  /**
   * The tensor on another device or with another dtype; itself (a new handle) when nothing changes.
   * @throws DeviceError when the device is not there. @throws DTypeError for an unknown dtype.
   * @see https://pytorch.org/docs/stable/generated/torch.Tensor.to.html
   */
  to(this: Tensor, options: ToOptions): Tensor {
    if (typeof options !== 'object' || options === null)
      throw invalidArgument('options', 'an object such as { device, dtype }', options);
    const { device, dtype, nonBlocking = false } = checkOptions(options, TO_KEYS);
    return native.to(this, device, dtype, nonBlocking);
  }

  /**
   * A copy in page-locked memory, from which copies to a GPU need not be waited for; itself if it is there already.
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

  /** The same storage outside the graph. */
  detach(this: Tensor): Tensor {
    return native.detach(this);
  }

  /** The tensor in row-major order: a copy unless it is so already. */
  contiguous(this: Tensor, options: { memoryFormat?: 'contiguous' | 'channelsLast' } = {}): Tensor {
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
   * Computes the gradients of the tensor with respect to the leaves it was made from and adds them to their `grad`.
   * @param gradient - dL/dthis, of the tensor's shape; may be left out for a tensor of one element, where it is 1.
   * @throws NativeError when nothing was recorded, or the graph was freed by an earlier pass.
   * @see https://pytorch.org/docs/stable/generated/torch.Tensor.backward.html
   */
  backward(this: Tensor, gradient?: Tensor, options: BackwardOptions = {}): void {
    const { createGraph = false, retainGraph = createGraph } = checkOptions(options, BACKWARD_KEYS);
    native.backward(this, gradient, retainGraph, createGraph);
  }

  /**
   * Calls `hook` with the tensor's gradient in every backward pass; a Tensor that it returns takes the gradient's place.
   * Errors it throws reach the caller of the pass. Runs on this thread; for CUDA tensors it is refused. A hook that refers
   * to its own tensor keeps it alive until removed, or until the tensor is disposed.
   * @returns `remove()` takes the hook away.
   * @see https://pytorch.org/docs/stable/generated/torch.Tensor.register_hook.html
   */
  registerHook(this: Tensor, hook: GradientHook): { remove(): void } {
    return registerHook(this, hook);
  }

  /** Has a result keep its gradient in {@link grad}, as leaves do. Harmless on leaves. */
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

  /** Frees the tensor now instead of when it is collected. Views of it keep their data. Harmless when repeated. */
  dispose(this: Tensor): void {
    native.dispose(this);
  }

  /** {@link dispose}, for `using x = ...`. */
  [Symbol.dispose](): void {
    native.dispose(this as unknown as Tensor);
  }

  /** The values as PyTorch prints them, with dtype, device and grad where they are not the usual ones. */
  toString(): string {
    return format(this as unknown as Tensor);
  }

  /** What `console.log` shows: values, shape where it is not seen, dtype. */
  [inspect.custom](): string {
    return this.toString();
  }
}

/** A typed array for the elements of a tensor. */
function arrayFor(tensor: Tensor): TypedArray {
  const [dtype, count] = native.elements(tensor);
  return newArray(dtype, count);
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

/**
 * A handle of its own to the elements as JavaScript reads them: 16-bit floats, of which it has no array, are widened,
 * without loss.
 */
function readable(tensor: Tensor): Tensor {
  const dtype = native.dtype(tensor);
  const widened = isFloatingPoint(dtype) && dtype.endsWith('16') ? 'float32' : undefined;
  using plain = native.detach(tensor);
  return native.to(plain, undefined, widened, false);
}

/** V8's arrays have no more elements, and beyond the second size they are hash tables. */
const MAX_ARRAY = 2 ** 27;
const MAX_FAST_ARRAY = 2 ** 25;

/**
 * Whether a shape can be nested arrays at all: V8 ends the process where its heap is full. A size of 0 at the end leaves
 * as many arrays as the sizes before it multiply to.
 */
function checkNesting(shape: readonly number[]): void {
  if (shape.length > 64)
    throw new ShapeError(
      `Expected at most 64 dimensions for array() but received ${shape.length}: use data()`,
    );
  let [arrays, bytes] = [1, 0];
  for (const size of shape) {
    bytes += arrays * (48 + size * (size > MAX_FAST_ARRAY ? 64 : 8));
    arrays *= size;
  }
  if (bytes < 2 ** 20) return;
  const { heap_size_limit: limit, used_heap_size: used } = getHeapStatistics();
  if (bytes <= limit - used && shape.every((size) => size <= MAX_ARRAY)) return;
  throw new NativeError(
    `Expected nested arrays that fit JavaScript's heap, ${Math.round((limit - used) / 2 ** 20)} MB free, for array() but ` +
      `shape [${shape.join(', ')}] takes some ${Math.round(bytes / 2 ** 20)} MB: use data()`,
  );
}

function nest(data: TypedArray, shape: readonly number[], dtype: DType): NestedArray {
  const element = (i: number): number | bigint | boolean => {
    const value = data[i]!;
    if (dtype === 'bool') return value !== 0;
    if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value;
    return value;
  };
  let next = 0;
  const level = (dim: number): NestedArray => {
    if (dim === shape.length) return element(next++);
    return Array.from({ length: shape[dim]! }, () => level(dim + 1));
  };
  return level(0);
}
