/**
 * Events and state of a training.
 * @module
 */

import type { EmaState } from '../optim/ema.js';
import type { GradScalerState } from '../optim/grad-scaler.js';
import type { EpochRecord } from '../run/records.js';
import type { Tensor } from '../tensor/tensor.js';
import type { EarlyStoppingState } from './early-stopping.js';
import type { Evaluation } from './evaluate.js';
import type { MeterState } from './meter.js';

/** The position of a training: finished epochs, batches of the epoch, and steps. */
export interface Position {
  /** Finished epochs. */
  epoch: number;
  /** Finished batches of the current epoch. */
  batch: number;
  /** Finished steps of the whole training. */
  step: number;
}

/** One training step: argument of the event 'step'. */
export interface StepEvent {
  /** 1-based step of the whole training. */
  step: number;
  /** 1-based epoch. */
  epoch: number;
  /** 1-based batch of the epoch, out of `batches`; with gradient accumulation, the last batch of the step. */
  batch: number;
  /** Number of batches per epoch. */
  batches: number;
  /** Number of accumulated batches of this step; 1 without accumulation. */
  accumulated: number;
  /** Images of this step. */
  images: number;
  /** Mean over the images of this step. */
  loss: number;
  /** Over the images of this step, 0 to 1. */
  accuracy: number;
  /** Learning rate of this step, of the first group. */
  lr: number;
  /** Norm of the gradient before it was clipped; null unless it is clipped by norm. Not finite for a skipped float16 step. */
  gradNorm: number | null;
  /** Mean over the epoch so far. */
  imagesPerSecond: number;
  /** Seconds this step waited for its batches. */
  dataSeconds: number;
}

/**
 * The best epoch so far by the monitored metric, of the validation set or, without one, of training. Only epochs
 * with a validation count.
 */
export interface BestEpoch {
  /** 1-based. */
  epoch: number;
  /** 0 to 1. */
  accuracy: number;
  /** Mean over the images. */
  loss: number;
}

/** Result of `Trainer.fit()` and argument of the event 'end'. */
export interface TrainingResult {
  /** Whether the signal ended the training before its last epoch. */
  stopped: boolean;
  /** Whether early stopping ended it before its last epoch. */
  earlyStopped: boolean;
  /** Finished epochs, including those before a resume. */
  epochs: number;
  /** Finished steps, including those before a resume. */
  steps: number;
  /** The best epoch; null if none was finished. */
  best: BestEpoch | null;
}

/** Events of a Trainer with the arguments of their listeners. */
export interface TrainerEvents {
  /** After every step of the optimizer. */
  step: [event: StepEvent];
  /** After the validation pass of an epoch, with the averaged weights if weights are averaged. */
  validation: [event: { epoch: number } & Evaluation];
  /** After every epoch, with `improved: true` if it is the best so far. The trainer awaits async listeners. */
  epoch: [record: EpochRecord, info: { improved: boolean }];
  /** The trainer awaits async listeners. */
  end: [result: TrainingResult];
}

/** Everything that is needed to continue a training, except the weights of the model. */
export interface TrainerState {
  /** Finished epochs. */
  epoch: number;
  /** Finished batches of the current epoch. */
  batch: number;
  /** Finished steps of the whole training. */
  step: number;
  /** Running sums of the current epoch. */
  meter: MeterState;
  /** The best epoch so far; null before the first validation. */
  best: BestEpoch | null;
  /** `stateDict()` of the optimizer. */
  optimizer: unknown;
  /** `stateDict()` of the schedule; null without one. */
  scheduler: unknown;
  /** Absent without loss scaling. */
  scaler?: GradScalerState | undefined;
  /** Absent without averaging. */
  ema?: EmaState | undefined;
  /** Absent without early stopping. */
  earlyStopping?: EarlyStoppingState | undefined;
  /** State of the CPU's random generator, uint8. */
  generator: Tensor;
  /** State of the GPU's random generator. Absent on a CPU. */
  deviceGenerator?: Tensor | undefined;
}
