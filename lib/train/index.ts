/**
 * Training, evaluation and run directories: `import { train } from 'dyconv'`.
 * @module
 */

export { type LoadWeightsOptions, loadWeights } from '../formats/weights-file.js';
export { describeEnvironment } from '../run/environment.js';
export type * from '../run/records.js';
export type { Callback, TrainerControl } from './callbacks.js';
export { CapturedStep, type CapturedStepOptions } from './captured-step.js';
export { type CheckpointFiles, type LoadedCheckpoint, loadCheckpoint, saveCheckpoint } from './checkpoint.js';
export { countParameters } from './count-parameters.js';
export type { EarlyStoppingOptions, EarlyStoppingState, MonitoredMetric } from './early-stopping.js';
export {
  type EvaluateOptions,
  type Evaluation,
  evaluate,
  type MetricResults,
  type Prediction,
} from './evaluate.js';
export type {
  BestEpoch,
  Position,
  StepEvent,
  TrainerEvents,
  TrainerState,
  TrainingResult,
} from './events.js';
export { type FindLearningRateOptions, findLearningRate, type LearningRateCurve } from './find-lr.js';
export type { AutocastDType, StepResult } from './forward-backward.js';
export { type FrozenParts, freeze, headOf } from './freeze.js';
export { kernelChoices } from './kernel-choices.js';
export type {
  CheckpointPart,
  CheckpointParts,
  LoadCheckpointParts,
  LoadedParts,
  SaveCheckpointParts,
  Stateful,
} from './loop-checkpoint.js';
export * as metrics from './metrics/index.js';
export { RunDirectory, type RunPosition } from './run-directory.js';
export type { FitOptions } from './run-writer.js';
export {
  getTemperature,
  setTemperature,
  type TemperatureRamp,
  type TemperatureSchedule,
  type TemperatureScheduleOptions,
  temperatureSchedule,
} from './temperature.js';
export { type EventOptions, TensorBoard, type TensorBoardOptions } from './tensorboard.js';
export { Trainer } from './trainer.js';
export type { ClipOptions, TrainerOptions } from './trainer-options.js';
export type { Batch, BatchSource, Loss } from './types.js';
export { WandbHistory, type WandbHistoryOptions } from './wandb-history.js';
