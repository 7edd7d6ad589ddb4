/**
 * Losses as modules, for those who keep them beside a network. Each is a function of the functional interface, which says
 * more; its options are the constructor's. A weight among them is not part of the state.
 * @see https://pytorch.org/docs/stable/nn.html#loss-functions
 * @module
 */
import * as F from '../ops/loss.js';
import * as M from '../ops/loss-more.js';
import type { Tensor } from '../tensor/tensor.js';
import { Module } from './module.js';

abstract class Loss<Options extends object> extends Module<[Tensor, Tensor]> {
  /** The options of the constructor: those of the function of the same name. */
  readonly options: Readonly<Options>;
  constructor(options: Options = {} as Options) {
    super();
    this.options = Object.freeze({ ...options });
  }
  protected override extraRepr(): string {
    const shown = Object.entries(this.options).filter(([, value]) => typeof value !== 'object');
    return shown.map(([key, value]) => `${key}=${value}`).join(', ');
  }
}

/** Softmax cross entropy of logits. */
export class CrossEntropyLoss extends Loss<F.CrossEntropyOptions> {
  forward(input: Tensor, target: Tensor): Tensor {
    return F.crossEntropy(input, target, this.options);
  }
}

/** Negative log likelihood of log-probabilities. */
export class NLLLoss extends Loss<F.NllLossOptions> {
  forward(input: Tensor, target: Tensor): Tensor {
    return F.nllLoss(input, target, this.options);
  }
}

/** Squared difference. */
export class MSELoss extends Loss<F.LossOptions> {
  forward(input: Tensor, target: Tensor): Tensor {
    return F.mseLoss(input, target, this.options);
  }
}

/** Absolute difference. */
export class L1Loss extends Loss<F.LossOptions> {
  forward(input: Tensor, target: Tensor): Tensor {
    return F.l1Loss(input, target, this.options);
  }
}

/** Quadratic near 0, linear beyond `beta`. */
export class SmoothL1Loss extends Loss<F.LossOptions & { beta?: number }> {
  forward(input: Tensor, target: Tensor): Tensor {
    return F.smoothL1Loss(input, target, this.options);
  }
}

/** Quadratic near 0, linear beyond `delta`. */
export class HuberLoss extends Loss<F.LossOptions & { delta?: number }> {
  forward(input: Tensor, target: Tensor): Tensor {
    return F.huberLoss(input, target, this.options);
  }
}

/** Binary cross entropy of probabilities. */
export class BCELoss extends Loss<F.LossOptions & { weight?: Tensor | null }> {
  forward(input: Tensor, target: Tensor): Tensor {
    return F.binaryCrossEntropy(input, target, this.options);
  }
}

/** Binary cross entropy of logits. */
export class BCEWithLogitsLoss extends Loss<
  F.LossOptions & { weight?: Tensor | null; posWeight?: Tensor | null }
> {
  forward(input: Tensor, target: Tensor): Tensor {
    return F.binaryCrossEntropyWithLogits(input, target, this.options);
  }
}

/** Kullback-Leibler divergence. */
export class KLDivLoss extends Loss<F.KlDivOptions> {
  forward(input: Tensor, target: Tensor): Tensor {
    return F.klDiv(input, target, this.options);
  }
}

/** Negative log likelihood of counts. */
export class PoissonNLLLoss extends Loss<M.PoissonNllOptions> {
  forward(input: Tensor, target: Tensor): Tensor {
    return M.poissonNllLoss(input, target, this.options);
  }
}

/** Hinge loss of distances. */
export class HingeEmbeddingLoss extends Loss<M.MarginOptions> {
  forward(input: Tensor, target: Tensor): Tensor {
    return M.hingeEmbeddingLoss(input, target, this.options);
  }
}

/** log(1 + exp(-target x)). */
export class SoftMarginLoss extends Loss<F.LossOptions> {
  forward(input: Tensor, target: Tensor): Tensor {
    return M.softMarginLoss(input, target, this.options);
  }
}

/** Hinge loss of several classes. */
export class MultiMarginLoss extends Loss<M.MultiMarginOptions> {
  forward(input: Tensor, target: Tensor): Tensor {
    return M.multiMarginLoss(input, target, this.options);
  }
}

/** Hinge loss of several labels each. */
export class MultiLabelMarginLoss extends Loss<F.LossOptions> {
  forward(input: Tensor, target: Tensor): Tensor {
    return M.multilabelMarginLoss(input, target, this.options);
  }
}
