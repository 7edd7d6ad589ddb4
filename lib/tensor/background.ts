/**
 * Operations on a native thread while the event loop is free.
 * @module
 */
import { refusePromise } from '../check/promise.js';
import { invalidArgument } from '../errors.js';
import { native } from './tensor.js';

/**
 * Computes the operations of `fn` on a native thread while the event loop is free.
 *
 * `fn` runs at once and returns the tensors that it makes before they are computed: an operation is noted when it is called, and all of them are
 * computed in order when `fn` has returned. Blocks are computed one after another in the order of the calls; a block may use tensors of an earlier one that is not
 * done. Grad mode, `autocast` and `tidy` apply as always. A whole training step can be one block, or each of its parts.
 *
 * Nothing that depends on results can be asked inside of `fn`, or before the promise resolves: no values, no sizes of results, and no
 * operation with a number of results that depends on them (`split`, `autograd.grad`). Gradients and hooks written in JavaScript
 * (`autograd.defineFunction`, `registerHook`) cannot run on another thread. Until the promise settles, other code may read the tensors that the block reads, and must
 * not use those that it changes: the parameters of a `backward` or an optimizer's step. Each is an error that names the operation.
 * @param fn - A function that is not async. What it returns is returned, with its tensors computed.
 * @throws ArgumentError when `fn` is async or calls no operation, and as said above. @throws The error of an operation; tensors
 * of the block are disposed then.
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
