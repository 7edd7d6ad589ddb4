/**
 * Pooling layers.
 * @see https://pytorch.org/docs/stable/nn.html#pooling-layers
 * @module
 */

import { type OutputSize, outputSizes, type Pair, type Sizes, sizes } from '../check/arguments.js';
import { checkKeys, checkOptions, optionKeys } from '../check/index.js';
import { AVG_POOL_3D_KEYS, AVG_POOL_KEYS, MAX_POOL_WITH_INDICES_KEYS } from '../ops/option-keys.js';
import * as F from '../ops/pool.js';
import * as U from '../ops/unpool.js';
import type { ValuesIndices } from '../tensor/order.js';
import type { Tensor } from '../tensor/tensor.js';
import { Module } from './module.js';

/** What a max pool gives: `{ values, indices }` where its constructor got `returnIndices: true`. */
export type Pooled<Indices extends boolean> = Indices extends true ? ValuesIndices : Tensor;

abstract class Pool<Options extends { stride?: Sizes | undefined }, Out = Tensor> extends Module<
  [Tensor],
  Out
> {
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

const RETURN_INDICES = optionKeys('returnIndices');

abstract class AdaptivePool<Out = Tensor> extends Module<[Tensor], Out> {
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
export class MaxPool1d<Indices extends boolean = false> extends Pool<
  F.MaxPoolOptions & { returnIndices?: Indices | undefined },
  Pooled<Indices>
> {
  /** @param options.returnIndices - {@link forward} gives `{ values, indices }`, for {@link MaxUnpool1d}. Default false. */
  constructor(kernelSize: Sizes, options: F.MaxPoolOptions & { returnIndices?: Indices | undefined } = {}) {
    super(1, kernelSize, options, MAX_POOL_WITH_INDICES_KEYS);
  }
  forward(input: Tensor): Pooled<Indices> {
    return F.maxPool1d(input, this.kernelSize, this.options) as Pooled<Indices>;
  }
}

/** The largest element of each window, [B, C, H, W] -> [B, C, H', W']. */
export class MaxPool2d<Indices extends boolean = false> extends Pool<
  F.MaxPool2dOptions & { returnIndices?: Indices | undefined },
  Pooled<Indices>
> {
  /** @param options.returnIndices - {@link forward} gives `{ values, indices }`, for {@link MaxUnpool2d}. Default false. */
  constructor(kernelSize: Pair, options: F.MaxPool2dOptions & { returnIndices?: Indices | undefined } = {}) {
    super(2, kernelSize, options, MAX_POOL_WITH_INDICES_KEYS);
  }
  forward(input: Tensor): Pooled<Indices> {
    return F.maxPool2d(input, this.kernelSize as [number, number], this.options) as Pooled<Indices>;
  }
}

/** The largest element of each window, [B, C, D, H, W] -> [B, C, D', H', W']. */
export class MaxPool3d<Indices extends boolean = false> extends Pool<
  F.MaxPoolOptions & { returnIndices?: Indices | undefined },
  Pooled<Indices>
> {
  /** @param options.returnIndices - {@link forward} gives `{ values, indices }`, for {@link MaxUnpool3d}. Default false. */
  constructor(kernelSize: Sizes, options: F.MaxPoolOptions & { returnIndices?: Indices | undefined } = {}) {
    super(3, kernelSize, options, MAX_POOL_WITH_INDICES_KEYS);
  }
  forward(input: Tensor): Pooled<Indices> {
    return F.maxPool3d(input, this.kernelSize, this.options) as Pooled<Indices>;
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
    super(2, kernelSize, options, AVG_POOL_3D_KEYS);
  }
  forward(input: Tensor): Tensor {
    return F.avgPool2d(input, this.kernelSize as [number, number], this.options);
  }
}

/** The mean of each window, [B, C, D, H, W] -> [B, C, D', H', W']. */
export class AvgPool3d extends Pool<F.AvgPool3dOptions> {
  constructor(kernelSize: Sizes, options: F.AvgPool3dOptions = {}) {
    super(3, kernelSize, options, AVG_POOL_3D_KEYS);
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
export class AdaptiveMaxPool1d<Indices extends boolean = false> extends AdaptivePool<Pooled<Indices>> {
  /** The options of the constructor. */
  readonly options: { readonly returnIndices?: Indices | undefined };
  /** @param options.returnIndices - {@link forward} gives `{ values, indices }`. Default false. */
  constructor(outputSize: OutputSize, options: { returnIndices?: Indices | undefined } = {}) {
    super(1, outputSize);
    checkKeys(options, RETURN_INDICES);
    this.options = Object.freeze({ ...options });
  }
  forward(input: Tensor): Pooled<Indices> {
    const options = this.options as F.WithIndices;
    return F.adaptiveMaxPool1d(input, this.outputSize, options) as Tensor | ValuesIndices as Pooled<Indices>;
  }
}

/** The largest element of windows that give the wanted size, [B, C, H, W] -> [B, C, ...outputSize]. */
export class AdaptiveMaxPool2d<Indices extends boolean = false> extends AdaptivePool<Pooled<Indices>> {
  /** The options of the constructor. */
  readonly options: { readonly returnIndices?: Indices | undefined };
  /** @param options.returnIndices - {@link forward} gives `{ values, indices }`. Default false. */
  constructor(outputSize: OutputSize, options: { returnIndices?: Indices | undefined } = {}) {
    super(2, outputSize);
    checkKeys(options, RETURN_INDICES);
    this.options = Object.freeze({ ...options });
  }
  forward(input: Tensor): Pooled<Indices> {
    const options = this.options as F.WithIndices;
    return F.adaptiveMaxPool2d(input, this.outputSize, options) as Tensor | ValuesIndices as Pooled<Indices>;
  }
}

/** The largest element of windows that give the wanted size, [B, C, D, H, W] -> [B, C, ...outputSize]. */
export class AdaptiveMaxPool3d<Indices extends boolean = false> extends AdaptivePool<Pooled<Indices>> {
  /** The options of the constructor. */
  readonly options: { readonly returnIndices?: Indices | undefined };
  /** @param options.returnIndices - {@link forward} gives `{ values, indices }`. Default false. */
  constructor(outputSize: OutputSize, options: { returnIndices?: Indices | undefined } = {}) {
    super(3, outputSize);
    checkKeys(options, RETURN_INDICES);
    this.options = Object.freeze({ ...options });
  }
  forward(input: Tensor): Pooled<Indices> {
    const options = this.options as F.WithIndices;
    return F.adaptiveMaxPool3d(input, this.outputSize, options) as Tensor | ValuesIndices as Pooled<Indices>;
  }
}

const UNPOOL = optionKeys('stride', 'padding');

abstract class Unpool extends Module<
  [input: Tensor, indices: Tensor, outputSize?: readonly number[] | null]
> {
  /** Size of the window, one number a spatial dimension. */
  readonly kernelSize: readonly number[];
  /** The options of the constructor; a stride left out is the size of the window. */
  readonly options: Readonly<{ stride: Sizes; padding?: Sizes | undefined }>;
  constructor(
    dimensions: number,
    kernelSize: Sizes,
    options: { stride?: Sizes | undefined; padding?: Sizes | undefined },
  ) {
    super();
    this.kernelSize = sizes('kernelSize', kernelSize, dimensions, 1);
    this.options = Object.freeze({
      ...options,
      stride: checkOptions(options, UNPOOL).stride ?? this.kernelSize,
    });
  }
  protected override extraRepr(): string {
    return `kernelSize=[${this.kernelSize.join(', ')}], stride=${this.options.stride}`;
  }
}

/**
 * The inverse of {@link MaxPool1d} but for what that left out, which is 0: [B, C, L] -> [B, C, L'].
 * @see https://pytorch.org/docs/stable/generated/torch.nn.MaxUnpool1d.html
 */
export class MaxUnpool1d extends Unpool {
  constructor(kernelSize: Sizes, options: { stride?: Sizes | undefined; padding?: Sizes | undefined } = {}) {
    super(1, kernelSize, options);
  }
  /**
   * Puts pooled values back to where they came from; zeros elsewhere.
   * @param input - [N, C, ...] or [C, ...]. @param indices - Those of the pool, int64, of the same shape.
   * @param outputSize - See {@link functional.maxUnpool1d}.
   * @throws ShapeError for indices of another shape or outside the output.
   */
  forward(input: Tensor, indices: Tensor, outputSize?: readonly number[] | null): Tensor {
    return U.maxUnpool1d(input, indices, this.kernelSize, {
      ...this.options,
      outputSize: outputSize ?? null,
    });
  }
}

/**
 * The inverse of {@link MaxPool2d} but for what that left out, which is 0: [B, C, H, W] -> [B, C, H', W'].
 * @see https://pytorch.org/docs/stable/generated/torch.nn.MaxUnpool2d.html
 */
export class MaxUnpool2d extends Unpool {
  constructor(kernelSize: Pair, options: { stride?: Pair | undefined; padding?: Pair | undefined } = {}) {
    super(2, kernelSize, options);
  }
  /**
   * Puts pooled values back to where they came from; zeros elsewhere.
   * @param input - [N, C, ...] or [C, ...]. @param indices - Those of the pool, int64, of the same shape.
   * @param outputSize - See {@link functional.maxUnpool2d}.
   * @throws ShapeError for indices of another shape or outside the output.
   */
  forward(input: Tensor, indices: Tensor, outputSize?: readonly number[] | null): Tensor {
    return U.maxUnpool2d(input, indices, this.kernelSize as [number, number], {
      ...this.options,
      outputSize: outputSize ?? null,
    });
  }
}

/**
 * The inverse of {@link MaxPool3d} but for what that left out, which is 0: [B, C, D, H, W] -> [B, C, D', H', W'].
 * @see https://pytorch.org/docs/stable/generated/torch.nn.MaxUnpool3d.html
 */
export class MaxUnpool3d extends Unpool {
  constructor(kernelSize: Sizes, options: { stride?: Sizes | undefined; padding?: Sizes | undefined } = {}) {
    super(3, kernelSize, options);
  }
  /**
   * Puts pooled values back to where they came from; zeros elsewhere.
   * @param input - [N, C, ...] or [C, ...]. @param indices - Those of the pool, int64, of the same shape.
   * @param outputSize - See {@link functional.maxUnpool3d}.
   * @throws ShapeError for indices of another shape or outside the output.
   */
  forward(input: Tensor, indices: Tensor, outputSize?: readonly number[] | null): Tensor {
    return U.maxUnpool3d(input, indices, this.kernelSize, {
      ...this.options,
      outputSize: outputSize ?? null,
    });
  }
}
