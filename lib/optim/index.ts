/**
 * Optimizers and learning-rate schedules, torch.optim: `import { optim } from 'dyconv'`.
 * @module
 */
export { clipGradNorm_ as clipGradNorm, clipGradValue_ as clipGradValue } from '../ops/clip-grad.js';
export { Adadelta, type AdadeltaOptions } from './adadelta.js';
export { Adagrad, type AdagradOptions } from './adagrad.js';
export { Adam, type AdamOptions, AdamW, type AdamWOptions } from './adam.js';
export {
  Adamax,
  type AdamaxOptions,
  NAdam,
  type NAdamOptions,
  RAdam,
  type RAdamOptions,
} from './adam-variants.js';
export { type EmaOptions, type EmaState, ExponentialMovingAverage } from './ema.js';
export { LBFGS, type LBFGSOptions } from './lbfgs.js';
export {
  Optimizer,
  type OptimizerGroup,
  type OptimizerState,
  type ParamGroup,
  type Params,
} from './optimizer.js';
export { RMSprop, type RMSpropOptions } from './rmsprop.js';
export { Rprop, type RpropOptions } from './rprop.js';
export * as lr from './schedules.js';
export { SGD, type SGDOptions } from './sgd.js';
