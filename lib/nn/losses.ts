/**
 * Losses as modules. Each calls the function of the same name in `functional`, which has more
 * documentation, with the options of the constructor. Weights are buffers: they move with the module and are in its state.
 * @see https://pytorch.org/docs/stable/nn.html#loss-functions
 * @module
 */
import { checkKeys, dropUndefined } from '../check/index.js';
import * as F from '../ops/loss.js';
import { type PoissonNllOptions, poissonNllLoss } from '../ops/loss-likelihood.js';
import * as M from '../ops/loss-margin.js';
import * as KEYS from '../ops/option-keys.js';
import { checkTensor } from '../tensor/check.js';
import type { Tensor } from '../tensor/tensor.js';
import { Module } from './module.js';

abstract class Loss<Options extends object> extends Module<[Tensor, Tensor]> {
  /** The options of the constructor, without weights. */
  readonly options: Readonly<Omit<Options, 'weight' | 'posWeight'>>;
  constructor(options: Options, keys: ReadonlySet<string>) {
    super();
    checkKeys(options, keys);
    const { weight: _, posWeight: __, ...plain } = options as Options & Weights;
    this.options = Object.freeze(dropUndefined(plain));
  }
  protected override extraRepr(): string {
    const shown = Object.entries(this.options).filter(([, value]) => typeof value !== 'object');
    return shown.map(([key, value]) => `${key}=${value}`).join(', ');
  }
}

interface Weights {
  weight?: Tensor | null | undefined;
  posWeight?: Tensor | null | undefined;
}

abstract class WeightedLoss<Options extends Weights> extends Loss<Options> {
  /** The option of the constructor, a buffer; null without one. */
  weight!: Tensor | null;
  constructor(options: Options, keys: ReadonlySet<string>) {
    super(options, keys);
    this.registerBuffer('weight', bufferOf('weight', options.weight));
  }
}

/** A new handle, so that moving the module does not move the given tensor. */
function bufferOf(name: string, weight: Tensor | null | undefined): Tensor | null {
  if (weight == null) return null;
  const given = checkTensor(name, weight);
  return given.requiresGrad ? given : given.detach();
}

/** Options of {@link BCEWithLogitsLoss}. */
export interface BCEWithLogitsOptions extends F.LossOptions {
  /** Weights of the elements. */
  weight?: Tensor | null | undefined;
  /** Weights of the positive part of each class. */
  posWeight?: Tensor | null | undefined;
}

/** Softmax cross entropy of logits. */
export class CrossEntropyLoss extends WeightedLoss<F.CrossEntropyOptions> {
  constructor(options: F.CrossEntropyOptions = {}) {
    super(options, KEYS.CROSS_ENTROPY_KEYS);
  }
  forward(input: Tensor, target: Tensor): Tensor {
    return F.crossEntropy(input, target, { ...this.options, weight: this.weight });
  }
}

/** Negative log likelihood of log-probabilities. */
export class NLLLoss extends WeightedLoss<F.NllLossOptions> {
  constructor(options: F.NllLossOptions = {}) {
    super(options, KEYS.NLL_LOSS_KEYS);
  }
  forward(input: Tensor, target: Tensor): Tensor {
    return F.nllLoss(input, target, { ...this.options, weight: this.weight });
  }
}

/** Squared difference. */
export class MSELoss extends Loss<F.LossOptions> {
  constructor(options: F.LossOptions = {}) {
    super(options, KEYS.LOSS_KEYS);
  }
  forward(input: Tensor, target: Tensor): Tensor {
    return F.mseLoss(input, target, this.options);
  }
}

/** Absolute difference. */
export class L1Loss extends Loss<F.LossOptions> {
  constructor(options: F.LossOptions = {}) {
    super(options, KEYS.LOSS_KEYS);
  }
  forward(input: Tensor, target: Tensor): Tensor {
    return F.l1Loss(input, target, this.options);
  }
}

/** Quadratic near 0, linear beyond `beta`. */
export class SmoothL1Loss extends Loss<F.LossOptions & { beta?: number | undefined }> {
  constructor(options: F.LossOptions & { beta?: number | undefined } = {}) {
    super(options, KEYS.SMOOTH_L1_KEYS);
  }
  forward(input: Tensor, target: Tensor): Tensor {
    return F.smoothL1Loss(input, target, this.options);
  }
}

/** Quadratic near 0, linear beyond `delta`. */
export class HuberLoss extends Loss<F.LossOptions & { delta?: number | undefined }> {
  constructor(options: F.LossOptions & { delta?: number | undefined } = {}) {
    super(options, KEYS.HUBER_KEYS);
  }
  forward(input: Tensor, target: Tensor): Tensor {
    return F.huberLoss(input, target, this.options);
  }
}

/** Binary cross entropy of probabilities. */
export class BCELoss extends WeightedLoss<F.LossOptions & { weight?: Tensor | null | undefined }> {
  constructor(options: F.LossOptions & { weight?: Tensor | null | undefined } = {}) {
    super(options, KEYS.BCE_KEYS);
  }
  forward(input: Tensor, target: Tensor): Tensor {
    return F.binaryCrossEntropy(input, target, { ...this.options, weight: this.weight });
  }
}

/** Binary cross entropy of logits. */
export class BCEWithLogitsLoss extends WeightedLoss<BCEWithLogitsOptions> {
  /** The option of the constructor, a buffer; null without one. */
  posWeight!: Tensor | null;
  constructor(options: BCEWithLogitsOptions = {}) {
    super(options, KEYS.BCE_WITH_LOGITS_KEYS);
    this.registerBuffer('posWeight', bufferOf('posWeight', options.posWeight));
  }
  forward(input: Tensor, target: Tensor): Tensor {
    return F.binaryCrossEntropyWithLogits(input, target, {
      ...this.options,
      weight: this.weight,
      posWeight: this.posWeight,
    });
  }
}

/** Kullback-Leibler divergence. */
export class KLDivLoss extends Loss<F.KlDivOptions> {
  constructor(options: F.KlDivOptions = {}) {
    super(options, KEYS.KL_DIV_KEYS);
  }
  forward(input: Tensor, target: Tensor): Tensor {
    return F.klDiv(input, target, this.options);
  }
}

/** Negative log likelihood of counts. */
export class PoissonNLLLoss extends Loss<PoissonNllOptions> {
  constructor(options: PoissonNllOptions = {}) {
    super(options, KEYS.POISSON_NLL_KEYS);
  }
  forward(input: Tensor, target: Tensor): Tensor {
    return poissonNllLoss(input, target, this.options);
  }
}

/** Hinge loss of distances. */
export class HingeEmbeddingLoss extends Loss<M.MarginOptions> {
  constructor(options: M.MarginOptions = {}) {
    super(options, KEYS.MARGIN_KEYS);
  }
  forward(input: Tensor, target: Tensor): Tensor {
    return M.hingeEmbeddingLoss(input, target, this.options);
  }
}

/** log(1 + exp(-target x)). */
export class SoftMarginLoss extends Loss<F.LossOptions> {
  constructor(options: F.LossOptions = {}) {
    super(options, KEYS.LOSS_KEYS);
  }
  forward(input: Tensor, target: Tensor): Tensor {
    return M.softMarginLoss(input, target, this.options);
  }
}

/** Hinge loss of several classes. */
export class MultiMarginLoss extends WeightedLoss<M.MultiMarginOptions> {
  constructor(options: M.MultiMarginOptions = {}) {
    super(options, KEYS.MULTI_MARGIN_KEYS);
  }
  forward(input: Tensor, target: Tensor): Tensor {
    return M.multiMarginLoss(input, target, { ...this.options, weight: this.weight });
  }
}

/** Hinge loss of several labels each. */
export class MultiLabelMarginLoss extends Loss<F.LossOptions> {
  constructor(options: F.LossOptions = {}) {
    super(options, KEYS.LOSS_KEYS);
  }
  forward(input: Tensor, target: Tensor): Tensor {
    return M.multilabelMarginLoss(input, target, this.options);
  }
}
