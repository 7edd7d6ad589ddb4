/**
 * A learning-rate schedule that depends on a metric.
 * @module
 */
import { inspect } from 'node:util';
import { integer, number, oneOf } from '../check/arguments.js';
import { checkObject, checkOptions, optionKeys, type RequiredOptions } from '../check/index.js';
import { invalidArgument } from '../errors.js';
import { checkScheduled, numberPerGroup, type PerGroup, type Scheduled } from './scheduled.js';
import { show } from './scheduler.js';

/** Options of {@link ReduceLROnPlateau}. */
export interface PlateauOptions {
  /** Whether the metric should fall or rise. Default `'min'`. */
  mode?: 'min' | 'max' | undefined;
  /** Factor of the rate. Default 0.1. */
  factor?: number | undefined;
  /** Number of epochs without improvement before a reduction. Default 10. */
  patience?: number | undefined;
  /** Smallest improvement. Default 1e-4. */
  threshold?: number | undefined;
  /** Whether the threshold is relative to the best value, or absolute. Default `'rel'`. */
  thresholdMode?: 'rel' | 'abs' | undefined;
  /** Number of epochs after a reduction that are not counted. Default 0. */
  cooldown?: number | undefined;
  /** Lowest learning rate, one for all groups or one each. Default 0. */
  minLr?: PerGroup | undefined;
  /** Smallest change of the rate; smaller ones are ignored. Default 1e-8. */
  eps?: number | undefined;
}

const PLATEAU_KEYS = optionKeys(
  'mode',
  'factor',
  'patience',
  'threshold',
  'thresholdMode',
  'cooldown',
  'minLr',
  'eps',
);

/** State of {@link ReduceLROnPlateau}. */
export interface PlateauState {
  /** The best value of the metric so far; null before the first. */
  best: number | null;
  /** Number of epochs without improvement. */
  badEpochs: number;
  /** Remaining epochs that are not counted. */
  cooldownCounter: number;
  /** Number of steps. */
  lastEpoch: number;
}

/**
 * Lowers the rates when a metric stops improving. It gets the metric with `step(metric)`, and its
 * state contains the best value.
 * @see https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ReduceLROnPlateau.html
 */
export class ReduceLROnPlateau {
  /** The optimizer whose learning rates are changed. */
  readonly optimizer: Scheduled;
  readonly #options: RequiredOptions<PlateauOptions>;
  readonly #minLr: (group: number) => number;
  #best: number;
  #badEpochs = 0;
  #cooldownCounter = 0;
  #lastEpoch = 0;

  constructor(optimizer: Scheduled, options: PlateauOptions = {}) {
    const {
      mode = 'min',
      factor = 0.1,
      patience = 10,
      threshold = 1e-4,
      thresholdMode = 'rel',
    } = checkOptions(options, PLATEAU_KEYS);
    const { cooldown = 0, minLr = 0, eps = 1e-8 } = options;
    this.optimizer = checkScheduled(optimizer);
    oneOf('mode', ['min', 'max'], mode);
    oneOf('thresholdMode', ['rel', 'abs'], thresholdMode);
    if (!(number('factor', factor, { min: 0 }) < 1))
      throw invalidArgument('factor', 'a number below 1', factor);
    integer('patience', patience, 0);
    integer('cooldown', cooldown, 0);
    number('threshold', threshold, { min: 0 });
    this.#minLr = numberPerGroup('minLr', minLr, optimizer, { min: 0 });
    number('eps', eps, { min: 0 });
    this.#options = { mode, factor, patience, threshold, thresholdMode, cooldown, minLr, eps };
    this.#best = mode === 'min' ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
  }

  /** The number of steps taken. */
  get lastEpoch(): number {
    return this.#lastEpoch;
  }

  /** Learning rate of each group. */
  getLastLr(): number[] {
    return this.optimizer.paramGroups.map((group) => group.lr);
  }

  /** Updates the schedule with the metric of an epoch. */
  step(metric: number): void {
    if (typeof metric !== 'number') throw invalidArgument('metric', 'a number', metric);
    const { factor, patience, cooldown, eps } = this.#options;
    this.#lastEpoch++;
    if (this.#better(metric)) {
      this.#best = metric;
      this.#badEpochs = 0;
    } else {
      this.#badEpochs++;
    }
    if (this.#cooldownCounter > 0) {
      this.#cooldownCounter--;
      this.#badEpochs = 0;
    }
    if (this.#badEpochs <= patience) return;
    this.optimizer.paramGroups.forEach((group, i) => {
      const lowered = Math.max(group.lr * factor, this.#minLr(i));
      if (group.lr - lowered > eps) group.lr = lowered;
    });
    this.#cooldownCounter = cooldown;
    this.#badEpochs = 0;
  }

  #better(metric: number): boolean {
    const { mode, threshold, thresholdMode } = this.#options;
    const best = this.#best;
    // The same expressions as in PyTorch, because others round differently if a metric changes by exactly the threshold.
    if (mode === 'min')
      return thresholdMode === 'rel' ? metric < best * (1 - threshold) : metric < best - threshold;
    return thresholdMode === 'rel' ? metric > best * (threshold + 1) : metric > best + threshold;
  }

  /** The state to save. */
  stateDict(): PlateauState {
    return {
      // JSON has no infinity.
      best: Number.isFinite(this.#best) ? this.#best : null,
      badEpochs: this.#badEpochs,
      cooldownCounter: this.#cooldownCounter,
      lastEpoch: this.#lastEpoch,
    };
  }

  /** Restores a state; the rates themselves are in the optimizer's state. */
  loadStateDict(options: PlateauState): void {
    const { best, badEpochs, cooldownCounter, lastEpoch } = checkObject(options, 'options');
    if (best !== null && typeof best !== 'number') throw invalidArgument('best', 'a number or null', best);
    this.#best = best ?? (this.#options.mode === 'min' ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY);
    this.#badEpochs = integer('badEpochs', badEpochs, 0);
    this.#cooldownCounter = integer('cooldownCounter', cooldownCounter, 0);
    this.#lastEpoch = integer('lastEpoch', lastEpoch, 0);
  }

  /** A description: options, the best metric and the rates. */
  toString(): string {
    const shown = {
      ...this.#options,
      best: this.#best,
      badEpochs: this.#badEpochs,
      lastEpoch: this.#lastEpoch,
      lr: this.getLastLr(),
    };
    return `ReduceLROnPlateau(${Object.entries(shown)
      .map(([name, value]) => `${name}=${show(value)}`)
      .join(', ')})`;
  }

  /** For `console.log`. */
  [inspect.custom](): string {
    return this.toString();
  }
}
