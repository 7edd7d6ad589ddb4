/**
 * Hooks on gradients.
 * @module
 */
import { invalidArgument } from '../errors.js';
import { native } from '../native.js';
import { withGrad } from './context.js';
import type { Tensor } from './tensor.js';

/** Called with a gradient; a Tensor that it returns takes its place. */
// biome-ignore lint/suspicious/noConfusingVoidType: a hook that only looks returns nothing
export type GradientHook = (gradient: Tensor) => Tensor | void;

/** See `Tensor.registerHook`. */
export function registerHook(tensor: Tensor, hook: GradientHook): { remove(): void } {
  if (typeof hook !== 'function') throw invalidArgument('hook', 'a function', hook);
  // The graph holds the callback, not the hook: removed, it is let go even where the graph lives on.
  let current: GradientHook | null = hook;
  const position = native.registerHook(tensor, (gradient) => {
    const run = current;
    if (run === null) return;
    withGrad(native.isGradEnabled(), () => {
      const replacement = run(gradient);
      if (replacement === undefined) return;
      if (!native.isTensor(replacement))
        throw invalidArgument('the result of hook', 'a Tensor or nothing', replacement);
      native.returnGradients([replacement]);
    });
  });
  return {
    remove() {
      if (current === null) return;
      current = null;
      if (!native.isDisposed(tensor)) native.removeHook(tensor, position);
    },
  };
}
