/**
 * Weight initialisers, in place, each with its source. The trailing underscore is PyTorch's.
 * @see https://pytorch.org/docs/stable/nn.init.html
 * @module
 */

import { checkOptions, ShapeError } from '../errors.js';
import { native } from '../native.js';
import { oneOf } from '../ops/arguments.js';
import { checkTensor } from '../tensor/check.js';
import { noGrad } from '../tensor/context.js';
import type { Tensor } from '../tensor/tensor.js';

/** Which number of connections keeps its variance: of a unit's inputs (`fan_in`) or outputs (`fan_out`). */
export type FanMode = 'fanIn' | 'fanOut';

/** The activation that follows. */
export type Nonlinearity = 'linear' | 'relu' | 'leakyRelu' | 'tanh' | 'sigmoid';

/** Connections into and out of a unit. @param weight - [O, I, ...kernel]. */
export function fans(weight: Tensor): { fanIn: number; fanOut: number } {
  const [outputs, inputs, ...kernel] = checkTensor('weight', weight).shape;
  if (outputs === undefined || inputs === undefined) {
    throw new ShapeError(
      `Expected at least 2 dimensions for weight but received [${weight.shape.join(', ')}]`,
    );
  }
  const area = kernel.reduce((product, size) => product * size, 1);
  return { fanIn: inputs * area, fanOut: outputs * area };
}

/** The factor that keeps the variance through the activation. @param slope - Of leakyRelu. Default 0.01. */
export function calculateGain(nonlinearity: Nonlinearity, slope = 0.01): number {
  oneOf('nonlinearity', ['linear', 'relu', 'leakyRelu', 'tanh', 'sigmoid'], nonlinearity);
  if (nonlinearity === 'relu') return Math.SQRT2;
  if (nonlinearity === 'leakyRelu') return Math.sqrt(2 / (1 + slope * slope));
  return nonlinearity === 'tanh' ? 5 / 3 : 1;
}

/** Options of the Kaiming initialisers. */
export interface KaimingOptions {
  /** Default `'fanIn'`. */
  mode?: FanMode;
  /** Default `'leakyRelu'`, as in PyTorch. */
  nonlinearity?: Nonlinearity;
  /** Slope of leakyRelu. Default 0, which makes it relu. */
  a?: number;
}

function kaimingStd(weight: Tensor, options: KaimingOptions): number {
  const { mode = 'fanIn', nonlinearity = 'leakyRelu', a = 0 } = checkOptions(options);
  oneOf('mode', ['fanIn', 'fanOut'], mode);
  return calculateGain(nonlinearity, a) / Math.sqrt(fans(weight)[mode]);
}

/** Normal numbers of standard deviation gain / sqrt(fan). @see He et al. 2015, https://arxiv.org/abs/1502.01852 */
export function kaimingNormal_(weight: Tensor, options: KaimingOptions = {}): Tensor {
  return normal_(weight, { std: kaimingStd(weight, options) });
}

/** Uniform numbers of standard deviation gain / sqrt(fan). @see He et al. 2015, https://arxiv.org/abs/1502.01852 */
export function kaimingUniform_(weight: Tensor, options: KaimingOptions = {}): Tensor {
  const bound = Math.sqrt(3) * kaimingStd(weight, options);
  return uniform_(weight, { low: -bound, high: bound });
}

/** Normal numbers of standard deviation gain * sqrt(2 / (fanIn + fanOut)). @see Glorot and Bengio, AISTATS 2010 */
export function xavierNormal_(weight: Tensor, options: { gain?: number } = {}): Tensor {
  const { gain = 1 } = checkOptions(options);
  const { fanIn, fanOut } = fans(weight);
  return normal_(weight, { std: gain * Math.sqrt(2 / (fanIn + fanOut)) });
}

/** Uniform numbers of standard deviation gain * sqrt(2 / (fanIn + fanOut)). @see Glorot and Bengio, AISTATS 2010 */
export function xavierUniform_(weight: Tensor, options: { gain?: number } = {}): Tensor {
  const { gain = 1 } = checkOptions(options);
  const { fanIn, fanOut } = fans(weight);
  const bound = gain * Math.sqrt(6 / (fanIn + fanOut));
  return uniform_(weight, { low: -bound, high: bound });
}

/** Normal numbers. @param options.mean - Default 0. @param options.std - Default 1. */
export function normal_(tensor: Tensor, options: { mean?: number; std?: number } = {}): Tensor {
  const { mean = 0, std = 1 } = checkOptions(options);
  noGrad(() => native.normal(tensor, mean, std).dispose());
  return tensor;
}

/** Uniform numbers in [low, high). @param options.low - Default 0. @param options.high - Default 1. */
export function uniform_(tensor: Tensor, options: { low?: number; high?: number } = {}): Tensor {
  const { low = 0, high = 1 } = checkOptions(options);
  noGrad(() => native.uniform(tensor, low, high).dispose());
  return tensor;
}

/** One value everywhere. */
export function constant_(tensor: Tensor, value: number): Tensor {
  checkTensor('tensor', tensor);
  return noGrad(() => tensor.fill_(value));
}

/** Zeros. */
export function zeros_(tensor: Tensor): Tensor {
  return constant_(tensor, 0);
}

/** Ones. */
export function ones_(tensor: Tensor): Tensor {
  return constant_(tensor, 1);
}
