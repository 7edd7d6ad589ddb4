/**
 * Handles: how a tensor gets from one thread to another. JavaScript offers no object of a package's own that crosses
 * threads, so what travels is a plain object with a number; the tensor waits in a table of the process
 * (cpp/napi/shared_tensors.h).
 * @module
 */
import { DisposedError, describe, invalidArgument } from '../errors.js';
import { native } from '../native/index.js';
import type { Tensor } from './tensor.js';

/** What {@link Tensor.share} returns: a plain object that can be posted to another thread of the process. */
export interface TensorHandle {
  /** What tells it from other messages. */
  readonly type: 'dyconv.TensorHandle';
  /** The tensor's number in the table. */
  readonly id: number;
  /** The process the number belongs to. */
  readonly process: number;
}

export function makeHandle(id: number): TensorHandle {
  return { type: 'dyconv.TensorHandle', id, process: native.processKey() };
}

function checkHandle(handle: TensorHandle): number {
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

/** See {@link Tensor.fromHandle}. */
export function claimHandle(handle: TensorHandle): Tensor {
  return native.claimShared(checkHandle(handle));
}

/**
 * Gives up a handle that nobody will claim (any more). Handles that are forgotten go 30 seconds after the thread that
 * made them has ended.
 * @returns Whether there was something to give up.
 */
export function releaseHandle(handle: TensorHandle): boolean {
  return native.releaseShared(checkHandle(handle));
}
