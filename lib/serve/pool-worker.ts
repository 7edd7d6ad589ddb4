/**
 * The program of a pool's worker threads: loads the module of the user and runs batches. Started by piscina.
 * @module
 */
import { ArgumentError } from '../errors.js';
import { getNumThreads, setNumThreads } from '../runtime/settings.js';
import { noGrad, untidy } from '../tensor/context.js';
import { releaseHandle, type TensorHandle } from '../tensor/handle.js';
import { Tensor } from '../tensor/tensor.js';
import { callBatchFunction } from './engine.js';
import { disposeAll } from './rows.js';
import {
  packError,
  packValue,
  unpackValue,
  type WorkerAnswer,
  type WorkerModule,
  type WorkerTask,
  type WorkerWeights,
} from './worker-protocol.js';

/** Version of the loaded weights; 0: the initial ones of the module. */
let loaded = 0;

/** Runs a task. It does not throw: a rejected task means that the worker ended. */
export default async function work(task: WorkerTask): Promise<WorkerAnswer> {
  try {
    if (task.threads !== getNumThreads()) setNumThreads(task.threads);
    const exports = await load(task.module);
    if (task.weights !== undefined && task.weights.version !== loaded)
      await loadWeights(exports, task.weights);
    if (task.input === undefined) return { output: undefined };
    return { output: await runBatch(exports[task.module.name] as (input: never) => unknown, task.input) };
  } catch (error) {
    return { error: packError(error) };
  }
}

async function load({ url, name }: WorkerModule): Promise<Record<string, unknown>> {
  const exports = (await import(url)) as Record<string, unknown>;
  if (typeof exports[name] !== 'function') {
    const functions = Object.keys(exports).filter((key) => typeof exports[key] === 'function');
    throw new ArgumentError(
      `Expected a function for the export ${name} of ${url}; the module exports the functions ${functions.join(', ') || 'none'}`,
    );
  }
  return exports;
}

async function loadWeights(
  exports: Record<string, unknown>,
  { version, state }: WorkerWeights,
): Promise<void> {
  const { loadStateDict } = exports;
  if (typeof loadStateDict !== 'function')
    throw new ArgumentError(
      'Expected a function loadStateDict(state) among the exports of the module, to swap its weights, but there is none',
    );
  const tensors: Record<string, Tensor> = {};
  try {
    for (const [name, handle] of Object.entries(state)) tensors[name] = Tensor.fromHandle(handle);
    await noGrad(() => loadStateDict(tensors));
    loaded = version;
  } finally {
    for (const tensor of Object.values(tensors)) tensor.dispose();
  }
}

async function runBatch(fn: (input: never) => unknown, packed: unknown): Promise<unknown> {
  const input = untidy(() => unpackValue(packed));
  try {
    const output = await callBatchFunction(fn, input, undefined);
    try {
      // Of several results, one that cannot be passed is an error only for its request.
      return Array.isArray(output) ? output.map(packResult) : packOutput(output);
    } finally {
      disposeAll(output);
    }
  } finally {
    disposeAll(input);
  }
}

/** The handles keep the memory of the tensors. */
function packOutput(output: unknown): unknown {
  const handles: TensorHandle[] = [];
  try {
    return packValue(output, handles);
  } catch (error) {
    for (const handle of handles) releaseHandle(handle);
    throw error;
  }
}

function packResult(result: unknown): unknown {
  try {
    return packOutput(result);
  } catch (error) {
    return packValue(error);
  }
}
