/**
 * Handles, which share tensors between threads. Objects of an add-on cannot be posted to other
 * threads, so the handle is a plain object with a number, the key of the tensor in a table of the process
 * (cpp/napi/shared_tensors.h).
 * @module
 */
import { DisposedError, describe, invalidArgument } from '../errors.js';
import { native } from '../native/index.js';

/** Result of `Tensor.share()`: a plain object that can be posted to another thread of the process. */
export interface TensorHandle {
  /** Distinguishes it from other messages. */
  readonly type: 'dyconv.TensorHandle';
  /** The tensor's number in the table. */
  readonly id: number;
  /** The process of the number. */
  readonly process: number;
}

/** @internal Creates a handle for a number in the table. */
export function makeHandle(id: number): TensorHandle {
  return { type: 'dyconv.TensorHandle', id, process: native.processKey() };
}

/** @internal The number of a handle. @throws DisposedError for a handle of another process. */
export function checkHandle(handle: TensorHandle): number {
  const expected = 'a handle made by share()';
  if (typeof handle !== 'object' || handle === null) throw invalidArgument('handle', expected, handle);
  const { type, id, process } = handle;
  if (type !== 'dyconv.TensorHandle' || !Number.isSafeInteger(id))
    throw invalidArgument('handle', expected, handle);
  if (process !== native.processKey()) {
    throw new DisposedError(
      `Expected a handle of this process for handle but received one of another (${describe(process)})`,
    );
  }
  return id;
}

/**
 * Releases a handle that will not be claimed. Other unclaimed handles are released 30 seconds after the thread that
 * created them has ended.
 * @returns Whether the handle existed.
 */
export function releaseHandle(handle: TensorHandle): boolean {
  return native.releaseShared(checkHandle(handle));
}
