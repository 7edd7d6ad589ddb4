/**
 * Promises where a function must not be asynchronous.
 * @module
 */
import { ArgumentError } from '../errors.js';

/** Whether a value is a promise, or another object with a method `then`. */
export function isPromise(value: unknown): value is Promise<unknown> {
  return typeof (value as { then?: unknown } | null)?.then === 'function';
}

/** Refuses a promise that a function returned. Its own failure is ignored: nobody waits for it, and an unhandled one ends the process. */
export function refusePromise(value: unknown, message: string): void {
  if (!isPromise(value)) return;
  Promise.resolve(value).catch(() => {});
  throw new ArgumentError(message);
}
