/**
 * More learning-rate schedules: warm restarts, decay to a power, and the one that looks at a metric.
 * @see https://pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate
 * @module
 */

import { integer, number, oneOf } from '../check/arguments.js';
import { checkOptions } from '../check/index.js';
import { invalidArgument } from '../errors.js';
import { LambdaLR, LRScheduler } from './lr.js';
import { checkScheduled, type Scheduled } from './scheduled.js';

/** Times a factor given by a function of the epoch, epoch after epoch. */
export class MultiplicativeLR extends LambdaLR {
  /** The products so far, by epoch. */
  readonly #products = [1];
  override factor(epoch: number): number {
    // The base's constructor asks for epoch 0 before there is the field.
    if (epoch === 0) return 1;
    for (let i = this.#products.length; i <= epoch; i++)
      this.#products.push(this.#products[i - 1]! * super.factor(i));
    return this.#products[epoch]!;
  }
}

/** Times `factor` for the first `totalIters` epochs. @see https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ConstantLR.html */
export class ConstantLR extends LRScheduler {
  readonly #factor: number;
  readonly #total: number;
  /** @param options.factor - Default 1/3. @param options.totalIters - Default 5. */
  constructor(optimizer: Scheduled, options: { factor?: number; totalIters?: number } = {}) {
    super(optimizer);
    this.#factor = number('factor', options.factor ?? 1 / 3, { min: 0 });
    this.#total = integer('totalIters', options.totalIters ?? 5, 0);
    this.apply(0);
  }
  factor(epoch: number): number {
    return epoch < this.#total ? this.#factor : 1;
  }
}

/** From 1 to 0 over `totalIters` epochs, as a power of what is left. */
export class PolynomialLR extends LRScheduler {
  readonly #total: number;
  readonly #power: number;
  /** @param options.totalIters - Default 5. @param options.power - Default 1. */
  constructor(optimizer: Scheduled, options: { totalIters?: number; power?: number } = {}) {
    super(optimizer);
    this.#total = integer('totalIters', options.totalIters ?? 5, 1);
    this.#power = number('power', options.power ?? 1, { min: 0 });
    this.apply(0);
  }
  factor(epoch: number): number {
    return (1 - Math.min(epoch, this.#total) / this.#total) ** this.#power;
  }
}

/** Options of {@link CosineAnnealingWarmRestarts}. */
export interface WarmRestartsOptions {
  /** Epochs until the first restart. */
  t0: number;
  /** Each period is so many times as long as the one before. Default 1. */
  tMult?: number;
  /** Lowest learning rate. Default 0. */
  etaMin?: number;
}

/** Half a cosine down, again and again from the top. @see https://arxiv.org/abs/1608.03983 */
export class CosineAnnealingWarmRestarts extends LRScheduler {
  readonly #t0: number;
  readonly #tMult: number;
  readonly #etaMin: number;
  constructor(optimizer: Scheduled, options: WarmRestartsOptions) {
    const { t0, tMult = 1, etaMin = 0 } = checkOptions(options);
    super(optimizer);
    this.#t0 = integer('t0', t0, 1);
    this.#tMult = integer('tMult', tMult, 1);
    this.#etaMin = number('etaMin', etaMin, { min: 0 });
    this.apply(0);
  }
  factor(epoch: number, initialLr: number): number {
    let [start, period] = [0, this.#t0];
    while (epoch >= start + period) {
      start += period;
      period *= this.#tMult;
    }
    const floor = initialLr === 0 ? 0 : this.#etaMin / initialLr;
    return floor + ((1 - floor) * (1 + Math.cos((Math.PI * (epoch - start)) / period))) / 2;
  }
}

/** Options of {@link ReduceLROnPlateau}. */
export interface PlateauOptions {
  /** Whether the metric should fall or rise. Default `'min'`. */
  mode?: 'min' | 'max';
  /** Times the rate. Default 0.1. */
  factor?: number;
  /** Epochs without progress before that. Default 10. */
  patience?: number;
  /** What counts as progress. Default 1e-4. */
  threshold?: number;
  /** Whether the threshold is a share of the best, or absolute. Default `'rel'`. */
  thresholdMode?: 'rel' | 'abs';
  /** Epochs after a reduction that do not count. Default 0. */
  cooldown?: number;
  /** Lowest learning rate. Default 0. */
  minLr?: number;
  /** Smaller changes of the rate are not made. Default 1e-8. */
  eps?: number;
}

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
  readonly #options: Required<PlateauOptions>;
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
    } = checkOptions(options);
    const { cooldown = 0, minLr = 0, eps = 1e-8 } = checkOptions(options);
    this.optimizer = checkScheduled(optimizer);
    oneOf('mode', ['min', 'max'], mode);
    oneOf('thresholdMode', ['rel', 'abs'], thresholdMode);
    if (!(number('factor', factor, { min: 0 }) < 1))
      throw invalidArgument('factor', 'a number below 1', factor);
    integer('patience', patience, 0);
    integer('cooldown', cooldown, 0);
    number('threshold', threshold, { min: 0 });
    number('minLr', minLr, { min: 0 });
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
    const { factor, patience, cooldown, minLr, eps } = this.#options;
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
    for (const group of this.optimizer.paramGroups) {
      const lowered = Math.max(group.lr * factor, minLr);
      if (group.lr - lowered > eps) group.lr = lowered;
    }
    this.#cooldownCounter = cooldown;
    this.#badEpochs = 0;
  }

  #better(metric: number): boolean {
    const { mode, threshold, thresholdMode } = this.#options;
    const best = this.#best;
    const sign = mode === 'min' ? -1 : 1;
    if (thresholdMode === 'abs') return sign * (metric - best) > threshold;
    return sign * (metric - best * (1 + sign * threshold)) > 0;
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
    const { best, badEpochs, cooldownCounter, lastEpoch } = checkOptions(options);
    if (best !== null && typeof best !== 'number') throw invalidArgument('best', 'a number or null', best);
    this.#best = best ?? (this.#options.mode === 'min' ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY);
    this.#badEpochs = integer('badEpochs', badEpochs, 0);
    this.#cooldownCounter = integer('cooldownCounter', cooldownCounter, 0);
    this.#lastEpoch = integer('lastEpoch', lastEpoch, 0);
  }
}
