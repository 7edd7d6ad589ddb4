/**
 * The state that operations run under: grad mode, inference mode and the tidy scope. It belongs to the asynchronous
 * context, not to the thread: two requests served at once never see each other's. The add-on holds the current state;
 * this file switches it when control passes from one asynchronous context to another.
 * @module
 */
import { AsyncLocalStorage, createHook } from 'node:async_hooks';
import { invalidArgument } from '../errors.js';
import { native } from '../native.js';
import type { Tensor } from './tensor.js';

interface Context {
  /** The block around this one; null for what no block surrounds. */
  readonly outer: Context | null;
  /** Until the block ends: what was started in it and outlives it goes on in the nearest block that is still open. */
  open: boolean;
  readonly grad: boolean;
  readonly inference: boolean;
  /** The add-on's name for the innermost tidy scope; 0 is none. */
  readonly scope: number;
}

const ROOT: Context = { outer: null, open: true, grad: true, inference: false, scope: 0 };
const storage = new AsyncLocalStorage<Context>();
let current: Context = ROOT;

function enter(next: Context): void {
  if (next === current) return;
  if (next.grad !== current.grad || next.inference !== current.inference) {
    native.setMode(next.grad, next.inference);
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
  const outer = current;
  const inner: Context = { ...outer, ...change, outer, open: true };
  let result: T;
  try {
    enter(inner);
    result = storage.run(inner, fn);
  } catch (error) {
    inner.open = false;
    enter(outer);
    close?.(undefined);
    throw error;
  }
  enter(outer);
  if (!isPromise(result)) {
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
  return result.then(
    (value) => {
      settle(value);
      return value;
    },
    (error) => {
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

/** Whether operations are recorded for autograd here. */
export function isGradEnabled(): boolean {
  return native.isGradEnabled();
}

/** The tensors in a value: itself, or in arrays and plain objects at any depth. */
function tensorsIn(value: unknown, found: Tensor[] = [], seen = new Set<object>()): Tensor[] {
  if (typeof value !== 'object' || value === null || seen.has(value)) return found;
  seen.add(value);
  if (native.isTensor(value)) found.push(value as Tensor);
  else if (Array.isArray(value)) for (const item of value) tensorsIn(item, found, seen);
  else if (value instanceof Map) for (const item of value.values()) tensorsIn(item, found, seen);
  else if (Object.getPrototypeOf(value) === Object.prototype) {
    for (const item of Object.values(value)) tensorsIn(item, found, seen);
  }
  return found;
}

/**
 * Runs `fn` and disposes every tensor made in it, except those in what it returns (itself, or in arrays, maps and
 * plain objects at any depth), which pass to the tidy block around it, if any. Takes an async function too; blocks of
 * concurrent requests do not mix. Tensors that should outlive the block without being returned are passed to
 * {@link keep}.
 * @returns What `fn` returns.
 * @example const loss = tidy(() => model.forward(x).sub(y).square().mean());
 */
export function tidy<T>(fn: () => T): T {
  if (typeof fn !== 'function') throw invalidArgument('fn', 'a function', fn);
  const parent = current.scope;
  const scope = native.openScope();
  return runIn({ scope }, fn, (result) => native.closeScope(scope, parent, tensorsIn(result)));
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
