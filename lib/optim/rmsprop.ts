/**
 * RMSprop. A step of a group is one native call.
 * @module
 */

import { number } from '../check/arguments.js';
import { type PartialOptions, withDefaults } from '../check/index.js';
import { native } from '../tensor/tensor.js';
import { checkFlags, NON_NEGATIVE } from './checks.js';
import { Optimizer, type OptimizerGroup, type Params, type SlotName, type Slots } from './optimizer.js';

/** Options of {@link RMSprop}. */
export interface RMSpropOptions {
  /** Learning rate. Default 1e-2. */
  lr: number;
  /** Decay of the average of the squared gradient. Default 0.99. */
  alpha: number;
  /** Added to the denominator. Default 1e-8. */
  eps: number;
  /** Weight decay (L2 penalty). Default 0. */
  weightDecay: number;
  /** Default 0. */
  momentum: number;
  /** Divide by the standard deviation of the gradient instead of its root mean square. Default false. */
  centered: boolean;
  /** Maximize instead of minimize. Default false. */
  maximize: boolean;
}

const RM_SPROP_DEFAULTS: RMSpropOptions = {
  lr: 1e-2,
  alpha: 0.99,
  eps: 1e-8,
  weightDecay: 0,
  momentum: 0,
  centered: false,
  maximize: false,
};

/** RMSprop. @see https://pytorch.org/docs/stable/generated/torch.optim.RMSprop.html */
export class RMSprop extends Optimizer<RMSpropOptions> {
  constructor(params: Params<RMSpropOptions>, options: PartialOptions<RMSpropOptions> = {}) {
    super(params, withDefaults(RM_SPROP_DEFAULTS, options));
  }

  protected check(options: RMSpropOptions): void {
    const { lr, alpha, eps, weightDecay, momentum } = options;
    number('lr', lr, NON_NEGATIVE);
    number('alpha', alpha, { min: 0, max: 1 });
    number('eps', eps, NON_NEGATIVE);
    number('weightDecay', weightDecay, NON_NEGATIVE);
    number('momentum', momentum, NON_NEGATIVE);
    checkFlags(options, 'centered', 'maximize');
  }

  protected get slotNames(): readonly SlotName[] {
    return ['square_avg', 'grad_avg', 'momentum_buffer'];
  }

  protected slotsOf({ centered, momentum }: OptimizerGroup<RMSpropOptions>): readonly SlotName[] {
    const names: SlotName[] = ['square_avg'];
    if (centered) names.push('grad_avg');
    // A schedule may increase a momentum that was initially 0.
    if (momentum !== 0) names.push('momentum_buffer');
    return names;
  }

  protected stepGroup(group: OptimizerGroup<RMSpropOptions>, slots: Slots): void {
    const { params, lr, alpha, eps, weightDecay, momentum, centered, maximize } = group;
    native.rmsPropStep(
      params,
      slots.square_avg!,
      centered ? slots.grad_avg! : [],
      slots.momentum_buffer!,
      lr,
      alpha,
      eps,
      weightDecay,
      momentum,
      maximize,
    );
  }
}
