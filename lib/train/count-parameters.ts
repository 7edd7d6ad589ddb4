/**
 * Counts the scalars of a model in the same way as the article.
 * @module
 */
import type { Module } from '../nn/module.js';
import type { ParameterCounts } from '../run/records.js';
import { checkModel } from './checks.js';

/** Counts trainable scalars and batch-norm statistics (`running_mean`, `running_var`); other buffers are not counted. */
export function countParameters(model: Module): ParameterCounts {
  checkModel(model);
  let trainable = 0;
  for (const parameter of model.parameters()) trainable += parameter.numel;
  let statistics = 0;
  for (const [name, buffer] of model.namedBuffers()) {
    if (/(^|\.)running_(mean|var)$/.test(name)) statistics += buffer.numel;
  }
  return { trainable, statistics, total: trainable + statistics };
}
