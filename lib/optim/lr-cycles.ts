/**
 * Cyclic learning-rate schedules, with inverse cycles of the momentum.
 * @module
 */

import { integer, number, oneOf } from '../check/arguments.js';
import { checkOptions, optionKeys, type RequiredOptions } from '../check/index.js';
import { invalidArgument } from '../errors.js';
import { checkScheduled, numberPerGroup, type PerGroup, type Scheduled } from './scheduled.js';
import { LRScheduler } from './scheduler.js';

const POSITIVE = { min: Number.MIN_VALUE };

/** Options of {@link OneCycleLR} and {@link CyclicLR} for the momentum: of SGD and RMSprop, Adam's first beta. */
export interface CycleMomentumOptions {
  /** Cycle the momentum inversely to the rate, from `maxMomentum` down to `baseMomentum` and back. Default true, as in PyTorch. */
  cycleMomentum?: boolean | undefined;
  /** Momentum at the highest rate. Default 0.85; for CyclicLR 0.8. */
  baseMomentum?: PerGroup | undefined;
  /** Momentum at the lowest rate. Default 0.95; for CyclicLR 0.9. */
  maxMomentum?: PerGroup | undefined;
}

const CYCLE_MOMENTUM_KEYS = optionKeys('cycleMomentum', 'baseMomentum', 'maxMomentum');

/** Common base class. */
abstract class CycleLR extends LRScheduler {
  readonly #range: { base: (group: number) => number; max: (group: number) => number } | null;

  constructor(
    optimizer: Scheduled,
    options: CycleMomentumOptions,
    defaults: [base: number, max: number],
    baseLrs: readonly number[],
  ) {
    super(optimizer, options as Record<string, unknown>, baseLrs);
    const { cycleMomentum = true, baseMomentum = defaults[0], maxMomentum = defaults[1] } = options;
    if (typeof cycleMomentum !== 'boolean')
      throw invalidArgument('cycleMomentum', 'a boolean', cycleMomentum);
    const base = numberPerGroup('baseMomentum', baseMomentum, optimizer, { min: 0, max: 1 });
    const lowest = Math.min(...optimizer.paramGroups.map((_, i) => base(i)));
    const max = numberPerGroup('maxMomentum', maxMomentum, optimizer, { min: lowest, max: 1 });
    const hasMomentum = optimizer.paramGroups.every((group) => 'betas' in group || 'momentum' in group);
    if (cycleMomentum && !hasMomentum)
      throw invalidArgument('cycleMomentum', 'false for an optimizer without momentum', cycleMomentum);
    this.#range = cycleMomentum ? { base, max } : null;
  }

  /** The momentum after `epoch` steps. */
  protected abstract momentum(epoch: number, base: number, max: number): number;

  /** @internal */
  override applyMore(epoch: number): void {
    const range = this.#range;
    if (range === null) return;
    const groups = this.optimizer.paramGroups as { momentum?: number; betas?: readonly number[] }[];
    groups.forEach((group, i) => {
      const momentum = this.momentum(epoch, range.base(i), range.max(i));
      if (group.betas) group.betas = [momentum, group.betas[1]!];
      else group.momentum = momentum;
    });
  }
}

/** Options of {@link OneCycleLR}. */
export interface OneCycleOptions extends CycleMomentumOptions {
  /** The highest learning rate, one for all groups or one each; the optimizer's own rate is ignored. */
  maxLr: PerGroup;
  /** Number of steps of the whole cycle; the last rate is kept afterwards. Default `epochs * stepsPerEpoch`. */
  totalSteps?: number | undefined;
  /** Number of epochs of the cycle, if `totalSteps` is not given. */
  epochs?: number | undefined;
  /** Number of steps per epoch, if `totalSteps` is not given. */
  stepsPerEpoch?: number | undefined;
  /** Fraction of the steps with rising rate. Default 0.3. */
  pctStart?: number | undefined;
  /** Shape of the phases: cosine or linear. Default `'cos'`. */
  annealStrategy?: 'cos' | 'linear' | undefined;
  /** maxLr / initial rate. Default 25. */
  divFactor?: number | undefined;
  /** Initial rate / last rate. Default 1e4. */
  finalDivFactor?: number | undefined;
  /** Fall to the initial rate as fast as the rate rose, then to the last rate. Default false: fall to the last rate directly. */
  threePhase?: boolean | undefined;
}

const ONE_CYCLE_KEYS = optionKeys(
  ...CYCLE_MOMENTUM_KEYS,
  'maxLr',
  'totalSteps',
  'epochs',
  'stepsPerEpoch',
  'pctStart',
  'annealStrategy',
  'divFactor',
  'finalDivFactor',
  'threePhase',
);

/** Rate or momentum at the ends of a phase. */
type Level = 'initial' | 'max' | 'min';

/**
 * One cycle: up to `maxLr`, then down to almost 0. Step it after every batch.
 * @see https://arxiv.org/abs/1708.07120, https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.OneCycleLR.html
 */
export class OneCycleLR extends CycleLR {
  readonly #totalSteps: number;
  readonly #phases: readonly [end: number, from: Level, to: Level][];
  readonly #maxLr: (group: number) => number;
  readonly #finalDivFactor: number;
  readonly #isLinear: boolean;

  constructor(optimizer: Scheduled, options: OneCycleOptions) {
    const {
      maxLr,
      pctStart = 0.3,
      divFactor = 25,
      finalDivFactor = 1e4,
    } = checkOptions(options, ONE_CYCLE_KEYS);
    const { annealStrategy = 'cos', threePhase = false } = options;
    const total = totalStepsOf(options);
    const highest = numberPerGroup('maxLr', maxLr, optimizer, { min: 0 });
    number('pctStart', pctStart, { min: 0, max: 1 });
    number('divFactor', divFactor, POSITIVE);
    number('finalDivFactor', finalDivFactor, POSITIVE);
    oneOf('annealStrategy', ['cos', 'linear'], annealStrategy);
    if (typeof threePhase !== 'boolean') throw invalidArgument('threePhase', 'a boolean', threePhase);
    checkScheduled(optimizer);
    const initial = optimizer.paramGroups.map((_, i) => highest(i) / divFactor);
    super(optimizer, options, [0.85, 0.95], initial);
    optimizer.paramGroups.forEach((group, i) => {
      group.initialLr = initial[i]!;
    });
    this.#totalSteps = total;
    this.#maxLr = highest;
    this.#finalDivFactor = finalDivFactor;
    this.#isLinear = annealStrategy === 'linear';
    const rise: [number, Level, Level] = [pctStart * total - 1, 'initial', 'max'];
    this.#phases = threePhase
      ? [rise, [2 * pctStart * total - 2, 'max', 'initial'], [total - 1, 'initial', 'min']]
      : [rise, [total - 1, 'max', 'min']];
    this.apply(0);
  }

  override rate(epoch: number, baseLr: number, group: number): number {
    const levels = { initial: baseLr, max: this.#maxLr(group), min: baseLr / this.#finalDivFactor };
    return this.#at(epoch, levels);
  }

  protected momentum(epoch: number, base: number, max: number): number {
    return this.#at(epoch, { initial: max, max: base, min: max });
  }

  #at(epoch: number, levels: Record<Level, number>): number {
    const step = Math.min(epoch, this.#totalSteps - 1);
    let start = 0;
    let i = 0;
    while (i < this.#phases.length - 1 && step > this.#phases[i]![0]) start = this.#phases[i++]![0];
    const [end, from, to] = this.#phases[i]!;
    const share = end === start ? 1 : (step - start) / (end - start);
    if (this.#isLinear) return levels[from] + (levels[to] - levels[from]) * share;
    return levels[to] + ((levels[from] - levels[to]) / 2) * (1 + Math.cos(Math.PI * share));
  }
}

function totalStepsOf({ totalSteps, epochs, stepsPerEpoch }: OneCycleOptions): number {
  if (totalSteps !== undefined || (epochs === undefined && stepsPerEpoch === undefined))
    return integer('totalSteps', totalSteps, 1);
  return integer('epochs', epochs, 1) * integer('stepsPerEpoch', stepsPerEpoch, 1);
}

/** Options of {@link CyclicLR}. */
export interface CyclicOptions extends CycleMomentumOptions {
  /** The lowest learning rate, one for all groups or one each; the optimizer's own rate is ignored. */
  baseLr: PerGroup;
  /** The highest. */
  maxLr: PerGroup;
  /** Number of steps of the rising half. Default 2000. */
  stepSizeUp?: number | undefined;
  /** Number of steps of the falling half. Default: that of the rising half. */
  stepSizeDown?: number | undefined;
  /** `'triangular2'` halves the amplitude every cycle, `'expRange'` multiplies it by gamma every step. Default `'triangular'`. */
  mode?: 'triangular' | 'triangular2' | 'expRange' | undefined;
  /** Default 1. */
  gamma?: number | undefined;
}

const CYCLIC_KEYS = optionKeys(
  ...CYCLE_MOMENTUM_KEYS,
  'baseLr',
  'maxLr',
  'stepSizeUp',
  'stepSizeDown',
  'mode',
  'gamma',
);

/**
 * Cycles between two rates. Step it after every batch.
 * @see https://arxiv.org/abs/1506.01186, https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.CyclicLR.html
 */
export class CyclicLR extends CycleLR {
  readonly #options: RequiredOptions<Pick<CyclicOptions, 'stepSizeUp' | 'stepSizeDown' | 'mode' | 'gamma'>>;
  readonly #maxLr: (group: number) => number;
  constructor(optimizer: Scheduled, options: CyclicOptions) {
    const {
      baseLr,
      maxLr,
      stepSizeUp = 2000,
      mode = 'triangular',
      gamma = 1,
    } = checkOptions(options, CYCLIC_KEYS);
    const { stepSizeDown = stepSizeUp } = options;
    const lowest = numberPerGroup('baseLr', baseLr, optimizer, { min: 0 });
    const base = checkScheduled(optimizer).paramGroups.map((_, i) => lowest(i));
    const highest = numberPerGroup('maxLr', maxLr, optimizer, { min: Math.min(...base) });
    integer('stepSizeUp', stepSizeUp, 1);
    integer('stepSizeDown', stepSizeDown, 1);
    oneOf('mode', ['triangular', 'triangular2', 'expRange'], mode);
    super(optimizer, options, [0.8, 0.9], base);
    this.#options = { stepSizeUp, stepSizeDown, mode, gamma: number('gamma', gamma) };
    this.#maxLr = highest;
    this.apply(0);
  }
  override rate(epoch: number, baseLr: number, group: number): number {
    return baseLr + (this.#maxLr(group) - baseLr) * this.#height(epoch);
  }
  protected momentum(epoch: number, base: number, max: number): number {
    return max - (max - base) * this.#height(epoch);
  }
  /** From 0 at the lowest rate to 1 at the highest. */
  #height(epoch: number): number {
    const { stepSizeUp, stepSizeDown, mode, gamma } = this.#options;
    const length = stepSizeUp + stepSizeDown;
    const cycle = Math.floor(epoch / length);
    const at = epoch - cycle * length;
    const height = at <= stepSizeUp ? at / stepSizeUp : (length - at) / stepSizeDown;
    const scale = mode === 'triangular2' ? 2 ** -cycle : mode === 'expRange' ? gamma ** epoch : 1;
    return height * scale;
  }
}
