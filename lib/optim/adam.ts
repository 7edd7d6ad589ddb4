/**
 * Adam and AdamW. A step of a group is one native call on libtorch's fused multi-tensor kernels.
 * @module
 */

import { number } from '../check/arguments.js';
import { type PartialOptions, withDefaults } from '../check/index.js';
import { native } from '../tensor/tensor.js';
import { checkBetas, checkFlags, NON_NEGATIVE } from './checks.js';
import { Optimizer, type OptimizerGroup, type Params, type SlotName, type Slots } from './optimizer.js';

/** Options of {@link AdamW}. */
export interface AdamWOptions {
  /** Learning rate. Default 1e-3. */
  lr: number;
  /** Decay of the averages of the gradient and of its square. Default [0.9, 0.999]. */
  betas: readonly [number, number];
  /** Added to the denominator. Default 1e-8. */
  eps: number;
  /** Weight decay. Adam: L2 penalty, default 0. AdamW: decoupled from the gradient, default 0.01. */
  weightDecay: number;
  /** AMSGrad: divide by the largest average of squares so far. Default false. @see https://openreview.net/forum?id=ryQu7f-RZ */
  amsgrad: boolean;
  /** Maximize instead of minimize. Default false. */
  maximize: boolean;
}

const ADAM_W_DEFAULTS: AdamWOptions = {
  lr: 1e-3,
  betas: [0.9, 0.999],
  eps: 1e-8,
  weightDecay: 0.01,
  amsgrad: false,
  maximize: false,
};

/** Options of {@link Adam}. */
export interface AdamOptions extends AdamWOptions {
  /** Decoupled weight decay, as in AdamW. Default false. */
  decoupledWeightDecay: boolean;
}

const ADAM_DEFAULTS: AdamOptions = { ...ADAM_W_DEFAULTS, weightDecay: 0, decoupledWeightDecay: false };

/** Adam. @see https://arxiv.org/abs/1412.6980, https://pytorch.org/docs/stable/generated/torch.optim.Adam.html */
export class Adam extends Optimizer<AdamOptions> {
  constructor(params: Params<AdamOptions>, options: PartialOptions<AdamOptions> = {}) {
    super(params, withDefaults(ADAM_DEFAULTS, options));
  }

  protected override get capturable(): boolean {
    return true;
  }

  /** Whether weight decay bypasses the averages. */
  protected isDecoupled(group: OptimizerGroup<AdamOptions>): boolean {
    return group.decoupledWeightDecay;
  }

  protected check(options: AdamOptions): void {
    const { lr, betas, eps, weightDecay } = options;
    number('lr', lr, NON_NEGATIVE);
    number('eps', eps, NON_NEGATIVE);
    number('weightDecay', weightDecay, NON_NEGATIVE);
    checkFlags(options, 'amsgrad', 'maximize', 'decoupledWeightDecay');
    checkBetas(betas);
  }

  protected get slotNames(): readonly SlotName[] {
    return ['step', 'exp_avg', 'exp_avg_sq', 'max_exp_avg_sq'];
  }

  protected slotsOf({ amsgrad }: OptimizerGroup<AdamOptions>): readonly SlotName[] {
    return amsgrad ? ['step', 'exp_avg', 'exp_avg_sq', 'max_exp_avg_sq'] : ['step', 'exp_avg', 'exp_avg_sq'];
  }

  protected stepGroup(group: OptimizerGroup<AdamOptions>, slots: Slots): void {
    const { params, betas, eps, weightDecay, amsgrad, maximize } = group;
    native.adamStep(
      params,
      slots.exp_avg!,
      slots.exp_avg_sq!,
      amsgrad ? slots.max_exp_avg_sq! : [],
      slots.step!,
      this.rateOf(group),
      betas[0],
      betas[1],
      weightDecay,
      eps,
      this.isDecoupled(group),
      maximize,
      this.found,
    );
  }
}

/**
 * Adam with decoupled weight decay.
 * @see https://arxiv.org/abs/1711.05101, https://pytorch.org/docs/stable/generated/torch.optim.AdamW.html
 */
export class AdamW extends Adam {
  constructor(params: Params<AdamWOptions>, options: PartialOptions<AdamWOptions> = {}) {
    super(params, { ...withDefaults(ADAM_W_DEFAULTS, options), decoupledWeightDecay: true });
  }

  /** Also in a loaded state of Adam. */
  protected override isDecoupled(): boolean {
    return true;
  }
}
