/**
 * Optimizers and learning-rate schedules, torch.optim: `import { optim } from 'dyconv'`.
 * @module
 */

export {
  clipGradNorm,
  clipGradValue,
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
