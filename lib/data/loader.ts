/**
 * From a data set to batches: order, augmentation in the background, prefetching.
 * @module
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { inspect } from 'node:util';
import { ArgumentError, invalidArgument } from '../errors.js';
import { empty } from '../tensor/create.js';
import type { Tensor } from '../tensor/tensor.js';
import {
  augmentBatch,
  augmentOnDevice,
  type BatchPlan,
  batchPlan,
  imagesOnDevice,
  labelTensor,
} from './batches.js';
import { batchTo, type Collated, defaultCollate, disposeAll, keepAll } from './collate.js';
import { checkAnyDataset, type Dataset, type InMemoryDataset, isInMemory, setText } from './dataset.js';
import { Fetcher } from './fetch.js';
import { isInteger, type LoaderOptions, type ResolvedOptions, resolveOptions } from './loader-options.js';
import { drawMixing, type Mixing, softLabels } from './mix.js';
import { Random } from './random.js';
import { batchOfImages, gathered, isImageSample, SamplePlans } from './samples.js';
import type { Transform } from './transforms.js';

/** Images and their labels. The consumer of the loader owns both tensors. */
export interface Batch {
  /** float32 or bfloat16 [B, C, H, W]. */
  images: Tensor;
  /** int64 [B]; with `mix` float32 [B, classes], probabilities. */
  labels: Tensor;
}

/** The batch of samples of type T without a `collate` function. */
export type BatchOf<T> = unknown extends T
  ? Batch
  : T extends { image: unknown; label: unknown }
    ? Batch
    : Collated<T>;

/** Statistics of the current or last epoch. */
export interface LoaderStats {
  /** Batches delivered. */
  batches: number;
  /** Images delivered. */
  images: number;
  /** Milliseconds the consumer waited for batches that were not ready. */
  waitMs: number;
}

/** A set in memory, with the plan by which all its batches are made. */
interface Planned {
  set: InMemoryDataset;
  plan: BatchPlan;
}

/** A position: the epoch and its next batch. */
export interface LoaderPosition {
  /** 0-based. */
  epoch: number;
  /** 0-based, the next one of the epoch. */
  batch: number;
}

/**
 * Batches of a data set. Every `for await` is one epoch. It starts at the position of {@link Loader.seek}, or where the last one
 * ended. Batches depend only on the seed, the epoch and the options that determine images, not on the number
 * of threads or on prefetching.
 */
export class Loader<B = Batch> implements AsyncIterable<B> {
  /** The samples it reads. */
  readonly dataset: Dataset;
  /** Images of a batch; the last one may have fewer. */
  readonly batchSize: number;
  /** Batches of a full epoch. */
  readonly length: number;
  /** Images of a full epoch. */
  readonly numImages: number;
  /** The transform; undefined if images are only scaled to [0, 1]. */
  readonly transform: Transform | undefined;
  /** Statistics of the current or last epoch. */
  readonly stats: LoaderStats = { batches: 0, images: 0, waitMs: 0 };
  readonly #options: ResolvedOptions;
  /** The set, if it is in memory: batches are then made from its bytes, without calling `get`. */
  readonly #memory: Planned | undefined;
  /** The plans for samples that are read one by one. */
  readonly #plans: SamplePlans;
  readonly #fetcher: Fetcher;
  /** With `augmentOn: 'device'`: a set that is not in memory, read whole for the first batch. */
  #gathered: Promise<Planned> | undefined;
  /** Indices of the images in use, before sharding. */
  readonly #indices: readonly number[];
  #position: LoaderPosition = { epoch: 0, batch: 0 };
  /** The position of the current iteration, if any. */
  #current: LoaderPosition | undefined;
  /** With `augmentOn: 'device'`: the set on the device, made for the first batch. */
  #onDevice: Tensor | undefined;

  /** Made by {@link loader}. */
  constructor(dataset: Dataset, options: LoaderOptions) {
    checkAnyDataset(dataset);
    if (dataset.length === 0) throw invalidArgument('dataset.length', 'at least 1 sample', 0);
    this.#options = resolveOptions(options, dataset.length);
    const { batchSize, dropLast, worldSize, limit, device, transform, concurrency } = this.#options;
    this.dataset = dataset;
    this.transform = transform;
    this.#checkUse();
    this.#fetcher = new Fetcher(dataset, concurrency);
    this.#plans = new SamplePlans(transform, this.#options);
    // A transform that does not fit is an error here, not when the first batch is made.
    this.#memory = isInMemory(dataset) && !this.#options.collate ? this.#planned(dataset) : undefined;
    // A missing device is an error here, not at the first batch.
    empty([0], { device }).dispose();
    const used = Math.min(limit, dataset.length);
    this.#indices = Array.from({ length: used }, (_, i) => Math.floor((i * dataset.length) / used));
    this.batchSize = batchSize;
    const share = Math.floor(used / worldSize);
    const batches = dropLast ? Math.floor(share / batchSize) : Math.ceil(share / batchSize);
    if (share === 0 || batches === 0) {
      const what = `at most ${share}, the number of images${worldSize > 1 ? ' of one rank' : ''} (with dropLast)`;
      throw share === 0
        ? invalidArgument('worldSize', `at most ${used}, the number of images`, worldSize)
        : invalidArgument('batchSize', what, batchSize);
    }
    this.length = batches;
    this.numImages = dropLast ? batches * batchSize : share;
  }

  /** The epoch of the next iteration; every iteration increments it. Settable. */
  get epoch(): number {
    return this.#position.epoch;
  }

  set epoch(epoch: number) {
    this.seek({ epoch, batch: 0 });
  }

  /**
   * Sets the position of the next iteration, to resume a training: batches and their augmentation are then those of an
   * uninterrupted run.
   * @throws ArgumentError when there is no such position.
   */
  seek({ epoch, batch }: LoaderPosition): void {
    if (!isInteger(epoch, 0)) throw invalidArgument('epoch', 'an integer from 0', epoch);
    if (!isInteger(batch, 0, this.length)) {
      throw invalidArgument('batch', `an integer from 0 to ${this.length}`, batch);
    }
    this.#position = { epoch, batch };
  }

  /**
   * The next batch of the current iteration, or the start of the next iteration. Plain data that can
   * be stored and passed to {@link seek}.
   */
  get position(): LoaderPosition {
    return { ...(this.#current ?? this.#position) };
  }

  /** Frees the copy of the set on the device; without `augmentOn: 'device'` there is nothing to free. */
  dispose(): void {
    this.#onDevice?.dispose();
    this.#onDevice = undefined;
  }

  /** One epoch. Leaving it early, or an error, releases every batch that was not delivered. */
  async *[Symbol.asyncIterator](): AsyncGenerator<B, void, undefined> {
    const { epoch, batch: first } = this.#position;
    this.#position = { epoch: epoch + 1, batch: 0 };
    Object.assign(this.stats, { batches: 0, images: 0, waitMs: 0 });
    const order = this.#order(epoch);
    const pending: Promise<B>[] = [];
    const left = new AbortController();
    const current = { epoch, batch: first };
    this.#current = current;
    let next = first;
    const fill = (depth: number) => {
      for (; next < this.length && pending.length < depth; next++) {
        const indices = order.slice(next * this.batchSize, (next + 1) * this.batchSize);
        const batch = this.#prepare(indices, { epoch, batch: next }, left.signal);
        // A failure is reported when this batch is requested.
        batch.catch(() => {});
        pending.push(batch);
      }
    };
    try {
      for (;;) {
        fill(Math.max(1, this.#options.prefetch));
        const promise = pending.shift();
        if (promise === undefined) return;
        const started = performance.now();
        let batch: B;
        try {
          batch = await promise;
        } finally {
          this.stats.waitMs += performance.now() - started;
        }
        fill(this.#options.prefetch);
        // Batches that are ready would follow each other without a turn of the event loop: timers and signals come first.
        await nextTurn();
        this.stats.batches++;
        this.stats.images += Math.min(
          this.batchSize,
          order.length - (this.stats.batches - 1 + first) * this.batchSize,
        );
        current.batch++;
        yield batch;
      }
    } finally {
      // Another iteration may have started meanwhile: the latest one sets the position.
      if (this.#current === current) this.#current = undefined;
      left.abort();
      for (const result of await Promise.allSettled(pending)) {
        if (result.status === 'fulfilled') disposeAll(result.value);
      }
    }
  }

  /** Indices of this rank's images in the order of an epoch. */
  #order(epoch: number): number[] {
    const { shuffle, seed, rank, worldSize } = this.#options;
    const order = [...this.#indices];
    if (shuffle) new Random(seed, epoch).shuffle(order);
    if (worldSize === 1) return order;
    const share = Math.floor(order.length / worldSize);
    return Array.from({ length: share }, (_, i) => order[i * worldSize + rank]!);
  }

  async #prepare(indices: readonly number[], position: LoaderPosition, signal: AbortSignal): Promise<B> {
    const { collate, device, augmentOn, transform, mix } = this.#options;
    if (augmentOn === 'device' && !collate) {
      if (!this.#memory) this.#gathered ??= this.#gather();
      return (await this.#fromMemory(this.#memory ?? (await this.#gathered!), indices, position)) as B;
    }
    if (this.#memory) return (await this.#fromMemory(this.#memory, indices, position)) as B;
    const samples = await this.#fetcher.get(indices, signal);
    if (collate) return batchTo(keepAll((await collate(samples as never[])) as B), device);
    if (isImageSample(samples[0])) {
      const request = { ...this.#options, ...position, plans: this.#plans };
      return (await batchOfImages(this.dataset, samples as never[], indices, request)) as B;
    }
    if (transform || mix)
      throw new ArgumentError(
        `Expected samples { image, label } for ${transform ? 'transform' : 'mix'} of loader, but the set has others`,
      );
    return batchTo(keepAll(defaultCollate(samples) as B), device);
  }

  async #gather(): Promise<Planned> {
    const all = Array.from({ length: this.dataset.length }, (_, i) => i);
    return this.#planned(gathered(this.dataset, await this.#fetcher.get(all)));
  }

  #planned(set: InMemoryDataset): Planned {
    const { transform, dtype, memoryFormat, device, augmentOn } = this.#options;
    // A batch that is made on the device needs no page-locked memory to come from.
    const format = augmentOn === 'cpu' ? { dtype, memoryFormat, device } : { dtype, memoryFormat };
    return { set, plan: batchPlan(transform, set.shape, format) };
  }

  /** Checks options that depend on the set or on each other. */
  #checkUse(): void {
    const { mix, collate, transform, augmentOn } = this.#options;
    if (mix && !this.dataset.classes) throw invalidArgument('dataset.classes', 'names, for mix', undefined);
    if (collate && (transform || mix || augmentOn === 'device'))
      throw new ArgumentError(
        `Expected no ${transform ? 'transform' : mix ? 'mix' : "augmentOn: 'device'"} with collate, which makes the batch`,
      );
  }

  async #fromMemory(
    planned: Planned,
    indices: readonly number[],
    { epoch, batch }: LoaderPosition,
  ): Promise<Batch> {
    const { seed, mix, device } = this.#options;
    const { set, plan } = planned;
    const mixing = mix && drawMixing(mix, plan.size, { seed, epoch, batch });
    const images = await this.#images(planned, indices, epoch, mixing);
    try {
      const picked = indices.map((index) => set.labels[index]!);
      const values = mix
        ? softLabels(picked, set.classes.length, mixing)
        : BigInt64Array.from(picked, BigInt);
      return { images, labels: labelTensor(values, picked.length, device) };
    } catch (error) {
      images.dispose();
      throw error;
    }
  }

  async #images(
    { set, plan }: Planned,
    indices: readonly number[],
    epoch: number,
    mixing: Mixing | undefined,
  ): Promise<Tensor> {
    const { seed, threads, device, augmentOn } = this.#options;
    const request = { seed, epoch, mixing };
    if (augmentOn === 'cpu') return augmentBatch(set, indices, plan, { ...request, threads, device });
    this.#onDevice ??= imagesOnDevice(set, device);
    return augmentOnDevice(this.#onDevice, indices, plan, request);
  }

  /** A description in one line. */
  toString(): string {
    const { shuffle, dropLast, seed } = this.#options;
    const flags = [
      ...(shuffle ? [`shuffled by seed ${seed}`] : []),
      ...(dropLast ? ['the last one full'] : []),
    ];
    const batches = [`${this.length} batches of ${this.batchSize}`, ...flags].join(', ');
    return `Loader (${batches}): ${this.numImages} of ${setText(this.dataset)}`;
  }

  /** @internal */
  [inspect.custom](): string {
    return this.toString();
  }
}

/**
 * An async iterable over the batches of a data set.
 *
 * @example
 * const loader = data.loader(clothes, { batchSize: 512, shuffle: true, dropLast: true, transform: data.transforms.train() })
 * for await (const { images, labels } of loader) {
 *   // images float32 [512, 3, 128, 128], labels int64 [512]
 *   images.dispose()
 *   labels.dispose()
 * }
 * @param dataset - A set of this module, or any object with `length` and `get(i)`: `get` may be async, and several samples
 *   are requested at once.
 * @throws ArgumentError naming the option, also when dropLast leaves no batch at all; DeviceError. What `get` and `collate`
 * throw ends the iteration.
 */
export function loader<T, B>(
  dataset: Dataset<T>,
  options: LoaderOptions & { collate: (samples: T[]) => B | Promise<B> },
): Loader<B>;
export function loader<T>(dataset: Dataset<T>, options: LoaderOptions): Loader<BatchOf<T>>;
export function loader(dataset: Dataset, options: LoaderOptions): Loader<unknown> {
  return new Loader(dataset, options);
}
