/**
 * Training, evaluation and run directories: `import { train } from 'dyconv'`.
 * @module
 */
export { CapturedStep, type CapturedStepOptions, type StepResult } from './captured-step.js';
export { type CheckpointFiles, type LoadedCheckpoint, loadCheckpoint, saveCheckpoint } from './checkpoint.js';
export { countParameters } from './count-parameters.js';
export { describeEnvironment } from './environment.js';
export { type EvaluateOptions, type Evaluation, evaluate, type Prediction } from './evaluate.js';
export type { BestEpoch, StepEvent, TrainerEvents, TrainerState, TrainingResult } from './events.js';
export type * from './records.js';
export { RunDirectory, type RunPosition } from './run-directory.js';
export {
  getTemperature,
  setTemperature,
  type TemperatureSchedule,
  type TemperatureScheduleOptions,
  temperatureSchedule,
} from './temperature.js';
export { Trainer, type TrainerOptions } from './trainer.js';
export type { Batch, BatchSource, Loss } from './types.js';
