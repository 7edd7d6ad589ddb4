/**
 * What a training tells while it runs, and what it leaves to be continued.
 * @module
 */
import type { Tensor } from '../tensor/tensor.js';
import type { Evaluation } from './evaluate.js';
import type { MeterState } from './meter.js';
import type { EpochRecord } from './records.js';

/** One step of training, as told by the event 'step'. */
export interface StepEvent {
  /** 1-based step of the whole training. */
  step: number;
  /** 1-based epoch. */
  epoch: number;
  /** 1-based batch of the epoch, out of `batches`. */
  batch: number;
  batches: number;
  /** Images of this batch. */
  images: number;
  /** Of this batch. */
  loss: number;
  /** Of this batch, 0 to 1. */
  accuracy: number;
  lr: number;
  /** Mean over the epoch so far. */
  imagesPerSecond: number;
  /** Seconds this step waited for its batch. */
  dataSeconds: number;
}

/** The best epoch so far, by validation accuracy (by training accuracy where there is no validation set). */
export interface BestEpoch {
  /** 1-based. */
  epoch: number;
  accuracy: number;
}

/** What `Trainer.fit()` returns and 'end' tells. */
export interface TrainingResult {
  /** Whether the signal ended the training before its last epoch. */
  stopped: boolean;
  /** Finished epochs, those before a resume included. */
  epochs: number;
  steps: number;
  best: BestEpoch | null;
}

/** Events of a Trainer with the arguments of their listeners. */
export interface TrainerEvents {
  step: [event: StepEvent];
  /** After the validation pass of an epoch. */
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
  step: number;
  meter: MeterState;
  best: BestEpoch | null;
  optimizer: unknown;
  scheduler: unknown;
  /** State of the default random generator, uint8. */
  generator: Tensor;
}
