/**
 * Training, evaluation and run directories: `import { train } from 'dyconv'`.
 * @module
 */
export { type CheckpointFiles, type LoadedCheckpoint, loadCheckpoint, saveCheckpoint } from './checkpoint.js';
export { countParameters } from './count-parameters.js';
export { describeEnvironment } from './environment.js';
export { type EvaluateOptions, type Evaluation, evaluate, type Prediction } from './evaluate.js';
export type * from './records.js';
export { RunDirectory, type RunPosition } from './run-directory.js';
export {
  getTemperature,
  setTemperature,
  type TemperatureSchedule,
  type TemperatureScheduleOptions,
  temperatureSchedule,
} from './temperature.js';
export {
  type BestEpoch,
  type StepEvent,
  Trainer,
  type TrainerEvents,
  type TrainerOptions,
  type TrainerState,
  type TrainingResult,
} from './trainer.js';
export type { Batch, BatchSource, Loss } from './types.js';
