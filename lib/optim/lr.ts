/**
 * Learning-rate schedules. A scheduler sets its optimizer's rates when it is made and at every `step()`, as a pure
 * function of the number of steps and each group's initial rate: nothing accumulates, so resuming is exact.
 * @see https://pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate
 * @module
 */

import { integer, number } from '../check/arguments.js';
import { checkOptions } from '../check/index.js';
import { invalidArgument } from '../errors.js';
import { checkScheduled, type Scheduled } from './scheduled.js';

/** Where a scheduler is. */
export interface SchedulerState {
  /** Steps that were made. */
  lastEpoch: number;
}

/** Base class: a schedule is the factor on the initial learning rate after `epoch` steps. */
export abstract class LRScheduler {
  /** Whose learning rates are changed. */
  readonly optimizer: Scheduled;
  #lastEpoch = 0;

  constructor(optimizer: Scheduled) {
    this.optimizer = checkScheduled(optimizer);
  }

  /** The factor on the initial learning rate after `epoch` steps, of a group whose initial rate is `initialLr`. */
  abstract factor(epoch: number, initialLr: number): number;

  /** The number of steps taken. */
  get lastEpoch(): number {
    return this.#lastEpoch;
  }

  /** Goes on by one epoch (or batch, where the schedule counts batches). */
  step(): void {
    this.apply(this.#lastEpoch + 1);
  }

  /** Learning rate of each group. */
  getLastLr(): number[] {
    return this.optimizer.paramGroups.map((group) => group.lr);
  }

  /** @internal Sets the rates for a number of steps. Called by constructors with 0. */
  apply(epoch: number): void {
    this.#lastEpoch = epoch;
    for (const group of this.optimizer.paramGroups)
      group.lr = group.initialLr * this.factor(epoch, group.initialLr);
    this.applyMore(epoch);
  }

  /** @internal Sets what a schedule changes besides the rates. */
  applyMore(_epoch: number): void {}

  /** What is needed to go on later. */
  stateDict(): SchedulerState {
    return { lastEpoch: this.#lastEpoch };
  }

  /** Goes on where `stateDict()` was taken. */
  loadStateDict(options: SchedulerState): void {
    const { lastEpoch } = checkOptions(options);
    this.apply(integer('lastEpoch', lastEpoch, 0));
  }
}

/** The factor given by a function of the epoch, which must give the same for the same epoch. */
export class LambdaLR extends LRScheduler {
  readonly #lambda: (epoch: number) => number;
  constructor(optimizer: Scheduled, options: { lrLambda: (epoch: number) => number }) {
    const { lrLambda } = checkOptions(options);
    super(optimizer);
    if (typeof lrLambda !== 'function') throw invalidArgument('lrLambda', 'a function', lrLambda);
    this.#lambda = lrLambda;
    this.apply(0);
  }
  factor(epoch: number): number {
    return number('what lrLambda returns', this.#lambda(epoch));
  }
}

/** Times `gamma` every `stepSize` epochs. */
export class StepLR extends LRScheduler {
  readonly #stepSize: number;
  readonly #gamma: number;
  /** @param options.gamma - Default 0.1. */
  constructor(optimizer: Scheduled, options: { stepSize: number; gamma?: number }) {
    const { stepSize, gamma = 0.1 } = checkOptions(options);
    super(optimizer);
    this.#stepSize = integer('stepSize', stepSize, 1);
    this.#gamma = number('gamma', gamma);
    this.apply(0);
  }
  factor(epoch: number): number {
    return this.#gamma ** Math.floor(epoch / this.#stepSize);
  }
}

/** Times `gamma` at every milestone. The article's: milestones 30, 60, 90. */
export class MultiStepLR extends LRScheduler {
  readonly #milestones: readonly number[];
  readonly #gamma: number;
  /** @param options.gamma - Default 0.1. */
  constructor(optimizer: Scheduled, options: { milestones: readonly number[]; gamma?: number }) {
    const { milestones, gamma = 0.1 } = checkOptions(options);
    super(optimizer);
    if (!Array.isArray(milestones)) throw invalidArgument('milestones', 'an array of epochs', milestones);
    this.#milestones = milestones.map((epoch) => integer('milestones', epoch, 0));
    this.#gamma = number('gamma', gamma);
    this.apply(0);
  }
  factor(epoch: number): number {
    return this.#gamma ** this.#milestones.filter((milestone) => epoch >= milestone).length;
  }
}

/** Times `gamma` every epoch. */
export class ExponentialLR extends LRScheduler {
  readonly #gamma: number;
  constructor(optimizer: Scheduled, options: { gamma: number }) {
    const { gamma } = checkOptions(options);
    super(optimizer);
    this.#gamma = number('gamma', gamma);
    this.apply(0);
  }
  factor(epoch: number): number {
    return this.#gamma ** epoch;
  }
}

/** Half a cosine from 1 down to etaMin / initial rate over `tMax` epochs. @see https://arxiv.org/abs/1608.03983 */
export class CosineAnnealingLR extends LRScheduler {
  readonly #tMax: number;
  readonly #etaMin: number;
  /** @param options.etaMin - Lowest learning rate. Default 0. */
  constructor(optimizer: Scheduled, options: { tMax: number; etaMin?: number }) {
    const { tMax, etaMin = 0 } = checkOptions(options);
    super(optimizer);
    this.#tMax = integer('tMax', tMax, 1);
    this.#etaMin = number('etaMin', etaMin, { min: 0 });
    this.apply(0);
  }
  factor(epoch: number, initialLr: number): number {
    const floor = initialLr === 0 ? 0 : this.#etaMin / initialLr;
    return floor + ((1 - floor) * (1 + Math.cos((Math.PI * epoch) / this.#tMax))) / 2;
  }
}

/** A straight line from `startFactor` to `endFactor` over `totalIters` epochs. */
export class LinearLR extends LRScheduler {
  readonly #start: number;
  readonly #end: number;
  readonly #total: number;
  /** @param options.startFactor - Default 1/3. @param options.endFactor - Default 1. @param options.totalIters - Default 5. */
  constructor(
    optimizer: Scheduled,
    options: { startFactor?: number; endFactor?: number; totalIters?: number } = {},
  ) {
    super(optimizer);
    const { startFactor = 1 / 3, endFactor = 1, totalIters = 5 } = checkOptions(options);
    this.#start = number('startFactor', startFactor, { min: 0 });
    this.#end = number('endFactor', endFactor, { min: 0 });
    this.#total = integer('totalIters', totalIters, 1);
    this.apply(0);
  }
  factor(epoch: number): number {
    return this.#start + (this.#end - this.#start) * Math.min(1, epoch / this.#total);
  }
}

/** Checks the schedulers of a schedule made of them. */
function checkSchedulers(schedulers: unknown): readonly LRScheduler[] {
  const isList = Array.isArray(schedulers) && schedulers.length > 0;
  if (!isList || !schedulers.every((scheduler) => scheduler instanceof LRScheduler))
    throw invalidArgument('schedulers', 'an array of LRSchedulers', schedulers);
  return [...schedulers];
}

/** One schedule after the other: `milestones` are the epochs at which the next takes over, starting at its epoch 0. */
export class SequentialLR extends LRScheduler {
  readonly #schedulers: readonly LRScheduler[];
  readonly #milestones: readonly number[];
  constructor(
    optimizer: Scheduled,
    options: { schedulers: readonly LRScheduler[]; milestones: readonly number[] },
  ) {
    const { schedulers, milestones } = checkOptions(options);
    super(optimizer);
    this.#schedulers = checkSchedulers(schedulers);
    const count = this.#schedulers.length - 1;
    const rises = (epoch: unknown, i: number) =>
      Number.isInteger(epoch) && (epoch as number) > (i === 0 ? 0 : milestones[i - 1]!);
    if (!Array.isArray(milestones) || milestones.length !== count || !milestones.every(rises))
      throw invalidArgument('milestones', `${count} rising epochs for ${count + 1} schedulers`, milestones);
    this.#milestones = [...milestones];
    this.apply(0);
  }
  factor(epoch: number, initialLr: number): number {
    const [scheduler, start] = this.#at(epoch);
    return scheduler.factor(epoch - start, initialLr);
  }
  /** @internal */
  override applyMore(epoch: number): void {
    const [scheduler, start] = this.#at(epoch);
    scheduler.applyMore(epoch - start);
  }
  #at(epoch: number): [scheduler: LRScheduler, start: number] {
    const i = this.#milestones.filter((milestone) => epoch >= milestone).length;
    return [this.#schedulers[i]!, i === 0 ? 0 : this.#milestones[i - 1]!];
  }
}

/** Schedules at once: the product of their factors. @see https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ChainedScheduler.html */
export class ChainedScheduler extends LRScheduler {
  readonly #schedulers: readonly LRScheduler[];
  constructor(optimizer: Scheduled, options: { schedulers: readonly LRScheduler[] }) {
    const { schedulers } = checkOptions(options);
    super(optimizer);
    this.#schedulers = checkSchedulers(schedulers);
    this.apply(0);
  }
  factor(epoch: number, initialLr: number): number {
    return this.#schedulers.reduce((product, one) => product * one.factor(epoch, initialLr), 1);
  }
  /** @internal */
  override applyMore(epoch: number): void {
    for (const scheduler of this.#schedulers) scheduler.applyMore(epoch);
  }
}
