/**
 * Optimizers and learning-rate schedules, torch.optim: `import { optim } from 'dyconv'`.
 * @module
 */
export { clipGradNorm_ as clipGradNorm, clipGradValue_ as clipGradValue } from '../ops/clip-grad.js';
export { type EmaOptions, type EmaState, ExponentialMovingAverage } from './ema.js';
export {
  Optimizer,
  type OptimizerGroup,
  type OptimizerState,
  type ParamGroup,
  type Params,
} from './optimizer.js';
export {
  Adagrad,
  type AdagradOptions,
  Adam,
  type AdamOptions,
  AdamW,
  RMSprop,
  type RMSpropOptions,
  SGD,
  type SGDOptions,
} from './optimizers.js';
export * as lr from './schedules.js';
