/**
 * The learning-rate schedule that goes by a metric.
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
  /** Times the rate. Default 0.1. */
  factor?: number | undefined;
  /** Epochs without progress before that. Default 10. */
  patience?: number | undefined;
  /** What counts as progress. Default 1e-4. */
  threshold?: number | undefined;
  /** Whether the threshold is a share of the best, or absolute. Default `'rel'`. */
  thresholdMode?: 'rel' | 'abs' | undefined;
  /** Epochs after a reduction that do not count. Default 0. */
  cooldown?: number | undefined;
  /** Lowest learning rate, one for all groups or one each. Default 0. */
  minLr?: PerGroup | undefined;
  /** Smaller changes of the rate are not made. Default 1e-8. */
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

/** Where a {@link ReduceLROnPlateau} is. */
export interface PlateauState {
  /** The best value of the metric so far; null before the first. */
  best: number | null;
  /** Epochs without improvement, so far. */
  badEpochs: number;
  /** Epochs for which none is counted as bad. */
  cooldownCounter: number;
  /** Steps that were made. */
  lastEpoch: number;
}

/**
 * Lowers the rates when a metric stops improving. Unlike the others it goes by what was seen, `step(metric)`, and its
 * state is saved with it.
 * @see https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ReduceLROnPlateau.html
 */
export class ReduceLROnPlateau {
  /** Whose learning rates are changed. */
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

  /** Takes note of the metric after an epoch. */
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
    // The very expressions of PyTorch: others round differently where a metric changes by just the threshold.
    if (mode === 'min')
      return thresholdMode === 'rel' ? metric < best * (1 - threshold) : metric < best - threshold;
    return thresholdMode === 'rel' ? metric > best * (threshold + 1) : metric > best + threshold;
  }

  /** What is needed to go on later. */
  stateDict(): PlateauState {
    return {
      // Not the infinity, which JSON does not know.
      best: Number.isFinite(this.#best) ? this.#best : null,
      badEpochs: this.#badEpochs,
      cooldownCounter: this.#cooldownCounter,
      lastEpoch: this.#lastEpoch,
    };
  }

  /** Puts back a state; the rates themselves are part of the optimizer's. */
  loadStateDict(options: PlateauState): void {
    const { best, badEpochs, cooldownCounter, lastEpoch } = checkObject(options, 'options');
    if (best !== null && typeof best !== 'number') throw invalidArgument('best', 'a number or null', best);
    this.#best = best ?? (this.#options.mode === 'min' ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY);
    this.#badEpochs = integer('badEpochs', badEpochs, 0);
    this.#cooldownCounter = integer('cooldownCounter', cooldownCounter, 0);
    this.#lastEpoch = integer('lastEpoch', lastEpoch, 0);
  }

  /** What it is: options, the best metric and the rates. */
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

  /** What `console.log` shows. */
  [inspect.custom](): string {
    return this.toString();
  }
}
