/**
 * Layers without weights, and the container that chains layers.
 * @module
 */

import { checkOptions, invalidArgument } from '../errors.js';
import { native } from '../native.js';
import * as F from '../ops/activation.js';
import { integer, number, type Pair, pair } from '../ops/arguments.js';
import {
  type AvgPool2dOptions,
  adaptiveAvgPool2d,
  avgPool2d,
  type InterpolateOptions,
  interpolate,
  type MaxPool2dOptions,
  maxPool2d,
} from '../ops/conv.js';
import type { Tensor } from '../tensor/tensor.js';
import { Module } from './module.js';

/** max(x, 0). */
export class ReLU extends Module {
  forward(input: Tensor): Tensor {
    return F.relu(input);
  }
}

/** x where positive, slope times x elsewhere. */
export class LeakyReLU extends Module {
  readonly negativeSlope: number;
  constructor(options: { negativeSlope?: number } = {}) {
    const { negativeSlope = 0.01 } = checkOptions(options);
    super();
    this.negativeSlope = negativeSlope;
  }
  forward(input: Tensor): Tensor {
    return F.leakyRelu(input, { negativeSlope: this.negativeSlope });
  }
}

/** Gaussian error linear unit. */
export class GELU extends Module {
  forward(input: Tensor): Tensor {
    return F.gelu(input);
  }
}

/** x sigmoid(x). */
export class SiLU extends Module {
  forward(input: Tensor): Tensor {
    return F.silu(input);
  }
}

/** x relu6(x + 3) / 6. */
export class Hardswish extends Module {
  forward(input: Tensor): Tensor {
    return F.hardswish(input);
  }
}

/** 1 / (1 + exp(-x)). */
export class Sigmoid extends Module {
  forward(input: Tensor): Tensor {
    return F.sigmoid(input);
  }
}

/** Hyperbolic tangent. */
export class Tanh extends Module {
  forward(input: Tensor): Tensor {
    return F.tanh(input);
  }
}

/** Softmax along `dim`. */
export class Softmax extends Module {
  readonly dim: number;
  constructor(options: { dim?: number } = {}) {
    const { dim = -1 } = checkOptions(options);
    super();
    this.dim = dim;
  }
  forward(input: Tensor): Tensor {
    return F.softmax(input, { dim: this.dim });
  }
}

/** Gives back its input. */
export class Identity extends Module {
  forward(input: Tensor): Tensor {
    return input;
  }
}

/** The largest element of each window, [B, C, H, W] -> [B, C, H', W']. */
export class MaxPool2d extends Module {
  readonly kernelSize: [number, number];
  readonly options: Readonly<MaxPool2dOptions>;
  constructor(kernelSize: Pair, options: MaxPool2dOptions = {}) {
    super();
    this.kernelSize = pair('kernelSize', kernelSize, 1);
    this.options = Object.freeze({ stride: this.kernelSize, ...options });
  }
  forward(input: Tensor): Tensor {
    return maxPool2d(input, this.kernelSize, this.options);
  }
  protected override extraRepr(): string {
    return `kernelSize=[${this.kernelSize.join(', ')}], stride=${this.options.stride}`;
  }
}

/** The mean of each window, [B, C, H, W] -> [B, C, H', W']. */
export class AvgPool2d extends Module {
  readonly kernelSize: [number, number];
  readonly options: Readonly<AvgPool2dOptions>;
  constructor(kernelSize: Pair, options: AvgPool2dOptions = {}) {
    super();
    this.kernelSize = pair('kernelSize', kernelSize, 1);
    this.options = Object.freeze({ stride: this.kernelSize, ...options });
  }
  forward(input: Tensor): Tensor {
    return avgPool2d(input, this.kernelSize, this.options);
  }
  protected override extraRepr(): string {
    return `kernelSize=[${this.kernelSize.join(', ')}], stride=${this.options.stride}`;
  }
}

/** The mean over windows that give the wanted size, [B, C, H, W] -> [B, C, outputSize]. */
export class AdaptiveAvgPool2d extends Module {
  readonly outputSize: [number, number];
  constructor(outputSize: Pair) {
    super();
    this.outputSize = pair('outputSize', outputSize, 1);
  }
  forward(input: Tensor): Tensor {
    return adaptiveAvgPool2d(input, this.outputSize);
  }
  protected override extraRepr(): string {
    return `[${this.outputSize.join(', ')}]`;
  }
}

/** Zeroes elements with probability p while training. @see https://jmlr.org/papers/v15/srivastava14a.html */
export class Dropout extends Module {
  readonly p: number;
  /** @param p - 0 to 1. Default 0.5. */
  constructor(p = 0.5) {
    super();
    this.p = number('p', p, { min: 0, max: 1 });
  }
  forward(input: Tensor): Tensor {
    return this.training ? F.dropout(input, { p: this.p }) : input;
  }
  protected override extraRepr(): string {
    return `p=${this.p}`;
  }
}

/** Dimensions startDim to endDim as one. */
export class Flatten extends Module {
  readonly startDim: number;
  readonly endDim: number;
  /** @param startDim - Default 1: the batch stays. @param endDim - Default -1. */
  constructor(startDim = 1, endDim = -1) {
    super();
    this.startDim = startDim;
    this.endDim = endDim;
  }
  forward(input: Tensor): Tensor {
    return native.flatten(input, this.startDim, this.endDim);
  }
}

/** Resizes images, [B, C, H, W] -> [B, C, H', W']. */
export class Upsample extends Module {
  readonly options: Readonly<InterpolateOptions>;
  constructor(options: InterpolateOptions) {
    super();
    this.options = Object.freeze({ ...options });
  }
  forward(input: Tensor): Tensor {
    return interpolate(input, this.options);
  }
}

/**
 * Layers one after the other; their keys are `0`, `1`, …
 * @see https://pytorch.org/docs/stable/generated/torch.nn.Sequential.html
 * @example new nn.Sequential(new nn.Linear(4, 8), new nn.ReLU(), new nn.Linear(8, 2))
 */
export class Sequential extends Module {
  [index: number]: Module;
  readonly #layers: Module[];

  constructor(...layers: Module[]) {
    super();
    layers.forEach((layer, i) => {
      if (!(layer instanceof Module)) throw invalidArgument(`layers[${i}]`, 'a Module', layer);
      this[i] = layer;
    });
    this.#layers = [...layers];
  }

  /** The number of layers. */
  get length(): number {
    return this.#layers.length;
  }

  /** The layer at a position; negative counts from the end. */
  at(index: number): Module | undefined {
    return this.#layers.at(integer('index', index, Number.MIN_SAFE_INTEGER));
  }

  /** Puts another layer in the place of one. */
  replace(index: number, layer: Module): void {
    if (!(layer instanceof Module)) throw invalidArgument('layer', 'a Module', layer);
    integer('index', index, 0);
    if (index >= this.length) throw invalidArgument('index', `an integer below ${this.length}`, index);
    this[index] = layer;
    this.#layers[index] = layer;
  }

  [Symbol.iterator](): Iterator<Module> {
    return this.#layers[Symbol.iterator]();
  }

  forward(input: Tensor): Tensor {
    return this.#layers.reduce((x, layer) => layer.forward(x), input);
  }
}
