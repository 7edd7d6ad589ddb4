/**
 * Checks of the objects that training uses. They are checked by their methods, so custom classes are accepted.
 * @module
 */
import { checkObject, checkRecord } from '../check/index.js';
import { invalidArgument } from '../errors.js';
import type { Module } from '../nn/module.js';
import { isTensor } from '../tensor/tensor.js';
import type { Metric } from './metrics/metric.js';
import type { Batch, BatchSource } from './types.js';

/** Checks a model. */
export function checkModel(model: Module): void {
  checkRecord(model, 'model', 'a Module', {
    forward: 'function',
    parameters: 'function',
    namedBuffers: 'function',
    namedModules: 'function',
    stateDict: 'function',
    loadStateDict: 'function',
    eval: 'function',
  });
}

/** Checks an optimizer. */
export function checkOptimizer(optimizer: unknown): void {
  checkRecord(optimizer, 'optimizer', 'an Optimizer', {
    step: 'function',
    zeroGrad: 'function',
    stateDict: 'function',
  });
}

/** Checks a trainer. */
export function checkTrainer(trainer: unknown): void {
  checkRecord(trainer, 'trainer', 'a Trainer', {
    stateDict: 'function',
    loadStateDict: 'function',
    withEvaluationWeights: 'function',
    position: 'object',
  });
}

/** Checks a loader. */
export function checkSource(name: string, source: BatchSource): void {
  const iterator = (source as Partial<BatchSource> | undefined | null)?.[Symbol.asyncIterator];
  if (typeof iterator !== 'function' || typeof source.length !== 'number')
    throw invalidArgument(name, 'a loader of batches', source);
}

/** Checks metrics by name. */
export function checkMetrics(metrics: Readonly<Record<string, Metric>>, inGroup = false): void {
  for (const [name, metric] of Object.entries(checkObject(metrics, 'metrics')))
    checkRecord(metric, `metrics.${name}`, inGroup ? 'a metric that has gather' : 'a metric', {
      update: 'function',
      compute: 'function',
      reset: 'function',
      ...(inGroup && { gather: 'function' }),
    });
}

/** Checks a batch. */
export function checkBatch(batch: Batch): void {
  const { images, labels } = checkObject(batch, 'batch');
  if (!isTensor(images)) throw invalidArgument('batch.images', 'a Tensor', images);
  if (!isTensor(labels)) throw invalidArgument('batch.labels', 'a Tensor', labels);
}
