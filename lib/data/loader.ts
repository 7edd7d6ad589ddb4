/**
 * From a data set to batches: order, augmentation in the background, prefetching. The only part of `data` that makes
 * tensors.
 * @module
 */
import { availableParallelism } from 'node:os';
import { invalidArgument } from '../errors.js';
import { native } from '../native.js';
import { keep } from '../tensor/context.js';
import { empty, tensor } from '../tensor/create.js';
import type { Device } from '../tensor/dtype.js';
import type { Tensor } from '../tensor/tensor.js';
import type { Dataset } from './dataset.js';
import { Random } from './random.js';
import { type Transform, from as transformFrom } from './transforms.js';

/** Images and their labels. Whoever iterates owns both tensors. */
export interface Batch {
  /** float32 [B, C, H, W]. */
  images: Tensor;
  /** int64 [B]. */
  labels: Tensor;
}

/** Options of {@link loader}. */
export interface LoaderOptions {
  /** Images in a batch. */
  batchSize: number;
  /** A new order every epoch. Default: false, the order of the set. */
  shuffle?: boolean;
  /** Leave out a last batch that would be smaller. Default: false. */
  dropLast?: boolean;
  /** What happens to every image, from `data.transforms`. Default: the image itself, scaled to [0, 1]. */
  transform?: Transform;
  /** Where shuffling and augmentation start from, an integer. Default: 0. */
  seed?: number;
  /** Batches prepared ahead while the last one is in use; 0 prepares each when it is asked for. Default: 2. */
  prefetch?: number;
  /** Native threads that work on one batch. Default: half of the processor's. */
  threads?: number;
  /** Where the batches are put. Default: `cpu`. */
  device?: Device;
  /** Use only this many images, spread evenly over the set. Default: all. */
  limit?: number;
  /** This process's share of the images, for training in several processes. Default: rank 0 of 1. */
  rank?: number;
  /** Number of shares. All have the same number of images: the last ones of an epoch are left out where need be. */
  worldSize?: number;
}

/** What the current pass, or the last one, has delivered. */
export interface LoaderStats {
  batches: number;
  images: number;
  /** Milliseconds the consumer waited for batches that were not ready. */
  waitMs: number;
}

/** Where a pass is: the epoch and the next batch of it. */
export interface LoaderPosition {
  epoch: number;
  batch: number;
}

/**
 * Batches of a data set. Every `for await` is one epoch, beginning where {@link Loader.seek} said or where the last one
 * ended. Batches depend on the seed, the epoch and the options that name images, and on nothing else: not on the number
 * of threads, nor on prefetching.
 */
export class Loader implements AsyncIterable<Batch> {
  readonly dataset: Dataset;
  readonly batchSize: number;
  /** Batches of a full epoch. */
  readonly length: number;
  /** Images of a full epoch. */
  readonly numImages: number;
  /** The transform in use; undefined where images are only scaled to [0, 1]. */
  readonly transform: Transform | undefined;
  readonly stats: LoaderStats = { batches: 0, images: 0, waitMs: 0 };
  readonly #options: Required<Omit<LoaderOptions, 'transform' | 'limit'>>;
  /** Indices of the images in use, before sharding. */
  readonly #indices: readonly number[];
  #position: LoaderPosition = { epoch: 0, batch: 0 };

  /** Made by {@link loader}. */
  constructor(dataset: Dataset, options: LoaderOptions) {
    const { transform, limit = dataset.length, ...rest } = options;
    this.dataset = dataset;
    this.transform = transform && transformFrom(transform);
    this.#options = {
      shuffle: false,
      dropLast: false,
      seed: 0,
      prefetch: 2,
      threads: Math.max(1, availableParallelism() >> 1),
      device: 'cpu',
      rank: 0,
      worldSize: 1,
      ...dropUndefined(rest),
    };
    checkOptions(this.#options, limit);
    checkChannels(this.transform, dataset.shape[0]);
    // An absent device is told here, not when the first batch has been made.
    empty([0], { device: this.#options.device }).dispose();
    const used = Math.min(limit, dataset.length);
    this.#indices = Array.from({ length: used }, (_, i) => Math.floor((i * dataset.length) / used));
    const { batchSize, dropLast, worldSize } = this.#options;
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

  /** The epoch the next pass belongs to; counts up with every pass. Settable. */
  get epoch(): number {
    return this.#position.epoch;
  }

  set epoch(epoch: number) {
    this.seek({ epoch, batch: 0 });
  }

  /**
   * Sets where the next pass begins, to resume a training: batches and their augmentation are then those an
   * uninterrupted run would have seen.
   * @throws ArgumentError when there is no such position.
   */
  seek({ epoch, batch }: LoaderPosition): void {
    if (!isInteger(epoch, 0)) throw invalidArgument('epoch', 'an integer from 0', epoch);
    if (!isInteger(batch, 0, this.length)) {
      throw invalidArgument('batch', `an integer from 0 to ${this.length}`, batch);
    }
    this.#position = { epoch, batch };
  }

  /** One epoch. Leaving it early, or an error, releases every batch that was not delivered. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Batch, void, undefined> {
    const { epoch, batch: first } = this.#position;
    this.#position = { epoch: epoch + 1, batch: 0 };
    Object.assign(this.stats, { batches: 0, images: 0, waitMs: 0 });
    const order = this.#order(epoch);
    const pending: Promise<Batch>[] = [];
    let next = first;
    const fill = (depth: number) => {
      for (; next < this.length && pending.length < depth; next++) {
        const indices = order.slice(next * this.batchSize, (next + 1) * this.batchSize);
        const batch = this.#prepare(indices, epoch);
        // Its failure is told when its turn comes, if it comes.
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
        let batch: Batch;
        try {
          batch = await promise;
        } finally {
          this.stats.waitMs += performance.now() - started;
        }
        fill(this.#options.prefetch);
        this.stats.batches++;
        this.stats.images += Math.min(
          this.batchSize,
          order.length - (this.stats.batches - 1 + first) * this.batchSize,
        );
        yield batch;
      }
    } finally {
      for (const result of await Promise.allSettled(pending)) {
        if (result.status === 'fulfilled') disposeBatch(result.value);
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

  async #prepare(indices: readonly number[], epoch: number): Promise<Batch> {
    const { seed, threads, device } = this.#options;
    const { labels } = this.dataset;
    const host = keep(await augmentBatch(this.dataset, indices, this.transform, { seed, epoch, threads }));
    try {
      const picked = BigInt64Array.from(indices, (index) => BigInt(labels[index]!));
      const batch = {
        images: device === 'cpu' ? host : keep(host.to({ device })),
        labels: keep(tensor(picked, { device })),
      };
      if (batch.images !== host) host.dispose();
      return batch;
    } catch (error) {
      host.dispose();
      throw error;
    }
  }
}

/**
 * An async iterable over the batches of a data set.
 *
 * @example
 * const loader = data.loader(train, { batchSize: 512, shuffle: true, dropLast: true, transform: data.transforms.train() })
 * for await (const { images, labels } of loader) {
 *   // images float32 [512, 3, 128, 128], labels int64 [512]
 *   images.dispose()
 *   labels.dispose()
 * }
 * @throws ArgumentError naming the option, also when dropLast leaves no batch at all; DeviceError.
 */
export function loader(dataset: Dataset, options: LoaderOptions): Loader {
  return new Loader(dataset, options);
}

/**
 * Images of a set, transformed on the data thread.
 * @internal
 * @param transform - undefined: only scaled to [0, 1].
 * @returns float32 [indices.length, C, H, W], the caller's.
 */
export function augmentBatch(
  { images, shape }: Pick<Dataset, 'images' | 'shape'>,
  indices: readonly number[],
  transform: Transform | undefined,
  { seed, epoch, threads }: { seed: number; epoch: number; threads: number },
): Promise<Tensor> {
  const { sizes, crop = null, padding = 0, flip = 0, mean, std } = nativeTransform(transform, shape);
  return native.augmentBatch(
    images,
    shape,
    indices,
    sizes,
    crop,
    padding,
    flip,
    mean,
    std,
    seed,
    epoch,
    threads,
  );
}

interface NativeTransform {
  /** Height and width before the crop (0: the image's own), height and width of the batch. */
  sizes: readonly number[];
  crop?: readonly number[];
  padding?: number;
  flip?: number;
  mean: readonly number[];
  std: readonly number[];
}

function nativeTransform(
  transform: Transform | undefined,
  [, height, width]: Dataset['shape'],
): NativeTransform {
  if (transform === undefined) return { sizes: [0, 0, height, width], mean: [0], std: [1] };
  const { kind, size, mean, std } = transform;
  if (kind === 'test') return { sizes: [0, 0, size, size], mean, std };
  const { flip } = transform;
  if (kind === 'pad-crop')
    return { sizes: [size, size, size, size], padding: transform.padding, flip, mean, std };
  const { resize, scale, ratio } = transform;
  return { sizes: [resize, resize, size, size], crop: [...scale, ...ratio], flip, mean, std };
}

function disposeBatch({ images, labels }: Batch): void {
  images.dispose();
  labels.dispose();
}

function checkOptions(options: Required<Omit<LoaderOptions, 'transform' | 'limit'>>, limit: number): void {
  const { batchSize, seed, prefetch, threads, worldSize, rank } = options;
  const atLeast = { batchSize: 1, limit: 1, prefetch: 0, threads: 1, worldSize: 1 };
  const values = { batchSize, limit, prefetch, threads, worldSize };
  for (const [name, value] of Object.entries(values) as [keyof typeof values, number][]) {
    if (!isInteger(value, atLeast[name]))
      throw invalidArgument(name, `an integer from ${atLeast[name]}`, value);
  }
  if (!Number.isSafeInteger(seed)) throw invalidArgument('seed', 'an integer', seed);
  if (!isInteger(rank, 0, worldSize - 1))
    throw invalidArgument('rank', `an integer from 0 to ${worldSize - 1}`, rank);
}

function checkChannels(transform: Transform | undefined, channels: number): void {
  for (const name of ['mean', 'std'] as const) {
    const length = transform?.[name].length ?? 1;
    if (length !== 1 && length !== channels) {
      throw invalidArgument(
        `transform.${name}`,
        `1 or ${channels} values, one per channel`,
        transform?.[name],
      );
    }
  }
}

function isInteger(value: unknown, least: number, most = Number.MAX_SAFE_INTEGER): boolean {
  return Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most;
}

/** An option that is undefined has its default. */
function dropUndefined<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
}
