/**
 * Pooling layers. The classes of one, two and three dimensions pass their function to a base class, which does the rest.
 * @see https://pytorch.org/docs/stable/nn.html#pooling-layers
 * @module
 */

import { type OutputSize, outputSizes, type Pair, type Sizes, sizes } from '../check/arguments.js';
import { checkKeys, optionKeys } from '../check/index.js';
import {
  AVG_POOL_3D_KEYS,
  AVG_POOL_KEYS,
  MAX_POOL_WITH_INDICES_KEYS as MAX_POOL_KEYS,
} from '../ops/option-keys.js';
import * as F from '../ops/pool.js';
import * as U from '../ops/unpool.js';
import type { ValuesIndices } from '../tensor/dims.js';
import type { Tensor } from '../tensor/tensor.js';
import { Module } from './module.js';

/** Result of a max pool: `{ values, indices }` with `returnIndices: true`. */
export type Pooled<Indices extends boolean> = Indices extends true ? ValuesIndices : Tensor;

/** A function of the functional interface, whose sizes and options are those of the class that passes it. */
type PoolFunction = (input: Tensor, size: never, options: never) => Tensor | ValuesIndices;

/** Layers with a window that moves over the input. */
abstract class Windowed<
  Options extends { stride?: Sizes | undefined },
  Args extends unknown[],
  Out,
> extends Module<Args, Out> {
  /** Size of the window, one number per spatial dimension. */
  readonly kernelSize: readonly number[];
  /** The options of the constructor; the default stride is the size of the window. */
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

abstract class Pool<Options extends { stride?: Sizes | undefined }, Out = Tensor> extends Windowed<
  Options,
  [Tensor],
  Out
> {
  readonly #pool: PoolFunction;
  constructor(
    dimensions: number,
    pool: PoolFunction,
    kernelSize: Sizes,
    options: Options,
    keys: ReadonlySet<string>,
  ) {
    super(dimensions, kernelSize, options, keys);
    this.#pool = pool;
  }
  forward(input: Tensor): Out {
    return this.#pool(input, this.kernelSize as never, this.options as never) as Out;
  }
}

type WithIndices<Options, Indices> = Options & { returnIndices?: Indices | undefined };

/** The largest element of each window, [B, C, L] -> [B, C, L']. */
export class MaxPool1d<Indices extends boolean = false> extends Pool<
  WithIndices<F.MaxPoolOptions, Indices>,
  Pooled<Indices>
> {
  /** @param options.returnIndices - {@link forward} returns `{ values, indices }`, for {@link MaxUnpool1d}. Default false. */
  constructor(kernelSize: Sizes, options: WithIndices<F.MaxPoolOptions, Indices> = {}) {
    super(1, F.maxPool1d, kernelSize, options, MAX_POOL_KEYS);
  }
}

/** The largest element of each window, [B, C, H, W] -> [B, C, H', W']. */
export class MaxPool2d<Indices extends boolean = false> extends Pool<
  WithIndices<F.MaxPool2dOptions, Indices>,
  Pooled<Indices>
> {
  /** @param options.returnIndices - {@link forward} returns `{ values, indices }`, for {@link MaxUnpool2d}. Default false. */
  constructor(kernelSize: Pair, options: WithIndices<F.MaxPool2dOptions, Indices> = {}) {
    super(2, F.maxPool2d, kernelSize, options, MAX_POOL_KEYS);
  }
}

/** The largest element of each window, [B, C, D, H, W] -> [B, C, D', H', W']. */
export class MaxPool3d<Indices extends boolean = false> extends Pool<
  WithIndices<F.MaxPoolOptions, Indices>,
  Pooled<Indices>
> {
  /** @param options.returnIndices - {@link forward} returns `{ values, indices }`, for {@link MaxUnpool3d}. Default false. */
  constructor(kernelSize: Sizes, options: WithIndices<F.MaxPoolOptions, Indices> = {}) {
    super(3, F.maxPool3d, kernelSize, options, MAX_POOL_KEYS);
  }
}

/** The mean of each window, [B, C, L] -> [B, C, L']. */
export class AvgPool1d extends Pool<F.AvgPoolOptions> {
  constructor(kernelSize: Sizes, options: F.AvgPoolOptions = {}) {
    super(1, F.avgPool1d, kernelSize, options, AVG_POOL_KEYS);
  }
}

/** The mean of each window, [B, C, H, W] -> [B, C, H', W']. */
export class AvgPool2d extends Pool<F.AvgPool2dOptions> {
  constructor(kernelSize: Pair, options: F.AvgPool2dOptions = {}) {
    super(2, F.avgPool2d, kernelSize, options, AVG_POOL_3D_KEYS);
  }
}

/** The mean of each window, [B, C, D, H, W] -> [B, C, D', H', W']. */
export class AvgPool3d extends Pool<F.AvgPool3dOptions> {
  constructor(kernelSize: Sizes, options: F.AvgPool3dOptions = {}) {
    super(3, F.avgPool3d, kernelSize, options, AVG_POOL_3D_KEYS);
  }
}

abstract class AdaptivePool<Out = Tensor> extends Module<[Tensor], Out> {
  /** Size of the result, one number per spatial dimension; null: that of the input. */
  readonly outputSize: readonly (number | null)[];
  readonly #pool: PoolFunction;
  constructor(dimensions: number, pool: PoolFunction, outputSize: OutputSize) {
    super();
    this.outputSize = outputSizes(outputSize, dimensions);
    this.#pool = pool;
  }
  forward(input: Tensor): Out {
    return this.#pool(input, this.outputSize as never, this.poolOptions as never) as Out;
  }
  /** The options of the function, where it has any. */
  protected get poolOptions(): object | undefined {
    return undefined;
  }
  protected override extraRepr(): string {
    return `[${this.outputSize.map(String).join(', ')}]`;
  }
}

/** The mean over windows that produce the requested size, [B, C, L] -> [B, C, outputSize]. */
export class AdaptiveAvgPool1d extends AdaptivePool {
  constructor(outputSize: OutputSize) {
    super(1, F.adaptiveAvgPool1d, outputSize);
  }
}

/** The mean over windows that produce the requested size, [B, C, H, W] -> [B, C, ...outputSize]. */
export class AdaptiveAvgPool2d extends AdaptivePool {
  constructor(outputSize: OutputSize) {
    super(2, F.adaptiveAvgPool2d, outputSize);
  }
}

/** The mean over windows that produce the requested size, [B, C, D, H, W] -> [B, C, ...outputSize]. */
export class AdaptiveAvgPool3d extends AdaptivePool {
  constructor(outputSize: OutputSize) {
    super(3, F.adaptiveAvgPool3d, outputSize);
  }
}

const RETURN_INDICES = optionKeys('returnIndices');

abstract class AdaptiveMaxPool<Indices extends boolean> extends AdaptivePool<Pooled<Indices>> {
  /** The options of the constructor. */
  readonly options: { readonly returnIndices?: Indices | undefined };
  constructor(
    dimensions: number,
    pool: PoolFunction,
    outputSize: OutputSize,
    options: { returnIndices?: Indices | undefined },
  ) {
    super(dimensions, pool, outputSize);
    checkKeys(options, RETURN_INDICES);
    this.options = Object.freeze({ ...options });
  }
  protected override get poolOptions(): object {
    return this.options;
  }
}

/** The largest element of windows that produce the requested size, [B, C, L] -> [B, C, outputSize]. */
export class AdaptiveMaxPool1d<Indices extends boolean = false> extends AdaptiveMaxPool<Indices> {
  /** @param options.returnIndices - {@link forward} returns `{ values, indices }`. Default false. */
  constructor(outputSize: OutputSize, options: { returnIndices?: Indices | undefined } = {}) {
    super(1, F.adaptiveMaxPool1d, outputSize, options);
  }
}

/** The largest element of windows that produce the requested size, [B, C, H, W] -> [B, C, ...outputSize]. */
export class AdaptiveMaxPool2d<Indices extends boolean = false> extends AdaptiveMaxPool<Indices> {
  /** @param options.returnIndices - {@link forward} returns `{ values, indices }`. Default false. */
  constructor(outputSize: OutputSize, options: { returnIndices?: Indices | undefined } = {}) {
    super(2, F.adaptiveMaxPool2d, outputSize, options);
  }
}

/** The largest element of windows that produce the requested size, [B, C, D, H, W] -> [B, C, ...outputSize]. */
export class AdaptiveMaxPool3d<Indices extends boolean = false> extends AdaptiveMaxPool<Indices> {
  /** @param options.returnIndices - {@link forward} returns `{ values, indices }`. Default false. */
  constructor(outputSize: OutputSize, options: { returnIndices?: Indices | undefined } = {}) {
    super(3, F.adaptiveMaxPool3d, outputSize, options);
  }
}

const UNPOOL_KEYS = optionKeys('stride', 'padding');

interface UnpoolOptions<Size> {
  stride?: Size | undefined;
  padding?: Size | undefined;
}

abstract class Unpool extends Windowed<
  UnpoolOptions<Sizes>,
  [input: Tensor, indices: Tensor, outputSize?: readonly number[] | null],
  Tensor
> {
  readonly #unpool: (
    input: Tensor,
    indices: Tensor,
    kernelSize: never,
    options: U.MaxUnpoolOptions,
  ) => Tensor;
  constructor(
    dimensions: number,
    unpool: (input: Tensor, indices: Tensor, kernelSize: never, options: U.MaxUnpoolOptions) => Tensor,
    kernelSize: Sizes,
    options: UnpoolOptions<Sizes>,
  ) {
    super(dimensions, kernelSize, options, UNPOOL_KEYS);
    this.#unpool = unpool;
  }
  /**
   * Puts pooled values back to their positions; zeros elsewhere.
   * @param input - [N, C, ...] or [C, ...]. @param indices - Those of the pool, int64, of the same shape.
   * @param outputSize - See {@link functional.maxUnpool2d}.
   * @throws ShapeError for indices of a different shape or outside the output.
   */
  forward(input: Tensor, indices: Tensor, outputSize: readonly number[] | null = null): Tensor {
    return this.#unpool(input, indices, this.kernelSize as never, { ...this.options, outputSize });
  }
}

/**
 * The inverse of {@link MaxPool1d} in which all other elements are 0: [B, C, L] -> [B, C, L'].
 * @see https://pytorch.org/docs/stable/generated/torch.nn.MaxUnpool1d.html
 */
export class MaxUnpool1d extends Unpool {
  constructor(kernelSize: Sizes, options: UnpoolOptions<Sizes> = {}) {
    super(1, U.maxUnpool1d, kernelSize, options);
  }
}

/**
 * The inverse of {@link MaxPool2d} in which all other elements are 0: [B, C, H, W] -> [B, C, H', W'].
 * @see https://pytorch.org/docs/stable/generated/torch.nn.MaxUnpool2d.html
 */
export class MaxUnpool2d extends Unpool {
  constructor(kernelSize: Pair, options: UnpoolOptions<Pair> = {}) {
    super(2, U.maxUnpool2d, kernelSize, options);
  }
}

/**
 * The inverse of {@link MaxPool3d} in which all other elements are 0: [B, C, D, H, W] -> [B, C, D', H', W'].
 * @see https://pytorch.org/docs/stable/generated/torch.nn.MaxUnpool3d.html
 */
export class MaxUnpool3d extends Unpool {
  constructor(kernelSize: Sizes, options: UnpoolOptions<Sizes> = {}) {
    super(3, U.maxUnpool3d, kernelSize, options);
  }
}
