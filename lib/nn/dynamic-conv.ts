/**
 * The dynamic convolution layers of Chen et al. (CVPR 2020, https://arxiv.org/abs/1912.03458).
 * @module
 */
import { number, type Pair, pair, type Sizes, sizes } from '../check/arguments.js';
import { checkOptions, optionKeys, type RequiredOptions } from '../check/index.js';
import { ArgumentError, ShapeError } from '../errors.js';
import { type Conv2dOptions, resolveConv } from '../ops/conv.js';
import { CONV_KEYS, type ConvOptions, resolveConvNd } from '../ops/conv-nd.js';
import {
  type DynamicConv2dAlgorithm,
  type DynamicConv2dOptions,
  dynamicConv2dAlgorithm,
  type RoutingKind,
} from '../ops/dynamic-conv.js';
import {
  type DynamicConvOptions,
  fromPlanes,
  type Operands,
  operands1d,
  operands3d,
  run,
} from '../ops/dynamic-conv-nd.js';
import { checkShape, checkTensor } from '../tensor/check.js';
import { empty } from '../tensor/create.js';
import { native, type Tensor } from '../tensor/tensor.js';
import { ExpertConv } from './expert-conv.js';
import { constant_, kaimingNormal_ } from './init.js';
import { FACTORY_KEYS, type FactoryOptions } from './layers.js';
import { Parameter } from './module.js';
import { checkTemperature, RoutingAttention } from './routing-attention.js';

/** Options of the dynamic layers besides those of the convolution. */
interface ExpertOptions extends FactoryOptions {
  /** Learn a bias for every expert. Default true. */
  bias?: boolean | undefined;
  /** Number of kernels. Default 4. */
  numExperts?: number | undefined;
  /** The routing's hidden layer has inChannels / reduction units, at least 1. Default 4. */
  reduction?: number | undefined;
  /** Softmax temperature, which divides the routing's logits: high values give nearly equal attention, for early training. Default 30. */
  temperature?: number | undefined;
  /**
   * The function from logits to attention, or a routing that other layers use too: see {@link RoutingAttention}. A shared routing
   * has its own `reduction` and `temperature`. Default `'softmax'`.
   */
  routing?: RoutingKind | RoutingAttention | undefined;
  /**
   * Factor on the initial weights. At high temperature the mean of K independent kernels has 1 / sqrt(K) of one
   * kernel's standard deviation; sqrt(K) compensates for this if no normalization follows. Default 1.
   */
  initGain?: number | undefined;
  /** `'auto'` or a name from {@link dynamicConv2d.algorithms}. Default `'auto'`. */
  algorithm?: DynamicConv2dAlgorithm | undefined;
}

/** Options of {@link DynamicConv2d}. */
export interface DynamicConv2dLayerOptions extends Conv2dOptions, ExpertOptions {}

/** Options of {@link DynamicConv1d} and {@link DynamicConv3d}. */
export interface DynamicConvLayerOptions extends ConvOptions, ExpertOptions {}

const DYNAMIC_CONV_LAYER_KEYS = optionKeys(
  ...CONV_KEYS,
  ...FACTORY_KEYS,
  'bias',
  'numExperts',
  'reduction',
  'temperature',
  'routing',
  'initGain',
  'algorithm',
);

/** What the constructors have in common: the geometry is checked. */
interface Construction<Kernel, Options> {
  inChannels: number;
  outChannels: number;
  kernelSize: Kernel;
  geometry: Options;
  layer: ExpertOptions;
}

/** Kernels, biases and the routing of a dynamic layer. */
abstract class DynamicConvLayer<
  Kernel extends readonly number[],
  Options extends RequiredOptions<DynamicConvOptions>,
> extends ExpertConv<Kernel, Options> {
  /** Computes the attention. */
  readonly routing: RoutingAttention;

  constructor({ inChannels, outChannels, kernelSize, geometry, layer }: Construction<Kernel, Options>) {
    const { bias = true, numExperts = 4, initGain = 1, device, dtype } = layer;
    super({ inChannels, outChannels, kernelSize, numExperts, options: geometry });
    const factory = { device, dtype };
    this.weight = new Parameter(
      empty([numExperts, outChannels, inChannels / geometry.groups, ...kernelSize], factory),
    );
    this.bias = bias ? new Parameter(empty([numExperts, outChannels], factory)) : null;
    this.routing = routingOf(inChannels, numExperts, layer);
    this.resetParameters(initGain);
  }

  /** Reinitializes the experts: Kaiming-normal kernels times `initGain`, biases 0. The routing is not changed. */
  resetParameters(initGain = 1): void {
    number('initGain', initGain);
    // As one kernel [K * O, I, ...], the fan-in is that of each expert.
    const experts = this.weight.detach().flatten(0, 1);
    kaimingNormal_(experts, { nonlinearity: 'relu' }).mul_(initGain);
    if (this.bias !== null) constant_(this.bias, 0);
  }

  /** The input as images [B, C, H, W], for the routing: it uses only the mean over all positions. */
  protected abstract asImages(input: Tensor): Tensor;

  attention(input: Tensor): Tensor {
    const images = this.asImages(checkTensor('input', input));
    if (this.routing.channels !== this.inChannels)
      throw new ArgumentError(
        `Expected attention for a layer of ${this.inChannels} channels whose shared routing has ${this.routing.channels} but received none`,
      );
    return this.routing.forward(images);
  }

  protected convolve(input: Tensor, attention: Tensor): Tensor {
    return run(this.operands(input, attention));
  }

  get sumsToOne(): boolean {
    return this.routing.kind === 'softmax';
  }

  /** The softmax temperature; more than 0. */
  get temperature(): number {
    return Number(this.routing.temperature.item());
  }

  set temperature(value: number) {
    this.routing.temperature.fill_(checkTemperature(value));
  }
}

function routingOf(
  channels: number,
  numExperts: number,
  { reduction, temperature, routing, device, dtype }: ExpertOptions,
): RoutingAttention {
  if (!(routing instanceof RoutingAttention))
    return new RoutingAttention(channels, numExperts, {
      reduction,
      temperature,
      kind: routing,
      device,
      dtype,
    });
  if (routing.numExperts !== numExperts)
    throw new ArgumentError(
      `Expected a routing over ${numExperts} experts for routing but received one over ${routing.numExperts}`,
    );
  for (const [name, value] of Object.entries({ reduction, temperature }))
    if (value !== undefined)
      throw new ArgumentError(`Expected no ${name} with a shared routing but received ${value}`);
  return routing;
}

/** Checks the options of a layer and splits them: the geometry of the convolution with its defaults, and the rest. */
function splitOptions(given: DynamicConvOptions & ExpertOptions): {
  geometry: RequiredOptions<DynamicConvOptions>;
  layer: ExpertOptions;
} {
  const {
    stride = 1,
    padding = 0,
    dilation = 1,
    groups = 1,
    algorithm,
    ...layer
  } = checkOptions(given, DYNAMIC_CONV_LAYER_KEYS);
  return {
    geometry: { stride, padding, dilation, groups, algorithm: dynamicConv2dAlgorithm(algorithm) },
    layer,
  };
}

/**
 * A convolution whose kernel is, for every sample, a weighted sum of K experts. The weights (attention) are computed from the sample.
 * [B, I, H, W] -> [B, O, H', W']. Experts are initialized as Kaiming-normal kernels with the fan-in of one kernel.
 * Keys: `weight` [K, O, I / groups, kh, kw], `bias` [K, O], `routing.net.0.weight|bias`, `routing.net.2.weight|bias`, `routing.temperature`.
 * @see https://arxiv.org/abs/1912.03458
 * @example
 * const layer = new DynamicConv2d(64, 128, 3, { padding: 1, numExperts: 4 });
 * const y = layer.forward(randn([8, 64, 32, 32])); // [8, 128, 32, 32]
 */
export class DynamicConv2d extends DynamicConvLayer<[number, number], RequiredOptions<DynamicConv2dOptions>> {
  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: Pair,
    options: DynamicConv2dLayerOptions = {},
  ) {
    const { geometry, layer } = splitOptions(options);
    const kernel = pair('kernelSize', kernelSize, 1);
    const checked = geometry as RequiredOptions<DynamicConv2dOptions>;
    resolveConv(kernel, checked);
    super({ inChannels, outChannels, kernelSize: kernel, geometry: checked, layer });
  }

  protected asImages(input: Tensor): Tensor {
    native.checkImages(input, this.inChannels);
    return input;
  }

  operands(input: Tensor, attention: Tensor): Operands {
    const { weight, bias, options } = this;
    return { input, weight, attention, bias, options };
  }
}

/** Checks that an input has the channels of the layer. */
function checkChannels(input: Tensor, channels: number, axes: readonly string[]): number[] {
  const shape = checkShape('input', input);
  if (shape.length === axes.length + 2 && shape[1] === channels) return shape;
  throw new ShapeError(
    `Expected [B, ${channels}, ${axes.join(', ')}] for input but received [${shape.join(', ')}]`,
  );
}

/**
 * {@link DynamicConv2d} for sequences, [B, I, L] -> [B, O, L']. Keys: as there, with a weight [K, O, I / groups, k].
 * @see https://arxiv.org/abs/1912.03458
 * @example new nn.DynamicConv1d(16, 32, 5, { padding: 2 }).forward(randn([8, 16, 100])); // [8, 32, 100]
 */
export class DynamicConv1d extends DynamicConvLayer<[number], RequiredOptions<DynamicConvOptions>> {
  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: Sizes,
    options: DynamicConvLayerOptions = {},
  ) {
    const { geometry, layer } = splitOptions(options);
    const kernel = sizes('kernelSize', kernelSize, 1, 1) as [number];
    resolveConvNd(kernel, geometry);
    super({ inChannels, outChannels, kernelSize: kernel, geometry, layer });
  }

  protected asImages(input: Tensor): Tensor {
    checkChannels(input, this.inChannels, ['L']);
    return input.unsqueeze(2);
  }

  operands(input: Tensor, attention: Tensor): Operands {
    return operands1d(input, this.weight, attention, this.bias, this.options);
  }

  /** Convolves with the sum of the kernels weighted by the attention. @param attention - [B, K]. */
  protected override convolve(input: Tensor, attention: Tensor): Tensor {
    return super.convolve(input, attention).squeeze(2);
  }
}

/**
 * {@link DynamicConv2d} for volumes, [B, I, D, H, W] -> [B, O, D', H', W']. Keys: as there, with a weight [K, O, I / groups, kd, kh, kw].
 * The input is copied kd / stride times, because the kernel's planes become channels of a two-dimensional convolution.
 * @see https://arxiv.org/abs/1912.03458
 * @example new nn.DynamicConv3d(4, 8, 3, { padding: 1 }).forward(randn([2, 4, 8, 16, 16])); // [2, 8, 8, 16, 16]
 */
export class DynamicConv3d extends DynamicConvLayer<
  [number, number, number],
  RequiredOptions<DynamicConvOptions>
> {
  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: Sizes,
    options: DynamicConvLayerOptions = {},
  ) {
    const { geometry, layer } = splitOptions(options);
    const kernel = sizes('kernelSize', kernelSize, 3, 1) as [number, number, number];
    resolveConvNd(kernel, geometry);
    super({ inChannels, outChannels, kernelSize: kernel, geometry, layer });
  }

  protected asImages(input: Tensor): Tensor {
    const shape = checkChannels(input, this.inChannels, ['D', 'H', 'W']);
    const [batch = 0, channels = 0, depth = 0, height = 0, width = 0] = shape;
    return input.reshape([batch, channels, depth * height, width]);
  }

  operands(input: Tensor, attention: Tensor): Operands & { planes: number } {
    return operands3d(input, this.weight, attention, this.bias, this.options);
  }

  /** Convolves with the sum of the kernels weighted by the attention. @param attention - [B, K]. */
  protected override convolve(input: Tensor, attention: Tensor): Tensor {
    const operands = this.operands(input, attention);
    return fromPlanes(run(operands), operands.planes);
  }
}
