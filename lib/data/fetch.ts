/**
 * Reads samples of a data set with limited concurrency.
 * @module
 */

/** Makes samples in order, with at most `concurrency` calls at a time over all requests. */
export class Fetcher<Item> {
  readonly #read: (item: Item) => unknown;
  #free: number;
  #waiting: (() => void)[] = [];
  /** Those before this place have been called: removing them one by one from a long list would take quadratic time. */
  #called = 0;

  /**
   * @param read - Gets the sample of an index or an item; may be async.
   * @param concurrency - Calls of `read` whose promises are open at a time.
   */
  constructor(read: (item: Item) => unknown, concurrency: number) {
    this.#read = read;
    this.#free = concurrency;
  }

  /**
   * The samples of `items`.
   * @param signal - After an abort no new calls are made; running ones are awaited.
   * @throws What `read` throws, and the signal's reason.
   */
  async get(items: readonly Item[], signal?: AbortSignal): Promise<unknown[]> {
    const results = await Promise.allSettled(items.map((item) => this.#one(item, signal)));
    return results.map((result) => {
      if (result.status === 'rejected') throw result.reason;
      return result.value;
    });
  }

  async #one(item: Item, signal: AbortSignal | undefined): Promise<unknown> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      signal?.throwIfAborted();
      return await this.#read(item);
    } finally {
      this.#release();
    }
  }

  /** Lets the next call begin. */
  #release(): void {
    const next = this.#waiting[this.#called];
    if (next === undefined) {
      this.#free++;
      return;
    }
    this.#called++;
    if (2 * this.#called > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#called);
      this.#called = 0;
    }
    next();
  }
}
