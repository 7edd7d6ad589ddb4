/**
 * Anomaly detection: finds the forward operation of a failing backward pass.
 * @module
 */
import { checkOptions, optionKeys } from '../check/index.js';
import { invalidArgument } from '../errors.js';
import { native } from './tensor.js';

/** Options of {@link detectAnomaly}. */
export interface AnomalyOptions {
  /** Fail at the first gradient that is NaN. Default true. */
  checkNan?: boolean | undefined;
}

const ANOMALY_KEYS = optionKeys('checkNan');

/** Options of the open blocks, the innermost last. */
const open: { readonly checkNan: boolean }[] = [];

/** The stack of the recording call, without this package's own first lines. */
function capture(): string {
  const holder: { stack?: string | undefined } = {};
  Error.captureStackTrace(holder, capture);
  return (holder.stack ?? '').split('\n').slice(1).join('\n');
}

function update(): void {
  const checkNan = open.at(-1)?.checkNan;
  native.setAnomaly(checkNan !== undefined, checkNan ?? false, checkNan === undefined ? null : capture);
}

/**
 * Runs `fn` in anomaly mode: if a backward pass fails or computes NaN, the error message contains the
 * JavaScript stack of the forward operation. Both passes must run in `fn`, which may be async. It is slow and for debugging. The mode is one
 * switch of libtorch for the whole process, so that other threads also fail at NaN until `fn`, or the worker
 * that runs it, has ended.
 * @returns The result of `fn`.
 * @throws NativeError naming the backward operation, the output, and the call of the forward operation.
 * @see https://pytorch.org/docs/stable/autograd.html#anomaly-detection
 * @example autograd.detectAnomaly(() => model.forward(x).sum().backward());
 */
export function detectAnomaly<T>(fn: () => T, options: AnomalyOptions = {}): T {
  const { checkNan = true } = checkOptions(options, ANOMALY_KEYS);
  if (typeof checkNan !== 'boolean') throw invalidArgument('checkNan', 'a boolean', checkNan);
  if (typeof fn !== 'function') throw invalidArgument('fn', 'a function', fn);
  const block = { checkNan };
  open.push(block);
  update();
  const close = () => {
    open.splice(open.indexOf(block), 1);
    update();
  };
  let result: T;
  try {
    result = fn();
  } catch (error) {
    close();
    throw error;
  }
  if (typeof (result as { then?: unknown } | null)?.then !== 'function') {
    close();
    return result;
  }
  return Promise.resolve(result as unknown as Promise<unknown>).finally(close) as T;
}
