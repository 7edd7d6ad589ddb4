/**
 * The state that operations run under: grad mode, inference mode, autocast and the tidy scope. It belongs to the asynchronous
 * context, not to the thread: two requests served at once never see each other's. The add-on holds the current state;
 * this file switches it when control passes from one asynchronous context to another.
 * @module
 */

import { AsyncLocalStorage, createHook } from 'node:async_hooks';
import { types } from 'node:util';
import { checkOptions, optionKeys } from '../check/index.js';
import { invalidArgument } from '../errors.js';
import { native, type Tensor } from './core.js';
import type { DType } from './dtype.js';

const DTYPE = optionKeys('dtype');

interface Context {
  /** The block around this one; null for what no block surrounds. */
  readonly outer: Context | null;
  /** Until the block ends: what was started in it and outlives it goes on in the nearest block that is still open. */
  open: boolean;
  readonly grad: boolean;
  readonly inference: boolean;
  /** What matrix products and convolutions compute in; null is the dtype of their arguments. */
  readonly autocast: DType | null;
  /** The add-on's name for the innermost tidy scope; 0 is none. */
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

function isPromise(value: unknown): value is Promise<unknown> {
  return typeof (value as { then?: unknown } | null)?.then === 'function';
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
    if (isPromise(result)) pending = Promise.resolve(result);
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
 * Runs `fn` without recording operations for autograd: results do not require gradients. Takes an async function too;
 * the mode then holds in it across every `await`, and nowhere else. It ends with the block, as in PyTorch: a timer or a
 * promise that was started in it and comes later runs in the mode around it.
 * @returns What `fn` returns.
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

/** Runs `fn` with recording on, inside a {@link noGrad} block. */
export function enableGrad<T>(fn: () => T): T {
  return runIn({ grad: true }, fn);
}

/**
 * Like {@link noGrad}, and faster: results can never take part in autograd later.
 * @see https://pytorch.org/docs/stable/generated/torch.autograd.grad_mode.inference_mode.html
 */
export function inferenceMode<T>(fn: () => T): T {
  return runIn({ grad: false, inference: true }, fn);
}

/**
 * Runs `fn`, which may be async, with matrix products and convolutions (dynamic ones too) in a 16-bit dtype, while
 * weights, reductions, losses and the routing of dynamic layers stay float32. Backward passes belong outside: they use
 * the dtypes of the forward. No loss scaling is needed for bfloat16, whose range is that of float32.
 * @param options.dtype - `'bfloat16'` (default), `'float16'`, or null to switch it off within an outer block.
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
 * The tensors in a value: itself, or held by arrays, maps, sets and objects (modules among them) at any depth. Reads stored
 * fields alone and calls nothing of the value's: no getter or trap can stop a scope from closing.
 * @internal
 */
export function tensorsIn(value: unknown): Tensor[] {
  const found: Tensor[] = [];
  const seen = new Set<unknown>();
  // A list of what is left instead of recursion: a long chain must not overflow the stack.
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
 * Runs `fn` and disposes every tensor made in it, except those in what it returns, which pass to the tidy block around it,
 * if any: the value itself, or what arrays, maps, sets and objects hold in fields, at any depth (a module, for instance;
 * not private `#fields`, getters and proxies). Takes an async function too; blocks of concurrent requests do not mix.
 * Tensors that should outlive the block without being returned are passed to {@link keep}.
 * @returns What `fn` returns.
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

/** Takes a tensor out of the tidy block it was made in: it lives until disposed or collected. */
export function keep<T extends Tensor>(tensor: T): T {
  native.releaseFromScope(tensor);
  return tensor;
}

/** Runs `fn` with no tidy block: what it makes is kept. For state that outlives the block it is first needed in. */
export function untidy<T>(fn: () => T): T {
  return runIn({ scope: 0 }, fn);
}
