/**
 * The dynamic convolution layer and its routing (Chen et al., CVPR 2020, https://arxiv.org/abs/1912.03458).
 * @module
 */

import { integer, number, oneOf, type Pair, pair } from '../check/arguments.js';
import { checkOptions, optionKeys, type RequiredOptions } from '../check/index.js';
import { CONV2D_KEYS, type Conv2dOptions, resolveConv } from '../ops/conv.js';
import {
  type DynamicConv2dAlgorithm,
  type DynamicConv2dOptions,
  dynamicConv2d,
  dynamicConv2dAlgorithm,
  LEAST_TEMPERATURE,
  type RoutingKind,
  routing,
} from '../ops/dynamic-conv.js';
import { checkTensor } from '../tensor/check.js';
import { empty, full } from '../tensor/create.js';
import { native, type Tensor } from '../tensor/tensor.js';
import { ReLU } from './activations.js';
import { type ExpertUsage, UsageMeter } from './expert-usage.js';
import { constant_, kaimingNormal_ } from './init.js';
import { Conv2d, checkGroups, describeConv, FACTORY_KEYS, type FactoryOptions } from './layers.js';
import { Module, Parameter } from './module.js';
import { Sequential } from './simple.js';

/** Options of {@link RoutingAttention}. */
export interface RoutingAttentionOptions extends FactoryOptions {
  /** The hidden layer has channels / reduction units, at least 1. Default 4. */
  reduction?: number | undefined;
  /** Softmax temperature, which divides the logits. Default 30. */
  temperature?: number | undefined;
  /** Default `'softmax'`. */
  kind?: RoutingKind | undefined;
}

const ROUTING_ATTENTION_KEYS = optionKeys(...FACTORY_KEYS, 'reduction', 'temperature', 'kind');

/**
 * Attention over K kernels: global average pool, 1x1 conv to channels / reduction, ReLU, 1x1 conv to K,
 * softmax(logits / temperature). [B, C, H, W] -> [B, K]. All of it runs as one operation.
 */
export class RoutingAttention extends Module {
  /** The function from logits to weights. */
  readonly kind: RoutingKind;
  /** The two small layers, which hold the parameters `net.0.*` and `net.2.*`. */
  readonly net: Sequential;
  /** float32 []. Part of the state, so that a loaded model evaluates as it was trained. */
  readonly temperature!: Tensor;
  readonly #squeeze: Conv2d;
  readonly #expand: Conv2d;

  constructor(channels: number, numExperts: number, options: RoutingAttentionOptions = {}) {
    super();
    const {
      reduction = 4,
      temperature = 30,
      kind = 'softmax',
      ...factory
    } = checkOptions(options, ROUTING_ATTENTION_KEYS);
    integer('inChannels', channels, 1);
    integer('numExperts', numExperts, 1);
    number('reduction', reduction, { min: Number.MIN_VALUE });
    this.kind = oneOf('routing', ['softmax', 'sigmoid'], kind);
    const hidden = Math.max(1, Math.floor(channels / reduction));
    this.#squeeze = new Conv2d(channels, hidden, 1, factory);
    this.#expand = new Conv2d(hidden, numExperts, 1, factory);
    for (const layer of [this.#squeeze, this.#expand]) {
      kaimingNormal_(layer.weight, { nonlinearity: 'relu' });
      constant_(layer.bias!, 0);
    }
    this.net = new Sequential(this.#squeeze, new ReLU(), this.#expand);
    const value = full([], checkTemperature(temperature), { dtype: 'float32', device: factory.device });
    this.registerBuffer('temperature', value);
  }

  forward(input: Tensor): Tensor {
    const { weight: w1, bias: b1 } = this.#squeeze;
    const { weight: w2, bias: b2 } = this.#expand;
    // Read on its device: on a GPU, the call does not wait.
    return routing(input, w1, b1!, w2, b2!, { temperature: this.temperature, kind: this.kind });
  }

  protected override extraRepr(): string {
    return `kind=${this.kind}, temperature=${this.temperature.item()}`;
  }
}

function checkTemperature(value: number): number {
  return number('temperature', value, { min: LEAST_TEMPERATURE });
}

/** Options of {@link DynamicConv2d}. */
export interface DynamicConv2dLayerOptions extends Conv2dOptions, FactoryOptions {
  /** Learn a bias for every expert. Default true. */
  bias?: boolean | undefined;
  /** Number of kernels. Default 4. */
  numExperts?: number | undefined;
  /** The routing's hidden layer has inChannels / reduction units, at least 1. Default 4. */
  reduction?: number | undefined;
  /** Softmax temperature, which divides the routing's logits: high values give nearly equal attention, for early training. Default 30. */
  temperature?: number | undefined;
  /** Default `'softmax'`. */
  routing?: RoutingKind | undefined;
  /**
   * Factor on the initial weights. At high temperature the mean of K independent kernels has 1 / sqrt(K) of one
   * kernel's standard deviation; sqrt(K) compensates for this if no normalisation follows. Default 1.
   */
  initGain?: number | undefined;
  /** `'auto'` or a name from {@link dynamicConv2d.algorithms}. Default `'auto'`. */
  algorithm?: DynamicConv2dAlgorithm | undefined;
}

const DYNAMIC_CONV2D_LAYER_KEYS = optionKeys(
  ...CONV2D_KEYS,
  ...FACTORY_KEYS,
  'bias',
  'numExperts',
  'reduction',
  'temperature',
  'routing',
  'initGain',
  'algorithm',
);

/** Options of {@link DynamicConv2d.forward}. */
export interface DynamicForwardOptions {
  /** [B, K] to use instead of the layer's own attention, for example one shared between layers. */
  attention?: Tensor | undefined;
}

const DYNAMIC_FORWARD_KEYS = optionKeys('attention');

/**
 * A convolution whose kernel is, for every sample, a weighted sum of K experts. The weights (attention) are computed from the sample.
 * [B, I, H, W] -> [B, O, H', W']. Experts are initialised as Kaiming-normal kernels with the fan-in of one kernel.
 * @see https://arxiv.org/abs/1912.03458
 * @example
 * const layer = new DynamicConv2d(64, 128, 3, { padding: 1, numExperts: 4 });
 * const y = layer.forward(randn([8, 64, 32, 32])); // [8, 128, 32, 32]
 */
export class DynamicConv2d extends Module<[Tensor, DynamicForwardOptions?]> {
  /** Channels of the input. */
  readonly inChannels: number;
  /** Channels of the result. */
  readonly outChannels: number;
  /** Height and width of the kernels. */
  readonly kernelSize: [number, number];
  /** Number of kernels. */
  readonly numExperts: number;
  /** Stride, padding, routing and the others, with their defaults. */
  readonly options: Readonly<RequiredOptions<DynamicConv2dOptions>>;
  /** [K, O, I / groups, kh, kw]. */
  weight: Parameter;
  /** [K, O] or null. */
  bias: Parameter | null;
  /** Computes the attention. */
  readonly routing: RoutingAttention;
  /** Count the use of the experts in evaluation mode too. Default false: only in training mode. */
  tracksUsage = false;
  readonly #usage: UsageMeter;

  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: Pair,
    options: DynamicConv2dLayerOptions = {},
  ) {
    super();
    const {
      bias = true,
      numExperts = 4,
      reduction,
      temperature,
      routing: kind,
      initGain = 1,
    } = checkOptions(options, DYNAMIC_CONV2D_LAYER_KEYS);
    const { stride = 1, padding = 0, dilation = 1, groups = 1, device, dtype } = options;
    this.inChannels = integer('inChannels', inChannels, 1);
    this.outChannels = integer('outChannels', outChannels, 1);
    this.numExperts = integer('numExperts', numExperts, 1);
    this.kernelSize = pair('kernelSize', kernelSize, 1);
    checkGroups(groups, inChannels, outChannels);
    const algorithm = dynamicConv2dAlgorithm(options.algorithm);
    this.options = Object.freeze({ stride, padding, dilation, groups, algorithm });
    resolveConv(this.kernelSize, this.options);
    const factory = { device, dtype };
    this.weight = new Parameter(
      empty([numExperts, outChannels, inChannels / groups, ...this.kernelSize], factory),
    );
    this.bias = bias ? new Parameter(empty([numExperts, outChannels], factory)) : null;
    this.routing = new RoutingAttention(inChannels, numExperts, { reduction, temperature, kind, ...factory });
    this.resetParameters(initGain);
    this.#usage = new UsageMeter(numExperts);
  }

  /** Reinitialises the experts: Kaiming-normal kernels times `initGain`, biases 0. The routing is not changed. */
  resetParameters(initGain = 1): void {
    number('initGain', initGain);
    const { outChannels, inChannels, numExperts, kernelSize } = this;
    // As one kernel [K * O, I, kh, kw], the fan-in is that of each expert.
    const experts = this.weight
      .detach()
      .view([numExperts * outChannels, inChannels / this.options.groups, ...kernelSize]);
    kaimingNormal_(experts, { nonlinearity: 'relu' }).mul_(initGain);
    if (this.bias !== null) constant_(this.bias, 0);
  }

  /** @param input - [B, I, H, W]. @returns [B, O, H', W']. @throws ShapeError for an attention of another shape. */
  forward(input: Tensor, options: DynamicForwardOptions = {}): Tensor {
    const { attention = this.attention(input) } = checkOptions(options, DYNAMIC_FORWARD_KEYS);
    const output = dynamicConv2d(input, this.weight, attention, this.bias, this.options);
    if (this.training || this.tracksUsage) this.#usage.add(attention);
    return output;
  }

  /** The attention that {@link forward} would use. @param input - [B, I, H, W]. @returns [B, K]. */
  attention(input: Tensor): Tensor {
    native.checkImages(checkTensor('input', input), this.inChannels);
    return this.routing.forward(input);
  }

  /** The softmax temperature; more than 0. */
  get temperature(): number {
    return Number(this.routing.temperature.item());
  }

  set temperature(value: number) {
    this.routing.temperature.fill_(checkTemperature(value));
  }

  /** The use of the experts in training mode (with {@link tracksUsage} in both modes) since the last {@link resetExpertUsage}. */
  expertUsage(): ExpertUsage {
    return this.#usage.read();
  }

  /** Resets {@link expertUsage}. */
  resetExpertUsage(): void {
    this.#usage.reset();
  }

  protected override extraRepr(): string {
    const { padding, stride, dilation, groups } = this.options;
    const conv = describeConv(this.inChannels, this.outChannels, this.kernelSize, {
      padding,
      stride,
      dilation,
      groups,
    });
    return `${conv}, numExperts=${this.numExperts}`;
  }
}
