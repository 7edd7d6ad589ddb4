/**
 * Messages between a pool and its worker threads.
 * @module
 */
import { types } from 'node:util';
import * as errors from '../errors.js';
import { tensorsIn } from '../tensor/context.js';
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
  /** undefined: the initial weights of the module. */
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

/** The classes of errors by name, if their constructors take only a message. */
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

/** A value that cannot be passed to another thread. */
export class UnpostableError extends errors.ArgumentError {
  constructor(value: unknown, reason = 'it could not be cloned') {
    super(
      `Expected values that postMessage copies, or Tensors, but received ${errors.describe(value)}: ${reason}`,
    );
    this.name = 'ArgumentError';
  }
}

/** An object of the user that could be taken for one of those below. */
const isMarked = (value: object) => String((value as { type?: unknown }).type).startsWith('dyconv.');

/**
 * A value in which tensors are replaced by handles, at any depth of arrays, plain objects, maps and sets. Errors are packed.
 * @param handles - The handles are added to it.
 * @throws UnpostableError for a value that postMessage does not copy, and a tensor in an object of a class.
 */
export function packValue(value: unknown, handles: TensorHandle[] = []): unknown {
  return walk(value, new Map(), {
    leaf(object) {
      if (isTensor(object)) {
        const handle = object.share();
        handles.push(handle);
        return handle;
      }
      if (object instanceof Error) return { type: 'dyconv.Error', error: packError(object) };
      return undefined;
    },
    wrap: (object, copy) => (isMarked(object) ? { type: 'dyconv.Object', value: copy } : copy),
    check: checkPostable,
  });
}

/** The inverse of {@link packValue}. */
export function unpackValue(value: unknown): unknown {
  return walk(value, new Map(), {
    leaf(object) {
      const { type } = object as { type?: unknown };
      if (type === 'dyconv.TensorHandle') return Tensor.fromHandle(object as TensorHandle);
      if (type === 'dyconv.Error') return unpackError((object as { error: PackedError }).error);
      return undefined;
    },
    unwrap: (object) =>
      (object as { type?: unknown }).type === 'dyconv.Object' ? (object as { value: object }).value : object,
  });
}

/** What {@link walk} does with objects. */
interface Change {
  /** What replaces an object as a whole; undefined: its members are walked. */
  leaf(object: object): unknown;
  /** The object whose members are walked. */
  unwrap?(object: object): object;
  /** What replaces a plain object whose members were walked. */
  wrap?(object: object, copy: object): unknown;
  /** Checks a value that is kept unchanged. */
  check?(value: unknown): void;
}

/** @param seen - What replaces the objects that were met, which may contain themselves. */
function walk(value: unknown, seen: Map<object, unknown>, change: Change): unknown {
  if (typeof value !== 'object' || value === null) {
    if (typeof value === 'function' || typeof value === 'symbol') change.check?.(value);
    return value;
  }
  if (seen.has(value)) return seen.get(value);
  const keep = <T>(result: T): T => {
    seen.set(value, result);
    return result;
  };
  const leaf = change.leaf(value);
  if (leaf !== undefined) return keep(leaf);
  const next = (item: unknown) => walk(item, seen, change);
  if (Array.isArray(value)) {
    const copy = keep<unknown[]>([]);
    for (const item of value) copy.push(next(item));
    return copy;
  }
  if (types.isMap(value)) {
    const copy = keep(new Map<unknown, unknown>());
    for (const [key, item] of value) copy.set(next(key), next(item));
    return copy;
  }
  if (types.isSet(value)) {
    const copy = keep(new Set<unknown>());
    for (const item of value) copy.add(next(item));
    return copy;
  }
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    change.check?.(value);
    return keep(value);
  }
  const copy = {};
  const result = keep(change.wrap?.(value, copy) ?? copy);
  // Not an assignment: the key may be __proto__.
  for (const [key, item] of Object.entries(change.unwrap?.(value) ?? value))
    Object.defineProperty(copy, key, {
      ...{ value: next(item), enumerable: true, writable: true, configurable: true },
    });
  return result;
}

/** @throws UnpostableError for a value that is neither a primitive, an array nor a plain object. */
function checkPostable(value: unknown): void {
  if (ArrayBuffer.isView(value) || types.isAnyArrayBuffer(value) || types.isDate(value)) return;
  if (tensorsIn(value).length > 0)
    throw new UnpostableError(value, 'Tensors are passed in arrays, plain objects, maps and sets');
  try {
    structuredClone(value);
  } catch {
    throw new UnpostableError(value);
  }
}
