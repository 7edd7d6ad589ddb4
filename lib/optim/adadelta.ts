/**
 * Adadelta. A step of a group is one native call.
 * @module
 */
import { number } from '../check/arguments.js';
import { type PartialOptions, withDefaults } from '../check/index.js';
import { native } from '../tensor/tensor.js';
import { checkFlags, NON_NEGATIVE } from './checks.js';
import { Optimizer, type OptimizerGroup, type Params, type SlotName, type Slots } from './optimizer.js';

/** Options of {@link Adadelta}. */
export interface AdadeltaOptions {
  /** Learning rate. Default 1. */
  lr: number;
  /** Decay of the averages of squares, from 0 to 1. Default 0.9. */
  rho: number;
  /** Added to both averages. Default 1e-6. */
  eps: number;
  /** Weight decay (L2 penalty). Default 0. */
  weightDecay: number;
  /** Maximize instead of minimize. Default false. */
  maximize: boolean;
}

const ADADELTA_DEFAULTS: AdadeltaOptions = {
  lr: 1,
  rho: 0.9,
  eps: 1e-6,
  weightDecay: 0,
  maximize: false,
};

/** Adadelta. @see https://arxiv.org/abs/1212.5701, https://pytorch.org/docs/stable/generated/torch.optim.Adadelta.html */
export class Adadelta extends Optimizer<AdadeltaOptions> {
  constructor(params: Params<AdadeltaOptions>, options: PartialOptions<AdadeltaOptions> = {}) {
    super(params, withDefaults(ADADELTA_DEFAULTS, options));
  }

  protected check(options: AdadeltaOptions): void {
    const { lr, rho, eps, weightDecay } = options;
    number('lr', lr, NON_NEGATIVE);
    number('rho', rho, { min: 0, max: 1 });
    number('eps', eps, NON_NEGATIVE);
    number('weightDecay', weightDecay, NON_NEGATIVE);
    checkFlags(options, 'maximize');
  }

  protected get slotNames(): readonly SlotName[] {
    return ['square_avg', 'acc_delta'];
  }

  protected slotsOf(): readonly SlotName[] {
    return this.slotNames;
  }

  protected stepGroup(group: OptimizerGroup<AdadeltaOptions>, slots: Slots): void {
    const { params, lr, rho, eps, weightDecay, maximize } = group;
    native.adadeltaStep(params, slots.square_avg!, slots.acc_delta!, lr, rho, eps, weightDecay, maximize);
  }
}
