/**
 * Batch norm over the batches of several processes.
 * @module
 */
import { checkOptions, optionKeys } from '../check/index.js';
import { invalidArgument } from '../errors.js';
import { checkGroup, handleOf, type ProcessGroup } from '../process-group/group.js';
import { groupOf } from '../process-group/world.js';
import { native, type Tensor } from '../tensor/tensor.js';
import { type AnyModule, Module } from './module.js';
import { BATCH_NORM_LAYER_KEYS, BatchNorm, type BatchNormLayerOptions } from './norm.js';
import { replaceLayers } from './replace.js';

/** Options of {@link SyncBatchNorm}. */
export interface SyncBatchNormOptions extends BatchNormLayerOptions {
  /** The processes. Default: the group of `distributed.initProcessGroup` at the time of the forward pass. */
  group?: ProcessGroup | undefined;
}

const SYNC_BATCH_NORM = optionKeys(...BATCH_NORM_LAYER_KEYS, 'group');
const CONVERT = optionKeys('group');

/**
 * Batch normalization whose statistics in training are those of the batches of all processes together, [B, C, ...] -> same. In evaluation it is
 * an ordinary batch norm. Forward and backward each wait for all processes, and block the event loop meanwhile.
 * @see https://docs.pytorch.org/docs/stable/generated/torch.nn.SyncBatchNorm.html
 */
export class SyncBatchNorm extends BatchNorm {
  readonly #group: ProcessGroup | undefined;

  constructor(numFeatures: number, options: SyncBatchNormOptions = {}) {
    const { group, ...others } = checkOptions(options, SYNC_BATCH_NORM);
    super(numFeatures, others);
    this.#group = group === undefined ? undefined : checkGroup('group', group);
  }

  protected override get inputDims(): readonly number[] {
    return [2, 3, 4, 5];
  }

  /**
   * The result can be differentiated once: a backward pass with `createGraph` is an ArgumentError.
   * @throws ShapeError while training on a single value per channel in all processes. @throws DistributedError
   */
  override forward(input: Tensor): Tensor {
    if (!this.training) return super.forward(input);
    this.checkInput(input);
    const { weight, bias, runningMean, runningVar, numBatchesTracked, eps } = this;
    const momentum = this.momentum ?? 1 / (Number(numBatchesTracked?.item() ?? 0) + 1);
    const group = groupOf(this.#group)[handleOf]();
    const result = native.syncBatchNorm(group, input, weight, bias, runningMean, runningVar, momentum, eps);
    if (numBatchesTracked !== null) numBatchesTracked.add_(1);
    return result;
  }

  /**
   * Replaces the batch norms of a network by this layer, in place; parameters and statistics stay.
   * @returns The network, or the new layer if `module` is a batch norm itself.
   * @example const model = nn.SyncBatchNorm.convert(models.create('resnet18'));
   */
  static convert<M extends AnyModule>(
    module: M,
    options: { group?: ProcessGroup | undefined } = {},
  ): M extends BatchNorm ? SyncBatchNorm : M {
    const { group } = checkOptions(options, CONVERT);
    if (group !== undefined) checkGroup('group', group);
    if (!(module instanceof Module)) throw invalidArgument('module', 'a Module', module);
    const replacement = (layer: unknown): SyncBatchNorm | undefined =>
      layer instanceof BatchNorm && !(layer instanceof SyncBatchNorm)
        ? fromBatchNorm(layer, group)
        : undefined;
    const whole = replacement(module);
    type Converted = M extends BatchNorm ? SyncBatchNorm : M;
    if (whole !== undefined) return whole as Converted;
    replaceLayers(module, replacement as (layer: AnyModule) => AnyModule | undefined);
    return module as Converted;
  }
}

function fromBatchNorm(norm: BatchNorm, group: ProcessGroup | undefined): SyncBatchNorm {
  const { eps, momentum, weight, bias, runningMean, runningVar, numBatchesTracked } = norm;
  const layer = new SyncBatchNorm(norm.numFeatures, {
    eps,
    momentum,
    affine: weight !== null,
    bias: bias !== null,
    trackRunningStats: runningMean !== null,
    group,
  });
  // The tensors themselves: an optimizer may have them already.
  Object.assign(layer, { weight, bias, runningMean, runningVar, numBatchesTracked, training: norm.training });
  return layer;
}
