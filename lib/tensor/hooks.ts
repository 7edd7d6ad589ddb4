/**
 * Hooks on gradients.
 * @module
 */
import { invalidArgument } from '../errors.js';
import { withGrad } from './context.js';
import { native, type Tensor } from './core.js';

/** Called with a gradient; if it returns a Tensor, this replaces the gradient. */
// biome-ignore lint/suspicious/noConfusingVoidType: a hook need not return anything
export type GradientHook = (gradient: Tensor) => Tensor | void;

/** Hooks on gradients. */
export abstract class HooksMethods {
  /**
   * Calls `hook` with the tensor's gradient in every backward pass; if it returns a Tensor, this replaces the gradient.
   * Its errors are thrown to the caller of the pass. It runs on this thread. A hook that refers
   * to its own tensor keeps it alive until removed, or until the tensor is disposed.
   * @returns `remove()` removes the hook.
   * @see https://pytorch.org/docs/stable/generated/torch.Tensor.register_hook.html
   */
  registerHook(this: Tensor, hook: GradientHook): { remove(): void } {
    return register(this, hook);
  }
}

function register(tensor: Tensor, hook: GradientHook): { remove(): void } {
  if (typeof hook !== 'function') throw invalidArgument('hook', 'a function', hook);
  const cell: { hook: GradientHook | null } = { hook };
  const position = native.registerHook(tensor, callbackOf(cell));
  return {
    remove() {
      if (cell.hook === null) return;
      cell.hook = null;
      if (!native.isDisposed(tensor)) native.removeHook(tensor, position);
    },
  };
}

/**
 * The function that the graph refers to. It must not refer to the hook, which is released when removed, or to the tensor, which
 * would never be freed.
 */
function callbackOf(cell: { hook: GradientHook | null }): (gradient: Tensor) => void {
  return (gradient) => {
    const run = cell.hook;
    if (run === null) return;
    withGrad(native.isGradEnabled(), () => {
      const replacement = run(gradient);
      if (replacement === undefined) return;
      if (!native.isTensor(replacement))
        throw invalidArgument('the result of hook', 'a Tensor or nothing', replacement);
      native.returnGradients([replacement]);
    });
  };
}
