/**
 * Normalisation layers.
 * @module
 */
import { checkIterable, checkOptions, invalidArgument } from '../errors.js';
import { batchNorm, groupNorm, layerNorm } from '../ops/activation.js';
import { integer } from '../ops/arguments.js';
import { full, ones, zeros } from '../tensor/create.js';
import type { Tensor } from '../tensor/tensor.js';
import type { FactoryOptions } from './layers.js';
import { Module, Parameter } from './module.js';

/** Options of {@link BatchNorm2d}. */
export interface BatchNormLayerOptions extends FactoryOptions {
  /** Added to the variance. Default 1e-5. */
  eps?: number;
  /** Share of the batch in the running statistics. Default 0.1. */
  momentum?: number;
  /** Learn a scale and a shift. Default true. */
  affine?: boolean;
  /** Keep running statistics for evaluation. Default true. */
  trackRunningStats?: boolean;
}

/**
 * Batch normalisation of images, [B, C, H, W] -> same.
 * @see https://arxiv.org/abs/1502.03167, https://pytorch.org/docs/stable/generated/torch.nn.BatchNorm2d.html
 */
export class BatchNorm2d extends Module {
  readonly numFeatures: number;
  readonly eps: number;
  readonly momentum: number;
  /** [C], ones at first. */
  weight: Parameter | null;
  /** [C], zeros at first. */
  bias: Parameter | null;
  /** [C], zeros at first. */
  runningMean!: Tensor | null;
  /** [C], ones at first. */
  runningVar!: Tensor | null;
  /** int64 []. */
  numBatchesTracked!: Tensor | null;

  constructor(numFeatures: number, options: BatchNormLayerOptions = {}) {
    super();
    const {
      eps = 1e-5,
      momentum = 0.1,
      affine = true,
      trackRunningStats = true,
      device,
      dtype,
    } = checkOptions(options);
    const factory = { device, dtype };
    this.numFeatures = integer('numFeatures', numFeatures, 1);
    this.eps = eps;
    this.momentum = momentum;
    this.weight = affine ? new Parameter(ones([numFeatures], factory)) : null;
    this.bias = affine ? new Parameter(zeros([numFeatures], factory)) : null;
    this.registerBuffer('runningMean', trackRunningStats ? zeros([numFeatures], factory) : null);
    this.registerBuffer('runningVar', trackRunningStats ? ones([numFeatures], factory) : null);
    this.registerBuffer(
      'numBatchesTracked',
      trackRunningStats ? full([], 0, { dtype: 'int64', device }) : null,
    );
  }

  forward(input: Tensor): Tensor {
    const { weight, bias, runningMean, runningVar, momentum, eps } = this;
    if (this.training && this.numBatchesTracked !== null) this.numBatchesTracked.add_(1);
    const training = this.training || runningMean === null;
    return batchNorm(input, { weight, bias, runningMean, runningVar, training, momentum, eps });
  }

  protected override extraRepr(): string {
    return `${this.numFeatures}, eps=${this.eps}, momentum=${this.momentum}`;
  }
}

/** Options of {@link LayerNorm} and {@link GroupNorm}. */
export interface NormLayerOptions extends FactoryOptions {
  /** Added to the variance. Default 1e-5. */
  eps?: number;
  /** Learn a scale and a shift. Default true. */
  affine?: boolean;
}

/** Normalises the last dimensions. @see https://arxiv.org/abs/1607.06450 */
export class LayerNorm extends Module {
  readonly normalizedShape: readonly number[];
  readonly eps: number;
  weight: Parameter | null;
  bias: Parameter | null;

  constructor(normalizedShape: number | readonly number[], options: NormLayerOptions = {}) {
    super();
    const { eps = 1e-5, affine = true, device, dtype } = checkOptions(options);
    this.normalizedShape =
      typeof normalizedShape === 'number'
        ? [normalizedShape]
        : checkIterable(normalizedShape, 'normalizedShape', 'a size or an array of sizes');
    for (const size of this.normalizedShape) integer('normalizedShape', size, 1);
    this.eps = eps;
    this.weight = affine ? new Parameter(ones(this.normalizedShape, { device, dtype })) : null;
    this.bias = affine ? new Parameter(zeros(this.normalizedShape, { device, dtype })) : null;
  }

  forward(input: Tensor): Tensor {
    return layerNorm(input, this.normalizedShape, this);
  }

  protected override extraRepr(): string {
    return `[${this.normalizedShape.join(', ')}], eps=${this.eps}`;
  }
}

/** Normalises groups of channels, [B, C, ...] -> same. @see https://arxiv.org/abs/1803.08494 */
export class GroupNorm extends Module {
  readonly numGroups: number;
  readonly numChannels: number;
  readonly eps: number;
  weight: Parameter | null;
  bias: Parameter | null;

  constructor(numGroups: number, numChannels: number, options: NormLayerOptions = {}) {
    super();
    const { eps = 1e-5, affine = true, device, dtype } = checkOptions(options);
    this.numGroups = integer('numGroups', numGroups, 1);
    this.numChannels = integer('numChannels', numChannels, 1);
    if (numChannels % numGroups !== 0)
      throw invalidArgument('numGroups', `a divisor of numChannels ${numChannels}`, numGroups);
    this.eps = eps;
    this.weight = affine ? new Parameter(ones([numChannels], { device, dtype })) : null;
    this.bias = affine ? new Parameter(zeros([numChannels], { device, dtype })) : null;
  }

  forward(input: Tensor): Tensor {
    return groupNorm(input, this.numGroups, this);
  }

  protected override extraRepr(): string {
    return `${this.numGroups}, ${this.numChannels}, eps=${this.eps}`;
  }
}
