/**
 * Weight initializers, in place, each with its source.
 * @see https://pytorch.org/docs/stable/nn.init.html
 * @module
 */

import { integer, number, oneOf } from '../check/arguments.js';
import { checkOptions, optionKeys } from '../check/index.js';
import { invalidArgument, ShapeError } from '../errors.js';
import { checkShape } from '../tensor/check.js';
import { noGrad, tidy } from '../tensor/context.js';
import { native, type Tensor } from '../tensor/tensor.js';

const GAIN = optionKeys('gain');
const MEAN_STD = optionKeys('mean', 'std');
const UNIFORM_KEYS = optionKeys('low', 'high', 'a', 'b');
const GROUPS = optionKeys('groups');
const SPARSITY_STD = optionKeys('sparsity', 'std');

/** Whether the variance is preserved in the forward pass (`fanIn`) or in the backward pass (`fanOut`). */
export type FanMode = 'fanIn' | 'fanOut';

/** The activation that follows. */
export type Nonlinearity = 'linear' | 'relu' | 'leakyRelu' | 'tanh' | 'sigmoid' | 'selu';

/** Number of inputs and outputs of a unit. @param weight - [O, I, ...kernel]. */
export function fans(weight: Tensor): { fanIn: number; fanOut: number } {
  const [outputs, inputs, ...kernel] = checkShape('weight', weight);
  if (outputs === undefined || inputs === undefined) {
    throw new ShapeError(
      `Expected at least 2 dimensions for weight but received [${checkShape('weight', weight).join(', ')}]`,
    );
  }
  const area = kernel.reduce((product, size) => product * size, 1);
  return { fanIn: inputs * area, fanOut: outputs * area };
}

/** The factor that preserves the variance through the activation. @param slope - Slope of leakyRelu. Default 0.01. */
export function calculateGain(nonlinearity: Nonlinearity, slope = 0.01): number {
  number('slope', slope);
  oneOf('nonlinearity', ['linear', 'relu', 'leakyRelu', 'tanh', 'sigmoid', 'selu'], nonlinearity);
  if (nonlinearity === 'relu') return Math.SQRT2;
  if (nonlinearity === 'leakyRelu') return Math.sqrt(2 / (1 + slope * slope));
  if (nonlinearity === 'selu') return 3 / 4;
  return nonlinearity === 'tanh' ? 5 / 3 : 1;
}

/** Options of the Kaiming initializers. */
export interface KaimingOptions {
  /** Default `'fanIn'`. */
  mode?: FanMode | undefined;
  /** Default `'leakyRelu'`, as in PyTorch. */
  nonlinearity?: Nonlinearity | undefined;
  /** Slope of leakyRelu. Default 0, which makes it relu. */
  a?: number | undefined;
}

const KAIMING_KEYS = optionKeys('mode', 'nonlinearity', 'a');

/** An empty tensor has no connections; then any scale is valid. */
const atLeastOne = (count: number) => Math.max(1, count);

function kaimingStd(weight: Tensor, options: KaimingOptions): number {
  const { mode = 'fanIn', nonlinearity = 'leakyRelu', a = 0 } = checkOptions(options, KAIMING_KEYS);
  oneOf('mode', ['fanIn', 'fanOut'], mode);
  number('a', a);
  return calculateGain(nonlinearity, a) / Math.sqrt(atLeastOne(fans(weight)[mode]));
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
export function xavierNormal_(weight: Tensor, options: { gain?: number | undefined } = {}): Tensor {
  const gain = number('gain', checkOptions(options, GAIN).gain ?? 1, { min: 0 });
  const { fanIn, fanOut } = fans(weight);
  return normal_(weight, { std: gain * Math.sqrt(2 / atLeastOne(fanIn + fanOut)) });
}

/** Uniform numbers of standard deviation gain * sqrt(2 / (fanIn + fanOut)). @see Glorot and Bengio, AISTATS 2010 */
export function xavierUniform_(weight: Tensor, options: { gain?: number | undefined } = {}): Tensor {
  const gain = number('gain', checkOptions(options, GAIN).gain ?? 1, { min: 0 });
  const { fanIn, fanOut } = fans(weight);
  const bound = gain * Math.sqrt(6 / atLeastOne(fanIn + fanOut));
  return uniform_(weight, { low: -bound, high: bound });
}

/** Normal numbers. @param options.mean - Default 0. @param options.std - Default 1. */
export function normal_(
  tensor: Tensor,
  options: { mean?: number | undefined; std?: number | undefined } = {},
): Tensor {
  const { mean = 0, std = 1 } = checkOptions(options, MEAN_STD);
  number('mean', mean);
  number('std', std, { min: 0 });
  noGrad(() => native.normal(tensor, mean, std).dispose());
  return tensor;
}

/** Options of {@link uniform_}. */
export interface UniformOptions {
  /** Default 0. */
  low?: number | undefined;
  /** Default 1. */
  high?: number | undefined;
  /** `low` by the name of PyTorch. */
  a?: number | undefined;
  /** `high` by the name of PyTorch. */
  b?: number | undefined;
}

/** Uniform numbers in [low, high). @see https://pytorch.org/docs/stable/nn.init.html#torch.nn.init.uniform_ */
export function uniform_(tensor: Tensor, options: UniformOptions = {}): Tensor {
  const { low, high, a, b } = checkOptions(options, UNIFORM_KEYS);
  const from = number('low', either('low', low, 'a', a) ?? 0);
  const to = number('high', either('high', high, 'b', b) ?? 1, { min: from });
  noGrad(() => native.uniform(tensor, from, to).dispose());
  return tensor;
}

/** The value of an option that has two names. @throws ArgumentError if both are given. */
function either(
  name: string,
  value: number | undefined,
  other: string,
  same: number | undefined,
): number | undefined {
  if (value !== undefined && same !== undefined)
    throw invalidArgument(other, `undefined where ${name} is given`, same);
  return value ?? same;
}

/** Fills with one value. */
export function constant_(tensor: Tensor, value: number): Tensor {
  noGrad(() => native.fill(tensor, value).dispose());
  return tensor;
}

/** Zeros. */
export function zeros_(tensor: Tensor): Tensor {
  return constant_(tensor, 0);
}

/** Ones. */
export function ones_(tensor: Tensor): Tensor {
  return constant_(tensor, 1);
}

/** Options of {@link truncNormal_}. */
export interface TruncNormalOptions {
  /** Default 0. */
  mean?: number | undefined;
  /** Default 1. */
  std?: number | undefined;
  /** Default -2. */
  min?: number | undefined;
  /** Default 2. */
  max?: number | undefined;
  /** `min` by the name of PyTorch. */
  a?: number | undefined;
  /** `max` by the name of PyTorch. */
  b?: number | undefined;
}

const TRUNC_NORMAL_KEYS = optionKeys('mean', 'std', 'min', 'max', 'a', 'b');

/** Normal numbers within [min, max]. @see https://people.sc.fsu.edu/~jburkardt/presentations/truncated_normal.pdf */
export function truncNormal_(tensor: Tensor, options: TruncNormalOptions = {}): Tensor {
  const { mean = 0, std = 1, a, b, ...bounds } = checkOptions(options, TRUNC_NORMAL_KEYS);
  const min = either('min', bounds.min, 'a', a) ?? -2;
  const max = either('max', bounds.max, 'b', b) ?? 2;
  number('mean', mean);
  number('std', std, { min: Number.MIN_VALUE });
  number('max', max, { min: number('min', min) });
  return noGrad(() =>
    tidy(() => {
      const share = (value: number) => erf((value - mean) / std / Math.SQRT2);
      // Uniform numbers between the probabilities of the bounds, mapped by the inverse of the distribution.
      uniform_(tensor, { low: share(min), high: share(max) });
      const bent = tensor.erfinv();
      return tensor
        .copy_(bent)
        .mul_(std * Math.SQRT2)
        .add_(mean)
        .clamp_({ min, max });
    }),
  );
}

/** The error function of a number, computed by libtorch. */
function erf(value: number): number {
  using point = native.full([], value, 'float64', 'cpu');
  using result = native.erf(point);
  return Number(result.item());
}

/** An orthogonal matrix, with the trailing dimensions flattened, times `gain` (default 1). @see Saxe et al. 2013, https://arxiv.org/abs/1312.6120 */
export function orthogonal_(weight: Tensor, options: { gain?: number | undefined } = {}): Tensor {
  const gain = number('gain', checkOptions(options, GAIN).gain ?? 1);
  const shape = checkShape('weight', weight);
  const { fanIn: columns } = fans(weight);
  const rows = shape[0]!;
  return noGrad(() =>
    tidy(() => {
      const { dtype, device } = weight;
      const flat = native.empty([rows, columns], dtype, device);
      normal_(flat);
      const [q, r] = native.qr(rows < columns ? flat.t() : flat, 'reduced');
      // The signs of the decomposition are arbitrary; the signs of R's diagonal make the distribution uniform.
      const uniform = q.mul(r.diag().sign());
      return weight.copy_((rows < columns ? uniform.t() : uniform).reshape(shape)).mul_(gain);
    }),
  );
}

/** The identity matrix. @param weight - Of two dimensions. */
export function eye_(weight: Tensor): Tensor {
  const [rows, columns, ...rest] = checkShape('weight', weight);
  if (rows === undefined || columns === undefined || rest.length > 0)
    throw new ShapeError(
      `Expected 2 dimensions for weight but received [${checkShape('weight', weight).join(', ')}]`,
    );
  using identity = native.eye(rows, columns, weight.dtype, weight.device);
  return noGrad(() => weight.copy_(identity));
}

/** A convolution that copies its input channels to its output channels. @param weight - [O, I, ...kernel]. @param options.groups - Default 1. */
export function dirac_(weight: Tensor, options: { groups?: number | undefined } = {}): Tensor {
  const { groups = 1 } = checkOptions(options, GROUPS);
  const [outputs, inputs, ...kernel] = checkShape('weight', weight);
  if (outputs === undefined || inputs === undefined || kernel.length < 1 || kernel.length > 3)
    throw new ShapeError(
      `Expected 3 to 5 dimensions for weight but received [${checkShape('weight', weight).join(', ')}]`,
    );
  if (outputs % integer('groups', groups, 1) !== 0)
    throw invalidArgument('groups', `a divisor of ${outputs} outputs`, groups);
  const perGroup = outputs / groups;
  return noGrad(() =>
    tidy(() => {
      native.fill(weight, 0).dispose();
      for (let group = 0; group < groups; group++) {
        for (let i = 0; i < Math.min(perGroup, inputs); i++)
          weight.index(group * perGroup + i, i, ...kernel.map((size) => size >> 1)).fill_(1);
      }
      return weight;
    }),
  );
}

/** Normal numbers with a fraction of each column set to 0. @param options.std - Default 0.01. @see Martens, ICML 2010 */
export function sparse_(weight: Tensor, options: { sparsity: number; std?: number | undefined }): Tensor {
  const { sparsity, std = 0.01 } = checkOptions(options, SPARSITY_STD);
  const [rows, columns, ...rest] = checkShape('weight', weight);
  if (rows === undefined || columns === undefined || rest.length > 0)
    throw new ShapeError(
      `Expected 2 dimensions for weight but received [${checkShape('weight', weight).join(', ')}]`,
    );
  const zeroed = Math.ceil(number('sparsity', sparsity, { min: 0, max: 1 }) * rows);
  return noGrad(() =>
    tidy(() => {
      normal_(weight, { std });
      for (let column = 0; column < columns; column++) {
        const order = native.randperm(rows, 'int64', 'cpu').narrow(0, 0, zeroed);
        weight.select(1, column).indexFill_(0, order.to({ device: weight.device }), 0);
      }
      return weight;
    }),
  );
}
