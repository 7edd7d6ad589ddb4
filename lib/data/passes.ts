/**
 * Which samples are in the batches of a pass over a data set.
 * @module
 */
import { type IterableDataset, type PlacedItem, type StreamOptions, streamItems } from './stream.js';

/** The samples of a batch, not yet read. */
export interface BatchItems {
  /** Indices of the samples, or items of an iterable set. */
  items: readonly unknown[];
  /** A number of each sample, on which its augmentation depends. */
  keys: readonly number[];
}

/** The batches of a pass, taken one after another. */
export interface Pass {
  /** The samples of the next batch; undefined after the last one. */
  take(): BatchItems | undefined | Promise<BatchItems | undefined>;
  /** Releases what the pass holds. */
  close(): Promise<void>;
}

/** Batches of indices in a given order. */
export class IndexedPass implements Pass {
  readonly #order: readonly number[];
  readonly #batchSize: number;
  readonly #end: number;
  #batch: number;

  /** @param batches - The first one, and the number of batches of a full pass. */
  constructor(order: readonly number[], batchSize: number, [first, batches]: readonly [number, number]) {
    this.#order = order;
    this.#batchSize = batchSize;
    this.#batch = first;
    this.#end = batches;
  }

  take(): BatchItems | undefined {
    if (this.#batch >= this.#end) return undefined;
    const start = this.#batch++ * this.#batchSize;
    const keys = this.#order.slice(start, start + this.#batchSize);
    return { items: keys, keys };
  }

  async close(): Promise<void> {}
}

/** Batches of the items of an iterable set. The set is read by one caller at a time. */
export class StreamPass implements Pass {
  readonly #items: AsyncGenerator<PlacedItem>;
  readonly #batchSize: number;
  readonly #dropLast: boolean;
  #last: Promise<unknown> = Promise.resolve();

  constructor(set: IterableDataset, options: StreamOptions & { batchSize: number; dropLast: boolean }) {
    this.#items = streamItems(set, options);
    this.#batchSize = options.batchSize;
    this.#dropLast = options.dropLast;
  }

  take(): Promise<BatchItems | undefined> {
    const batch = this.#last.then(() => this.#next());
    // The caller gets an error; after it the generator has ended.
    this.#last = batch.catch(() => {});
    return batch;
  }

  async #next(): Promise<BatchItems | undefined> {
    const batch: PlacedItem[] = [];
    while (batch.length < this.#batchSize) {
      const { value, done } = await this.#items.next();
      if (done) break;
      batch.push(value);
    }
    if (batch.length === 0 || (this.#dropLast && batch.length < this.#batchSize)) return undefined;
    return { items: batch.map(({ item }) => item), keys: batch.map(({ place }) => place) };
  }

  async close(): Promise<void> {
    await this.#last;
    await this.#items.return(undefined);
  }
}
