/**
 * Stochastic gradient descent. A step of a group is one native call on libtorch's fused multi-tensor kernel.
 * @module
 */

import { number } from '../check/arguments.js';
import { type PartialOptions, withDefaults } from '../check/index.js';
import { invalidArgument } from '../errors.js';
import { untidy } from '../tensor/context.js';
import { native, type Tensor } from '../tensor/tensor.js';
import { checkFlags, NON_NEGATIVE } from './checks.js';
import { Optimizer, type OptimizerGroup, type Params, type SlotName, type Slots } from './optimizer.js';

/** Options of {@link SGD}. */
export interface SGDOptions {
  /** Learning rate. Default 1e-3. */
  lr: number;
  /** Default 0. */
  momentum: number;
  /** Dampening: fraction of the gradient that is not added to the momentum. Default 0. */
  dampening: number;
  /** Weight decay (L2 penalty). Default 0. */
  weightDecay: number;
  /** Nesterov momentum; needs a positive momentum and dampening 0. Default false. */
  nesterov: boolean;
  /** Maximize instead of minimize. Default false. */
  maximize: boolean;
}

const SGD_DEFAULTS: SGDOptions = {
  lr: 1e-3,
  momentum: 0,
  dampening: 0,
  weightDecay: 0,
  nesterov: false,
  maximize: false,
};

/** Stochastic gradient descent. @see https://pytorch.org/docs/stable/generated/torch.optim.SGD.html */
export class SGD extends Optimizer<SGDOptions> {
  constructor(params: Params<SGDOptions>, options: PartialOptions<SGDOptions> = {}) {
    super(params, withDefaults(SGD_DEFAULTS, options));
  }

  protected override get capturable(): boolean {
    return true;
  }

  protected check(options: SGDOptions): void {
    const { lr, momentum, dampening, weightDecay, nesterov } = options;
    number('lr', lr, NON_NEGATIVE);
    number('momentum', momentum, NON_NEGATIVE);
    number('dampening', dampening);
    number('weightDecay', weightDecay, NON_NEGATIVE);
    checkFlags(options, 'nesterov', 'maximize');
    if (nesterov && (momentum === 0 || dampening !== 0)) {
      throw invalidArgument('nesterov', 'false without momentum, or with dampening', nesterov);
    }
  }

  protected get slotNames(): readonly SlotName[] {
    return ['momentum_buffer'];
  }

  /** The momentum is initialized with the first gradient, in the step. */
  protected slotsOf(): readonly SlotName[] {
    return [];
  }

  protected stepGroup(group: OptimizerGroup<SGDOptions>, slots: Slots): void {
    const { params, momentum, dampening, weightDecay, nesterov, maximize } = group;
    const buffers = slots.momentum_buffer!;
    const fresh = momentum === 0 ? [] : addBuffers(params, buffers);
    try {
      native.sgdStep(
        params,
        buffers,
        fresh,
        this.rateOf(group),
        momentum,
        dampening,
        weightDecay,
        nesterov,
        maximize,
        this.found,
      );
    } catch (error) {
      // The next step is then their first.
      for (const i of fresh) {
        buffers[i]?.dispose();
        buffers[i] = null;
      }
      throw error;
    }
  }
}

/** Creates the buffers of parameters with their first gradient. Returns the numbers of these parameters. */
function addBuffers(params: readonly Tensor[], buffers: (Tensor | null)[]): number[] {
  if (!buffers.includes(null)) return [];
  const fresh = native.withGradient(params).filter((i) => buffers[i] === null);
  for (const i of fresh) buffers[i] = untidy(() => native.filledState(params[i]!, 0));
  return fresh;
}
