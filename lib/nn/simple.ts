/**
 * Other layers without weights, and `Sequential`.
 * @module
 */

import { integer, number, type Sizes, sizes } from '../check/arguments.js';
import { checkIterable, checkOptions } from '../check/index.js';
import { invalidArgument } from '../errors.js';
import * as F from '../ops/activation.js';
import { pad } from '../ops/conv.js';
import { INTERPOLATE_KEYS } from '../ops/option-keys.js';
import { type InterpolateOptions, interpolate, pixelShuffle } from '../ops/resize.js';
import { native, type Tensor } from '../tensor/tensor.js';
import { Module } from './module.js';
import { forwardInOrder } from './norm-activation.js';

/** Returns its input. */
export class Identity extends Module {
  forward(input: Tensor): Tensor {
    return input;
  }
}

/** Zeroes elements with probability p while training. @see https://jmlr.org/papers/v15/srivastava14a.html */
export class Dropout extends Module {
  /** Probability that an element, or a channel, is dropped. */
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

/** Flattens dimensions startDim to endDim. */
export class Flatten extends Module {
  /** First dimension that is merged. */
  readonly startDim: number;
  /** Last dimension that is merged. */
  readonly endDim: number;
  /** @param startDim - Default 1: keeps the batch. @param endDim - Default -1. */
  constructor(startDim = 1, endDim = -1) {
    super();
    this.startDim = startDim;
    this.endDim = endDim;
  }
  forward(input: Tensor): Tensor {
    return native.flatten(input, this.startDim, this.endDim);
  }
}

/** Splits one dimension into several; one size may be -1. */
export class Unflatten extends Module {
  /** The dimension that is split. */
  readonly dim: number;
  /** Sizes of the new dimensions. */
  readonly sizes: readonly number[];
  constructor(dim: number, sizes: readonly number[]) {
    super();
    this.dim = dim;
    this.sizes = checkIterable(sizes, 'sizes', 'an array of sizes');
  }
  forward(input: Tensor): Tensor {
    return input.unflatten(this.dim, this.sizes);
  }
  protected override extraRepr(): string {
    return `${this.dim}, [${this.sizes.join(', ')}]`;
  }
}

/** Zeroes whole channels with probability p while training, [B, C, ...] -> same. @see https://arxiv.org/abs/1411.4280 */
export class Dropout2d extends Dropout {
  override forward(input: Tensor): Tensor {
    return this.training ? F.dropout2d(input, { p: this.p }) : input;
  }
}

/** Dropout that preserves mean and variance, for SELU. @see https://arxiv.org/abs/1706.02515 */
export class AlphaDropout extends Dropout {
  override forward(input: Tensor): Tensor {
    return this.training ? F.alphaDropout(input, { p: this.p, training: true }) : input;
  }
}

abstract class Pad2d extends Module {
  /** [left, right, top, bottom]. */
  readonly padding: readonly number[];
  constructor(padding: Sizes) {
    super();
    this.padding = sizes('padding', padding, 4, Number.MIN_SAFE_INTEGER);
  }
  protected override extraRepr(): string {
    return `[${this.padding.join(', ')}]`;
  }
}

/** Pads images with zeros; one number or [left, right, top, bottom]. */
export class ZeroPad2d extends Pad2d {
  forward(input: Tensor): Tensor {
    return pad(input, this.padding);
  }
}

/** Pads images with a value; one number or [left, right, top, bottom]. */
export class ConstantPad2d extends Pad2d {
  /** The value of the padding. */
  readonly value: number;
  constructor(padding: Sizes, value: number) {
    super(padding);
    this.value = number('value', value);
  }
  forward(input: Tensor): Tensor {
    return pad(input, this.padding, { value: this.value });
  }
}

/** Pads images by reflection at the edges; one number or [left, right, top, bottom]. */
export class ReflectionPad2d extends Pad2d {
  forward(input: Tensor): Tensor {
    return pad(input, this.padding, { mode: 'reflect' });
  }
}

/** Pads images by repeating the edges; one number or [left, right, top, bottom]. */
export class ReplicationPad2d extends Pad2d {
  forward(input: Tensor): Tensor {
    return pad(input, this.padding, { mode: 'replicate' });
  }
}

/** Channels to pixels, [B, C r², H, W] -> [B, C, H r, W r]. @see https://arxiv.org/abs/1609.05158 */
export class PixelShuffle extends Module {
  /** Factor of height and width. */
  readonly upscaleFactor: number;
  constructor(upscaleFactor: number) {
    super();
    this.upscaleFactor = integer('upscaleFactor', upscaleFactor, 1);
  }
  forward(input: Tensor): Tensor {
    return pixelShuffle(input, this.upscaleFactor);
  }
}

/** Resizes signals, images or volumes, [B, C, ...] -> [B, C, ...]. */
export class Upsample extends Module {
  /** Size or factor, and mode. */
  readonly options: Readonly<InterpolateOptions>;
  constructor(options: InterpolateOptions) {
    super();
    this.options = Object.freeze({ ...checkOptions(options, INTERPOLATE_KEYS) });
  }
  forward(input: Tensor): Tensor {
    return interpolate(input, this.options);
  }
}

/**
 * Calls layers one after another; their keys are `0`, `1`, …
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

  /** Replaces the layer at a position. */
  replace(index: number, layer: Module): void {
    if (!(layer instanceof Module)) throw invalidArgument('layer', 'a Module', layer);
    integer('index', index, 0);
    if (index >= this.length) throw invalidArgument('index', `an integer below ${this.length}`, index);
    this[index] = layer;
    this.#layers[index] = layer;
  }

  /** The layers, in their order. */
  [Symbol.iterator](): Iterator<Module> {
    return this.#layers[Symbol.iterator]();
  }

  forward(input: Tensor): Tensor {
    return forwardInOrder(this.#layers, input);
  }
}
