/**
 * Creates pools.
 * @module
 */
import type { Tensor } from '../tensor/tensor.js';
import { Pool } from './pool.js';
import type { PoolOptions } from './pool-options.js';
import type { TensorInput, TensorOutput } from './rows.js';

/**
 * Creates an inference server for a network: requests are collected into batches (micro-batching), rejected if too many wait,
 * and each is answered exactly once.
 * @throws ArgumentError naming the option; DisposedError for a disposed program; the error of the network in the warm-up; WorkerError if the worker threads end at
 * once.
 * @example
 * const pool = await serve.createPool({ run: model, batching: { maxBatch: 32, maxQueue: 256 } });
 * using probabilities = await pool.run(x, { signal: AbortSignal.timeout(500), timeoutMs: 1000 }); // x: [1, 3, 128, 128]
 * await pool.close();
 */
export function createPool<I, O>(
  options: PoolOptions & {
    inputs: 'values';
    run: (inputs: I[], options: { signal: AbortSignal }) => (O | Error)[] | Promise<(O | Error)[]>;
  },
): Promise<Pool<I, O>>;
export function createPool<I = unknown, O = unknown>(
  options: PoolOptions & { inputs: 'values' },
): Promise<Pool<I, O>>;
export function createPool<O extends TensorOutput = Tensor>(
  options: PoolOptions,
): Promise<Pool<TensorInput, O>>;
export function createPool(options: PoolOptions): Promise<Pool> {
  return Pool.create(options);
}
