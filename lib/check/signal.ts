/**
 * AbortSignals: their check, and callbacks.
 * @module
 */
import { invalidArgument } from '../errors.js';

/** Checks an optional AbortSignal. */
export function checkSignal(signal: AbortSignal | undefined, name = 'signal'): void {
  if (signal !== undefined && !(signal instanceof AbortSignal))
    throw invalidArgument(name, 'an AbortSignal', signal);
}

/** The callbacks that wait for a signal. */
interface Waiting {
  readonly callbacks: Set<() => void>;
  readonly listener: () => void;
}

const waiting = new WeakMap<AbortSignal, Waiting>();

/**
 * Calls `callback` when the signal is aborted. Any number can wait for one signal, as all requests of a service may do: it gets one
 * listener, because Node.js warns of a leak when there are more than ten.
 * @returns A function that removes the callback.
 */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  let entry = waiting.get(signal);
  if (entry === undefined) {
    const callbacks = new Set<() => void>();
    entry = { callbacks, listener: () => callbacks.forEach((call) => void call()) };
    waiting.set(signal, entry);
    signal.addEventListener('abort', entry.listener);
  }
  const { callbacks, listener } = entry;
  // A separate function, because the same callback may be given twice.
  const call = () => callback();
  callbacks.add(call);
  return () => {
    if (!callbacks.delete(call) || callbacks.size > 0) return;
    // A signal of AbortSignal.timeout() is not freed while it has a listener.
    signal.removeEventListener('abort', listener);
    waiting.delete(signal);
  };
}

/** The promise, or a rejection with the reason of the signal if it is aborted before. The rest of the promise is then ignored. */
export function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise<T>((resolve, reject) => {
    const remove = onAbort(signal, () => reject(signal.reason));
    if (signal.aborted) reject(signal.reason);
    promise.then(resolve, reject).finally(remove);
  });
}
