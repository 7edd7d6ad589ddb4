/**
 * Learning-rate schedules with a factor or a function.
 * @see https://pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate
 * @module
 */

import { integer, number } from '../check/arguments.js';
import { checkOptions, optionKeys } from '../check/index.js';
import { CheckpointError, invalidArgument } from '../errors.js';
import { type PerGroup, perGroup, type Scheduled } from './scheduled.js';
import { LRScheduler } from './scheduler.js';

const LR_LAMBDA = optionKeys('lrLambda');
const STEP_SIZE_GAMMA = optionKeys('stepSize', 'gamma');
const MILESTONES_GAMMA = optionKeys('milestones', 'gamma');
const GAMMA = optionKeys('gamma');

/** Number of epochs whose factors are multiplied again. */
const MAX_EPOCHS = 1e6;

/** A function of the epoch. */
export type LrLambda = (epoch: number) => number;

/** A schedule by functions of the epoch. */
abstract class FunctionLR extends LRScheduler {
  /** @internal The function of a parameter group, checked. */
  protected readonly lambda: (group: number) => LrLambda;
  /** @param options.lrLambda - One function for all parameter groups, or one each. */
  constructor(optimizer: Scheduled, options: { lrLambda: PerGroup<LrLambda> }) {
    const { lrLambda } = checkOptions(options, LR_LAMBDA);
    super(optimizer, { lrLambda });
    this.lambda = perGroup('lrLambda', lrLambda, optimizer, (one) => {
      if (typeof one !== 'function') throw invalidArgument('lrLambda', 'a function', one);
      return (epoch) => number('what lrLambda returns', one(epoch));
    });
    this.apply(0);
  }
}

/**
 * The base rate times a function of the epoch, one for all groups or one each.
 * @see https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.LambdaLR.html
 */
export class LambdaLR extends FunctionLR {
  override rate(epoch: number, baseLr: number, group: number): number {
    return baseLr * this.lambda(group)(epoch);
  }
}

/**
 * Multiplies the rate every epoch by a function of the epoch.
 * @see https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.MultiplicativeLR.html
 */
export class MultiplicativeLR extends FunctionLR {
  override rate(epoch: number, baseLr: number, group: number): number {
    // Only for a state of older versions without rates; limits the number of calls.
    if (epoch > MAX_EPOCHS)
      throw new CheckpointError(
        `Expected rates in addition to the epoch ${epoch} in the state of a MultiplicativeLR`,
      );
    let lr = baseLr;
    for (let i = 1; i <= epoch; i++) lr *= this.lambda(group)(i);
    return lr;
  }
  protected override next(epoch: number, lr: number, _baseLr: number, group: number): number {
    return epoch === 0 ? lr : lr * this.lambda(group)(epoch);
  }
  /** Continues with the current rate. */
  protected override first(lr: number, _baseLr: number, group: number): number {
    return lr * this.lambda(group)(0);
  }
}

/** Multiplies the rate by `gamma` every `stepSize` epochs. @see https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.StepLR.html */
export class StepLR extends LRScheduler {
  readonly #stepSize: number;
  readonly #gamma: number;
  /** @param options.gamma - Default 0.1. */
  constructor(optimizer: Scheduled, options: { stepSize: number; gamma?: number | undefined }) {
    const { stepSize, gamma = 0.1 } = checkOptions(options, STEP_SIZE_GAMMA);
    super(optimizer, { stepSize, gamma });
    this.#stepSize = integer('stepSize', stepSize, 1);
    this.#gamma = number('gamma', gamma);
    this.apply(0);
  }
  override factor(epoch: number): number {
    return this.#gamma ** Math.floor(epoch / this.#stepSize);
  }
  protected override next(epoch: number, lr: number): number {
    return epoch === 0 || epoch % this.#stepSize !== 0 ? lr : lr * this.#gamma;
  }
}

/**
 * Multiplies the rate by `gamma` at every milestone; in the article 30, 60, 90.
 * @see https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.MultiStepLR.html
 */
export class MultiStepLR extends LRScheduler {
  readonly #milestones: readonly number[];
  readonly #gamma: number;
  /** @param options.gamma - Default 0.1. */
  constructor(optimizer: Scheduled, options: { milestones: readonly number[]; gamma?: number | undefined }) {
    const { milestones, gamma = 0.1 } = checkOptions(options, MILESTONES_GAMMA);
    super(optimizer, { milestones, gamma });
    if (!Array.isArray(milestones)) throw invalidArgument('milestones', 'an array of epochs', milestones);
    this.#milestones = milestones.map((epoch) => integer('milestones', epoch, 0));
    this.#gamma = number('gamma', gamma);
    this.apply(0);
  }
  override factor(epoch: number): number {
    return this.#gamma ** this.#milestones.filter((milestone) => epoch >= milestone).length;
  }
  protected override next(epoch: number, lr: number): number {
    // Once for each occurrence in the list.
    return lr * this.#gamma ** this.#milestones.filter((milestone) => epoch === milestone).length;
  }
}

/** Multiplies the rate by `gamma` every epoch. @see https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ExponentialLR.html */
export class ExponentialLR extends LRScheduler {
  readonly #gamma: number;
  constructor(optimizer: Scheduled, options: { gamma: number }) {
    const { gamma } = checkOptions(options, GAMMA);
    super(optimizer, { gamma });
    this.#gamma = number('gamma', gamma);
    this.apply(0);
  }
  override factor(epoch: number): number {
    return this.#gamma ** epoch;
  }
  protected override next(epoch: number, lr: number): number {
    return epoch === 0 ? lr : lr * this.#gamma;
  }
}

/** Options of {@link ConstantLR}. */
export interface ConstantOptions {
  /** From 0 to 1. Default 1/3. */
  factor?: number | undefined;
  /** Default 5. */
  totalIters?: number | undefined;
}

const CONSTANT_KEYS = optionKeys('factor', 'totalIters');

/** Multiplies the rate by `factor` for the first `totalIters` epochs. @see https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ConstantLR.html */
export class ConstantLR extends LRScheduler {
  readonly #factor: number;
  readonly #total: number;
  constructor(optimizer: Scheduled, options: ConstantOptions = {}) {
    const { factor = 1 / 3, totalIters = 5 } = checkOptions(options, CONSTANT_KEYS);
    super(optimizer, { factor, totalIters });
    this.#factor = number('factor', factor, { min: 0 });
    this.#total = integer('totalIters', totalIters, 0);
    this.apply(0);
  }
  override factor(epoch: number): number {
    return epoch < this.#total ? this.#factor : 1;
  }
  protected override next(epoch: number, lr: number, baseLr: number): number {
    if (epoch === 0) return this.#total === 0 ? lr : lr * this.#factor;
    if (epoch !== this.#total) return lr;
    // A rate of 0 can only be restored from the base rate.
    return this.#factor === 0 ? baseLr : lr * (1 / this.#factor);
  }
}

/** Options of {@link LinearLR}. */
export interface LinearOptions {
  /** Default 1/3. */
  startFactor?: number | undefined;
  /** Default 1. */
  endFactor?: number | undefined;
  /** Default 5. */
  totalIters?: number | undefined;
}

const LINEAR_KEYS = optionKeys('startFactor', 'endFactor', 'totalIters');

/**
 * A factor that changes linearly from `startFactor` to `endFactor` over `totalIters` epochs.
 * @see https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.LinearLR.html
 */
export class LinearLR extends LRScheduler {
  readonly #start: number;
  readonly #end: number;
  readonly #total: number;
  constructor(optimizer: Scheduled, options: LinearOptions = {}) {
    const { startFactor = 1 / 3, endFactor = 1, totalIters = 5 } = checkOptions(options, LINEAR_KEYS);
    super(optimizer, { startFactor, endFactor, totalIters });
    this.#start = number('startFactor', startFactor, { min: 0 });
    this.#end = number('endFactor', endFactor, { min: 0 });
    this.#total = integer('totalIters', totalIters, 1);
    this.apply(0);
  }
  override factor(epoch: number): number {
    return this.#start + (this.#end - this.#start) * Math.min(1, epoch / this.#total);
  }
  protected override next(epoch: number, lr: number, baseLr: number): number {
    if (epoch === 0) return lr * this.#start;
    if (epoch > this.#total) return lr;
    const before = this.#total * this.#start + (epoch - 1) * (this.#end - this.#start);
    // From a rate of 0 only the base rate determines the next one.
    return before === 0 ? baseLr * this.factor(epoch) : lr * (1 + (this.#end - this.#start) / before);
  }
}

/** Options of {@link PolynomialLR}. */
export interface PolynomialOptions {
  /** Default 5. */
  totalIters?: number | undefined;
  /** Default 1. */
  power?: number | undefined;
}

const POLYNOMIAL_KEYS = optionKeys('totalIters', 'power');

/**
 * A factor from 1 to 0 over `totalIters` epochs: a power of the remaining fraction.
 * @see https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.PolynomialLR.html
 */
export class PolynomialLR extends LRScheduler {
  readonly #total: number;
  readonly #power: number;
  constructor(optimizer: Scheduled, options: PolynomialOptions = {}) {
    const { totalIters = 5, power = 1 } = checkOptions(options, POLYNOMIAL_KEYS);
    super(optimizer, { totalIters, power });
    this.#total = integer('totalIters', totalIters, 1);
    this.#power = number('power', power, { min: 0 });
    this.apply(0);
  }
  override factor(epoch: number): number {
    return (1 - Math.min(epoch, this.#total) / this.#total) ** this.#power;
  }
  protected override next(epoch: number, lr: number): number {
    if (epoch === 0 || epoch > this.#total) return lr;
    return lr * ((1 - epoch / this.#total) / (1 - (epoch - 1) / this.#total)) ** this.#power;
  }
}
