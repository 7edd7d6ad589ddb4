/**
 * Cosine learning-rate schedules.
 * @see https://arxiv.org/abs/1608.03983
 * @module
 */

import { integer, number } from '../check/arguments.js';
import { checkOptions, optionKeys } from '../check/index.js';
import type { Scheduled } from './scheduled.js';
import { LRScheduler } from './scheduler.js';

/** Options of {@link CosineAnnealingLR}. */
export interface CosineOptions {
  /** Number of epochs from the highest to the lowest rate. */
  tMax: number;
  /** Lowest learning rate. Default 0. */
  etaMin?: number | undefined;
}

const COSINE_KEYS = optionKeys('tMax', 'etaMin');

/**
 * Half a cosine from the base rate down to `etaMin` over `tMax` epochs, then up again.
 * @see https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.CosineAnnealingLR.html
 */
export class CosineAnnealingLR extends LRScheduler {
  readonly #tMax: number;
  readonly #etaMin: number;
  constructor(optimizer: Scheduled, options: CosineOptions) {
    const { tMax, etaMin = 0 } = checkOptions(options, COSINE_KEYS);
    super(optimizer, { tMax, etaMin });
    this.#tMax = integer('tMax', tMax, 1);
    this.#etaMin = number('etaMin', etaMin, { min: 0 });
    this.apply(0);
  }
  override rate(epoch: number, baseLr: number): number {
    return between(this.#etaMin, baseLr, epoch / this.#tMax);
  }
  protected override next(epoch: number, lr: number, baseLr: number): number {
    if (epoch === 0) return lr;
    const [tMax, etaMin] = [this.#tMax, this.#etaMin];
    // At the lowest rate the factor would divide by 0.
    if ((epoch - 1 - tMax) % (2 * tMax) === 0)
      return lr + ((baseLr - etaMin) * (1 - Math.cos(Math.PI / tMax))) / 2;
    const height = (at: number) => 1 + Math.cos((Math.PI * at) / tMax);
    return (height(epoch) / height(epoch - 1)) * (lr - etaMin) + etaMin;
  }
}

/** Options of {@link CosineAnnealingWarmRestarts}. */
export interface WarmRestartsOptions {
  /** Epochs until the first restart. */
  t0: number;
  /** Factor of the length of each period over the previous one. Default 1. */
  tMult?: number | undefined;
  /** Lowest learning rate. Default 0. */
  etaMin?: number | undefined;
}

const WARM_RESTARTS_KEYS = optionKeys('t0', 'tMult', 'etaMin');

/**
 * Half a cosine down, restarted at the highest rate in every period.
 * @see https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.CosineAnnealingWarmRestarts.html
 */
export class CosineAnnealingWarmRestarts extends LRScheduler {
  readonly #t0: number;
  readonly #tMult: number;
  readonly #etaMin: number;
  constructor(optimizer: Scheduled, options: WarmRestartsOptions) {
    const { t0, tMult = 1, etaMin = 0 } = checkOptions(options, WARM_RESTARTS_KEYS);
    super(optimizer, { t0, tMult, etaMin });
    this.#t0 = integer('t0', t0, 1);
    this.#tMult = integer('tMult', tMult, 1);
    this.#etaMin = number('etaMin', etaMin, { min: 0 });
    this.apply(0);
  }
  override rate(epoch: number, baseLr: number): number {
    let [at, period] = [epoch, this.#t0];
    if (this.#tMult === 1) at %= period;
    while (at >= period) {
      at -= period;
      period *= this.#tMult;
    }
    return between(this.#etaMin, baseLr, at / period);
  }
}

/** Half a cosine from `high` at 0 to `low` at 1. */
function between(low: number, high: number, share: number): number {
  return low + ((high - low) * (1 + Math.cos(Math.PI * share))) / 2;
}
