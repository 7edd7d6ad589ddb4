/**
 * Convolution layers of one and three dimensions, and transposed ones. Initialized as in PyTorch.
 * @module
 */

import { integer, type Sizes, sizes } from '../check/arguments.js';
import { checkOptions, optionKeys, type RequiredOptions } from '../check/index.js';
import {
  CONV_KEYS,
  CONV_TRANSPOSE_KEYS,
  type ConvOptions,
  type ConvTransposeOptions,
  conv1d,
  conv3d,
  convTranspose1d,
  convTranspose2d,
  convTranspose3d,
  resolveConvNd,
} from '../ops/conv-nd.js';
import { empty } from '../tensor/create.js';
import type { Tensor } from '../tensor/tensor.js';
import { checkGroups, describeConv, FACTORY_KEYS, type FactoryOptions, initialise } from './layers.js';
import { Module, Parameter } from './module.js';

/** Options of {@link Conv1d} and {@link Conv3d}. */
export interface ConvLayerOptions extends ConvOptions, FactoryOptions {
  /** Add a learned bias. Default true. */
  bias?: boolean | undefined;
}

const CONV_LAYER_KEYS = optionKeys(...CONV_KEYS, ...FACTORY_KEYS, 'bias');

/** Options for the parameters of a convolution layer. */
interface Construction extends FactoryOptions {
  bias?: boolean | undefined;
  /** The first two sizes of the weight. */
  channels: [number, number];
}

/** Common base of convolutions and transposed convolutions. */
abstract class AnyConv<Options extends RequiredOptions<ConvOptions>> extends Module {
  /** Channels of the input. */
  readonly inChannels: number;
  /** Channels of the result. */
  readonly outChannels: number;
  /** Size of the kernel, one number per spatial dimension. */
  readonly kernelSize: readonly number[];
  /** Stride, padding and the others, with their defaults. */
  readonly options: Readonly<Options>;
  /** [O, I / groups, ...kernelSize]; of a transposed convolution [I, O / groups, ...kernelSize]. */
  weight!: Parameter;
  /** [O] or null. */
  bias!: Parameter | null;
  readonly #convolve: ConvFunction<Options>;

  constructor(
    dimensions: number,
    convolve: ConvFunction<Options>,
    inChannels: number,
    outChannels: number,
    kernelSize: Sizes,
    options: Options,
  ) {
    super();
    this.inChannels = integer('inChannels', inChannels, 1);
    this.outChannels = integer('outChannels', outChannels, 1);
    this.kernelSize = sizes('kernelSize', kernelSize, dimensions, 1);
    checkGroups(options.groups, inChannels, outChannels);
    this.options = Object.freeze(options);
    this.#convolve = convolve;
  }

  /** @internal Makes weight and bias, when the options have been checked. */
  protected makeParameters({ channels, bias = true, device, dtype }: Construction): void {
    this.weight = new Parameter(empty([...channels, ...this.kernelSize], { device, dtype }));
    this.bias = bias ? new Parameter(empty([this.outChannels], { device, dtype })) : null;
    initialise(this.weight, this.bias);
  }

  forward(input: Tensor): Tensor {
    return this.#convolve(input, this.weight, this.bias, this.options);
  }

  protected override extraRepr(): string {
    return describeConv(this.inChannels, this.outChannels, this.kernelSize, this.options);
  }
}

type ConvFunction<Options> = (
  input: Tensor,
  weight: Tensor,
  bias: Tensor | null,
  options: Readonly<Options>,
) => Tensor;

abstract class Conv extends AnyConv<RequiredOptions<ConvOptions>> {
  constructor(
    dimensions: number,
    convolve: ConvFunction<ConvOptions>,
    inChannels: number,
    outChannels: number,
    kernelSize: Sizes,
    options: ConvLayerOptions,
  ) {
    const { bias, device, dtype, ...given } = checkOptions(options, CONV_LAYER_KEYS);
    const { stride = 1, padding = 0, dilation = 1, groups = 1 } = given;
    super(dimensions, convolve, inChannels, outChannels, kernelSize, { stride, padding, dilation, groups });
    resolveConvNd(this.kernelSize, this.options);
    this.makeParameters({ channels: [outChannels, inChannels / groups], bias, device, dtype });
  }
}

/** 1-D convolution, [B, I, L] -> [B, O, L']. @see https://pytorch.org/docs/stable/generated/torch.nn.Conv1d.html */
export class Conv1d extends Conv {
  constructor(inChannels: number, outChannels: number, kernelSize: Sizes, options: ConvLayerOptions = {}) {
    super(1, conv1d, inChannels, outChannels, kernelSize, options);
  }
}

/** 3-D convolution, [B, I, D, H, W] -> [B, O, D', H', W']. @see https://pytorch.org/docs/stable/generated/torch.nn.Conv3d.html */
export class Conv3d extends Conv {
  constructor(inChannels: number, outChannels: number, kernelSize: Sizes, options: ConvLayerOptions = {}) {
    super(3, conv3d, inChannels, outChannels, kernelSize, options);
  }
}

/** Options of the transposed convolution layers. */
export interface ConvTransposeLayerOptions extends ConvTransposeOptions, FactoryOptions {
  /** Add a learned bias. Default true. */
  bias?: boolean | undefined;
}

const CONV_TRANSPOSE_LAYER_KEYS = optionKeys(...CONV_TRANSPOSE_KEYS, ...FACTORY_KEYS, 'bias');

abstract class ConvTranspose extends AnyConv<RequiredOptions<ConvTransposeOptions>> {
  constructor(
    dimensions: number,
    convolve: ConvFunction<ConvTransposeOptions>,
    inChannels: number,
    outChannels: number,
    kernelSize: Sizes,
    options: ConvTransposeLayerOptions,
  ) {
    const { bias, device, dtype, ...given } = checkOptions(options, CONV_TRANSPOSE_LAYER_KEYS);
    const { stride = 1, padding = 0, outputPadding = 0, groups = 1, dilation = 1 } = given;
    const resolved = { stride, padding, outputPadding, groups, dilation };
    super(dimensions, convolve, inChannels, outChannels, kernelSize, resolved);
    this.makeParameters({ channels: [inChannels, outChannels / groups], bias, device, dtype });
  }
}

/** Transposed 1-D convolution, [B, I, L] -> [B, O, L']. @see https://pytorch.org/docs/stable/generated/torch.nn.ConvTranspose1d.html */
export class ConvTranspose1d extends ConvTranspose {
  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: Sizes,
    options: ConvTransposeLayerOptions = {},
  ) {
    super(1, convTranspose1d, inChannels, outChannels, kernelSize, options);
  }
}

/** Transposed 2-D convolution, [B, I, H, W] -> [B, O, H', W']. @see https://pytorch.org/docs/stable/generated/torch.nn.ConvTranspose2d.html */
export class ConvTranspose2d extends ConvTranspose {
  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: Sizes,
    options: ConvTransposeLayerOptions = {},
  ) {
    super(2, convTranspose2d, inChannels, outChannels, kernelSize, options);
  }
}

/** Transposed 3-D convolution, [B, I, D, H, W] -> [B, O, D', H', W']. @see https://pytorch.org/docs/stable/generated/torch.nn.ConvTranspose3d.html */
export class ConvTranspose3d extends ConvTranspose {
  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: Sizes,
    options: ConvTransposeLayerOptions = {},
  ) {
    super(3, convTranspose3d, inChannels, outChannels, kernelSize, options);
  }
}
