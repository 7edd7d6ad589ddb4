/**
 * Early stopping: ends a training that no longer improves.
 * @module
 */
import { integer, number, oneOf } from '../check/arguments.js';
import type { RequiredOptions } from '../check/index.js';
import type { LossAndAccuracy } from '../run/records.js';

/** A metric of an epoch: higher accuracy or lower loss is better. */
export type MonitoredMetric = 'accuracy' | 'loss';

/** Whether `value` is better than `other` by more than `minDelta`. */
export function isBetter(metric: MonitoredMetric, value: number, other: number, minDelta = 0): boolean {
  return metric === 'accuracy' ? value > other + minDelta : value < other - minDelta;
}

/** Options of early stopping. */
export interface EarlyStoppingOptions {
  /** Number of consecutive validations without an improvement after which the training ends. At least 1. */
  patience: number;
  /** An improvement must be larger than this. Default 0. */
  minDelta?: number | undefined;
  /** Default: the metric that chooses the best epoch. */
  metric?: MonitoredMetric | undefined;
}

/** The state of early stopping; plain data for checkpoints. */
export interface EarlyStoppingState {
  /** The last value that counted as an improvement; null before the first. */
  reference: number | null;
  /** Validations since then. */
  stale: number;
}

/** Counts validations without improvement. */
export class EarlyStopping {
  readonly #options: RequiredOptions<EarlyStoppingOptions>;
  #state: EarlyStoppingState = { reference: null, stale: 0 };

  /** @throws ArgumentError for a patience or a difference out of range. */
  constructor(options: RequiredOptions<EarlyStoppingOptions>) {
    integer('earlyStopping.patience', options.patience, 1);
    number('earlyStopping.minDelta', options.minDelta, { min: 0 });
    oneOf('earlyStopping.metric', ['accuracy', 'loss'], options.metric);
    this.#options = options;
  }

  get state(): EarlyStoppingState {
    return { ...this.#state };
  }

  set state(state: EarlyStoppingState) {
    this.#state = { ...state };
  }

  /** Whether the patience is used up. */
  get isDone(): boolean {
    return this.#state.stale >= this.#options.patience;
  }

  /** Updates the state with the metrics of a validated epoch. */
  update(metrics: LossAndAccuracy): void {
    const { metric, minDelta } = this.#options;
    const value = metrics[metric];
    const { reference, stale } = this.#state;
    if (reference === null || isBetter(metric, value, reference, minDelta)) {
      this.#state = { reference: value, stale: 0 };
    } else {
      this.#state = { reference, stale: stale + 1 };
    }
  }
}
