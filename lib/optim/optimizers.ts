/**
 * The optimizers. Each step of a group is one native call on libtorch's fused multi-tensor kernels.
 * @module
 */

import { number } from '../check/arguments.js';
import { checkOptions } from '../check/index.js';
import { invalidArgument } from '../errors.js';
import { native } from '../native/index.js';
import { keep, untidy } from '../tensor/context.js';
import { fullLike, zeros, zerosLike } from '../tensor/create.js';
import type { Tensor } from '../tensor/tensor.js';
import { Optimizer, type OptimizerGroup, type Params, type Slots } from './optimizer.js';

const NON_NEGATIVE = { min: 0 };

/** Options of {@link SGD}. */
export interface SGDOptions {
  /** Learning rate. Default 1e-3. */
  lr: number;
  /** Default 0. */
  momentum: number;
  /** Share of the gradient kept out of the momentum. Default 0. */
  dampening: number;
  /** Times the parameter, added to its gradient. Default 0. */
  weightDecay: number;
  /** Look ahead along the momentum, which must then be positive, with dampening 0. Default false. */
  nesterov: boolean;
  /** Climb instead of descend. Default false. */
  maximize: boolean;
}

/** Stochastic gradient descent. @see https://pytorch.org/docs/stable/generated/torch.optim.SGD.html */
export class SGD extends Optimizer<SGDOptions> {
  constructor(params: Params<SGDOptions>, options: Partial<SGDOptions> = {}) {
    const {
      lr = 1e-3,
      momentum = 0,
      dampening = 0,
      weightDecay = 0,
      nesterov = false,
      maximize = false,
    } = checkOptions(options);
    super(params, { lr, momentum, dampening, weightDecay, nesterov, maximize });
  }

  protected override get capturable(): boolean {
    return true;
  }

  protected check(options: SGDOptions): void {
    const { lr, momentum, dampening, weightDecay, nesterov } = checkOptions(options);
    number('lr', lr, NON_NEGATIVE);
    number('momentum', momentum, NON_NEGATIVE);
    number('dampening', dampening);
    number('weightDecay', weightDecay, NON_NEGATIVE);
    if (nesterov && (momentum === 0 || dampening !== 0)) {
      throw invalidArgument('nesterov', 'false without momentum, or with dampening', nesterov);
    }
  }

  protected newSlots({ params }: OptimizerGroup<SGDOptions>): Slots {
    return { momentum_buffer: params.map(() => null) };
  }

  protected stepGroup(group: OptimizerGroup<SGDOptions>, slots: Slots): void {
    const { params, momentum, dampening, weightDecay, nesterov, maximize } = group;
    const buffers = slots.momentum_buffer!;
    const updated = native.sgdStep(
      params,
      buffers,
      this.rateOf(group),
      momentum,
      dampening,
      weightDecay,
      nesterov,
      maximize,
      this.found,
    );
    // The list comes back with new handles on the same buffers: the first is kept, the others go.
    updated.forEach((buffer, i) => {
      if (buffers[i] === null && buffer !== null) buffers[i] = keep(buffer);
      else buffer?.dispose();
    });
  }
}

/** Options of {@link Adam} and {@link AdamW}. */
export interface AdamOptions {
  /** Learning rate. Default 1e-3. */
  lr: number;
  /** Decay of the averages of the gradient and of its square. Default [0.9, 0.999]. */
  betas: readonly [number, number];
  /** Added to the denominator. Default 1e-8. */
  eps: number;
  /** Adam: added to the gradient, default 0. AdamW: taken from the parameter itself, default 0.01. */
  weightDecay: number;
}

/** Adam. @see https://arxiv.org/abs/1412.6980, https://pytorch.org/docs/stable/generated/torch.optim.Adam.html */
export class Adam extends Optimizer<AdamOptions> {
  constructor(params: Params<AdamOptions>, options: Partial<AdamOptions> = {}) {
    const { lr = 1e-3, betas = [0.9, 0.999], eps = 1e-8, weightDecay = 0 } = checkOptions(options);
    super(params, { lr, betas, eps, weightDecay });
  }

  protected override get capturable(): boolean {
    return true;
  }

  /** Whether weight decay bypasses the averages. */
  protected get decoupled(): boolean {
    return false;
  }

  protected check(options: AdamOptions): void {
    const { lr, betas, eps, weightDecay } = checkOptions(options);
    number('lr', lr, NON_NEGATIVE);
    number('eps', eps, NON_NEGATIVE);
    number('weightDecay', weightDecay, NON_NEGATIVE);
    if (!Array.isArray(betas) || betas.length !== 2 || betas.some((beta) => !(beta >= 0 && beta < 1))) {
      throw invalidArgument('betas', 'two numbers from 0 to below 1', betas);
    }
  }

  protected newSlots({ params }: OptimizerGroup<AdamOptions>): Slots {
    return untidy(() => ({
      step: params.map((parameter) => zeros([], { device: parameter.device })),
      exp_avg: params.map((parameter) => zerosLike(parameter)),
      exp_avg_sq: params.map((parameter) => zerosLike(parameter)),
    }));
  }

  protected stepGroup(group: OptimizerGroup<AdamOptions>, slots: Slots): void {
    const { params, betas, eps, weightDecay } = group;
    const { exp_avg, exp_avg_sq, step } = slots as Record<string, Tensor[]>;
    native.adamStep(
      params,
      exp_avg!,
      exp_avg_sq!,
      step!,
      this.rateOf(group),
      betas[0],
      betas[1],
      weightDecay,
      eps,
      this.decoupled,
      this.found,
    );
  }
}

/** Adam with decoupled weight decay. @see https://arxiv.org/abs/1711.05101 */
export class AdamW extends Adam {
  constructor(params: Params<AdamOptions>, options: Partial<AdamOptions> = {}) {
    super(params, { weightDecay: 0.01, ...options });
  }

  protected override get decoupled(): boolean {
    return true;
  }
}

/** Options of {@link RMSprop}. */
export interface RMSpropOptions {
  /** Learning rate. Default 1e-2. */
  lr: number;
  /** Decay of the average of the squared gradient. Default 0.99. */
  alpha: number;
  /** Added to the denominator. Default 1e-8. */
  eps: number;
  /** Times the parameter, added to its gradient. Default 0. */
  weightDecay: number;
  /** Default 0. */
  momentum: number;
}

/** RMSprop. @see https://pytorch.org/docs/stable/generated/torch.optim.RMSprop.html */
export class RMSprop extends Optimizer<RMSpropOptions> {
  constructor(params: Params<RMSpropOptions>, options: Partial<RMSpropOptions> = {}) {
    const { lr = 1e-2, alpha = 0.99, eps = 1e-8, weightDecay = 0, momentum = 0 } = checkOptions(options);
    super(params, { lr, alpha, eps, weightDecay, momentum });
  }

  protected check(options: RMSpropOptions): void {
    const { lr, alpha, eps, weightDecay, momentum } = checkOptions(options);
    number('lr', lr, NON_NEGATIVE);
    number('alpha', alpha, { min: 0, max: 1 });
    number('eps', eps, NON_NEGATIVE);
    number('weightDecay', weightDecay, NON_NEGATIVE);
    number('momentum', momentum, NON_NEGATIVE);
  }

  protected newSlots({ params, momentum }: OptimizerGroup<RMSpropOptions>): Slots {
    return untidy(() => ({
      square_avg: params.map((parameter) => zerosLike(parameter)),
      momentum_buffer: momentum === 0 ? [] : params.map((parameter) => zerosLike(parameter)),
    }));
  }

  protected stepGroup(group: OptimizerGroup<RMSpropOptions>, slots: Slots): void {
    const { params, lr, alpha, eps, weightDecay, momentum } = group;
    const { square_avg, momentum_buffer } = slots as Record<string, Tensor[]>;
    native.rmsPropStep(params, square_avg!, momentum_buffer!, lr, alpha, eps, weightDecay, momentum);
  }
}

/** Options of {@link Adagrad}. */
export interface AdagradOptions {
  /** Learning rate. Default 1e-2. */
  lr: number;
  /** The rate falls as 1 / (1 + lrDecay * steps). Default 0. */
  lrDecay: number;
  /** Times the parameter, added to its gradient. Default 0. */
  weightDecay: number;
  /** What the sums of squares start from. Default 0. */
  initialAccumulatorValue: number;
  /** Added to the denominator. Default 1e-10. */
  eps: number;
}

/** Adagrad. @see https://jmlr.org/papers/v12/duchi11a.html, https://pytorch.org/docs/stable/generated/torch.optim.Adagrad.html */
export class Adagrad extends Optimizer<AdagradOptions> {
  constructor(params: Params<AdagradOptions>, options: Partial<AdagradOptions> = {}) {
    const {
      lr = 1e-2,
      lrDecay = 0,
      weightDecay = 0,
      initialAccumulatorValue = 0,
      eps = 1e-10,
    } = checkOptions(options);
    super(params, { lr, lrDecay, weightDecay, initialAccumulatorValue, eps });
  }

  protected check(options: AdagradOptions): void {
    for (const name of ['lr', 'lrDecay', 'weightDecay', 'initialAccumulatorValue', 'eps'] as const)
      number(name, options[name], NON_NEGATIVE);
  }

  protected newSlots({ params, initialAccumulatorValue }: OptimizerGroup<AdagradOptions>): Slots {
    return untidy(() => ({
      step: params.map((parameter) => zeros([], { device: parameter.device })),
      sum: params.map((parameter) => fullLike(parameter, initialAccumulatorValue)),
    }));
  }

  protected stepGroup(group: OptimizerGroup<AdagradOptions>, slots: Slots): void {
    const { params, lr, lrDecay, eps, weightDecay } = group;
    const { sum, step } = slots as Record<string, Tensor[]>;
    native.adagradStep(params, sum!, step!, lr, lrDecay, eps, weightDecay);
  }
}
