/**
 * The base class of learning-rate schedulers.
 * @see https://pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate
 * @module
 */
import { inspect } from 'node:util';
import { integer } from '../check/arguments.js';
import { checkObject, dropUndefined } from '../check/index.js';
import { CheckpointError, DyconvError } from '../errors.js';
import { checkScheduled, type Scheduled } from './scheduled.js';

/** State of a scheduler. */
export interface SchedulerState {
  /** Number of steps. */
  lastEpoch: number;
  /** The learning rate of each group. Without it, rates are computed from the schedule. */
  lr?: number[] | undefined;
  /** The base rate of each group. */
  baseLr?: number[] | undefined;
  /** The states of the parts of a combined schedule. */
  schedulers?: SchedulerState[] | undefined;
}

/**
 * Base class: sets the learning rates of an optimizer in the constructor and at every {@link step}, as in PyTorch. A schedule that
 * is a factor from step to step (StepLR, ExponentialLR, CosineAnnealingLR and others) changes the current rate of the group, so
 * several schedulers of one optimizer multiply, and a manually set rate is kept. One
 * that is a function of the epoch (LambdaLR, OneCycleLR, CyclicLR, CosineAnnealingWarmRestarts) replaces the rate.
 *
 * A custom schedule extends this class, overrides {@link factor} or {@link rate}, and calls `apply(0)` at the end of its
 * constructor.
 */
export abstract class LRScheduler {
  /** The optimizer whose learning rates are changed. */
  readonly optimizer: Scheduled;
  readonly #shown: Readonly<Record<string, unknown>>;
  readonly #baseLrs: number[];
  #lastEpoch = 0;
  #lastLr: number[];

  /**
   * @param shown - Options, for `toString()`.
   * @param baseLrs - The base rates. Default: the groups' `initialLr`, which is their rate when their
   * first scheduler is created.
   */
  constructor(
    optimizer: Scheduled,
    shown: Readonly<Record<string, unknown>> = {},
    baseLrs?: readonly number[],
  ) {
    this.optimizer = checkScheduled(optimizer);
    this.#shown = dropUndefined(shown);
    for (const group of optimizer.paramGroups) group.initialLr ??= group.lr;
    this.#baseLrs = optimizer.paramGroups.map((group, i) => baseLrs?.[i] ?? group.initialLr!);
    this.#lastLr = optimizer.paramGroups.map((group) => group.lr);
  }

  /** The factor on the base rate after `epoch` steps. */
  factor(_epoch: number, _baseLr: number): number {
    throw new DyconvError(`Expected ${this.constructor.name} to override factor() or rate()`);
  }

  /** The rate after `epoch` steps of a group (its index) with base rate `baseLr`, if nothing else changes the rate. */
  rate(epoch: number, baseLr: number, _group: number): number {
    return baseLr * this.factor(epoch, baseLr);
  }

  /**
   * The rate after the step to `epoch` of a group with the current rate `lr`; for epoch 0, in the constructor.
   * Default: {@link rate}, independent of the current rate.
   */
  protected next(epoch: number, _lr: number, baseLr: number, group: number): number {
    return this.rate(epoch, baseLr, group);
  }

  /** The first rate of the schedule in a {@link SequentialLR}. */
  protected first(_lr: number, baseLr: number, group: number): number {
    return this.rate(0, baseLr, group);
  }

  /** The number of steps taken. */
  get lastEpoch(): number {
    return this.#lastEpoch;
  }

  /** Advances by one epoch (or batch, if the schedule counts batches). */
  step(): void {
    this.apply(this.#lastEpoch + 1);
  }

  /** Learning rate of each group after the last step of this scheduler. */
  getLastLr(): number[] {
    return [...this.#lastLr];
  }

  /** @internal Advances to a number of steps from the previous one. Called by constructors with 0. */
  apply(epoch: number): void {
    this.#set(epoch, (lr, baseLr, group) => this.next(epoch, lr, baseLr, group));
  }

  /** @internal Starts as a part of a combined schedule. */
  restart(): void {
    this.#set(0, (lr, baseLr, group) => this.first(lr, baseLr, group));
  }

  /** @internal Not started yet: the first step is a {@link restart}. */
  suspend(): void {
    this.#lastEpoch = -1;
  }

  /** @internal Sets other values of a schedule, such as the momentum. */
  applyMore(_epoch: number): void {}

  /** @internal The parts of a combined schedule. */
  protected get parts(): readonly LRScheduler[] {
    return [];
  }

  /** @internal Records a step of the parts. */
  protected moved(epoch: number): void {
    this.#lastEpoch = epoch;
    this.#lastLr = this.optimizer.paramGroups.map((group) => group.lr);
  }

  #set(epoch: number, rateOf: (lr: number, baseLr: number, group: number) => number): void {
    const { paramGroups } = this.optimizer;
    // All rates are computed before the first is set, because a user's function may throw.
    const rates = paramGroups.map((group, i) => rateOf(group.lr, this.#baseLr(i), i));
    paramGroups.forEach((group, i) => {
      group.lr = rates[i]!;
    });
    this.applyMore(epoch);
    this.#lastEpoch = epoch;
    this.#lastLr = rates;
  }

  /** The base rate of a group; for a group that was added later, its rate at the next step. */
  #baseLr(i: number): number {
    const group = this.optimizer.paramGroups[i]!;
    if (this.#baseLrs[i] === undefined) {
      group.initialLr ??= group.lr;
      this.#baseLrs[i] = group.initialLr;
    }
    return this.#baseLrs[i]!;
  }

  /** The state to save. */
  stateDict(): SchedulerState {
    const { parts } = this;
    return {
      lastEpoch: this.#lastEpoch,
      lr: this.optimizer.paramGroups.map((group) => group.lr),
      baseLr: [...this.#baseLrs],
      ...(parts.length > 0 && { schedulers: parts.map((part) => part.stateDict()) }),
    };
  }

  /**
   * Restores the state of `stateDict()`, including learning rates.
   * @throws CheckpointError for a state with a different number of groups or schedulers; nothing is changed then.
   */
  loadStateDict(state: SchedulerState): void {
    this.checkState(state);
    const { paramGroups } = this.optimizer;
    const { lastEpoch, lr, baseLr } = state;
    const rates = lr ?? paramGroups.map((_, i) => this.rate(lastEpoch, baseLr?.[i] ?? this.#baseLr(i), i));
    this.takeState(state);
    paramGroups.forEach((group, i) => {
      group.lr = rates[i]!;
    });
    this.applyMore(this.#lastEpoch);
    this.#lastLr = [...rates];
  }

  /** @internal Checks a state before it is used. */
  checkState(state: SchedulerState, isPart = false): void {
    const { lastEpoch, lr, baseLr, schedulers } = checkObject(state, 'state');
    integer('lastEpoch', lastEpoch, isPart ? -1 : 0);
    const { length } = this.optimizer.paramGroups;
    for (const [name, list] of Object.entries({ lr, baseLr })) {
      if (list === undefined) continue;
      if (!Array.isArray(list) || list.length !== length || !list.every(Number.isFinite))
        throw new CheckpointError(`Expected ${length} learning rates as ${name} of the scheduler state`);
    }
    const { parts } = this;
    if (schedulers === undefined) return;
    if (!Array.isArray(schedulers) || schedulers.length !== parts.length)
      throw new CheckpointError(`Expected the states of ${parts.length} schedulers in the scheduler state`);
    parts.forEach((part, i) => void part.checkState(schedulers[i]!, true));
  }

  /** @internal Restores a checked state, without the rates. */
  takeState({ lastEpoch, baseLr, schedulers }: SchedulerState): void {
    this.#lastEpoch = lastEpoch;
    if (baseLr) this.#baseLrs.splice(0, this.#baseLrs.length, ...baseLr);
    this.parts.forEach((part, i) => {
      if (schedulers) part.takeState(schedulers[i]!);
    });
    if (!schedulers) this.seekParts(lastEpoch);
  }

  /** @internal Sets the parts to `epoch` steps, for a state without their states. */
  protected seekParts(_epoch: number): void {}

  /** A description: options, steps and rates. */
  toString(): string {
    const shown = { ...this.#shown, lastEpoch: this.#lastEpoch, lr: this.#lastLr };
    return `${this.constructor.name}(${Object.entries(shown)
      .map(([name, value]) => `${name}=${show(value)}`)
      .join(', ')})`;
  }

  /** For `console.log`. */
  [inspect.custom](): string {
    return this.toString();
  }
}

/** Formats an option. */
export function show(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(show).join(', ')}]`;
  return typeof value === 'function' ? 'function' : String(value);
}
