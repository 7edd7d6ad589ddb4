/**
 * Convolution, normalization and activation in a row, torchvision's `Conv2dNormActivation`.
 * @module
 */
import { Conv2d } from '../../nn/layers.js';
import type { Module } from '../../nn/module.js';
import { BatchNorm2d } from '../../nn/norm.js';
import { Sequential } from '../../nn/simple.js';

/** Creates the normalization layer for a number of channels. */
export type Norm = (channels: number) => Module;

/** Makes an activation layer. */
export type Activation = () => Module;

/** PyTorch's batch norm, with its defaults. */
export const batchNorm: Norm = (channels) => new BatchNorm2d(channels);

/** Options of {@link ConvNormActivation}. */
export interface ConvNormOptions {
  /** Height and width of the kernel. Default 3. */
  kernel?: number | undefined;
  /** Default 1. */
  stride?: number | undefined;
  /** Default 1. */
  dilation?: number | undefined;
  /** Default 1. */
  groups?: number | undefined;
  /** Default {@link batchNorm}. */
  norm?: Norm | undefined;
  /** null for none. */
  activation: Activation | null;
}

/** Convolution without bias (`0.*`), normalization (`1.*`), activation (`2`). An odd kernel keeps the size if the stride is 1. */
export class ConvNormActivation extends Sequential {
  constructor(
    inChannels: number,
    outChannels: number,
    { kernel = 3, stride = 1, dilation = 1, groups = 1, norm = batchNorm, activation }: ConvNormOptions,
  ) {
    const padding = Math.floor((kernel - 1) / 2) * dilation;
    const conv = new Conv2d(inChannels, outChannels, kernel, {
      stride,
      padding,
      dilation,
      groups,
      bias: false,
    });
    super(conv, norm(outChannels), ...(activation === null ? [] : [activation()]));
  }
}
