/**
 * Optimizers and learning-rate schedules, torch.optim: `import { optim } from 'dyconv'`.
 * @module
 */
export * as lr from './lr.js';
export {
  clipGradNorm,
  Optimizer,
  type OptimizerGroup,
  type OptimizerState,
  type ParamGroup,
  type Params,
} from './optimizer.js';
export {
  Adam,
  type AdamOptions,
  AdamW,
  RMSprop,
  type RMSpropOptions,
  SGD,
  type SGDOptions,
} from './optimizers.js';
