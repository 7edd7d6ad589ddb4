/**
 * Operations on a native thread, without blocking the event loop.
 * @module
 */
import { refusePromise } from '../check/promise.js';
import { invalidArgument } from '../errors.js';
import { native } from './tensor.js';

/**
 * Computes the operations of `fn` on a native thread, without blocking the event loop.
 *
 * `fn` runs at once, and its operations are recorded. When `fn` has returned, they are computed in their order. Calls of
 * `background` are computed one after another; `fn` may use tensors of an earlier call that are not computed yet. Grad mode,
 * `autocast` and `tidy` apply as usual. A whole training step can be one call, or several.
 *
 * These are errors that name the operation: reading values or sizes of results inside `fn` or before the promise resolves;
 * operations whose number of results depends on them (`split`, `autograd.grad`); gradients and hooks written in JavaScript
 * (`autograd.defineFunction`, `registerHook`), which cannot run on another thread; and the use of tensors that `fn` changes,
 * such as the parameters of a `backward` or of an optimizer's step, by other code before the promise settles. Other code may
 * read the tensors that `fn` reads.
 * @param fn - A function that is not async.
 * @returns The result of `fn`, with computed tensors.
 * @throws ArgumentError if `fn` is async or calls no operation, and for the errors above.
 * @throws The error of an operation; the tensors that `fn` created are then disposed.
 * @example
 * const weight = randn([512, 512], { requiresGrad: true });
 * const optimizer = new optim.Adam([weight]);
 * const loss = await background(() => randn([64, 512]).matmul(weight).square().mean());
 * await background(() => loss.backward());
 * await background(() => optimizer.step());
 */
export async function background<T>(fn: () => T): Promise<T> {
  if (typeof fn !== 'function') throw invalidArgument('fn', 'a function', fn);
  native.openBackground();
  let result: T;
  try {
    result = fn();
    refusePromise(result, 'Expected a function that is not async for fn of background');
  } catch (error) {
    native.abandonBackground();
    throw error;
  }
  await native.closeBackground();
  return result;
}
