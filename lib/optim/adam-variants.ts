/**
 * Variants of Adam: Adamax, NAdam and RAdam. A step of a group is one native call.
 * @module
 */
import { number } from '../check/arguments.js';
import { type PartialOptions, withDefaults } from '../check/index.js';
import { native } from '../tensor/tensor.js';
import { checkBetas, checkFlags, NON_NEGATIVE } from './checks.js';
import { Optimizer, type OptimizerGroup, type Params, type SlotName, type Slots } from './optimizer.js';

/** Options of {@link Adamax}. */
export interface AdamaxOptions {
  /** Learning rate. Default 2e-3; of RAdam 1e-3. */
  lr: number;
  /** Decay of the averages of the gradient and of its size. Default [0.9, 0.999]. */
  betas: readonly [number, number];
  /** Added to the denominator. Default 1e-8. */
  eps: number;
  /** Weight decay (L2 penalty). Default 0. */
  weightDecay: number;
  /** Maximize instead of minimize. Default false. */
  maximize: boolean;
}

const ADAMAX_DEFAULTS: AdamaxOptions = {
  lr: 2e-3,
  betas: [0.9, 0.999],
  eps: 1e-8,
  weightDecay: 0,
  maximize: false,
};

/** Options of {@link RAdam}. */
export interface RAdamOptions extends AdamaxOptions {
  /** Decoupled weight decay, as in AdamW. Default false. */
  decoupledWeightDecay: boolean;
}

const R_ADAM_DEFAULTS: RAdamOptions = {
  lr: 1e-3,
  betas: [0.9, 0.999],
  eps: 1e-8,
  weightDecay: 0,
  decoupledWeightDecay: false,
  maximize: false,
};

/** Options of {@link NAdam}. */
export interface NAdamOptions extends RAdamOptions {
  /** Speed with which the momentum rises to its full value. Default 4e-3. */
  momentumDecay: number;
}

const N_ADAM_DEFAULTS: NAdamOptions = {
  lr: 2e-3,
  betas: [0.9, 0.999],
  eps: 1e-8,
  weightDecay: 0,
  momentumDecay: 4e-3,
  decoupledWeightDecay: false,
  maximize: false,
};

/** Checks the common options. */
function checkCommon(options: AdamaxOptions): void {
  const { lr, betas, eps, weightDecay } = options;
  number('lr', lr, NON_NEGATIVE);
  number('eps', eps, NON_NEGATIVE);
  number('weightDecay', weightDecay, NON_NEGATIVE);
  checkBetas(betas);
  checkFlags(options, 'maximize');
}

/** Adam with the infinity norm. @see https://arxiv.org/abs/1412.6980, https://pytorch.org/docs/stable/generated/torch.optim.Adamax.html */
export class Adamax extends Optimizer<AdamaxOptions> {
  constructor(params: Params<AdamaxOptions>, options: PartialOptions<AdamaxOptions> = {}) {
    super(params, withDefaults(ADAMAX_DEFAULTS, options));
  }

  protected check(options: AdamaxOptions): void {
    checkCommon(options);
  }

  protected get slotNames(): readonly SlotName[] {
    return ['step', 'exp_avg', 'exp_inf'];
  }

  protected slotsOf(): readonly SlotName[] {
    return this.slotNames;
  }

  protected stepGroup(group: OptimizerGroup<AdamaxOptions>, slots: Slots): void {
    const { params, lr, betas, eps, weightDecay, maximize } = group;
    const { exp_avg, exp_inf, step } = slots;
    native.adamaxStep(params, exp_avg!, exp_inf!, step!, lr, betas[0], betas[1], eps, weightDecay, maximize);
  }
}

/** Adam with Nesterov momentum. @see https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ, https://pytorch.org/docs/stable/generated/torch.optim.NAdam.html */
export class NAdam extends Optimizer<NAdamOptions> {
  constructor(params: Params<NAdamOptions>, options: PartialOptions<NAdamOptions> = {}) {
    super(params, withDefaults(N_ADAM_DEFAULTS, options));
  }

  protected check(options: NAdamOptions): void {
    checkCommon(options);
    number('momentumDecay', options.momentumDecay, NON_NEGATIVE);
    checkFlags(options, 'decoupledWeightDecay');
  }

  protected get slotNames(): readonly SlotName[] {
    return ['step', 'exp_avg', 'exp_avg_sq', 'mu_product'];
  }

  protected slotsOf(): readonly SlotName[] {
    return this.slotNames;
  }

  protected override initialValue(name: SlotName): number {
    return name === 'mu_product' ? 1 : 0;
  }

  protected stepGroup(group: OptimizerGroup<NAdamOptions>, slots: Slots): void {
    const { params, lr, betas, eps, weightDecay, momentumDecay, decoupledWeightDecay, maximize } = group;
    native.nadamStep(
      params,
      slots.exp_avg!,
      slots.exp_avg_sq!,
      slots.mu_product!,
      slots.step!,
      lr,
      betas[0],
      betas[1],
      eps,
      weightDecay,
      momentumDecay,
      decoupledWeightDecay,
      maximize,
    );
  }
}

/** Rectified Adam. @see https://arxiv.org/abs/1908.03265, https://pytorch.org/docs/stable/generated/torch.optim.RAdam.html */
export class RAdam extends Optimizer<RAdamOptions> {
  constructor(params: Params<RAdamOptions>, options: PartialOptions<RAdamOptions> = {}) {
    super(params, withDefaults(R_ADAM_DEFAULTS, options));
  }

  protected check(options: RAdamOptions): void {
    checkCommon(options);
    checkFlags(options, 'decoupledWeightDecay');
  }

  protected get slotNames(): readonly SlotName[] {
    return ['step', 'exp_avg', 'exp_avg_sq'];
  }

  protected slotsOf(): readonly SlotName[] {
    return this.slotNames;
  }

  protected stepGroup(group: OptimizerGroup<RAdamOptions>, slots: Slots): void {
    const { params, lr, betas, eps, weightDecay, decoupledWeightDecay, maximize } = group;
    native.radamStep(
      params,
      slots.exp_avg!,
      slots.exp_avg_sq!,
      slots.step!,
      lr,
      betas[0],
      betas[1],
      eps,
      weightDecay,
      decoupledWeightDecay,
      maximize,
    );
  }
}
