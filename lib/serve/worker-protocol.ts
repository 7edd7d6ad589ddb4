/**
 * Messages between a pool and its worker threads.
 * @module
 */
import * as errors from '../errors.js';
import type { TensorHandle } from '../tensor/handle.js';
import { isTensor, Tensor } from '../tensor/tensor.js';

/** Where the function of a batch is. */
export interface WorkerModule {
  /** URL of the ECMAScript module. */
  url: string;
  /** Name of the function's export. */
  name: string;
}

/** Weights that the module has to load before a batch. */
export interface WorkerWeights {
  /** Distinguishes it from other weights of the pool. */
  version: number;
  /** Handles of the tensors by name. */
  state: Record<string, TensorHandle>;
}

/** A task of a worker. */
export interface WorkerTask {
  module: WorkerModule;
  /** Threads of an operation. */
  threads: number;
  /** undefined: the weights that the module has by itself. */
  weights: WorkerWeights | undefined;
  /** A batch whose tensors are handles; undefined: only load the module and the weights. */
  input: unknown;
}

/** The answer of a worker: an output whose tensors are handles, or an error. */
export type WorkerAnswer = { output: unknown } | { error: PackedError };

/** An error as plain data. Structured cloning would lose its class and its code. */
export interface PackedError {
  name: string;
  message: string;
  stack: string | undefined;
  code: unknown;
}

/** An error as plain data. */
export function packError(error: unknown): PackedError {
  if (!(error instanceof Error))
    return { name: 'Error', message: String(error), stack: undefined, code: undefined };
  const { name, message, stack } = error;
  const code: unknown = (error as { code?: unknown }).code;
  return {
    name,
    message,
    stack,
    code: typeof code === 'string' || typeof code === 'number' ? code : undefined,
  };
}

/** The classes of errors by name, as far as their constructors take a message alone. */
const CLASSES = new Map<string, new (message: string) => Error>(
  [
    ...[errors.ArgumentError, errors.ShapeError, errors.DTypeError, errors.DeviceError, errors.DisposedError],
    ...[errors.NativeError, errors.CheckpointError, errors.DatasetError, errors.DownloadError],
    ...[TypeError, RangeError, SyntaxError, ReferenceError],
  ].map((type) => [type.name, type]),
);

/** The error of packed data: of the same class if it is one of dyconv or of the language, otherwise with the same name and code. */
export function unpackError({ name, message, stack, code }: PackedError): Error {
  const known = CLASSES.get(name);
  const error = known ? new known(message) : Object.assign(new Error(message), { name });
  if (stack !== undefined) error.stack = stack;
  if (code !== undefined && (error as { code?: unknown }).code === undefined) Object.assign(error, { code });
  return error;
}

/**
 * A value in which tensors are replaced by handles, at any depth of arrays and plain objects. Errors are packed.
 * @param handles - The handles are added to it.
 */
export function packValue(value: unknown, handles: TensorHandle[] = []): unknown {
  if (isTensor(value)) {
    const handle = value.share();
    handles.push(handle);
    return handle;
  }
  if (value instanceof Error) return { type: 'dyconv.Error', error: packError(value) };
  return mapValue(value, (item) => packValue(item, handles));
}

/** The inverse of {@link packValue}. */
export function unpackValue(value: unknown): unknown {
  const type = (value as { type?: unknown } | null | undefined)?.type;
  if (type === 'dyconv.TensorHandle') return Tensor.fromHandle(value as TensorHandle);
  if (type === 'dyconv.Error') return unpackError((value as { error: PackedError }).error);
  return mapValue(value, unpackValue);
}

function mapValue(value: unknown, change: (value: unknown) => unknown): unknown {
  if (Array.isArray(value)) return value.map(change);
  if (typeof value !== 'object' || value === null) return value;
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, change(item)]));
}
