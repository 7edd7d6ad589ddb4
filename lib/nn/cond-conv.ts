/**
 * CondConv (Yang et al., NeurIPS 2019, https://arxiv.org/abs/1904.04971).
 * @module
 */
import { type Pair, pair } from '../check/arguments.js';
import { checkOptions, optionKeys, type RequiredOptions } from '../check/index.js';
import { ArgumentError, invalidArgument } from '../errors.js';
import { CONV2D_KEYS, type Conv2dOptions, resolveConv } from '../ops/conv.js';
import { type DynamicConv2dOptions, dynamicConv2dAlgorithm } from '../ops/dynamic-conv.js';
import { type Operands, run } from '../ops/dynamic-conv-nd.js';
import { checkTensor } from '../tensor/check.js';
import { empty } from '../tensor/create.js';
import { native, type Tensor } from '../tensor/tensor.js';
import { ExpertConv } from './expert-conv.js';
import { kaimingUniform_, uniform_ } from './init.js';
import { FACTORY_KEYS, type FactoryOptions, Linear } from './layers.js';
import { Parameter } from './module.js';

/** Options of {@link CondConv2d}. */
export interface CondConv2dOptions extends DynamicConv2dOptions, FactoryOptions {
  /** Learn a bias for every expert. Default false. */
  bias?: boolean | undefined;
  /** Number of kernels. Default 4. */
  numExperts?: number | undefined;
  /**
   * Whether the layer computes its attention. False: it has no `routing_fn`, and `forward` needs `attention`, such as one for all
   * layers of a block, as in EfficientNet-CondConv. Default true.
   */
  ownRouting?: boolean | undefined;
}

const COND_CONV2D_KEYS = optionKeys(
  ...CONV2D_KEYS,
  ...FACTORY_KEYS,
  'algorithm',
  'bias',
  'numExperts',
  'ownRouting',
);

/**
 * A convolution whose kernel is, for every sample, a weighted sum of K experts, with the weights
 * `sigmoid(routing_fn(average pool(x)))`: each expert has an independent weight from 0 to 1. [B, I, H, W] -> [B, O, H', W'].
 *
 * Keys, shapes, defaults and initial values are those of `CondConv2d` in timm: `weight` [K, O * I / groups * kh * kw] and `bias` [K, O];
 * `routing_fn.weight|bias`, which timm has in the block. Each expert starts like an ordinary convolution in PyTorch.
 * @see https://arxiv.org/abs/1904.04971
 * @example
 * // One routing for two layers.
 * const routing = new nn.Linear(16, 4);
 * const wide = new nn.CondConv2d(16, 64, 1, { ownRouting: false });
 * const narrow = new nn.CondConv2d(64, 16, 1, { ownRouting: false });
 * const x = randn([2, 16, 8, 8]);
 * const attention = routing.forward(x.mean({ dim: [2, 3] })).sigmoid();
 * const y = narrow.forward(wide.forward(x, { attention }).relu(), { attention });
 */
export class CondConv2d extends ExpertConv<[number, number], RequiredOptions<DynamicConv2dOptions>> {
  /** The linear map from mean channels to the logits of the attention, or null. */
  readonly routingFn: Linear | null;

  constructor(inChannels: number, outChannels: number, kernelSize: Pair, options: CondConv2dOptions = {}) {
    const {
      stride = 1,
      padding = 0,
      dilation = 1,
      groups = 1,
      algorithm,
      bias = false,
      numExperts = 4,
      ownRouting = true,
      ...factory
    } = checkOptions(options, COND_CONV2D_KEYS);
    if (typeof ownRouting !== 'boolean') throw invalidArgument('ownRouting', 'a boolean', ownRouting);
    const kernel = pair('kernelSize', kernelSize, 1);
    const geometry: RequiredOptions<Conv2dOptions> = { stride, padding, dilation, groups };
    resolveConv(kernel, geometry);
    const settings = { ...geometry, algorithm: dynamicConv2dAlgorithm(algorithm) };
    super({ inChannels, outChannels, kernelSize: kernel, numExperts, options: settings });
    const scalars = outChannels * (inChannels / groups) * kernel[0] * kernel[1];
    this.weight = new Parameter(empty([numExperts, scalars], factory));
    this.bias = bias ? new Parameter(empty([numExperts, outChannels], factory)) : null;
    this.routingFn = ownRouting ? new Linear(inChannels, numExperts, factory) : null;
    this.resetParameters();
  }

  /** Reinitializes the experts, each like a `Conv2d`. The routing is not changed. */
  resetParameters(): void {
    // As one kernel [K * O, I, kh, kw], the fan-in is that of each expert.
    kaimingUniform_(this.experts.detach().flatten(0, 1), { a: Math.sqrt(5) });
    const { inChannels, options, kernelSize } = this;
    const bound = 1 / Math.sqrt((inChannels / options.groups) * kernelSize[0] * kernelSize[1]);
    if (this.bias !== null) uniform_(this.bias, { low: -bound, high: bound });
  }

  override get experts(): Tensor {
    const { numExperts, outChannels, inChannels, options, kernelSize } = this;
    return this.weight.view([numExperts, outChannels, inChannels / options.groups, ...kernelSize]);
  }

  get sumsToOne(): boolean {
    return false;
  }

  attention(input: Tensor): Tensor {
    native.checkImages(checkTensor('input', input), this.inChannels);
    if (this.routingFn === null)
      throw new ArgumentError('Expected attention for a layer with ownRouting: false but received none');
    return this.routingFn.forward(input.mean({ dim: [2, 3] })).sigmoid();
  }

  protected convolve(input: Tensor, attention: Tensor): Tensor {
    return run(this.operands(input, attention));
  }

  operands(input: Tensor, attention: Tensor): Operands {
    const { experts: weight, bias, options } = this;
    return { input, weight, attention, bias, options };
  }
}
