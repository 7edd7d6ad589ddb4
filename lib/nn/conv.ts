/**
 * Convolution layers of one and three dimensions, and transposed ones. Initialised as in PyTorch.
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

abstract class ConvNd extends Module {
  /** Channels of the input. */
  readonly inChannels: number;
  /** Channels of the result. */
  readonly outChannels: number;
  /** Size of the kernel, one number per spatial dimension. */
  readonly kernelSize: readonly number[];
  /** Stride, padding and the others, with their defaults. */
  readonly options: Readonly<RequiredOptions<ConvOptions>>;
  /** [O, I / groups, ...kernelSize]. */
  weight: Parameter;
  /** [O] or null. */
  bias: Parameter | null;

  constructor(
    dimensions: number,
    inChannels: number,
    outChannels: number,
    kernelSize: Sizes,
    options: ConvLayerOptions,
  ) {
    super();
    const {
      bias = true,
      device,
      dtype,
      stride = 1,
      padding = 0,
      dilation = 1,
      groups = 1,
    } = checkOptions(options, CONV_LAYER_KEYS);
    this.inChannels = integer('inChannels', inChannels, 1);
    this.outChannels = integer('outChannels', outChannels, 1);
    this.kernelSize = sizes('kernelSize', kernelSize, dimensions, 1);
    checkGroups(groups, inChannels, outChannels);
    this.options = Object.freeze({ stride, padding, dilation, groups });
    resolveConvNd(this.kernelSize, this.options);
    const factory = { device, dtype };
    this.weight = new Parameter(empty([outChannels, inChannels / groups, ...this.kernelSize], factory));
    this.bias = bias ? new Parameter(empty([outChannels], factory)) : null;
    initialise(this.weight, this.bias);
  }

  protected override extraRepr(): string {
    return describeConv(this.inChannels, this.outChannels, this.kernelSize, this.options);
  }
}

/** 1-D convolution, [B, I, L] -> [B, O, L']. @see https://pytorch.org/docs/stable/generated/torch.nn.Conv1d.html */
export class Conv1d extends ConvNd {
  constructor(inChannels: number, outChannels: number, kernelSize: Sizes, options: ConvLayerOptions = {}) {
    super(1, inChannels, outChannels, kernelSize, options);
  }
  forward(input: Tensor): Tensor {
    return conv1d(input, this.weight, this.bias, this.options);
  }
}

/** 3-D convolution, [B, I, D, H, W] -> [B, O, D', H', W']. @see https://pytorch.org/docs/stable/generated/torch.nn.Conv3d.html */
export class Conv3d extends ConvNd {
  constructor(inChannels: number, outChannels: number, kernelSize: Sizes, options: ConvLayerOptions = {}) {
    super(3, inChannels, outChannels, kernelSize, options);
  }
  forward(input: Tensor): Tensor {
    return conv3d(input, this.weight, this.bias, this.options);
  }
}

/** Options of the transposed convolution layers. */
export interface ConvTransposeLayerOptions extends ConvTransposeOptions, FactoryOptions {
  /** Add a learned bias. Default true. */
  bias?: boolean | undefined;
}

const CONV_TRANSPOSE_LAYER_KEYS = optionKeys(...CONV_TRANSPOSE_KEYS, ...FACTORY_KEYS, 'bias');

abstract class ConvTransposeNd extends Module {
  /** Channels of the input. */
  readonly inChannels: number;
  /** Channels of the result. */
  readonly outChannels: number;
  /** Size of the kernel, one number per spatial dimension. */
  readonly kernelSize: readonly number[];
  /** Stride, padding and the others, with their defaults. */
  readonly options: Readonly<RequiredOptions<ConvTransposeOptions>>;
  /** [I, O / groups, ...kernelSize]. */
  weight: Parameter;
  /** [O] or null. */
  bias: Parameter | null;

  constructor(
    dimensions: number,
    inChannels: number,
    outChannels: number,
    kernelSize: Sizes,
    options: ConvTransposeLayerOptions,
  ) {
    super();
    const { bias = true, device, dtype, ...rest } = checkOptions(options, CONV_TRANSPOSE_LAYER_KEYS);
    const { stride = 1, padding = 0, outputPadding = 0, groups = 1, dilation = 1 } = rest;
    this.inChannels = integer('inChannels', inChannels, 1);
    this.outChannels = integer('outChannels', outChannels, 1);
    this.kernelSize = sizes('kernelSize', kernelSize, dimensions, 1);
    checkGroups(groups, inChannels, outChannels);
    this.options = Object.freeze({ stride, padding, outputPadding, groups, dilation });
    const factory = { device, dtype };
    this.weight = new Parameter(empty([inChannels, outChannels / groups, ...this.kernelSize], factory));
    this.bias = bias ? new Parameter(empty([outChannels], factory)) : null;
    initialise(this.weight, this.bias);
  }

  protected override extraRepr(): string {
    const { stride, padding, dilation, groups } = this.options;
    return describeConv(this.inChannels, this.outChannels, this.kernelSize, {
      stride,
      padding,
      dilation,
      groups,
    });
  }
}

/** Transposed 1-D convolution, [B, I, L] -> [B, O, L']. @see https://pytorch.org/docs/stable/generated/torch.nn.ConvTranspose1d.html */
export class ConvTranspose1d extends ConvTransposeNd {
  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: Sizes,
    options: ConvTransposeLayerOptions = {},
  ) {
    super(1, inChannels, outChannels, kernelSize, options);
  }
  forward(input: Tensor): Tensor {
    return convTranspose1d(input, this.weight, this.bias, this.options);
  }
}

/** Transposed 2-D convolution, [B, I, H, W] -> [B, O, H', W']. @see https://pytorch.org/docs/stable/generated/torch.nn.ConvTranspose2d.html */
export class ConvTranspose2d extends ConvTransposeNd {
  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: Sizes,
    options: ConvTransposeLayerOptions = {},
  ) {
    super(2, inChannels, outChannels, kernelSize, options);
  }
  forward(input: Tensor): Tensor {
    return convTranspose2d(input, this.weight, this.bias, this.options);
  }
}

/** Transposed 3-D convolution, [B, I, D, H, W] -> [B, O, D', H', W']. @see https://pytorch.org/docs/stable/generated/torch.nn.ConvTranspose3d.html */
export class ConvTranspose3d extends ConvTransposeNd {
  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: Sizes,
    options: ConvTransposeLayerOptions = {},
  ) {
    super(3, inChannels, outChannels, kernelSize, options);
  }
  forward(input: Tensor): Tensor {
    return convTranspose3d(input, this.weight, this.bias, this.options);
  }
}
