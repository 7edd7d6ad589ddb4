/**
 * The state that operations run under: grad mode, inference mode, autocast and the tidy scope. It belongs to the asynchronous
 * context, not to the thread: concurrent requests do not affect each other. The add-on has the current state;
 * this file switches it when control passes from one asynchronous context to another.
 * @module
 */

import { AsyncLocalStorage, createHook } from 'node:async_hooks';
import { types } from 'node:util';
import { checkOptions, optionKeys } from '../check/index.js';
import { isPromise } from '../check/promise.js';
import { ArgumentError, invalidArgument } from '../errors.js';
import { native, type Tensor } from './core.js';
import type { DType } from './dtype.js';

const DTYPE = optionKeys('dtype');

interface Context {
  /** The enclosing block; null if there is none. */
  readonly outer: Context | null;
  /** Whether the block is open. Code that was started in it and outlives it continues in the nearest open block. */
  open: boolean;
  readonly grad: boolean;
  readonly inference: boolean;
  /** Dtype of matrix products and convolutions; null means the dtype of their arguments. */
  readonly autocast: DType | null;
  /** The add-on's number of the innermost tidy scope; 0 if there is none. */
  readonly scope: number;
}

const ROOT: Context = { outer: null, open: true, grad: true, inference: false, autocast: null, scope: 0 };
const storage = new AsyncLocalStorage<Context>();
let current: Context = ROOT;

function enter(next: Context): void {
  if (next === current) return;
  if (next.grad !== current.grad || next.inference !== current.inference) {
    native.setMode(next.grad, next.inference);
  }
  // Under another grad mode as well: a weight cast without autograd must not be found by an operation with it.
  if (next.autocast !== current.autocast || (next.autocast !== null && next.grad !== current.grad)) {
    native.setAutocast(next.autocast !== null, next.autocast ?? 'bfloat16');
  }
  if (next.scope !== current.scope) native.enterScope(next.scope);
  current = next;
}

/** The block that code of an asynchronous context belongs to: the one it was started in, or the nearest around it that is open. */
function contextOf(context: Context | undefined): Context {
  let found = context ?? ROOT;
  while (!found.open) found = found.outer ?? ROOT;
  return found;
}

// Needed only while an asynchronous block is open, and costly for every promise: enabled for just that long.
const switcher = createHook({
  before: () => enter(contextOf(storage.getStore())),
  after: () => enter(ROOT),
});
let openAsyncBlocks = 0;

/** Bun and Deno have `createHook`, but never call the hooks: the state would not follow an `await`. */
const WITHOUT_HOOKS = (['bun', 'deno'] as const).find((name) => process.versions[name] !== undefined);

// An `await` that began without any hook is not followed by a later one, and whether a block is asynchronous is known
// only after its first `await`. Up to Node.js 22 AsyncLocalStorage itself keeps a hook; from 24 on it needs none.
const follower = createHook({ init() {} });
let following = false;

function openAsyncBlock(): void {
  if (openAsyncBlocks++ === 0) switcher.enable();
}

function closeAsyncBlock(): void {
  if (--openAsyncBlocks > 0) return;
  switcher.disable();
  // A disabled hook's `after` no longer comes for the callback that runs now.
  enter(ROOT);
}

/** @throws ArgumentError; what the function that was called already does is left to itself. */
function refuseAsync(runtime: string, pending: Promise<unknown>): never {
  pending.catch(() => {});
  throw new ArgumentError(
    `Expected a function without await for fn but received one that returns a promise: ${runtime} ${process.versions[runtime]} ` +
      'has no hooks for asynchronous code, so that noGrad, tidy, autocast and the like cannot follow it. Node.js has them.',
  );
}

/** Runs `fn` under `change`; `close` is called once when it is done, a promise it returns included. */
function runIn<T>(change: Partial<Context>, fn: () => T, close?: (result: unknown) => void): T {
  if (typeof fn !== 'function') throw invalidArgument('fn', 'a function', fn);
  if (!following) follower.enable();
  following = true;
  const outer = current;
  const inner: Context = { ...outer, ...change, outer, open: true };
  let result: T;
  let pending: Promise<unknown> | undefined;
  try {
    enter(inner);
    result = storage.run(inner, fn);
    // Of something else than a promise, `then` may call back twice, or at once: resolve() makes it one.
    if (isPromise(result)) {
      pending = Promise.resolve(result);
      if (WITHOUT_HOOKS) refuseAsync(WITHOUT_HOOKS, pending);
    }
  } catch (error) {
    inner.open = false;
    enter(outer);
    close?.(undefined);
    throw error;
  }
  enter(outer);
  if (!pending) {
    inner.open = false;
    close?.(result);
    return result;
  }
  openAsyncBlock();
  const settle = (value: unknown) => {
    inner.open = false;
    closeAsyncBlock();
    close?.(value);
  };
  return pending.then(
    (value) => {
      settle(value);
      return value;
    },
    (error: unknown) => {
      settle(undefined);
      throw error;
    },
  ) as T;
}

/**
 * Runs `fn` without recording operations for autograd: results do not require gradients. `fn` may be async;
 * the mode then applies across every `await` in it, and nowhere else. It ends with the block, as in PyTorch: a timer or a
 * promise that was started in it and runs later uses the enclosing mode.
 * @returns The result of `fn`.
 * @see https://pytorch.org/docs/stable/generated/torch.no_grad.html
 * @example const logits = noGrad(() => model.forward(images));
 */
export function noGrad<T>(fn: () => T): T {
  return runIn({ grad: false }, fn);
}

/** @internal Runs `fn` with recording on or off. */
export function withGrad<T>(grad: boolean, fn: () => T): T {
  return runIn({ grad }, fn);
}

/** @internal Runs `fn` without autograd, inference mode and autocast, regardless of the surrounding blocks. */
export function plainMode<T>(fn: () => T): T {
  return runIn({ grad: false, inference: false, autocast: null }, fn);
}

/** Runs `fn` with recording on, inside a {@link noGrad} block. */
export function enableGrad<T>(fn: () => T): T {
  return runIn({ grad: true }, fn);
}

/**
 * Like {@link noGrad} but faster: the results can never be used in autograd.
 * @see https://pytorch.org/docs/stable/generated/torch.autograd.grad_mode.inference_mode.html
 */
export function inferenceMode<T>(fn: () => T): T {
  return runIn({ grad: false, inference: true }, fn);
}

/**
 * Mixed precision: runs `fn`, which may be async, with matrix products and convolutions (including dynamic ones) in a 16-bit dtype, while
 * weights, reductions, losses and the routing of dynamic layers stay float32. Call backward outside; it uses
 * the dtypes of the forward. No loss scaling is needed for bfloat16, whose range is that of float32.
 * @param options.dtype - `'bfloat16'` (default), `'float16'`, or null to disable it within an outer block.
 * @see https://pytorch.org/docs/stable/amp.html
 * @example const loss = autocast(() => F.crossEntropy(model.forward(x), labels));
 */
export function autocast<T>(
  fn: () => T,
  options: { dtype?: 'bfloat16' | 'float16' | null | undefined } = {},
): T {
  const { dtype = 'bfloat16' } = checkOptions(options, DTYPE);
  if (dtype !== null && dtype !== 'bfloat16' && dtype !== 'float16')
    throw invalidArgument('dtype', "'bfloat16', 'float16' or null", dtype);
  return runIn({ autocast: dtype }, fn);
}

/** Whether operations are recorded for autograd here. */
export function isGradEnabled(): boolean {
  return native.isGradEnabled();
}

/**
 * The tensors in a value: the value itself, or in arrays, maps, sets and objects (including modules) at any depth. Reads only stored
 * fields and calls no code of the value, so that no getter or trap can prevent closing a scope.
 * @internal
 */
export function tensorsIn(value: unknown): Tensor[] {
  const found: Tensor[] = [];
  const seen = new Set<unknown>();
  // A work list instead of recursion, because a long chain would overflow the stack.
  const left: unknown[] = [value];
  while (left.length > 0) {
    const next = left.pop();
    if (typeof next !== 'object' || next === null || seen.has(next)) continue;
    seen.add(next);
    if (native.isTensor(next)) found.push(next as Tensor);
    else if (!ArrayBuffer.isView(next) && !types.isProxy(next)) pushHeld(next, left);
  }
  return found;
}

function pushHeld(holder: object, left: unknown[]): void {
  if (Array.isArray(holder) && Object.hasOwn(holder, holder.length - 1)) {
    // Short work for long lists of numbers; sparse ones are walked by their keys.
    for (const item of holder as unknown[]) if (typeof item === 'object' && item !== null) left.push(item);
    return;
  }
  if (types.isMap(holder)) {
    Map.prototype.forEach.call(holder, (item, key) => left.push(key, item));
  } else if (types.isSet(holder)) {
    Set.prototype.forEach.call(holder, (item) => left.push(item));
  }
  for (const key of Reflect.ownKeys(holder)) {
    const held: unknown = Reflect.getOwnPropertyDescriptor(holder, key)?.value;
    if (typeof held === 'object' && held !== null) left.push(held);
  }
}

/**
 * Runs `fn` and disposes every tensor created in it, except those in its result, which move to the enclosing tidy block,
 * if any: the result itself, or tensors in fields of arrays, maps, sets and objects, at any depth (for example a module;
 * not private `#fields`, getters and proxies). `fn` may be async; blocks of concurrent requests are independent.
 * Pass tensors that should outlive the block without being returned to {@link keep}.
 * @returns The result of `fn`.
 * @example const loss = tidy(() => model.forward(x).sub(y).square().mean());
 */
export function tidy<T>(fn: () => T): T {
  if (typeof fn !== 'function') throw invalidArgument('fn', 'a function', fn);
  const parent = current.scope;
  const scope = native.openScope();
  return runIn({ scope }, fn, (result) => {
    let kept: Tensor[] = [];
    try {
      kept = tensorsIn(result);
    } finally {
      native.closeScope(scope, parent, kept);
    }
  });
}

/** Removes a tensor from its tidy block: it exists until it is disposed or garbage-collected. */
export function keep<T extends Tensor>(tensor: T): T {
  native.releaseFromScope(tensor);
  return tensor;
}

/** Runs `fn` without a tidy block, for state that must outlive the current block. */
export function untidy<T>(fn: () => T): T {
  if (current.scope === 0 && typeof fn === 'function') return fn();
  return runIn({ scope: 0 }, fn);
}

/** @internal The innermost tidy block and what surrounds it. */
export type TidyBlock = Context;

/** @internal The tidy block that the calling code is in; undefined if there is none. */
export function currentBlock(): TidyBlock | undefined {
  return current.scope === 0 ? undefined : current;
}

/** @internal Runs `fn`, which is not async, in a block of other code; if that is closed by now, in the nearest open one around it. */
export function inBlock<T>(block: TidyBlock, fn: () => T): T {
  const outer = current;
  enter(contextOf(block));
  try {
    return fn();
  } finally {
    enter(outer);
  }
}
