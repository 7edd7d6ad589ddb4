/**
 * Layers with weights: linear maps, convolutions, embeddings. Initialized as in PyTorch.
 * @module
 */

import { integer, type Pair, pair, row } from '../check/arguments.js';
import { checkOptions, optionKeys, type RequiredOptions } from '../check/index.js';
import { invalidArgument } from '../errors.js';
import {
  CONV2D_KEYS,
  type Conv2dAlgorithm,
  type Conv2dOptions,
  conv2d,
  conv2dAlgorithm,
  linear,
  resolveConv,
} from '../ops/conv.js';
import type { ConvOptions } from '../ops/conv-nd.js';
import { bilinear, embedding } from '../ops/norm.js';
import { empty, randn } from '../tensor/create.js';
import type { Device, DType } from '../tensor/dtype.js';
import type { Tensor } from '../tensor/tensor.js';
import { fans, kaimingUniform_, uniform_, zeros_ } from './init.js';
import { Module, Parameter } from './module.js';

/** Device and dtype of a layer's tensors. */
export interface FactoryOptions {
  /** Default `'cpu'`. */
  device?: Device | undefined;
  /** Default `'float32'`. */
  dtype?: DType | undefined;
}

/** @internal */
export const FACTORY_KEYS = optionKeys('device', 'dtype');

/** @internal torch.nn's default for weights and biases: uniform in ±1 / sqrt(fan in). */
export function initialise(weight: Tensor, bias: Tensor | null): void {
  kaimingUniform_(weight, { a: Math.sqrt(5) });
  const bound = 1 / Math.sqrt(fans(weight).fanIn);
  if (bias !== null) uniform_(bias, { low: -bound, high: bound });
}

/** Options of {@link Linear}. */
export interface LinearOptions extends FactoryOptions {
  /** Add a learned bias. Default true. */
  bias?: boolean | undefined;
}

const LINEAR_KEYS = optionKeys(...FACTORY_KEYS, 'bias');

/** y = x weightᵀ + bias, [..., I] -> [..., O]. @see https://pytorch.org/docs/stable/generated/torch.nn.Linear.html */
export class Linear extends Module {
  /** Size of the last dimension of the input. */
  readonly inFeatures: number;
  /** Size of the last dimension of the result. */
  readonly outFeatures: number;
  /** [O, I]. */
  weight: Parameter;
  /** [O] or null. */
  bias: Parameter | null;

  constructor(inFeatures: number, outFeatures: number, options: LinearOptions = {}) {
    const { bias = true, ...factory } = checkOptions(options, LINEAR_KEYS);
    super();
    this.inFeatures = integer('inFeatures', inFeatures, 1);
    this.outFeatures = integer('outFeatures', outFeatures, 1);
    this.weight = new Parameter(empty([outFeatures, inFeatures], factory));
    this.bias = bias ? new Parameter(empty([outFeatures], factory)) : null;
    initialise(this.weight, this.bias);
  }

  forward(input: Tensor): Tensor {
    return linear(input, this.weight, this.bias);
  }

  protected override extraRepr(): string {
    return `${this.inFeatures}, ${this.outFeatures}, bias=${this.bias !== null}`;
  }
}

/** Options of {@link Conv2d}. */
export interface Conv2dLayerOptions extends Conv2dOptions, FactoryOptions {
  /** Add a learned bias. Default true. */
  bias?: boolean | undefined;
  /** The algorithm: see {@link conv2d}. Default `'auto'`. */
  algorithm?: Conv2dAlgorithm | undefined;
}

const CONV2D_LAYER_KEYS = optionKeys(...CONV2D_KEYS, ...FACTORY_KEYS, 'bias', 'algorithm');

/** 2-D convolution, [B, I, H, W] -> [B, O, H', W']. @see https://pytorch.org/docs/stable/generated/torch.nn.Conv2d.html */
export class Conv2d extends Module {
  /** Channels of the input. */
  readonly inChannels: number;
  /** Channels of the result. */
  readonly outChannels: number;
  /** Height and width of the kernel. */
  readonly kernelSize: [number, number];
  /** Stride, padding and the others, with their defaults. */
  readonly options: Readonly<RequiredOptions<Conv2dOptions>>;
  /** The algorithm; `auto` chooses by shape. */
  readonly algorithm: Conv2dAlgorithm;
  /** [O, I / groups, kh, kw]. */
  weight: Parameter;
  /** [O] or null. */
  bias: Parameter | null;

  constructor(inChannels: number, outChannels: number, kernelSize: Pair, options: Conv2dLayerOptions = {}) {
    super();
    const {
      bias = true,
      device,
      dtype,
      stride = 1,
      padding = 0,
      dilation = 1,
      groups = 1,
      algorithm,
    } = checkOptions(options, CONV2D_LAYER_KEYS);
    this.algorithm = conv2dAlgorithm(algorithm);
    this.inChannels = integer('inChannels', inChannels, 1);
    this.outChannels = integer('outChannels', outChannels, 1);
    this.kernelSize = pair('kernelSize', kernelSize, 1);
    checkGroups(groups, inChannels, outChannels);
    this.options = Object.freeze({ stride, padding, dilation, groups });
    resolveConv(this.kernelSize, this.options);
    const factory = { device, dtype };
    this.weight = new Parameter(empty([outChannels, inChannels / groups, ...this.kernelSize], factory));
    this.bias = bias ? new Parameter(empty([outChannels], factory)) : null;
    initialise(this.weight, this.bias);
  }

  forward(input: Tensor): Tensor {
    return conv2d(input, this.weight, this.bias, { ...this.options, algorithm: this.algorithm });
  }

  protected override extraRepr(): string {
    return describeConv(this.inChannels, this.outChannels, this.kernelSize, this.options);
  }
}

/** Checks that groups divide both numbers of channels. */
export function checkGroups(groups: number, inChannels: number, outChannels: number): void {
  integer('groups', groups, 1);
  if (inChannels % groups !== 0 || outChannels % groups !== 0) {
    throw invalidArgument(
      'groups',
      `a divisor of inChannels ${inChannels} and outChannels ${outChannels}`,
      groups,
    );
  }
}

/** The constructor's arguments of a conv layer, without defaults. */
export function describeConv(
  inChannels: number,
  outChannels: number,
  kernelSize: readonly number[],
  options: Readonly<RequiredOptions<ConvOptions>>,
): string {
  const defaults = { stride: 1, padding: 0, dilation: 1, groups: 1 } as const;
  const rest = Object.entries(defaults)
    .map(([key, usual]) => [key, options[key as keyof typeof defaults], usual] as const)
    .filter(([, value, usual]) => value !== usual)
    .map(([key, value]) => `, ${key}=${Array.isArray(value) ? `[${value.join(', ')}]` : value}`);
  return `${inChannels}, ${outChannels}, kernelSize=[${kernelSize.join(', ')}]${rest.join('')}`;
}

/** Options of {@link Embedding}. */
export interface EmbeddingOptions extends FactoryOptions {
  /** Index of a row that is initialized to zeros and gets no gradient; negative indices count from the end. Default null: none. */
  paddingIdx?: number | null | undefined;
}

const EMBEDDING_KEYS = optionKeys(...FACTORY_KEYS, 'paddingIdx');

/** A table of vectors, int64 [...] -> [..., D]. @see https://pytorch.org/docs/stable/generated/torch.nn.Embedding.html */
export class Embedding extends Module {
  /** Number of vectors. */
  readonly numEmbeddings: number;
  /** Size of a vector. */
  readonly embeddingDim: number;
  /** The index whose vector gets no gradient; null for none. */
  readonly paddingIdx: number | null;
  /** [numEmbeddings, embeddingDim], initially standard normal. */
  weight: Parameter;

  constructor(numEmbeddings: number, embeddingDim: number, options: EmbeddingOptions = {}) {
    const { paddingIdx, ...factory } = checkOptions(options, EMBEDDING_KEYS);
    super();
    this.numEmbeddings = integer('numEmbeddings', numEmbeddings, 1);
    this.embeddingDim = integer('embeddingDim', embeddingDim, 1);
    this.paddingIdx = paddingIdx == null ? null : row('paddingIdx', paddingIdx, numEmbeddings);
    this.weight = new Parameter(randn([numEmbeddings, embeddingDim], factory));
    if (this.paddingIdx !== null) zeros_(this.weight.detach().select(0, this.paddingIdx));
  }

  forward(input: Tensor): Tensor {
    return embedding(input, this.weight, { paddingIdx: this.paddingIdx });
  }

  protected override extraRepr(): string {
    const padding = this.paddingIdx === null ? '' : `, paddingIdx=${this.paddingIdx}`;
    return `${this.numEmbeddings}, ${this.embeddingDim}${padding}`;
  }
}

/** y[o] = x1ᵀ weight[o] x2 + bias[o], [B, I] and [B, J] -> [B, O]. @see https://pytorch.org/docs/stable/generated/torch.nn.Bilinear.html */
export class Bilinear extends Module<[Tensor, Tensor]> {
  /** Size of the last dimension of the first input. */
  readonly in1Features: number;
  /** Size of the last dimension of the second input. */
  readonly in2Features: number;
  /** Size of the last dimension of the result. */
  readonly outFeatures: number;
  /** [O, I, J]. */
  weight: Parameter;
  /** [O] or null. */
  bias: Parameter | null;

  constructor(in1Features: number, in2Features: number, outFeatures: number, options: LinearOptions = {}) {
    const { bias = true, ...factory } = checkOptions(options, LINEAR_KEYS);
    super();
    this.in1Features = integer('in1Features', in1Features, 1);
    this.in2Features = integer('in2Features', in2Features, 1);
    this.outFeatures = integer('outFeatures', outFeatures, 1);
    this.weight = new Parameter(empty([outFeatures, in1Features, in2Features], factory));
    this.bias = bias ? new Parameter(empty([outFeatures], factory)) : null;
    const bound = 1 / Math.sqrt(in1Features);
    uniform_(this.weight, { low: -bound, high: bound });
    if (this.bias !== null) uniform_(this.bias, { low: -bound, high: bound });
  }

  forward(input1: Tensor, input2: Tensor): Tensor {
    return bilinear(input1, input2, this.weight, this.bias);
  }

  protected override extraRepr(): string {
    return `${this.in1Features}, ${this.in2Features}, ${this.outFeatures}, bias=${this.bias !== null}`;
  }
}
