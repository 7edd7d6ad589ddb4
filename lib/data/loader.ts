/**
 * From a data set to batches: order, augmentation in the background, prefetching.
 * @module
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { inspect } from 'node:util';
import { ArgumentError, invalidArgument } from '../errors.js';
import { empty } from '../tensor/create.js';
import type { Tensor } from '../tensor/tensor.js';
import { batchTo, type Collated, defaultCollate, disposeAll, keepAll } from './collate.js';
import { checkAnyDataset, type Dataset, datasetError, isInMemory, setText } from './dataset.js';
import { Fetcher } from './fetch.js';
import { isInteger, type LoaderOptions, type ResolvedOptions, resolveOptions } from './loader-options.js';
import { MemoryBatches } from './memory-batches.js';
import { type BatchItems, IndexedPass, type Pass, StreamPass } from './passes.js';
import { Pipeline } from './pipeline.js';
import { Random } from './random.js';
import { batchOfImages, gathered, isImageSample } from './samples.js';
import { checkStream, decoderOf, type IterableDataset, isStream, type StreamFields } from './stream.js';
import type { Transform } from './transforms.js';
import { checkDrawn, drawWeighted } from './weighted.js';

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

/** A position: the epoch and its next batch. */
export interface LoaderPosition {
  /** 0-based. */
  epoch: number;
  /** 0-based, the next one of the epoch. */
  batch: number;
}

/** A finished batch with its number of images; null if all its samples were left out. */
type Prepared<B> = { batch: B; images: number } | null;

/**
 * Batches of a data set. Every `for await` is one epoch. It starts at the position of {@link Loader.seek}, or where the last one
 * ended. Batches depend only on the seed, the epoch and the options that determine images, not on the number
 * of threads or on prefetching.
 */
export class Loader<B = Batch> implements AsyncIterable<B> {
  /** The samples it reads. */
  readonly dataset: Dataset | IterableDataset;
  /** Images of a batch; the last one may have fewer. */
  readonly batchSize: number;
  /** Batches of a full epoch; Infinity for an iterable set whose length is not known. */
  readonly length: number;
  /** Images of a full epoch; Infinity for an iterable set whose length is not known. */
  readonly numImages: number;
  /** The transform; undefined if images are only scaled to [0, 1]. */
  readonly transform: Transform | undefined;
  /** Statistics of the current or last epoch. */
  readonly stats: LoaderStats = { batches: 0, images: 0, waitMs: 0 };
  readonly #options: ResolvedOptions;
  /** The set, if it is in memory: batches are then made from its bytes, without calling `get`. */
  readonly #memory: MemoryBatches | undefined;
  /** The transform of samples that are read one by one. */
  readonly #pipeline: Pipeline;
  readonly #fetcher: Fetcher<unknown>;
  /** With `augmentOn: 'device'`: a set that is not in memory, read whole for the first batch. */
  #gathered: Promise<MemoryBatches> | undefined;
  /** Indices of the images in use, before sharding; undefined for an iterable set. */
  readonly #indices: readonly number[] | undefined;
  #position: LoaderPosition = { epoch: 0, batch: 0 };
  /** The position of the current iteration, if any. */
  #current: LoaderPosition | undefined;

  /** Made by {@link loader}. */
  constructor(dataset: Dataset | IterableDataset, options: LoaderOptions) {
    const stream = isStream(dataset);
    if (stream) checkStream(dataset);
    else checkAnyDataset(dataset);
    const count = stream ? lengthOf(dataset) : dataset.length;
    if (count === 0) throw invalidArgument('dataset.length', 'at least 1 sample', 0);
    const { concurrency: own } = dataset as StreamFields;
    this.#options = resolveOptions(options, { length: count, concurrency: own });
    const { batchSize, limit, device, transform, concurrency } = this.#options;
    this.dataset = dataset;
    this.transform = transform;
    this.#pipeline = new Pipeline(transform, this.#options);
    this.#checkUse();
    const read = stream ? decoderOf(dataset) : (index: unknown) => dataset.get(index as number);
    this.#fetcher = new Fetcher(read, concurrency);
    // A transform that does not fit is an error here, not when the first batch is made.
    if (!stream && isInMemory(dataset) && !this.#options.collate && !this.#pipeline.isStaged)
      this.#memory = new MemoryBatches(dataset, this.#options);
    // A missing device is an error here, not at the first batch.
    empty([0], { device }).dispose();
    const used = Math.min(limit, count);
    if (!stream) this.#indices = Array.from({ length: used }, (_, i) => Math.floor((i * count) / used));
    const { weights } = this.#options;
    if (weights && this.#indices) checkDrawn(weights, this.#indices);
    this.batchSize = batchSize;
    [this.length, this.numImages] = sizesOf(used, this.#options);
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
    this.#memory?.dispose();
    this.#gathered?.then((set) => set.dispose()).catch(() => {});
  }

  /**
   * One epoch. Leaving it early, or an error, releases every batch that was not delivered.
   * @throws DatasetError if every sample is left out.
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<B, void, undefined> {
    const { epoch, batch: first } = this.#position;
    this.#position = { epoch: epoch + 1, batch: 0 };
    Object.assign(this.stats, { batches: 0, images: 0, waitMs: 0 });
    const pass = this.#pass(epoch, first);
    const pending: Promise<Prepared<B> | undefined>[] = [];
    const left = new AbortController();
    const current = { epoch, batch: first };
    this.#current = current;
    let next = first;
    let leftOut = 0;
    const fill = (depth: number) => {
      for (; next < this.length && pending.length < depth; next++) {
        const batch = this.#prepare(pass, { epoch, batch: next }, left.signal);
        // A failure is reported when this batch is requested.
        batch.catch(() => {});
        pending.push(batch);
      }
    };
    try {
      for (;;) {
        fill(Math.max(1, this.#options.prefetch));
        const promise = pending.shift();
        if (promise === undefined) break;
        const started = performance.now();
        let prepared: Prepared<B> | undefined;
        try {
          prepared = await promise;
        } finally {
          this.stats.waitMs += performance.now() - started;
        }
        if (prepared === undefined) break;
        fill(this.#options.prefetch);
        // Batches that are ready would follow each other without an iteration of the event loop: timers and signals come first.
        await nextTurn();
        current.batch++;
        if (prepared === null) {
          leftOut++;
          continue;
        }
        this.stats.batches++;
        this.stats.images += prepared.images;
        yield prepared.batch;
      }
      if (leftOut > 0 && first === 0 && this.stats.batches === 0)
        throw datasetError('dataset', `expected samples in epoch ${epoch} but all of them were left out`);
    } finally {
      // Another iteration may have started meanwhile: the latest one sets the position.
      if (this.#current === current) this.#current = undefined;
      left.abort();
      for (const result of await Promise.allSettled(pending)) {
        if (result.status === 'fulfilled') disposeAll(result.value?.batch);
      }
      await pass.close();
    }
  }

  /** What the batches of an epoch consist of. */
  #pass(epoch: number, first: number): Pass {
    const { batchSize, shuffle, seed } = this.#options;
    if (this.#indices)
      return new IndexedPass(this.#order(epoch, this.#indices), batchSize, [first, this.length]);
    const skip = first * batchSize;
    return new StreamPass(this.dataset as IterableDataset, { ...this.#options, shuffle, seed, epoch, skip });
  }

  /** Indices of this rank's images in the order of an epoch. */
  #order(epoch: number, indices: readonly number[]): number[] {
    const { shuffle, seed, rank, worldSize, weights } = this.#options;
    const share = shareOf(indices.length, this.#options);
    const random = new Random(seed, epoch);
    const order = weights ? drawWeighted(indices, weights, random) : [...indices];
    if (shuffle && !weights) random.shuffle(order);
    if (worldSize === 1) return order;
    return Array.from({ length: share }, (_, i) => order[i * worldSize + rank]!);
  }

  /** The next batch of a pass; undefined after the last one. */
  async #prepare(
    pass: Pass,
    position: LoaderPosition,
    signal: AbortSignal,
  ): Promise<Prepared<B> | undefined> {
    const next = pass.take();
    // Without a pause for a set in memory: its memory belongs to the job at once.
    const taken = next instanceof Promise ? await next : next;
    if (taken === undefined) return undefined;
    const memory = this.#memory ?? (await this.#onDevice());
    if (memory) {
      const batch = (await memory.make(taken.keys, position)) as B;
      return { batch, images: taken.keys.length };
    }
    const read = withoutNull(await this.#fetcher.get(taken.items, signal), taken);
    if (read.samples.length === 0) return null;
    return { batch: await this.#collate(read, position), images: read.samples.length };
  }

  async #collate(
    { samples, keys }: { samples: unknown[]; keys: readonly number[] },
    position: LoaderPosition,
  ): Promise<B> {
    const { collate, device, transform, mix } = this.#options;
    if (collate) return batchTo(keepAll((await collate(samples as never[])) as B), device);
    if (isImageSample(samples[0])) {
      const request = { ...this.#options, ...position, pipeline: this.#pipeline };
      return (await batchOfImages(this.dataset, samples as never[], keys, request)) as B;
    }
    if (transform || mix)
      throw new ArgumentError(
        `Expected samples { image, label } for ${transform ? 'transform' : 'mix'} of loader, but the set has others`,
      );
    return batchTo(keepAll(defaultCollate(samples) as B), device);
  }

  /** With `augmentOn: 'device'`: a set that is not in memory, read once. */
  async #onDevice(): Promise<MemoryBatches | undefined> {
    if (this.#options.augmentOn === 'cpu') return undefined;
    const gather = async () => {
      const set = this.dataset as Dataset;
      const all = Array.from({ length: set.length }, (_, i) => i);
      return new MemoryBatches(gathered(set, await this.#fetcher.get(all)), this.#options);
    };
    this.#gathered ??= gather();
    return this.#gathered;
  }

  /** Checks options that depend on the set or on each other. */
  #checkUse(): void {
    const { mix, collate, transform, augmentOn, dtype, memoryFormat } = this.#options;
    if (mix && !this.dataset.classes) throw invalidArgument('dataset.classes', 'names, for mix', undefined);
    if (collate && (transform || mix || augmentOn === 'device'))
      throw new ArgumentError(
        `Expected no ${transform ? 'transform' : mix ? 'mix' : "augmentOn: 'device'"} with collate, which makes the batch`,
      );
    if (collate && (dtype !== 'float32' || memoryFormat !== 'contiguous'))
      throw new ArgumentError(
        `Expected no ${dtype !== 'float32' ? 'dtype' : 'memoryFormat'} with collate, which makes the batch`,
      );
    if (mix && this.#pipeline.crops > 1)
      throw new ArgumentError('Expected no mix with fiveCrop in transform');
    if (this.#pipeline.isStaged && augmentOn === 'device')
      throw invalidArgument('augmentOn', "'cpu' for a transform with steps that work on bytes", augmentOn);
    if (isStream(this.dataset) && augmentOn === 'device')
      throw invalidArgument('augmentOn', "'cpu' for an iterable data set", augmentOn);
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

/** The length of an iterable set, if it is known. */
function lengthOf(set: IterableDataset): number {
  return (set as StreamFields).length ?? Number.POSITIVE_INFINITY;
}

/**
 * Batches and images of a full epoch.
 * @param used - Images in use, by all processes.
 * @throws ArgumentError if there is not one batch.
 */
function sizesOf(used: number, options: ResolvedOptions): [number, number] {
  const { batchSize, dropLast, worldSize } = options;
  const share = shareOf(used, options);
  const batches = dropLast ? Math.floor(share / batchSize) : Math.ceil(share / batchSize);
  if (share === 0) throw invalidArgument('worldSize', `at most ${used}, the number of images`, worldSize);
  if (batches === 0) {
    const what = `at most ${share}, the number of images${worldSize > 1 ? ' of one rank' : ''} (with dropLast)`;
    throw invalidArgument('batchSize', what, batchSize);
  }
  return [batches, dropLast ? batches * batchSize : share];
}

/** Images of this rank in a full epoch. */
function shareOf(used: number, { rank, worldSize, dropRemainder }: ResolvedOptions): number {
  return Math.floor((used + (dropRemainder ? 0 : worldSize - 1 - rank)) / worldSize);
}

/** The samples of a batch without those that are null. */
function withoutNull(
  samples: unknown[],
  { keys }: BatchItems,
): { samples: unknown[]; keys: readonly number[] } {
  if (!samples.includes(null)) return { samples, keys };
  return {
    samples: samples.filter((sample) => sample !== null),
    keys: keys.filter((_, i) => samples[i] !== null),
  };
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
 *   are requested at once; a sample that is null is left out of its batch. Or an {@link IterableDataset}.
 * @throws ArgumentError naming the option, also when dropLast leaves no batch at all; DeviceError. What `get` and `collate`
 * throw ends the iteration.
 */
export function loader<T, B>(
  dataset: Dataset<T | null>,
  options: LoaderOptions & { collate: (samples: T[]) => B | Promise<B> },
): Loader<B>;
export function loader<T>(dataset: Dataset<T | null>, options: LoaderOptions): Loader<BatchOf<T>>;
export function loader<T, B>(
  dataset: IterableDataset<T>,
  options: LoaderOptions & { collate: (samples: T[]) => B | Promise<B> },
): Loader<B>;
export function loader<T>(dataset: IterableDataset<T>, options: LoaderOptions): Loader<BatchOf<T>>;
export function loader(dataset: Dataset | IterableDataset, options: LoaderOptions): Loader<unknown> {
  return new Loader(dataset, options);
}
