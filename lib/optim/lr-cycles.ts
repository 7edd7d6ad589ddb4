/**
 * Learning-rate schedules that go up and come down, and the momentum against them.
 * @module
 */

import { integer, number, oneOf } from '../check/arguments.js';
import { checkOptions } from '../check/index.js';
import { invalidArgument } from '../errors.js';
import { LRScheduler } from './lr.js';
import type { Scheduled } from './scheduled.js';

const POSITIVE = { min: Number.MIN_VALUE };

/** Options of {@link OneCycleLR} and {@link CyclicLR} for the momentum: of SGD and RMSprop, Adam's first beta. */
export interface CycleMomentumOptions {
  /** Moves the momentum against the rate, from `maxMomentum` down to `baseMomentum` and back. Default true, as in PyTorch. */
  cycleMomentum?: boolean;
  /** Where the rate is highest. Default 0.85, of CyclicLR 0.8. */
  baseMomentum?: number;
  /** Where the rate is lowest. Default 0.95, of CyclicLR 0.9. */
  maxMomentum?: number;
}

/** What the two have in common. */
abstract class CycleLR extends LRScheduler {
  readonly #momentum: { readonly base: number; readonly max: number } | null;

  constructor(optimizer: Scheduled, options: CycleMomentumOptions, defaults: [base: number, max: number]) {
    super(optimizer);
    const { cycleMomentum = true, baseMomentum = defaults[0], maxMomentum = defaults[1] } = options;
    if (typeof cycleMomentum !== 'boolean')
      throw invalidArgument('cycleMomentum', 'a boolean', cycleMomentum);
    const base = number('baseMomentum', baseMomentum, { min: 0, max: 1 });
    const max = number('maxMomentum', maxMomentum, { min: base, max: 1 });
    const hasMomentum = optimizer.paramGroups.every((group) => 'betas' in group || 'momentum' in group);
    if (cycleMomentum && !hasMomentum)
      throw invalidArgument('cycleMomentum', 'false for an optimizer without momentum', cycleMomentum);
    this.#momentum = cycleMomentum ? { base, max } : null;
  }

  /** From 0 at the lowest rate to 1 at the highest. */
  protected abstract height(epoch: number): number;

  /** @internal */
  override applyMore(epoch: number): void {
    if (this.#momentum === null) return;
    const { base, max } = this.#momentum;
    const momentum = max - (max - base) * this.height(epoch);
    for (const group of this.optimizer.paramGroups as { momentum?: number; betas?: readonly number[] }[]) {
      if (group.betas) group.betas = [momentum, group.betas[1]!];
      else group.momentum = momentum;
    }
  }
}

/** Options of {@link OneCycleLR}. */
export interface OneCycleOptions extends CycleMomentumOptions {
  /** The highest learning rate; the optimizer's own does not count. */
  maxLr: number;
  /** Number of steps of the whole cycle; the last one's rate stays. */
  totalSteps: number;
  /** Share of the steps spent rising. Default 0.3. */
  pctStart?: number;
  /** maxLr / initial rate. Default 25. */
  divFactor?: number;
  /** Initial rate / last rate. Default 1e4. */
  finalDivFactor?: number;
}

/** Up a cosine to `maxLr`, then down to almost nothing; stepped every batch. @see https://arxiv.org/abs/1708.07120 */
export class OneCycleLR extends CycleLR {
  readonly #options: { totalSteps: number; pctStart: number; divFactor: number; finalDivFactor: number };
  constructor(optimizer: Scheduled, options: OneCycleOptions) {
    super(optimizer, checkOptions(options), [0.85, 0.95]);
    const { maxLr, totalSteps, pctStart = 0.3, divFactor = 25, finalDivFactor = 1e4 } = options;
    integer('totalSteps', totalSteps, 1);
    number('maxLr', maxLr, { min: 0 });
    number('pctStart', pctStart, { min: 0, max: 1 });
    number('divFactor', divFactor, POSITIVE);
    number('finalDivFactor', finalDivFactor, POSITIVE);
    this.#options = { totalSteps, pctStart, divFactor, finalDivFactor };
    for (const group of optimizer.paramGroups) group.initialLr = maxLr / divFactor;
    this.apply(0);
  }
  factor(epoch: number): number {
    const { divFactor, finalDivFactor } = this.#options;
    const lowest = epoch <= this.#peak ? 1 : 1 / finalDivFactor;
    return lowest + (divFactor - lowest) * this.height(epoch);
  }
  protected height(epoch: number): number {
    const peak = this.#peak;
    const last = this.#options.totalSteps - 1;
    const cosine = (share: number) => (1 - Math.cos(Math.PI * Math.min(1, Math.max(0, share)))) / 2;
    if (epoch <= peak) return cosine(peak <= 0 ? 1 : epoch / peak);
    return 1 - cosine((epoch - peak) / (last - peak));
  }
  get #peak(): number {
    return this.#options.pctStart * this.#options.totalSteps - 1;
  }
}

/** Options of {@link CyclicLR}. */
export interface CyclicOptions extends CycleMomentumOptions {
  /** The lowest learning rate, above 0; the optimizer's own does not count. */
  baseLr: number;
  /** The highest. */
  maxLr: number;
  /** Steps up. Default 2000. */
  stepSizeUp?: number;
  /** Steps down. Default: those up. */
  stepSizeDown?: number;
  /** `'triangular2'` halves the height every cycle, `'expRange'` times gamma every step. Default `'triangular'`. */
  mode?: 'triangular' | 'triangular2' | 'expRange';
  /** Default 1. */
  gamma?: number;
}

/** Up and down between two rates; stepped every batch. @see https://arxiv.org/abs/1506.01186 */
export class CyclicLR extends CycleLR {
  readonly #options: Required<Omit<CyclicOptions, keyof CycleMomentumOptions>>;
  constructor(optimizer: Scheduled, options: CyclicOptions) {
    super(optimizer, checkOptions(options), [0.8, 0.9]);
    const { baseLr, maxLr, stepSizeUp = 2000, mode = 'triangular', gamma = 1 } = options;
    const { stepSizeDown = stepSizeUp } = options;
    number('baseLr', baseLr, POSITIVE);
    number('maxLr', maxLr, { min: baseLr });
    integer('stepSizeUp', stepSizeUp, 1);
    integer('stepSizeDown', stepSizeDown, 1);
    oneOf('mode', ['triangular', 'triangular2', 'expRange'], mode);
    this.#options = { baseLr, maxLr, stepSizeUp, stepSizeDown, mode, gamma: number('gamma', gamma) };
    for (const group of optimizer.paramGroups) group.initialLr = baseLr;
    this.apply(0);
  }
  factor(epoch: number): number {
    const { baseLr, maxLr } = this.#options;
    return 1 + ((maxLr - baseLr) / baseLr) * this.height(epoch);
  }
  protected height(epoch: number): number {
    const { stepSizeUp, stepSizeDown, mode, gamma } = this.#options;
    const length = stepSizeUp + stepSizeDown;
    const cycle = Math.floor(epoch / length);
    const at = epoch - cycle * length;
    const height = at <= stepSizeUp ? at / stepSizeUp : (length - at) / stepSizeDown;
    const scale = mode === 'triangular2' ? 2 ** -cycle : mode === 'expRange' ? gamma ** epoch : 1;
    return height * scale;
  }
}
