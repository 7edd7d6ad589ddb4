/**
 * Serving networks: `import { serve } from 'dyconv'`. A pool answers requests in batches; a classifier adds the decoding of images.
 * @module
 */
export {
  Classifier,
  type ClassProbability,
  type LoadClassifierOptions,
  loadClassifier,
} from './classifier.js';
export type { Replacement } from './create-engine.js';
export { createPool } from './create-pool.js';
export type { BatchFunction, PoolProgram, StateDict } from './engine.js';
export type { Picture } from './picture.js';
export type { Pool } from './pool.js';
export type { Latency, PoolBatchEvent, PoolMetricsSnapshot, PoolRequestEvent } from './pool-metrics.js';
export type { BatchingOptions, ModuleFile, PoolOptions } from './pool-options.js';
export type { Outcome, Refusal, RequestOptions } from './pool-request.js';
export type { TensorInput, TensorOutput } from './rows.js';
export type { SwapOptions } from './swap.js';
