/**
 * Pooling layers.
 * @see https://pytorch.org/docs/stable/nn.html#pooling-layers
 * @module
 */

import { type OutputSize, outputSizes, type Pair, type Sizes, sizes } from '../check/arguments.js';
import { checkKeys } from '../check/index.js';
import { AVG_POOL_KEYS, MAX_POOL_KEYS } from '../ops/option-keys.js';
import * as F from '../ops/pool.js';
import type { Tensor } from '../tensor/tensor.js';
import { Module } from './module.js';

abstract class Pool<Options extends { stride?: Sizes }> extends Module {
  /** Size of the window, one number a spatial dimension. */
  readonly kernelSize: readonly number[];
  /** The options of the constructor; a stride left out is the size of the window. */
  readonly options: Readonly<Options & { stride: Sizes }>;
  constructor(dimensions: number, kernelSize: Sizes, options: Options, keys: ReadonlySet<string>) {
    checkKeys(options, keys);
    super();
    this.kernelSize = sizes('kernelSize', kernelSize, dimensions, 1);
    this.options = Object.freeze({ ...options, stride: options.stride ?? this.kernelSize });
  }
  protected override extraRepr(): string {
    return `kernelSize=[${this.kernelSize.join(', ')}], stride=${this.options.stride}`;
  }
}

abstract class AdaptivePool extends Module {
  /** Size of the result, one number a spatial dimension; null: that of the input. */
  readonly outputSize: readonly (number | null)[];
  constructor(dimensions: number, outputSize: OutputSize) {
    super();
    this.outputSize = outputSizes(outputSize, dimensions);
  }
  protected override extraRepr(): string {
    return `[${this.outputSize.map(String).join(', ')}]`;
  }
}

/** The largest element of each window, [B, C, L] -> [B, C, L']. */
export class MaxPool1d extends Pool<F.MaxPoolOptions> {
  constructor(kernelSize: Sizes, options: F.MaxPoolOptions = {}) {
    super(1, kernelSize, options, MAX_POOL_KEYS);
  }
  forward(input: Tensor): Tensor {
    return F.maxPool1d(input, this.kernelSize, this.options);
  }
}

/** The largest element of each window, [B, C, H, W] -> [B, C, H', W']. */
export class MaxPool2d extends Pool<F.MaxPool2dOptions> {
  constructor(kernelSize: Pair, options: F.MaxPool2dOptions = {}) {
    super(2, kernelSize, options, MAX_POOL_KEYS);
  }
  forward(input: Tensor): Tensor {
    return F.maxPool2d(input, this.kernelSize as [number, number], this.options);
  }
}

/** The largest element of each window, [B, C, D, H, W] -> [B, C, D', H', W']. */
export class MaxPool3d extends Pool<F.MaxPoolOptions> {
  constructor(kernelSize: Sizes, options: F.MaxPoolOptions = {}) {
    super(3, kernelSize, options, MAX_POOL_KEYS);
  }
  forward(input: Tensor): Tensor {
    return F.maxPool3d(input, this.kernelSize, this.options);
  }
}

/** The mean of each window, [B, C, L] -> [B, C, L']. */
export class AvgPool1d extends Pool<F.AvgPoolOptions> {
  constructor(kernelSize: Sizes, options: F.AvgPoolOptions = {}) {
    super(1, kernelSize, options, AVG_POOL_KEYS);
  }
  forward(input: Tensor): Tensor {
    return F.avgPool1d(input, this.kernelSize, this.options);
  }
}

/** The mean of each window, [B, C, H, W] -> [B, C, H', W']. */
export class AvgPool2d extends Pool<F.AvgPool2dOptions> {
  constructor(kernelSize: Pair, options: F.AvgPool2dOptions = {}) {
    super(2, kernelSize, options, AVG_POOL_KEYS);
  }
  forward(input: Tensor): Tensor {
    return F.avgPool2d(input, this.kernelSize as [number, number], this.options);
  }
}

/** The mean of each window, [B, C, D, H, W] -> [B, C, D', H', W']. */
export class AvgPool3d extends Pool<F.AvgPoolOptions> {
  constructor(kernelSize: Sizes, options: F.AvgPoolOptions = {}) {
    super(3, kernelSize, options, AVG_POOL_KEYS);
  }
  forward(input: Tensor): Tensor {
    return F.avgPool3d(input, this.kernelSize, this.options);
  }
}

/** The mean over windows that give the wanted size, [B, C, L] -> [B, C, outputSize]. */
export class AdaptiveAvgPool1d extends AdaptivePool {
  constructor(outputSize: OutputSize) {
    super(1, outputSize);
  }
  forward(input: Tensor): Tensor {
    return F.adaptiveAvgPool1d(input, this.outputSize);
  }
}

/** The mean over windows that give the wanted size, [B, C, H, W] -> [B, C, ...outputSize]. */
export class AdaptiveAvgPool2d extends AdaptivePool {
  constructor(outputSize: OutputSize) {
    super(2, outputSize);
  }
  forward(input: Tensor): Tensor {
    return F.adaptiveAvgPool2d(input, this.outputSize);
  }
}

/** The mean over windows that give the wanted size, [B, C, D, H, W] -> [B, C, ...outputSize]. */
export class AdaptiveAvgPool3d extends AdaptivePool {
  constructor(outputSize: OutputSize) {
    super(3, outputSize);
  }
  forward(input: Tensor): Tensor {
    return F.adaptiveAvgPool3d(input, this.outputSize);
  }
}

/** The largest element of windows that give the wanted size, [B, C, L] -> [B, C, outputSize]. */
export class AdaptiveMaxPool1d extends AdaptivePool {
  constructor(outputSize: OutputSize) {
    super(1, outputSize);
  }
  forward(input: Tensor): Tensor {
    return F.adaptiveMaxPool1d(input, this.outputSize);
  }
}

/** The largest element of windows that give the wanted size, [B, C, H, W] -> [B, C, ...outputSize]. */
export class AdaptiveMaxPool2d extends AdaptivePool {
  constructor(outputSize: OutputSize) {
    super(2, outputSize);
  }
  forward(input: Tensor): Tensor {
    return F.adaptiveMaxPool2d(input, this.outputSize);
  }
}

/** The largest element of windows that give the wanted size, [B, C, D, H, W] -> [B, C, ...outputSize]. */
export class AdaptiveMaxPool3d extends AdaptivePool {
  constructor(outputSize: OutputSize) {
    super(3, outputSize);
  }
  forward(input: Tensor): Tensor {
    return F.adaptiveMaxPool3d(input, this.outputSize);
  }
}
