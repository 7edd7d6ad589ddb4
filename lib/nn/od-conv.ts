/**
 * Omni-dimensional dynamic convolution, ODConv (Li et al., ICLR 2022, https://arxiv.org/abs/2209.07947).
 * @module
 */
import { integer, number, type Pair, pair } from '../check/arguments.js';
import { checkOptions, optionKeys, type RequiredOptions } from '../check/index.js';
import { CONV2D_KEYS, type Conv2dOptions, padExtra, resolveConv } from '../ops/conv.js';
import { type DynamicConv2dOptions, dynamicConv2dAlgorithm } from '../ops/dynamic-conv.js';
import { type Operands, run } from '../ops/dynamic-conv-nd.js';
import { unfold } from '../ops/pool.js';
import { checkTensor } from '../tensor/check.js';
import { empty, full, ones } from '../tensor/create.js';
import { cat } from '../tensor/join.js';
import { native, type Tensor } from '../tensor/tensor.js';
import { ReLU } from './activations.js';
import { type DynamicForwardOptions, ExpertConv } from './expert-conv.js';
import { constant_, kaimingNormal_ } from './init.js';
import { Conv2d, FACTORY_KEYS, type FactoryOptions } from './layers.js';
import { Module, Parameter } from './module.js';
import { BatchNorm2d } from './norm.js';
import { checkTemperature } from './routing-attention.js';

/** Options of {@link ODConv2d}. */
export interface ODConv2dOptions extends DynamicConv2dOptions, FactoryOptions {
  /** Learn a bias [O], which no attention scales. Default false, as in the authors' code, which has none. */
  bias?: boolean | undefined;
  /** Number of kernels; 1 leaves the attention over channels, filters and places. Default 4. */
  numExperts?: number | undefined;
  /** The hidden layer of the attention has inChannels / reduction units, at least `minHidden`. Default 16. */
  reduction?: number | undefined;
  /** Smallest number of units of the hidden layer. Default 16. */
  minHidden?: number | undefined;
  /** Divides the logits of all attentions. The authors lower it from 30 to 1 in the first 10 epochs. Default 1. */
  temperature?: number | undefined;
}

const OD_CONV2D_KEYS = optionKeys(
  ...CONV2D_KEYS,
  ...FACTORY_KEYS,
  'algorithm',
  'bias',
  'numExperts',
  'reduction',
  'minHidden',
  'temperature',
);

/** The four attentions of {@link ODConv2d}. Null: all are 1. */
export interface ODAttentions {
  /** Attention over the kernels, softmax: [B, K]. */
  kernel: Tensor;
  /** Attention over the input channels, sigmoid: [B, I, 1, 1]. */
  channel: Tensor;
  /** Attention over the output channels ("filters"), sigmoid: [B, O, 1, 1]; null for depthwise layers, whose filters are the channels. */
  filter: Tensor | null;
  /** Attention over the positions in the kernel, sigmoid: [B, kh * kw, 1, 1]; null for 1x1 kernels. */
  spatial: Tensor | null;
}

/** The sizes of the attention of a layer. */
interface AttentionSizes {
  inChannels: number;
  outChannels: number;
  places: number;
  numExperts: number;
  hidden: number;
  isDepthwise: boolean;
  temperature: number;
}

/** Average pool, 1x1 convolution, batch norm, ReLU, and a 1x1 convolution for each attention. */
export class ODAttention extends Module<[Tensor], ODAttentions> {
  /** Maps the mean of each channel to the hidden layer, without bias. */
  readonly fc: Conv2d;
  /** Batch norm of the hidden layer. */
  readonly bn: BatchNorm2d;
  /** Activation of the hidden layer. */
  readonly relu = new ReLU();
  /** Maps the hidden layer to the logits of the input channels. */
  readonly channelFc: Conv2d;
  /** Maps the hidden layer to the logits of the output channels, or null. */
  readonly filterFc: Conv2d | null;
  /** Maps the hidden layer to the logits of the positions in the kernel, or null. */
  readonly spatialFc: Conv2d | null;
  /** Maps the hidden layer to the logits of the kernels, or null. */
  readonly kernelFc: Conv2d | null;
  /** float32 []. */
  readonly temperature!: Tensor;

  /** @internal {@link ODConv2d} makes it. */
  constructor(sizes: AttentionSizes, factory: FactoryOptions) {
    super();
    const { inChannels, outChannels, places, numExperts, hidden, isDepthwise, temperature } = sizes;
    const head = (outputs: number) => new Conv2d(hidden, outputs, 1, factory);
    this.fc = new Conv2d(inChannels, hidden, 1, { ...factory, bias: false });
    this.bn = new BatchNorm2d(hidden, factory);
    this.channelFc = head(inChannels);
    this.filterFc = isDepthwise ? null : head(outChannels);
    this.spatialFc = places === 1 ? null : head(places);
    this.kernelFc = numExperts === 1 ? null : head(numExperts);
    for (const conv of [this.fc, this.channelFc, this.filterFc, this.spatialFc, this.kernelFc]) {
      if (conv === null) continue;
      kaimingNormal_(conv.weight, { mode: 'fanOut', nonlinearity: 'relu' });
      if (conv.bias !== null) constant_(conv.bias, 0);
    }
    const value = full([], checkTemperature(temperature), { dtype: 'float32', device: factory.device });
    // The authors' files do not have it.
    this.registerBuffer('temperature', value, { required: false });
  }

  forward(input: Tensor): ODAttentions {
    const hidden = this.relu.forward(
      this.bn.forward(this.fc.forward(input.mean({ dim: [2, 3], keepdim: true }))),
    );
    const logits = (head: Conv2d) => head.forward(hidden).div(this.temperature);
    const { kernelFc, channelFc, filterFc, spatialFc } = this;
    return {
      kernel: kernelFc
        ? logits(kernelFc).flatten(1).softmax({ dim: 1 })
        : ones([1, 1], { dtype: hidden.dtype, device: hidden.device }).expand([hidden.shape[0]!, 1]),
      channel: logits(channelFc).sigmoid(),
      filter: filterFc && logits(filterFc).sigmoid(),
      spatial: spatialFc && logits(spatialFc).sigmoid(),
    };
  }
}

/**
 * A convolution whose kernel depends on the sample in four ways: attention a over K kernels (softmax), c over input channels, f over
 * output channels and s over the places of the kernel (sigmoids):
 * `y = f ⊙ conv(c ⊙ x, Σ_k a_k · (s ⊙ W_k)) + bias`. [B, I, H, W] -> [B, O, H', W'].
 *
 * Keys, formula and initial values are those of the authors' `ODConv2d`: `weight` [K, O, I / groups, kh, kw], `attention.fc.weight`, `attention.bn.*`,
 * `attention.channel_fc.*`, `attention.filter_fc.*`, `attention.spatial_fc.*`, `attention.kernel_fc.*`; `attention.temperature` is added, so that a loaded
 * model evaluates as it was trained. The attention has a batch norm over the samples: train with batches of at least 2.
 * For kernels larger than 1x1, the windows of the input are copied: kh * kw times its size.
 * @see https://arxiv.org/abs/2209.07947
 * @example new nn.ODConv2d(64, 128, 3, { padding: 1, numExperts: 1 }).forward(randn([8, 64, 32, 32])); // [8, 128, 32, 32]
 */
export class ODConv2d extends ExpertConv<[number, number], RequiredOptions<DynamicConv2dOptions>> {
  static override readonly stateKeys = { routing: 'attention' };
  /** Computes the four attentions. */
  readonly routing: ODAttention;

  constructor(inChannels: number, outChannels: number, kernelSize: Pair, options: ODConv2dOptions = {}) {
    const {
      stride = 1,
      padding = 0,
      dilation = 1,
      groups = 1,
      algorithm,
      bias = false,
      numExperts = 4,
      reduction = 16,
      minHidden = 16,
      temperature = 1,
      ...factory
    } = checkOptions(options, OD_CONV2D_KEYS);
    const kernel = pair('kernelSize', kernelSize, 1);
    const geometry: RequiredOptions<Conv2dOptions> = { stride, padding, dilation, groups };
    resolveConv(kernel, geometry);
    const settings = { ...geometry, algorithm: dynamicConv2dAlgorithm(algorithm) };
    super({ inChannels, outChannels, kernelSize: kernel, numExperts, options: settings });
    number('reduction', reduction, { min: Number.MIN_VALUE });
    integer('minHidden', minHidden, 1);
    this.weight = new Parameter(empty([numExperts, outChannels, inChannels / groups, ...kernel], factory));
    this.bias = bias ? new Parameter(empty([outChannels], factory)) : null;
    const sizes = {
      inChannels,
      outChannels,
      places: kernel[0] * kernel[1],
      numExperts,
      hidden: Math.max(Math.floor(inChannels / reduction), minHidden),
      isDepthwise: inChannels === groups && inChannels === outChannels,
      temperature,
    };
    this.routing = new ODAttention(sizes, factory);
    this.resetParameters();
  }

  /** Reinitializes the kernels: Kaiming-normal with the fan-out of each; the bias 0. The attention is not changed. */
  resetParameters(): void {
    for (let k = 0; k < this.numExperts; k++)
      kaimingNormal_(this.weight.detach().select(0, k), { mode: 'fanOut', nonlinearity: 'relu' });
    if (this.bias !== null) constant_(this.bias, 0);
  }

  /** The four attentions that {@link forward} would use. @param input - [B, I, H, W]. */
  attentions(input: Tensor): ODAttentions {
    native.checkImages(checkTensor('input', input), this.inChannels);
    return this.routing.forward(input);
  }

  /** The attention over the kernels. @param input - [B, I, H, W]. @returns [B, K]. */
  attention(input: Tensor): Tensor {
    return this.attentions(input).kernel;
  }

  get sumsToOne(): boolean {
    return false;
  }

  /**
   * Scales the input channels, convolves with the scaled and summed kernels, and scales the output channels.
   * @param input - [B, I, H, W]. @param options.attention - [B, K] to use instead of the layer's own attention over the kernels.
   * @returns [B, O, H', W'].
   */
  override forward(input: Tensor, options: DynamicForwardOptions = {}): Tensor {
    const given = this.givenAttention(options);
    const parts = this.attentions(input);
    const kernel = given ?? parts.kernel;
    const output = this.#combine(input, { ...parts, kernel });
    this.countUsage(kernel);
    return output;
  }

  protected convolve(input: Tensor, attention: Tensor): Tensor {
    return this.#combine(input, { ...this.attentions(input), kernel: attention });
  }

  operands(input: Tensor, attention: Tensor): Operands {
    return this.#operands(input, { ...this.attentions(input), kernel: attention });
  }

  #combine(input: Tensor, parts: ODAttentions): Tensor {
    const output = run(this.#operands(input, parts));
    const scaled = parts.filter ? output.mul(parts.filter) : output;
    return this.bias ? scaled.add(this.bias.reshape([-1, 1, 1])) : scaled;
  }

  /**
   * A kernel that is scaled by place is no sum of the K kernels. Therefore the windows of the input are scaled instead, in a 1x1
   * convolution with a channel for every input channel and position.
   */
  #operands(input: Tensor, { kernel: attention, channel, spatial }: ODAttentions): Operands {
    const { weight, options, kernelSize, inChannels } = this;
    const scaled = input.mul(channel);
    if (!spatial) return { input: scaled, weight, attention, bias: null, options };
    const { stride, padding, dilation, groups, extra } = resolveConv(kernelSize, options);
    const padded = padExtra(scaled, extra);
    const columns = unfold(padded, kernelSize, { stride, padding, dilation });
    const [batch = 0, , ...size] = padded.shape;
    const places = kernelSize[0] * kernelSize[1];
    const [height, width] = size.map(
      (n, i) => Math.floor((n + 2 * padding[i]! - dilation[i]! * (kernelSize[i]! - 1) - 1) / stride[i]!) + 1,
    );
    return {
      input: columns
        .unflatten(1, [inChannels, places])
        .mul(spatial.transpose(1, 2))
        .reshape([batch, inChannels * places, height!, width!]),
      weight: weight.reshape([this.numExperts, this.outChannels, (inChannels / groups) * places, 1, 1]),
      attention,
      bias: null,
      options: { groups, algorithm: options.algorithm },
    };
  }

  /** All four attentions in a row, [B, K + I + O + kh * kw]. */
  override factors(input: Tensor, attention?: Tensor): Tensor {
    const { kernel, channel, filter, spatial } = this.attentions(input);
    const parts = [
      attention ?? kernel,
      ...[channel, filter, spatial].flatMap((part) => part?.flatten(1) ?? []),
    ];
    return cat(parts, { dim: 1 });
  }

  override staticParameters(factors: Tensor): { weight: Tensor; bias: Tensor | null } {
    const { weight, bias, numExperts, inChannels, outChannels, options } = this;
    const { filterFc, spatialFc } = this.routing;
    const all = checkTensor('factors', factors).to({ dtype: weight.dtype, device: weight.device });
    const counts = [numExperts, inChannels, filterFc?.outChannels ?? 0, spatialFc?.outChannels ?? 0];
    const [kernel, channel, filter, spatial] = all.split(counts);
    const { groups } = options;
    let mixed = kernel!.reshape([-1, 1, 1, 1, 1]).mul(weight).sum({ dim: 0 });
    // The channels of a group are the second dimension of its filters.
    mixed = mixed
      .reshape([groups, outChannels / groups, inChannels / groups, -1])
      .mul(channel!.reshape([groups, 1, -1, 1]))
      .reshape(mixed.shape);
    if (filterFc) mixed = mixed.mul(filter!.reshape([-1, 1, 1, 1]));
    if (spatialFc) mixed = mixed.mul(spatial!.reshape(this.kernelSize));
    return { weight: mixed, bias };
  }

  /** The temperature of all four attentions; more than 0. */
  get temperature(): number {
    return Number(this.routing.temperature.item());
  }

  set temperature(value: number) {
    this.routing.temperature.fill_(checkTemperature(value));
  }
}
