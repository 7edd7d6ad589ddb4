/**
 * Activation layers. Each calls the function of the same name in `functional`, which has more documentation.
 * @see https://pytorch.org/docs/stable/nn.html#non-linear-activations-weighted-sum-nonlinearity
 * @module
 */

import { number } from '../check/arguments.js';
import { checkOptions, optionKeys } from '../check/index.js';
import { invalidArgument } from '../errors.js';
import * as F from '../ops/activation.js';
import { full } from '../tensor/create.js';
import type { Tensor } from '../tensor/tensor.js';
import { FACTORY_KEYS, type FactoryOptions } from './layers.js';
import { Module, Parameter } from './module.js';

const NEGATIVE_SLOPE = optionKeys('negativeSlope');
const ALPHA = optionKeys('alpha');
const BETA_THRESHOLD = optionKeys('beta', 'threshold');
const MIN_VAL_MAX_VAL = optionKeys('minVal', 'maxVal');
const LAMBDA = optionKeys('lambda');
const DIM = optionKeys('dim');
const APPROXIMATE = optionKeys('approximate');
const LOWER_UPPER = optionKeys('lower', 'upper');

/** max(x, 0). */
export class ReLU extends Module {
  forward(input: Tensor): Tensor {
    return F.relu(input);
  }
}

/** min(max(x, 0), 6). */
export class ReLU6 extends Module {
  forward(input: Tensor): Tensor {
    return F.relu6(input);
  }
}

/** x sigmoid(x). */
export class SiLU extends Module {
  forward(input: Tensor): Tensor {
    return F.silu(input);
  }
}

/** x tanh(softplus(x)). */
export class Mish extends Module {
  forward(input: Tensor): Tensor {
    return F.mish(input);
  }
}

/** Scaled exponential linear unit. @see https://arxiv.org/abs/1706.02515 */
export class SELU extends Module {
  forward(input: Tensor): Tensor {
    return F.selu(input);
  }
}

/** x relu6(x + 3) / 6. */
export class Hardswish extends Module {
  forward(input: Tensor): Tensor {
    return F.hardswish(input);
  }
}

/** relu6(x + 3) / 6. */
export class Hardsigmoid extends Module {
  forward(input: Tensor): Tensor {
    return F.hardsigmoid(input);
  }
}

/** 1 / (1 + exp(-x)). */
export class Sigmoid extends Module {
  forward(input: Tensor): Tensor {
    return F.sigmoid(input);
  }
}

/** log(sigmoid(x)). */
export class LogSigmoid extends Module {
  forward(input: Tensor): Tensor {
    return F.logSigmoid(input);
  }
}

/** Hyperbolic tangent. */
export class Tanh extends Module {
  forward(input: Tensor): Tensor {
    return F.tanh(input);
  }
}

/** x - tanh(x). */
export class Tanhshrink extends Module {
  forward(input: Tensor): Tensor {
    return F.tanhshrink(input);
  }
}

/** x / (1 + |x|). */
export class Softsign extends Module {
  forward(input: Tensor): Tensor {
    return F.softsign(input);
  }
}

/** x where positive, slope times x elsewhere. */
export class LeakyReLU extends Module {
  /** Factor below 0. */
  readonly negativeSlope: number;
  /** @param options.negativeSlope - Default 0.01. */
  constructor(options: { negativeSlope?: number | undefined } = {}) {
    const { negativeSlope = 0.01 } = checkOptions(options, NEGATIVE_SLOPE);
    super();
    this.negativeSlope = number('negativeSlope', negativeSlope);
  }
  forward(input: Tensor): Tensor {
    return F.leakyRelu(input, { negativeSlope: this.negativeSlope });
  }
  protected override extraRepr(): string {
    return `negativeSlope=${this.negativeSlope}`;
  }
}

/** x where positive, alpha (exp(x) - 1) elsewhere. */
export class ELU extends Module {
  /** The result approaches -alpha for large negative input. */
  readonly alpha: number;
  /** @param options.alpha - Default 1. */
  constructor(options: { alpha?: number | undefined } = {}) {
    const { alpha = 1 } = checkOptions(options, ALPHA);
    super();
    this.alpha = number('alpha', alpha);
  }
  forward(input: Tensor): Tensor {
    return F.elu(input, { alpha: this.alpha });
  }
  protected override extraRepr(): string {
    return `alpha=${this.alpha}`;
  }
}

/** x where positive, alpha (exp(x / alpha) - 1) elsewhere. */
export class CELU extends Module {
  /** The result approaches -alpha for large negative input. */
  readonly alpha: number;
  /** @param options.alpha - Default 1. */
  constructor(options: { alpha?: number | undefined } = {}) {
    const { alpha = 1 } = checkOptions(options, ALPHA);
    super();
    this.alpha = number('alpha', alpha);
  }
  forward(input: Tensor): Tensor {
    return F.celu(input, { alpha: this.alpha });
  }
  protected override extraRepr(): string {
    return `alpha=${this.alpha}`;
  }
}

/** log(1 + exp(beta x)) / beta, linear above the threshold. */
export class Softplus extends Module {
  /** Steepness. */
  readonly beta: number;
  /** Above this value of beta x, the result is the input. */
  readonly threshold: number;
  /** @param options.beta - Default 1. @param options.threshold - Default 20. */
  constructor(options: { beta?: number | undefined; threshold?: number | undefined } = {}) {
    const { beta = 1, threshold = 20 } = checkOptions(options, BETA_THRESHOLD);
    super();
    this.beta = number('beta', beta);
    this.threshold = number('threshold', threshold);
  }
  forward(input: Tensor): Tensor {
    return F.softplus(input, { beta: this.beta, threshold: this.threshold });
  }
  protected override extraRepr(): string {
    return `beta=${this.beta}, threshold=${this.threshold}`;
  }
}

/** Limited to [minVal, maxVal]. */
export class Hardtanh extends Module {
  /** Smallest value of the result. */
  readonly minVal: number;
  /** Largest value of the result. */
  readonly maxVal: number;
  /** @param options.minVal - Default -1. @param options.maxVal - Default 1. */
  constructor(options: { minVal?: number | undefined; maxVal?: number | undefined } = {}) {
    const { minVal = -1, maxVal = 1 } = checkOptions(options, MIN_VAL_MAX_VAL);
    super();
    this.minVal = number('minVal', minVal);
    this.maxVal = number('maxVal', maxVal);
    if (minVal >= maxVal) throw invalidArgument('minVal', `a number below maxVal ${maxVal}`, minVal);
  }
  forward(input: Tensor): Tensor {
    return F.hardtanh(input, { minVal: this.minVal, maxVal: this.maxVal });
  }
  protected override extraRepr(): string {
    return `minVal=${this.minVal}, maxVal=${this.maxVal}`;
  }
}

/** 0 within ±lambda, x elsewhere. */
export class Hardshrink extends Module {
  /** Half the width of the interval around 0. */
  readonly lambda: number;
  /** @param options.lambda - Default 0.5. */
  constructor(options: { lambda?: number | undefined } = {}) {
    const { lambda = 0.5 } = checkOptions(options, LAMBDA);
    super();
    this.lambda = number('lambda', lambda);
  }
  forward(input: Tensor): Tensor {
    return F.hardshrink(input, { lambda: this.lambda });
  }
  protected override extraRepr(): string {
    return `lambda=${this.lambda}`;
  }
}

/** 0 within ±lambda, x moved toward 0 by lambda elsewhere. */
export class Softshrink extends Module {
  /** Half the width of the interval around 0. */
  readonly lambda: number;
  /** @param options.lambda - Default 0.5. */
  constructor(options: { lambda?: number | undefined } = {}) {
    const { lambda = 0.5 } = checkOptions(options, LAMBDA);
    super();
    this.lambda = number('lambda', lambda);
  }
  forward(input: Tensor): Tensor {
    return F.softshrink(input, { lambda: this.lambda });
  }
  protected override extraRepr(): string {
    return `lambda=${this.lambda}`;
  }
}

abstract class AlongDim extends Module {
  /** The dimension. */
  readonly dim: number;
  /** @param options.dim - Default -1. */
  constructor(options: { dim?: number | undefined } = {}) {
    const { dim = -1 } = checkOptions(options, DIM);
    super();
    this.dim = dim;
  }
  protected override extraRepr(): string {
    return `dim=${this.dim}`;
  }
}

/** exp(x) / sum(exp(x)) along `dim`. */
export class Softmax extends AlongDim {
  forward(input: Tensor): Tensor {
    return F.softmax(input, { dim: this.dim });
  }
}

/** log(softmax(x)) along `dim`. */
export class LogSoftmax extends AlongDim {
  forward(input: Tensor): Tensor {
    return F.logSoftmax(input, { dim: this.dim });
  }
}

/** softmax(-x) along `dim`. */
export class Softmin extends AlongDim {
  forward(input: Tensor): Tensor {
    return F.softmin(input, { dim: this.dim });
  }
}

/** The first half along `dim` times the sigmoid of the second. */
export class GLU extends AlongDim {
  forward(input: Tensor): Tensor {
    return F.glu(input, { dim: this.dim });
  }
}

/** Gaussian error linear unit. */
export class GELU extends Module {
  /** The exact form, or the tanh approximation. */
  readonly approximate: 'none' | 'tanh';
  /** @param options.approximate - Default `'none'`. */
  constructor(options: { approximate?: 'none' | 'tanh' | undefined } = {}) {
    const { approximate = 'none' } = checkOptions(options, APPROXIMATE);
    super();
    this.approximate = approximate;
  }
  forward(input: Tensor): Tensor {
    return F.gelu(input, { approximate: this.approximate });
  }
}

/** x where above the threshold, a value elsewhere. */
export class Threshold extends Module {
  /** Input up to this becomes `value`. */
  readonly threshold: number;
  /** The result for input up to the threshold. */
  readonly value: number;
  constructor(threshold: number, value: number) {
    super();
    this.threshold = number('threshold', threshold);
    this.value = number('value', value);
  }
  forward(input: Tensor): Tensor {
    return F.threshold(input, { threshold: this.threshold, value: this.value });
  }
}

/** {@link LeakyReLU} with slopes drawn from [lower, upper] while training, their mean otherwise. */
export class RReLU extends Module {
  /** Smallest slope. */
  readonly lower: number;
  /** Largest slope. */
  readonly upper: number;
  /** @param options.lower - Default 1/8. @param options.upper - Default 1/3. */
  constructor(options: { lower?: number | undefined; upper?: number | undefined } = {}) {
    const { lower = 1 / 8, upper = 1 / 3 } = checkOptions(options, LOWER_UPPER);
    super();
    this.lower = number('lower', lower);
    this.upper = number('upper', upper, { min: lower });
  }
  forward(input: Tensor): Tensor {
    return F.rrelu(input, { lower: this.lower, upper: this.upper, training: this.training });
  }
}

/** Options of {@link PReLU}. */
export interface PReLUOptions extends FactoryOptions {
  /** Number of slopes: 1, or the number of channels. Default 1. */
  numParameters?: number | undefined;
  /** Initial slope. Default 0.25. */
  init?: number | undefined;
}

const P_RE_LU_KEYS = optionKeys(...FACTORY_KEYS, 'numParameters', 'init');

/** x where positive, a learned slope times x elsewhere. @see https://arxiv.org/abs/1502.01852 */
export class PReLU extends Module {
  /** [numParameters]. */
  weight: Parameter;
  constructor(options: PReLUOptions = {}) {
    const { numParameters = 1, init = 0.25, dtype = 'float32', device } = checkOptions(options, P_RE_LU_KEYS);
    super();
    this.weight = new Parameter(full([numParameters], init, { dtype, device }));
  }
  forward(input: Tensor): Tensor {
    return F.prelu(input, this.weight);
  }
}
