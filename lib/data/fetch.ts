/**
 * Gets samples of a data set with limited concurrency.
 * @module
 */
import type { Dataset } from './dataset.js';

/** Gets samples in order, with at most `concurrency` calls at a time over all requests. */
export class Fetcher {
  readonly #set: Dataset;
  #free: number;
  readonly #waiting: (() => void)[] = [];

  /** @param concurrency - Calls of `set.get` whose promises are open at a time. */
  constructor(set: Dataset, concurrency: number) {
    this.#set = set;
    this.#free = concurrency;
  }

  /**
   * The samples `indices`.
   * @param signal - After an abort no new calls are made; running ones are awaited.
   * @throws What `get` throws, and the signal's reason.
   */
  async get(indices: readonly number[], signal?: AbortSignal): Promise<unknown[]> {
    const results = await Promise.allSettled(indices.map((index) => this.#one(index, signal)));
    return results.map((result) => {
      if (result.status === 'rejected') throw result.reason;
      return result.value;
    });
  }

  async #one(index: number, signal: AbortSignal | undefined): Promise<unknown> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      signal?.throwIfAborted();
      return await this.#set.get(index);
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free++;
    }
  }
}
