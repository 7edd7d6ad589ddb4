/**
 * Adagrad. A step of a group is one native call.
 * @module
 */

import { number } from '../check/arguments.js';
import { type PartialOptions, withDefaults } from '../check/index.js';
import { native } from '../tensor/tensor.js';
import { checkFlags, NON_NEGATIVE } from './checks.js';
import { Optimizer, type OptimizerGroup, type Params, type SlotName, type Slots } from './optimizer.js';

/** Options of {@link Adagrad}. */
export interface AdagradOptions {
  /** Learning rate. Default 1e-2. */
  lr: number;
  /** The learning rate is divided by 1 + lrDecay * steps. Default 0. */
  lrDecay: number;
  /** Weight decay (L2 penalty). Default 0. */
  weightDecay: number;
  /** Initial value of the sums of squares. Default 0. */
  initialAccumulatorValue: number;
  /** Added to the denominator. Default 1e-10. */
  eps: number;
  /** Maximize instead of minimize. Default false. */
  maximize: boolean;
}

const ADAGRAD_DEFAULTS: AdagradOptions = {
  lr: 1e-2,
  lrDecay: 0,
  weightDecay: 0,
  initialAccumulatorValue: 0,
  eps: 1e-10,
  maximize: false,
};

/** Adagrad. @see https://jmlr.org/papers/v12/duchi11a.html, https://pytorch.org/docs/stable/generated/torch.optim.Adagrad.html */
export class Adagrad extends Optimizer<AdagradOptions> {
  constructor(params: Params<AdagradOptions>, options: PartialOptions<AdagradOptions> = {}) {
    super(params, withDefaults(ADAGRAD_DEFAULTS, options));
  }

  protected check(options: AdagradOptions): void {
    for (const name of ['lr', 'lrDecay', 'weightDecay', 'initialAccumulatorValue', 'eps'] as const)
      number(name, options[name], NON_NEGATIVE);
    checkFlags(options, 'maximize');
  }

  protected get slotNames(): readonly SlotName[] {
    return ['step', 'sum'];
  }

  protected slotsOf(): readonly SlotName[] {
    return this.slotNames;
  }

  protected override initialValue(name: SlotName, group: OptimizerGroup<AdagradOptions>): number {
    return name === 'sum' ? group.initialAccumulatorValue : 0;
  }

  protected stepGroup(group: OptimizerGroup<AdagradOptions>, slots: Slots): void {
    const { params, lr, lrDecay, eps, weightDecay, maximize } = group;
    native.adagradStep(params, slots.sum!, slots.step!, lr, lrDecay, eps, weightDecay, maximize);
  }
}
