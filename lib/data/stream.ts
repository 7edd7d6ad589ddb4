/**
 * Iterable data sets: samples in sequence, without access by index.
 * @module
 */
import { checkObject } from '../check/index.js';
import { invalidArgument } from '../errors.js';
import { type Dataset, datasetError } from './dataset.js';
import { Random } from './random.js';

/** Optional properties of an iterable set. */
export interface StreamFields {
  /** Number of samples of a pass, if known; samples beyond it are not read. */
  readonly length?: number | undefined;
  /** Class names; a label is an index into them. */
  readonly classes?: readonly string[] | undefined;
  /** [C, H, W] of every image, if all are equal and samples have no shape of their own. */
  readonly shape?: readonly [number, number, number] | undefined;
  /** How many items a loader decodes at a time without its option `concurrency`, as in {@link Dataset}. Default: 8. */
  readonly concurrency?: number | undefined;
}

/** The pass over an iterable set that a loader requests. */
export interface ReadRequest {
  /** 0-based epoch. */
  epoch: number;
  /** Seed of the loader. */
  seed: number;
  /**
   * Whether the order is to be random. The loader shuffles nearby items with its shuffle buffer; the set shuffles what the buffer
   * cannot, such as its files. The order may depend on `seed` and `epoch` only.
   */
  shuffle: boolean;
}

/** A set that yields undecoded items, such as image files, and decodes them to samples. */
export interface ReadableSet<T> extends StreamFields {
  /** The items of a pass, the same ones in the same order for the same request. */
  read(request: ReadRequest): AsyncIterable<unknown> | Iterable<unknown>;
  /**
   * The sample of an item; may be a promise. Loaders call it for several items at once, and not for items that a resumed
   * training skips. null leaves the item out of its batch.
   */
  decode(item: never): T | null | Promise<T | null>;
}

/**
 * A data set whose samples are read in sequence: any iterable or async iterable of samples that can be iterated once for every epoch, or
 * a {@link ReadableSet}.
 *
 * @example
 * const set: data.IterableDataset<data.ImageSample> = {
 *   async *[Symbol.asyncIterator]() {
 *     for (let i = 0; i < 100; i++) yield { image: new Uint8Array(300).fill(i), shape: [3, 10, 10], label: i % 2 }
 *   },
 * }
 */
export type IterableDataset<T = unknown> = (StreamFields & (AsyncIterable<T> | Iterable<T>)) | ReadableSet<T>;

type AnyIterable = Partial<AsyncIterable<unknown> & Iterable<unknown>>;

/** Whether a set is an iterable one. */
export function isStream(set: Dataset | IterableDataset): set is IterableDataset {
  if (typeof set !== 'object' || set === null) return false;
  if (typeof (set as Partial<ReadableSet<unknown>>).read === 'function') return true;
  if (typeof (set as Partial<Dataset>).get === 'function' || ArrayBuffer.isView(set) || 'numel' in set)
    return false;
  const { [Symbol.asyncIterator]: iterate, [Symbol.iterator]: iterateSync } = set as AnyIterable;
  return typeof iterate === 'function' || typeof iterateSync === 'function';
}

/** Checks the fields of an iterable set. */
export function checkStream(set: IterableDataset, name = 'dataset'): void {
  const { length, classes, read, decode } = checkObject(set, name) as Partial<ReadableSet<unknown>>;
  if (length !== undefined && !(Number.isSafeInteger(length) && length >= 1))
    throw invalidArgument(`${name}.length`, 'an integer from 1, or undefined', length);
  if (classes !== undefined && !(Array.isArray(classes) && classes.every((one) => typeof one === 'string')))
    throw invalidArgument(`${name}.classes`, 'an array of names', classes);
  if (read !== undefined && typeof decode !== 'function')
    throw invalidArgument(`${name}.decode`, 'a function, as the set has read', decode);
}

/** The function that makes a sample of an item. */
export function decoderOf(set: IterableDataset): (item: unknown) => unknown {
  return 'read' in set ? (item) => set.decode(item as never) : (item) => item;
}

/** How a pass over an iterable set is made. */
export interface StreamOptions extends ReadRequest {
  /** Items held for shuffling. */
  shuffleBuffer: number;
  /** Most items of the pass that are used, before they are divided among the processes. */
  limit: number;
  rank: number;
  worldSize: number;
  dropRemainder: boolean;
  /** Items of this process that are left out at the start. */
  skip: number;
}

/** An item with its place in the pass. */
export interface PlacedItem {
  item: unknown;
  /** 0-based, over all processes. */
  place: number;
}

/**
 * The items of one process in a pass over an iterable set: limited, shuffled, divided, and without the first `skip`.
 * @throws DatasetError if the set yields no items.
 */
export async function* streamItems(set: IterableDataset, options: StreamOptions): AsyncGenerator<PlacedItem> {
  const { epoch, seed, shuffle, shuffleBuffer, rank, worldSize, dropRemainder, skip } = options;
  const items = limited(set, options);
  const order = shuffle ? shuffled(items, shuffleBuffer, new Random(seed, epoch, SALT)) : items;
  let place = 0;
  let left = skip;
  let own: PlacedItem | undefined;
  for await (const item of order) {
    if (place % worldSize === rank) own = { item, place };
    place++;
    // Where all processes get the same number of items, those after the last full round are left out.
    if (own === undefined || (dropRemainder && place % worldSize !== 0)) continue;
    if (left > 0) left--;
    else yield own;
    own = undefined;
  }
}

/** Distinguishes this generator from that of a set, which may also use the seed and the epoch. */
const SALT = 0x627566;

/** The first `limit` items. */
async function* limited(set: IterableDataset, { limit, ...request }: StreamOptions): AsyncGenerator<unknown> {
  const { length } = set as StreamFields;
  const { epoch, seed, shuffle } = request;
  const items = 'read' in set ? set.read({ epoch, seed, shuffle }) : set;
  const most = Math.min(limit, length ?? Number.POSITIVE_INFINITY);
  let count = 0;
  for await (const item of items) {
    yield item;
    if (++count === most) return;
  }
  if (count === 0)
    throw datasetError(
      'dataset',
      `expected samples in epoch ${epoch} but the set yielded none: a generator yields its samples only once, use an object with a \
method [Symbol.asyncIterator]`,
    );
}

/**
 * Items in random order: a buffer of `size` items, one of which is replaced by the next item and given. An item moves forward by
 * any number of places, but by at most `size` toward the start.
 */
async function* shuffled(
  items: AsyncIterable<unknown>,
  size: number,
  random: Random,
): AsyncGenerator<unknown> {
  const buffer: unknown[] = [];
  for await (const item of items) {
    if (buffer.length < size) {
      buffer.push(item);
      continue;
    }
    const at = random.below(size);
    const chosen = buffer[at];
    buffer[at] = item;
    yield chosen;
  }
  for (const at of random.shuffle(Array.from(buffer, (_, i) => i))) yield buffer[at];
}
