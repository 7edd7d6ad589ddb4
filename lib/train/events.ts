/**
 * What a training tells while it runs, and what it leaves to be continued.
 * @module
 */

import type { EmaState } from '../optim/ema.js';
import type { GradScalerState } from '../optim/grad-scaler.js';
import type { EpochRecord } from '../run/records.js';
import type { Tensor } from '../tensor/tensor.js';
import type { EarlyStoppingState } from './early-stopping.js';
import type { Evaluation } from './evaluate.js';
import type { MeterState } from './meter.js';

/** One step of training, as told by the event 'step'. */
export interface StepEvent {
  /** 1-based step of the whole training. */
  step: number;
  /** 1-based epoch. */
  epoch: number;
  /** 1-based batch of the epoch, out of `batches`; where gradients are accumulated, the last of the step. */
  batch: number;
  /** Batches of an epoch. */
  batches: number;
  /** Batches whose gradients this step used: 1 unless they are accumulated. */
  accumulated: number;
  /** Images of this step. */
  images: number;
  /** Mean over the images of this step. */
  loss: number;
  /** Over the images of this step, 0 to 1. */
  accuracy: number;
  /** Learning rate of this step, of the first group. */
  lr: number;
  /** Norm of the gradient before it was clipped; null unless it is clipped by its norm. Not finite for a float16 step that was left out. */
  gradNorm: number | null;
  /** Mean over the epoch so far. */
  imagesPerSecond: number;
  /** Seconds this step waited for its batches. */
  dataSeconds: number;
}

/**
 * The best epoch so far by the monitored metric, of the validation set or, where there is none, of training. Only epochs
 * that were validated count.
 */
export interface BestEpoch {
  /** 1-based. */
  epoch: number;
  /** 0 to 1. */
  accuracy: number;
  /** Mean over the images. */
  loss: number;
}

/** What `Trainer.fit()` returns and 'end' tells. */
export interface TrainingResult {
  /** Whether the signal ended the training before its last epoch. */
  stopped: boolean;
  /** Whether it ended before its last epoch because the monitored metric no longer got better. */
  earlyStopped: boolean;
  /** Finished epochs, those before a resume included. */
  epochs: number;
  /** Finished steps, those before a resume included. */
  steps: number;
  /** The best epoch; null where none was finished. */
  best: BestEpoch | null;
}

/** Events of a Trainer with the arguments of their listeners. */
export interface TrainerEvents {
  /** After every step of the optimizer. */
  step: [event: StepEvent];
  /** After the validation pass of an epoch, with the averaged weights where weights are averaged. */
  validation: [event: { epoch: number } & Evaluation];
  /** After every epoch, with `improved: true` where it is the best so far. The trainer waits for async listeners. */
  epoch: [record: EpochRecord, info: { improved: boolean }];
  /** The trainer waits for async listeners. */
  end: [result: TrainingResult];
}

/** Everything a training needs to go on, beside the weights of the model. */
export interface TrainerState {
  /** Finished epochs. */
  epoch: number;
  /** Finished batches of the epoch under way. */
  batch: number;
  /** Finished steps of the whole training. */
  step: number;
  /** Sums of the epoch under way. */
  meter: MeterState;
  /** The best epoch so far; null before the first validation. */
  best: BestEpoch | null;
  /** `stateDict()` of the optimizer. */
  optimizer: unknown;
  /** `stateDict()` of the schedule; null without one. */
  scheduler: unknown;
  /** Absent unless losses are scaled. */
  scaler?: GradScalerState | undefined;
  /** Absent without averaging. */
  ema?: EmaState | undefined;
  /** Absent without early stopping. */
  earlyStopping?: EarlyStoppingState | undefined;
  /** State of the CPU's random generator, uint8. */
  generator: Tensor;
  /** The same of the GPU that was trained on. Absent without one. */
  deviceGenerator?: Tensor | undefined;
}
