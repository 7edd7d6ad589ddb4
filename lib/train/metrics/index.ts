/**
 * Metrics of predictions: `import { train } from 'dyconv'`, then `train.metrics`. Each function makes a metric, for the option `metrics` of
 * `evaluate` and `Trainer`, or for a loop that calls `update` and `compute`.
 * @module
 */
export {
  type AverageOptions,
  confusionMatrix,
  f1,
  type PerClass,
  perClass,
  precision,
  recall,
} from './confusion.js';
export { accuracy, meanLoss, topK } from './mean.js';
export type { Metric, ScoreOptions } from './metric.js';
export {
  type AurocOptions,
  auroc,
  aurocPerClass,
  type CalibrationErrorOptions,
  calibrationError,
} from './probabilities.js';
