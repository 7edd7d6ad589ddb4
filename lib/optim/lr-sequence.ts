/**
 * Combined learning-rate schedules.
 * @module
 */
import { checkOptions, optionKeys } from '../check/index.js';
import { ArgumentError, invalidArgument } from '../errors.js';
import { checkScheduled, type Scheduled } from './scheduled.js';
import { LRScheduler } from './scheduler.js';

const SCHEDULERS_MILESTONES = optionKeys('schedulers', 'milestones');
const SCHEDULERS = optionKeys('schedulers');

/** Checks the parts of a combined schedule. */
function checkSchedulers(schedulers: unknown, optimizer: Scheduled): readonly LRScheduler[] {
  checkScheduled(optimizer);
  const isList = Array.isArray(schedulers) && schedulers.length > 0;
  if (!isList || !schedulers.every((scheduler) => scheduler instanceof LRScheduler))
    throw invalidArgument('schedulers', 'an array of LRSchedulers', schedulers);
  if (schedulers.some((scheduler) => scheduler.optimizer !== optimizer))
    throw new ArgumentError('Expected schedulers over the same optimizer for schedulers but received others');
  return [...schedulers];
}

/**
 * Runs schedules one after another: `milestones` are the epochs at which the next one starts, at its epoch 0 with its base
 * rate. MultiplicativeLR has no base rate and continues with the current rate.
 * @see https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.SequentialLR.html
 */
export class SequentialLR extends LRScheduler {
  readonly #schedulers: readonly LRScheduler[];
  readonly #milestones: readonly number[];
  constructor(
    optimizer: Scheduled,
    options: { schedulers: readonly LRScheduler[]; milestones: readonly number[] },
  ) {
    const { schedulers, milestones } = checkOptions(options, SCHEDULERS_MILESTONES);
    const all = checkSchedulers(schedulers, optimizer);
    const count = all.length - 1;
    const rises = (epoch: unknown, i: number) =>
      Number.isInteger(epoch) && (epoch as number) > (i === 0 ? 0 : milestones[i - 1]!);
    if (!Array.isArray(milestones) || milestones.length !== count || !milestones.every(rises))
      throw invalidArgument('milestones', `${count} rising epochs for ${count + 1} schedulers`, milestones);
    super(optimizer, { schedulers: all, milestones });
    this.#schedulers = all;
    this.#milestones = [...milestones];
    this.apply(0);
  }

  /** @internal */
  override apply(epoch: number): void {
    const [i, start] = this.#at(epoch);
    if (epoch === 0) {
      // Undoes the changes of the schedulers' constructors and starts the first one.
      for (const group of this.optimizer.paramGroups) group.lr = group.initialLr!;
      this.suspend();
      this.#schedulers[0]!.apply(0);
    } else if (epoch === start) this.#schedulers[i]!.restart();
    else this.#schedulers[i]!.step();
    this.moved(epoch);
  }

  /** @internal */
  override restart(): void {
    for (const scheduler of this.#schedulers) scheduler.suspend();
    this.#schedulers[0]!.restart();
    this.moved(0);
  }

  /** @internal */
  override suspend(): void {
    super.suspend();
    for (const scheduler of this.#schedulers) scheduler.suspend();
  }

  override rate(epoch: number, baseLr: number, group: number): number {
    const [i, start] = this.#at(epoch);
    return this.#schedulers[i]!.rate(epoch - start, baseLr, group);
  }

  /** @internal */
  override applyMore(epoch: number): void {
    const [i, start] = this.#at(epoch);
    this.#schedulers[i]!.applyMore(epoch - start);
  }

  /** @internal */
  protected override get parts(): readonly LRScheduler[] {
    return this.#schedulers;
  }

  /** @internal */
  protected override seekParts(epoch: number): void {
    const [active, start] = this.#at(epoch);
    this.#schedulers.forEach((scheduler, i) => {
      if (i === active) scheduler.takeState({ lastEpoch: epoch - start });
      else scheduler.suspend();
    });
  }

  /** The scheduler of an epoch, and its first epoch. */
  #at(epoch: number): [scheduler: number, start: number] {
    const i = this.#milestones.filter((milestone) => epoch >= milestone).length;
    return [i, i === 0 ? 0 : this.#milestones[i - 1]!];
  }
}

/**
 * Applies several schedules together: each one steps, in order.
 * @see https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ChainedScheduler.html
 */
export class ChainedScheduler extends LRScheduler {
  readonly #schedulers: readonly LRScheduler[];
  constructor(optimizer: Scheduled, options: { schedulers: readonly LRScheduler[] }) {
    const { schedulers } = checkOptions(options, SCHEDULERS);
    const all = checkSchedulers(schedulers, optimizer);
    super(optimizer, { schedulers: all });
    // Each constructor has set the rates.
    this.#schedulers = all;
  }

  /** @internal */
  override apply(epoch: number): void {
    for (const scheduler of this.#schedulers) {
      if (epoch === 0) scheduler.apply(0);
      else scheduler.step();
    }
    this.moved(epoch);
  }

  /** @internal */
  override restart(): void {
    // The first restarts at the base rate, the others multiply it.
    this.#schedulers.forEach((scheduler, i) => {
      if (i === 0) scheduler.restart();
      else scheduler.apply(0);
    });
    this.moved(0);
  }

  /** @internal */
  override suspend(): void {
    super.suspend();
    for (const scheduler of this.#schedulers) scheduler.suspend();
  }

  override rate(epoch: number, baseLr: number, group: number): number {
    return this.#schedulers.reduce((lr, one) => one.rate(epoch, lr, group), baseLr);
  }

  /** @internal */
  override applyMore(epoch: number): void {
    for (const scheduler of this.#schedulers) scheduler.applyMore(epoch);
  }

  /** @internal */
  protected override get parts(): readonly LRScheduler[] {
    return this.#schedulers;
  }

  /** @internal */
  protected override seekParts(epoch: number): void {
    for (const scheduler of this.#schedulers) scheduler.takeState({ lastEpoch: epoch });
  }
}
