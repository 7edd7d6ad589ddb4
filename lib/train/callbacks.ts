/**
 * Callbacks of a training: objects that log, save or stop it.
 * @module
 */
import { checkRecord } from '../check/index.js';
import { invalidArgument } from '../errors.js';
import type { EpochRecord } from '../run/records.js';
import type { Evaluation } from './evaluate.js';
import type { BestEpoch, Position, StepEvent, TrainerState, TrainingResult } from './events.js';

/** The methods of a trainer that callbacks and run directories use. */
export interface TrainerControl {
  /** Finished epochs, finished batches of the current epoch, and steps. */
  readonly position: Position;
  /** The best epoch so far. */
  readonly best: BestEpoch | null;
  /** Ends the training after the current step; `fit` then returns with `stopped: true`. */
  stop(): void;
  /** Everything that a resumed training needs, except the weights. */
  stateDict(): TrainerState;
  /** Restores the state of {@link stateDict}. */
  loadStateDict(state: TrainerState): void;
  /** Runs `fn` with the weights for validation in the model. */
  withEvaluationWeights<T>(fn: () => T): T;
}

/**
 * Methods that a trainer calls; all are optional, and those that return a promise are awaited. `train.TensorBoard` and `train.WandbHistory` are callbacks.
 * @example
 * const stopAtGoal: train.Callback = {
 *   onEpoch(record, { trainer }) {
 *     if ((record.val?.accuracy ?? 0) > 0.9) trainer.stop()
 *   },
 * }
 */
export interface Callback {
  /** Before the first step of a call of `fit`. */
  onStart?: ((info: { trainer: TrainerControl }) => void | Promise<void>) | undefined;
  /** After every step of the optimizer whose loss has been read. Not awaited. Gradients are still those of the last step. */
  onStep?: ((event: StepEvent, info: { trainer: TrainerControl }) => void) | undefined;
  /** After the validation of an epoch. Not awaited. */
  onValidation?:
    | ((event: { epoch: number } & Evaluation, info: { trainer: TrainerControl }) => void)
    | undefined;
  /** After every epoch, with `improved: true` if it is the best so far. */
  onEpoch?:
    | ((record: EpochRecord, info: { improved: boolean; trainer: TrainerControl }) => void | Promise<void>)
    | undefined;
  /** After the last epoch, or when the training was stopped. */
  onEnd?: ((result: TrainingResult, info: { trainer: TrainerControl }) => void | Promise<void>) | undefined;
  /** Always called at the end of `fit`, also after an error, for example to close files. */
  close?: (() => void | Promise<void>) | undefined;
}

const METHODS = ['onStart', 'onStep', 'onValidation', 'onEpoch', 'onEnd', 'close'] as const;

/** Checks a list of callbacks. */
export function checkCallbacks(callbacks: readonly Callback[]): void {
  if (!Array.isArray(callbacks)) throw invalidArgument('callbacks', 'an array of callbacks', callbacks);
  for (const [i, callback] of callbacks.entries()) {
    const name = `callbacks[${i}]`;
    checkRecord(callback, name, 'a callback', {});
    const found = METHODS.filter((method) => callback[method] !== undefined);
    if (found.length === 0)
      throw invalidArgument(name, `an object with at least one of ${METHODS.join(', ')}`, callback);
    for (const method of found)
      if (typeof callback[method] !== 'function')
        throw invalidArgument(`${name}.${method}`, 'a function', callback[method]);
  }
}
