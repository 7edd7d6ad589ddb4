/**
 * The only place that loads the add-on. {@link Native} is the type of its tables (cpp/bindings): a test compares the two.
 * @module
 */
import { constants } from 'node:buffer';
import {
  ArgumentError,
  DeviceError,
  DisposedError,
  DTypeError,
  type DyconvError,
  NativeError,
  ShapeError,
} from '../errors.js';
import type { DType, TypedArray } from '../tensor/dtype.js';
import type { Index } from '../tensor/slice.js';
import type { Tensor } from '../tensor/tensor.js';
import { collector } from './collector.js';
import type { NativeCuda } from './cuda.js';
import { dyconvCommand, findAddon, loadAddon, setupCommand } from './load.js';
import type { NativeMoreOps } from './more-ops.js';
import type { NativeNn } from './nn.js';
import type { NativeOps } from './ops.js';
import type { NativeOptim } from './optim.js';
import { threadLimit } from './threads.js';

/** A tensor, or a number that takes part in an operation without widening the tensor's dtype. */
export type Operand = Tensor | number | bigint | boolean;
type Dims = readonly number[] | null;
type Pair = readonly number[];
type ErrorClass = new (message: string) => DyconvError;

type Unary = (input: Tensor) => Tensor;
type Binary = (input: Operand, other: Operand) => Tensor;

/** The functions of the add-on, as cpp/bindings lists them. Arguments are checked there by their C++ types. */
export interface Native extends NativeCuda, NativeMoreOps, NativeNn, NativeOps, NativeOptim {
  // tensor.cc
  fromData(data: TypedArray, shape: readonly number[], dtype: DType, device: string): Tensor;
  empty(shape: readonly number[], dtype: DType, device: string): Tensor;
  full(shape: readonly number[], value: number | bigint | boolean, dtype: DType, device: string): Tensor;
  rand(shape: readonly number[], dtype: DType, device: string): Tensor;
  randn(shape: readonly number[], dtype: DType, device: string): Tensor;
  randint(low: number, high: number, shape: readonly number[], dtype: DType, device: string): Tensor;
  randperm(n: number, dtype: DType, device: string): Tensor;
  arange(start: number, end: number, step: number, dtype: DType, device: string): Tensor;
  linspace(start: number, end: number, steps: number, dtype: DType, device: string): Tensor;
  logspace(start: number, end: number, steps: number, base: number, dtype: DType, device: string): Tensor;
  eye(n: number, m: number, dtype: DType, device: string): Tensor;
  shape(input: Tensor): number[];
  strides(input: Tensor): number[];
  dtype(input: Tensor): DType;
  device(input: Tensor): string;
  numel(input: Tensor): number;
  ndim(input: Tensor): number;
  isContiguous(input: Tensor): boolean;
  isLeaf(input: Tensor): boolean;
  isDisposed(input: Tensor): boolean;
  dispose(input: Tensor): void;
  elements(input: Tensor): [dtype: DType, count: number];
  readInto(input: Tensor, array: TypedArray): void;
  readIntoAsync(input: Tensor, array: TypedArray): Promise<TypedArray>;
  item(input: Tensor): number | bigint | boolean;
  to(input: Tensor, device: string | undefined, dtype: DType | undefined, nonBlocking: boolean): Tensor;
  clone: Unary;
  detach: Unary;
  contiguous: Unary;
  channelsLast: Unary;
  requiresGrad(input: Tensor): boolean;
  setRequiresGrad(input: Tensor, value: boolean): void;
  grad(input: Tensor): Tensor | null;
  setGrad(input: Tensor, value: Tensor | null): void;
  setData(input: Tensor, data: Tensor): void;
  backward(input: Tensor, gradient: Tensor | undefined, retainGraph: boolean, createGraph: boolean): void;
  gradOf(
    outputs: readonly Tensor[],
    inputs: readonly Tensor[],
    gradOutputs: readonly (Tensor | null)[],
    retainGraph: boolean,
    createGraph: boolean,
    allowUnused: boolean,
  ): (Tensor | null)[];
  copy(input: Tensor, source: Tensor): Tensor;
  fill(input: Tensor, value: number | bigint | boolean): Tensor;
  uniform(input: Tensor, low: number, high: number): Tensor;
  normal(input: Tensor, mean: number, std: number): Tensor;

  // shape.cc
  reshape(input: Tensor, shape: readonly number[]): Tensor;
  view(input: Tensor, shape: readonly number[]): Tensor;
  permute(input: Tensor, dims: readonly number[]): Tensor;
  transpose(input: Tensor, dim0: number, dim1: number): Tensor;
  flatten(input: Tensor, startDim: number, endDim: number): Tensor;
  squeeze(input: Tensor, dim: number | undefined): Tensor;
  unsqueeze(input: Tensor, dim: number): Tensor;
  expand(input: Tensor, shape: readonly number[]): Tensor;
  repeat(input: Tensor, repeats: readonly number[]): Tensor;
  flip(input: Tensor, dims: readonly number[]): Tensor;
  roll(input: Tensor, shifts: readonly number[], dims: readonly number[]): Tensor;
  tril(input: Tensor, diagonal: number): Tensor;
  triu(input: Tensor, diagonal: number): Tensor;
  cat(tensors: readonly Tensor[], dim: number): Tensor;
  stack(tensors: readonly Tensor[], dim: number): Tensor;
  split(input: Tensor, sizes: readonly number[], dim: number): Tensor[];
  chunk(input: Tensor, chunks: number, dim: number): Tensor[];
  narrow(input: Tensor, dim: number, start: number, length: number): Tensor;
  index(input: Tensor, indices: readonly Index[]): Tensor;
  indexPut(input: Tensor, indices: readonly Index[], value: Operand): Tensor;
  indexSelect(input: Tensor, dim: number, index: Tensor): Tensor;
  gather(input: Tensor, dim: number, index: Tensor): Tensor;
  scatter(input: Tensor, dim: number, index: Tensor, source: Tensor): Tensor;
  maskedFill(input: Tensor, mask: Tensor, value: number | bigint | boolean): Tensor;
  pad(input: Tensor, padding: readonly number[], mode: string, value: number | undefined): Tensor;

  // math.cc
  add(input: Tensor, other: Operand, alpha: number): Tensor;
  sub(input: Tensor, other: Operand, alpha: number): Tensor;
  mul: Binary;
  div: Binary;
  floorDivide: Binary;
  remainder: Binary;
  pow: Binary;
  maximum: Binary;
  minimum: Binary;
  atan2: Binary;
  eq: Binary;
  ne: Binary;
  lt: Binary;
  le: Binary;
  gt: Binary;
  ge: Binary;
  logicalAnd: Binary;
  logicalOr: Binary;
  logicalNot: Unary;
  where(condition: Tensor, input: Operand, other: Operand): Tensor;
  addInPlace(input: Tensor, other: Operand, alpha: number): Tensor;
  subInPlace(input: Tensor, other: Operand, alpha: number): Tensor;
  mulInPlace(input: Tensor, other: Operand): Tensor;
  divInPlace(input: Tensor, other: Operand): Tensor;
  neg: Unary;
  abs: Unary;
  sign: Unary;
  exp: Unary;
  expm1: Unary;
  log: Unary;
  log1p: Unary;
  log2: Unary;
  sqrt: Unary;
  rsqrt: Unary;
  square: Unary;
  reciprocal: Unary;
  sin: Unary;
  cos: Unary;
  tan: Unary;
  tanh: Unary;
  erf: Unary;
  sigmoid: Unary;
  relu: Unary;
  floor: Unary;
  ceil: Unary;
  round: Unary;
  isnan: Unary;
  isfinite: Unary;
  clamp(input: Tensor, min: number | undefined, max: number | undefined): Tensor;
  sum(input: Tensor, dim: Dims, keepdim: boolean, dtype: DType | undefined): Tensor;
  mean(input: Tensor, dim: Dims, keepdim: boolean, dtype: DType | undefined): Tensor;
  variance(input: Tensor, dim: Dims, correction: number, keepdim: boolean): Tensor;
  std(input: Tensor, dim: Dims, correction: number, keepdim: boolean): Tensor;
  prod(input: Tensor, dim: number | undefined, keepdim: boolean, dtype: DType | undefined): Tensor;
  amax(input: Tensor, dim: Dims, keepdim: boolean): Tensor;
  amin(input: Tensor, dim: Dims, keepdim: boolean): Tensor;
  argmax(input: Tensor, dim: number | undefined, keepdim: boolean): Tensor;
  argmin(input: Tensor, dim: number | undefined, keepdim: boolean): Tensor;
  all(input: Tensor, dim: Dims, keepdim: boolean): Tensor;
  any(input: Tensor, dim: Dims, keepdim: boolean): Tensor;
  logsumexp(input: Tensor, dim: readonly number[], keepdim: boolean): Tensor;
  cumsum(input: Tensor, dim: number, dtype: DType | undefined): Tensor;
  topk(input: Tensor, k: number, dim: number, largest: boolean, sorted: boolean): [Tensor, Tensor];
  sort(input: Tensor, dim: number, descending: boolean, stable: boolean): [Tensor, Tensor];
  norm(input: Tensor, p: number, dim: Dims, keepdim: boolean, dtype: DType | undefined): Tensor;
  bincount(input: Tensor, minlength: number): Tensor;
  allclose(input: Tensor, other: Tensor, rtol: number, atol: number, equalNan: boolean): boolean;
  equal(input: Tensor, other: Tensor): boolean;
  matmul(input: Tensor, other: Tensor): Tensor;
  bmm(input: Tensor, other: Tensor): Tensor;
  einsum(equation: string, operands: readonly Tensor[]): Tensor;

  // dynamic_conv.cc
  dynamicConv2d(
    input: Tensor,
    weight: Tensor,
    attention: Tensor,
    bias: Tensor | null,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: number,
    algorithm: string,
  ): Tensor;
  dynamicConv2dChoice(
    input: Tensor,
    weight: Tensor,
    attention: Tensor,
    bias: Tensor | null,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: number,
  ): string;
  dynamicConv2dAlgorithms(): string[];
  routing(
    input: Tensor,
    weight1: Tensor,
    bias1: Tensor | null,
    weight2: Tensor,
    bias2: Tensor | null,
    temperature: number | Tensor,
    kind: string,
  ): Tensor;

  // data.cc
  // plan: a BatchPlan of lib/data/batches.ts
  augmentBatch(
    images: Uint8Array,
    shape: readonly number[],
    indices: readonly number[],
    plan: object,
    mix: readonly number[] | null,
    seed: number,
    epoch: number,
    threads: number,
  ): Promise<Tensor>;
  /** Images of different sizes, packed behind each other. `sizes`: height and width of each; `keys`: of its random numbers. */
  augmentImages(
    images: Uint8Array,
    channels: number,
    sizes: readonly number[],
    keys: readonly number[],
    plan: object,
    mix: readonly number[] | null,
    seed: number,
    epoch: number,
    threads: number,
  ): Promise<Tensor>;
  augmentOnDevice(
    images: Tensor,
    indices: readonly number[],
    plan: object,
    mix: readonly number[] | null,
    seed: number,
    epoch: number,
  ): Promise<Tensor>;
  toDevice(input: Tensor, device: string): Tensor;
  allocateBytes(length: number): ArrayBuffer | null;

  // exchange.cc
  fromTypedArray(data: TypedArray, shape: readonly number[], dtype: DType): Tensor;
  onTypedArray(input: Tensor): TypedArray;
  mapFile(path: string, bytes: number): Tensor;
  viewDType(input: Tensor, dtype: DType): Tensor;
  share(input: Tensor, claims: number): number;
  claimShared(id: number): Tensor;
  releaseShared(id: number): boolean;
  sharedStats(): [handles: number, bytes: number];
  processKey(): number;

  // runtime.cc
  setErrorClasses(classes: readonly ErrorClass[]): void;
  setCollector(collector: (young: boolean) => void): void;
  setTensorClass(tensorClass: new () => object): void;
  setMaxBufferBytes(bytes: number): void;
  setTracer(tracer: (() => number) | null): void;
  creations(): [creation: number, tensors: number, bytes: number][];
  setMode(grad: boolean, inference: boolean): void;
  setAutocast(enabled: boolean, dtype: DType): void;
  isGradEnabled(): boolean;
  isInferenceMode(): boolean;
  openScope(): number;
  enterScope(id: number): void;
  closeScope(id: number, parent: number, keep: readonly Tensor[]): void;
  releaseFromScope(input: Tensor): void;
  isTensor(value: unknown): boolean;
  allocatorStats(): [allocated: number, cached: number, peak: number];
  emptyCache(): void;
  setCacheLimit(bytes: number): void;
  setMemoryLimit(bytes: number): void;
  liveTensors(): number;
  liveBytes(): number;
  setNumThreads(threads: number): void;
  getNumThreads(): number;
  limitThreads(limit: number): void;
  manualSeed(seed: number): void;
  getRngState(device: string): Tensor;
  setRngState(state: Tensor, device: string): void;
  libtorchVersion(): string;
  cpuCapability(): string;
  cudaBuilt(): boolean;
  cudaDeviceCount(): number;
}

function load(): Native {
  const addon = findAddon();
  try {
    if (!addon) throw new Error('it is neither built nor installed prebuilt');
    return loadAddon(addon) as Native;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
    throw new NativeError(
      `The native add-on could not be loaded (${reason}). ` +
        `Run \`${setupCommand()}\`; \`${dyconvCommand('doctor')}\` tells what is wrong.`,
      { cause },
    );
  }
}

/** The loaded add-on. */
export const native: Native = load();

// In the order of ErrorKind in cpp/napi/errors.h.
native.setErrorClasses([ArgumentError, ShapeError, DTypeError, DeviceError, DisposedError, NativeError]);

native.setCollector(collector());
native.setMaxBufferBytes(constants.MAX_LENGTH);

const limit = threadLimit();
if (limit !== undefined) native.limitThreads(limit);

/**
 * What the add-on makes a Tensor of: an object with nothing in it, standing on Tensor.prototype (tensor/tensor.ts). V8 makes
 * one of a class written in JavaScript in half the time that one of Node-API's takes.
 */
export class TensorObject {}
native.setTensorClass(TensorObject);
