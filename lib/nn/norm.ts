/**
 * Normalization layers.
 * @module
 */

import { integer } from '../check/arguments.js';
import { checkIterable, checkOptions, optionKeys, type RequiredOptions } from '../check/index.js';
import { invalidArgument } from '../errors.js';
import type { NormActivation } from '../native/norm.js';
import { batchNorm, groupNorm, instanceNorm, layerNorm, localResponseNorm, rmsNorm } from '../ops/norm.js';
import { LOCAL_RESPONSE_NORM_KEYS } from '../ops/option-keys.js';
import { full, ones, zeros } from '../tensor/create.js';
import { native, type Tensor } from '../tensor/tensor.js';
import { FACTORY_KEYS, type FactoryOptions } from './layers.js';
import { Module, Parameter } from './module.js';

const INSTANCE_NORM = optionKeys('eps', 'momentum', 'affine', 'bias', 'trackRunningStats', 'device', 'dtype');

/** Options of the batch norms. */
export interface BatchNormLayerOptions extends FactoryOptions {
  /** Added to the variance. Default 1e-5. */
  eps?: number | undefined;
  /** Weight of the batch in the running statistics; null: the mean over all batches. Default 0.1. */
  momentum?: number | null | undefined;
  /** Learn a scale and a shift. Default true. */
  affine?: boolean | undefined;
  /** Learn the shift too, if `affine` is true. Default true. */
  bias?: boolean | undefined;
  /** Keep running statistics for evaluation. Default true. */
  trackRunningStats?: boolean | undefined;
}

/** The keys of {@link BatchNormLayerOptions}. */
export const BATCH_NORM_LAYER_KEYS = optionKeys(
  ...FACTORY_KEYS,
  'eps',
  'momentum',
  'affine',
  'bias',
  'trackRunningStats',
);

/** Running statistics, scale and shift of each channel. */
abstract class ChannelNorm extends Module {
  /** Channels of the input. */
  readonly numFeatures: number;
  /** Added to the variance, against division by 0. */
  readonly eps: number;
  /** Weight of the batch in the running statistics; null: the mean over all batches. */
  readonly momentum: number | null;
  /** [C], initially ones; null without affine. */
  weight: Parameter | null;
  /** [C], initially zeros; null without affine or bias. */
  bias: Parameter | null;
  /** [C], initially zeros. */
  runningMean!: Tensor | null;
  /** [C], initially ones. */
  runningVar!: Tensor | null;
  /** int64 []. */
  numBatchesTracked!: Tensor | null;

  constructor(
    numFeatures: number,
    options: RequiredOptions<Omit<BatchNormLayerOptions, 'device' | 'dtype'>>,
    factory: FactoryOptions,
  ) {
    super();
    const { eps, momentum, affine, bias, trackRunningStats } = options;
    this.numFeatures = integer('numFeatures', numFeatures, 1);
    this.eps = eps;
    this.momentum = momentum;
    this.weight = affine ? new Parameter(ones([numFeatures], factory)) : null;
    this.bias = affine && bias ? new Parameter(zeros([numFeatures], factory)) : null;
    this.registerBuffer('runningMean', trackRunningStats ? zeros([numFeatures], factory) : null);
    this.registerBuffer('runningVar', trackRunningStats ? ones([numFeatures], factory) : null);
    this.registerBuffer(
      'numBatchesTracked',
      trackRunningStats ? full([], 0, { dtype: 'int64', device: factory.device }) : null,
      { required: false }, // files of PyTorch before 0.4.1 lack it
    );
  }

  /** Allowed numbers of dimensions of the input. */
  protected abstract readonly inputDims: readonly number[];

  /** Checks the number of dimensions of the input. @throws ShapeError */
  protected checkInput(input: Tensor): void {
    native.checkDims(input, this.inputDims, this.constructor.name);
  }

  protected override extraRepr(): string {
    return `${this.numFeatures}, eps=${this.eps}, momentum=${this.momentum}`;
  }
}

/** The batch norms. */
export abstract class BatchNorm extends ChannelNorm {
  constructor(numFeatures: number, options: BatchNormLayerOptions = {}) {
    const {
      eps = 1e-5,
      momentum = 0.1,
      affine = true,
      bias = true,
      trackRunningStats = true,
      device,
      dtype,
    } = checkOptions(options, BATCH_NORM_LAYER_KEYS);
    super(numFeatures, { eps, momentum, affine, bias, trackRunningStats }, { device, dtype });
  }

  /** @throws ShapeError while training on a single value per channel, whose variance is not defined. */
  forward(input: Tensor): Tensor {
    this.checkInput(input);
    const { weight, bias, runningMean, runningVar, eps } = this;
    const training = this.training || runningMean === null;
    const momentum = this.#momentumOfBatch(training);
    const result = batchNorm(input, { weight, bias, runningMean, runningVar, training, momentum, eps });
    this.#countBatch();
    return result;
  }

  /** @internal The activation of the normalized input plus a residual, while training. */
  forwardActivated(input: Tensor, residual: Tensor | null, activation: NormActivation): Tensor {
    this.checkInput(input);
    const { weight, bias, runningMean, runningVar, eps } = this;
    const momentum = this.#momentumOfBatch(true);
    const result = native.batchNormActivation(
      input,
      residual,
      weight,
      bias,
      runningMean,
      runningVar,
      momentum,
      eps,
      activation,
    );
    this.#countBatch();
    return result;
  }

  /** The weight of a batch in the running statistics. Without momentum, these are the mean over all batches. */
  #momentumOfBatch(training: boolean): number {
    return this.momentum ?? (training ? 1 / (Number(this.numBatchesTracked?.item() ?? 0) + 1) : 0);
  }

  /** Counts a batch, after all checks: a rejected batch is not counted. */
  #countBatch(): void {
    if (this.training && this.numBatchesTracked !== null) this.numBatchesTracked.add_(1);
  }
}

/**
 * Batch normalization of vectors or sequences, [B, C] or [B, C, L] -> same.
 * @see https://arxiv.org/abs/1502.03167, https://pytorch.org/docs/stable/generated/torch.nn.BatchNorm1d.html
 */
export class BatchNorm1d extends BatchNorm {
  protected override get inputDims(): readonly number[] {
    return [2, 3];
  }
}

/**
 * Batch normalization of images, [B, C, H, W] -> same.
 * @see https://arxiv.org/abs/1502.03167, https://pytorch.org/docs/stable/generated/torch.nn.BatchNorm2d.html
 */
export class BatchNorm2d extends BatchNorm {
  protected override get inputDims(): readonly number[] {
    return [4];
  }
}

/**
 * Batch normalization of volumes, [B, C, D, H, W] -> same.
 * @see https://arxiv.org/abs/1502.03167, https://pytorch.org/docs/stable/generated/torch.nn.BatchNorm3d.html
 */
export class BatchNorm3d extends BatchNorm {
  protected override get inputDims(): readonly number[] {
    return [5];
  }
}

/** Options of the instance norms: those of batch norm, with affine and trackRunningStats false by default. */
export type InstanceNormLayerOptions = BatchNormLayerOptions;

abstract class InstanceNorm extends ChannelNorm {
  constructor(numFeatures: number, options: InstanceNormLayerOptions = {}) {
    const {
      eps = 1e-5,
      momentum = 0.1,
      affine = false,
      bias = true,
      trackRunningStats = false,
      device,
      dtype,
    } = checkOptions(options, INSTANCE_NORM);
    super(numFeatures, { eps, momentum, affine, bias, trackRunningStats }, { device, dtype });
  }

  /** @throws ShapeError for a single value per channel, unless running statistics are used instead. */
  forward(input: Tensor): Tensor {
    this.checkInput(input);
    const [unbatched] = this.inputDims;
    if (input.ndim !== unbatched) return this.#normalize(input);
    using batch = input.unsqueeze(0);
    using result = this.#normalize(batch);
    return result.squeeze(0);
  }

  #normalize(input: Tensor): Tensor {
    const { weight, bias, runningMean, runningVar, eps } = this;
    const useInputStats = this.training || runningMean === null;
    const momentum = this.momentum ?? 0;
    return instanceNorm(input, { weight, bias, runningMean, runningVar, useInputStats, momentum, eps });
  }
}

/** Normalizes each channel of each sequence, [B, C, L] or [C, L] -> same. @see https://arxiv.org/abs/1607.08022 */
export class InstanceNorm1d extends InstanceNorm {
  protected override get inputDims(): readonly number[] {
    return [2, 3];
  }
}

/** Normalizes each channel of each image, [B, C, H, W] or [C, H, W] -> same. @see https://arxiv.org/abs/1607.08022 */
export class InstanceNorm2d extends InstanceNorm {
  protected override get inputDims(): readonly number[] {
    return [3, 4];
  }
}

/** Normalizes each channel of each volume, [B, C, D, H, W] or [C, D, H, W] -> same. @see https://arxiv.org/abs/1607.08022 */
export class InstanceNorm3d extends InstanceNorm {
  protected override get inputDims(): readonly number[] {
    return [4, 5];
  }
}

/** Options of {@link LayerNorm} and {@link GroupNorm}. */
export interface NormLayerOptions extends FactoryOptions {
  /** Added to the variance. Default 1e-5. */
  eps?: number | undefined;
  /** Learn a scale and a shift. Default true. */
  affine?: boolean | undefined;
  /** Learn the shift too, if `affine` is true. Default true. */
  bias?: boolean | undefined;
}

const NORM_LAYER_KEYS = optionKeys(...FACTORY_KEYS, 'eps', 'affine', 'bias');

/** Options of {@link RMSNorm}. */
export interface RMSNormLayerOptions extends FactoryOptions {
  /** Added to the mean square. Default: the dtype's machine epsilon. */
  eps?: number | undefined;
  /** Learn a scale. Default true. */
  affine?: boolean | undefined;
}

const RMS_NORM_LAYER_KEYS = optionKeys(...FACTORY_KEYS, 'eps', 'affine');

/** Normalizes the last dimensions. @see https://arxiv.org/abs/1607.06450 */
export class LayerNorm extends Module {
  /** The last dimensions of the input, over which it is normalized. */
  readonly normalizedShape: readonly number[];
  /** Added to the variance, against division by 0. */
  readonly eps: number;
  /** Has the normalized shape, initially ones; null without affine. */
  weight: Parameter | null;
  /** Has the normalized shape, initially zeros; null without affine or bias. */
  bias: Parameter | null;

  constructor(normalizedShape: number | readonly number[], options: NormLayerOptions = {}) {
    super();
    const { eps = 1e-5, affine = true, bias = true, device, dtype } = checkOptions(options, NORM_LAYER_KEYS);
    this.normalizedShape =
      typeof normalizedShape === 'number'
        ? [normalizedShape]
        : checkIterable(normalizedShape, 'normalizedShape', 'a size or an array of sizes');
    for (const size of this.normalizedShape) integer('normalizedShape', size, 1);
    this.eps = eps;
    this.weight = affine ? new Parameter(ones(this.normalizedShape, { device, dtype })) : null;
    this.bias = affine && bias ? new Parameter(zeros(this.normalizedShape, { device, dtype })) : null;
  }

  forward(input: Tensor): Tensor {
    const { normalizedShape, weight, bias, eps } = this;
    return layerNorm(input, normalizedShape, { weight, bias, eps });
  }

  protected override extraRepr(): string {
    return `[${this.normalizedShape.join(', ')}], eps=${this.eps}`;
  }
}

/** Normalizes groups of channels, [B, C, ...] -> same. @see https://arxiv.org/abs/1803.08494 */
export class GroupNorm extends Module {
  /** Number of groups of channels. */
  readonly numGroups: number;
  /** Channels of the input. */
  readonly numChannels: number;
  /** Added to the variance, against division by 0. */
  readonly eps: number;
  /** [C], initially ones; null without affine. */
  weight: Parameter | null;
  /** [C], initially zeros; null without affine or bias. */
  bias: Parameter | null;

  constructor(numGroups: number, numChannels: number, options: NormLayerOptions = {}) {
    super();
    const { eps = 1e-5, affine = true, bias = true, device, dtype } = checkOptions(options, NORM_LAYER_KEYS);
    this.numGroups = integer('numGroups', numGroups, 1);
    this.numChannels = integer('numChannels', numChannels, 1);
    if (numChannels % numGroups !== 0)
      throw invalidArgument('numGroups', `a divisor of numChannels ${numChannels}`, numGroups);
    this.eps = eps;
    this.weight = affine ? new Parameter(ones([numChannels], { device, dtype })) : null;
    this.bias = affine && bias ? new Parameter(zeros([numChannels], { device, dtype })) : null;
  }

  /** @throws ShapeError for groups of a single value in a batch of one. */
  forward(input: Tensor): Tensor {
    const { numGroups, weight, bias, eps } = this;
    return groupNorm(input, numGroups, { weight, bias, eps });
  }

  protected override extraRepr(): string {
    return `${this.numGroups}, ${this.numChannels}, eps=${this.eps}`;
  }
}

/** Divides by the root mean square of the last dimensions. @see https://arxiv.org/abs/1910.07467 */
export class RMSNorm extends Module {
  /** The last dimensions of the input, over which it is normalized. */
  readonly normalizedShape: readonly number[];
  /** Added to the mean square, against division by 0; null: the machine epsilon of the dtype. */
  readonly eps: number | null;
  /** Has the normalized shape, initially ones; null without affine. */
  weight: Parameter | null;

  constructor(normalizedShape: number | readonly number[], options: RMSNormLayerOptions = {}) {
    super();
    const { eps, affine = true, device, dtype } = checkOptions(options, RMS_NORM_LAYER_KEYS);
    this.normalizedShape =
      typeof normalizedShape === 'number'
        ? [normalizedShape]
        : checkIterable(normalizedShape, 'normalizedShape', 'a size or an array of sizes');
    for (const size of this.normalizedShape) integer('normalizedShape', size, 1);
    this.eps = eps ?? null;
    this.weight = affine ? new Parameter(ones(this.normalizedShape, { device, dtype })) : null;
  }

  forward(input: Tensor): Tensor {
    return rmsNorm(input, this.normalizedShape, { weight: this.weight, eps: this.eps ?? undefined });
  }

  protected override extraRepr(): string {
    return `[${this.normalizedShape.join(', ')}], eps=${this.eps}`;
  }
}

/** Options of {@link LocalResponseNorm}. */
export interface LocalResponseNormOptions {
  /** Default 1e-4. */
  alpha?: number | undefined;
  /** Default 0.75. */
  beta?: number | undefined;
  /** Default 1. */
  k?: number | undefined;
}

/** Divides by the mean square of neighboring channels, [B, C, ...] -> same. @see Krizhevsky et al., NeurIPS 2012 */
export class LocalResponseNorm extends Module {
  /** Number of neighboring channels. */
  readonly size: number;
  /** The options of the constructor. */
  readonly options: Readonly<LocalResponseNormOptions>;

  constructor(size: number, options: LocalResponseNormOptions = {}) {
    super();
    this.size = integer('size', size, 1);
    this.options = Object.freeze({ ...checkOptions(options, LOCAL_RESPONSE_NORM_KEYS) });
  }

  forward(input: Tensor): Tensor {
    return localResponseNorm(input, this.size, this.options);
  }

  protected override extraRepr(): string {
    return `${this.size}`;
  }
}
