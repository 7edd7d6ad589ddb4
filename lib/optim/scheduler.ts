/**
 * The base of learning-rate schedulers.
 * @see https://pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate
 * @module
 */
import { inspect } from 'node:util';
import { integer } from '../check/arguments.js';
import { checkObject, dropUndefined } from '../check/index.js';
import { CheckpointError, DyconvError } from '../errors.js';
import { checkScheduled, type Scheduled } from './scheduled.js';

/** Where a scheduler is. */
export interface SchedulerState {
  /** Steps that were made. */
  lastEpoch: number;
  /** The learning rate of each group. Without it the rates are those of the schedule alone. */
  lr?: number[] | undefined;
  /** The rate of each group that the schedule starts from. */
  baseLr?: number[] | undefined;
  /** Of a schedule made of others: where they are. */
  schedulers?: SchedulerState[] | undefined;
}

/**
 * Base class: sets the learning rates of an optimizer when it is made and at every {@link step}, as PyTorch's do. A schedule that
 * is a factor from step to step (StepLR, ExponentialLR, CosineAnnealingLR and others) goes on from the rate that the group has, so
 * that several schedulers over one optimizer, stepped one after the other, multiply, and a rate set by hand is gone on from. One
 * that is a function of the epoch (LambdaLR, OneCycleLR, CyclicLR, CosineAnnealingWarmRestarts) sets the rate whatever it was.
 *
 * A custom schedule extends this class, overrides {@link factor} or {@link rate}, and calls `apply(0)` at the end of its
 * constructor.
 */
export abstract class LRScheduler {
  /** Whose learning rates are changed. */
  readonly optimizer: Scheduled;
  readonly #shown: Readonly<Record<string, unknown>>;
  readonly #baseLrs: number[];
  #lastEpoch = 0;
  #lastLr: number[];

  /**
   * @param shown - Options, for `toString()`.
   * @param baseLrs - The rates that the schedule starts from. Default: the groups' `initialLr`, which is their rate when their
   * first scheduler is made.
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

  /** The rate after `epoch` steps of a group (its number) whose base rate is `baseLr`, if nothing else changes the rate. */
  rate(epoch: number, baseLr: number, _group: number): number {
    return baseLr * this.factor(epoch, baseLr);
  }

  /**
   * The rate after the step to `epoch` of a group whose rate is `lr`; of epoch 0, when the scheduler is made.
   * Default: {@link rate}, whatever the rate is now.
   */
  protected next(epoch: number, _lr: number, baseLr: number, group: number): number {
    return this.rate(epoch, baseLr, group);
  }

  /** The rate where the schedule begins in the course of a {@link SequentialLR}. */
  protected first(_lr: number, baseLr: number, group: number): number {
    return this.rate(0, baseLr, group);
  }

  /** The number of steps taken. */
  get lastEpoch(): number {
    return this.#lastEpoch;
  }

  /** Goes on by one epoch (or batch, where the schedule counts batches). */
  step(): void {
    this.apply(this.#lastEpoch + 1);
  }

  /** Learning rate of each group after the last step of this scheduler. */
  getLastLr(): number[] {
    return [...this.#lastLr];
  }

  /** @internal Goes on to a number of steps from the one before. Called by constructors with 0. */
  apply(epoch: number): void {
    this.#set(epoch, (lr, baseLr, group) => this.next(epoch, lr, baseLr, group));
  }

  /** @internal Begins in the course of a schedule of schedules. */
  restart(): void {
    this.#set(0, (lr, baseLr, group) => this.first(lr, baseLr, group));
  }

  /** @internal Not begun yet: the first step is a {@link restart}. */
  suspend(): void {
    this.#lastEpoch = -1;
  }

  /** @internal Sets what a schedule changes besides the rates. */
  applyMore(_epoch: number): void {}

  /** @internal The schedulers that this one is made of. */
  protected get parts(): readonly LRScheduler[] {
    return [];
  }

  /** @internal Notes that parts made a step. */
  protected moved(epoch: number): void {
    this.#lastEpoch = epoch;
    this.#lastLr = this.optimizer.paramGroups.map((group) => group.lr);
  }

  #set(epoch: number, rateOf: (lr: number, baseLr: number, group: number) => number): void {
    const { paramGroups } = this.optimizer;
    // All of them before the first is set: a function of the user's may throw.
    const rates = paramGroups.map((group, i) => rateOf(group.lr, this.#baseLr(i), i));
    paramGroups.forEach((group, i) => {
      group.lr = rates[i]!;
    });
    this.applyMore(epoch);
    this.#lastEpoch = epoch;
    this.#lastLr = rates;
  }

  /** The base rate of a group; of one that was added later, its rate at the first step after. */
  #baseLr(i: number): number {
    const group = this.optimizer.paramGroups[i]!;
    if (this.#baseLrs[i] === undefined) {
      group.initialLr ??= group.lr;
      this.#baseLrs[i] = group.initialLr;
    }
    return this.#baseLrs[i]!;
  }

  /** What is needed to go on later. */
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
   * Goes on where `stateDict()` was taken, learning rates included.
   * @throws CheckpointError for a state of another number of groups or schedulers; nothing is changed then.
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

  /** @internal Checks a state before any of it is taken. */
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

  /** @internal Takes over a checked state, without the rates. */
  takeState({ lastEpoch, baseLr, schedulers }: SchedulerState): void {
    this.#lastEpoch = lastEpoch;
    if (baseLr) this.#baseLrs.splice(0, this.#baseLrs.length, ...baseLr);
    this.parts.forEach((part, i) => {
      if (schedulers) part.takeState(schedulers[i]!);
    });
    if (!schedulers) this.seekParts(lastEpoch);
  }

  /** @internal Puts parts where they are after `epoch` steps, for a state that does not say. */
  protected seekParts(_epoch: number): void {}

  /** What it is: options, steps and rates. */
  toString(): string {
    const shown = { ...this.#shown, lastEpoch: this.#lastEpoch, lr: this.#lastLr };
    return `${this.constructor.name}(${Object.entries(shown)
      .map(([name, value]) => `${name}=${show(value)}`)
      .join(', ')})`;
  }

  /** What `console.log` shows. */
  [inspect.custom](): string {
    return this.toString();
  }
}

/** An option as it is printed. */
export function show(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(show).join(', ')}]`;
  return typeof value === 'function' ? 'function' : String(value);
}
