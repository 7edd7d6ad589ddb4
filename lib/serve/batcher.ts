/**
 * Collects requests into batches. Only scheduling: it uses neither tensors nor promises.
 * @module
 */

/** The properties of a request that the batcher uses. */
export interface Batchable {
  /** Only requests with the same key can be in one batch. */
  readonly key: string;
  /** Rows that it adds to a batch, at least 1. */
  readonly rows: number;
  /** When it was queued, in milliseconds of `performance.now()`. */
  readonly queuedAt: number;
  /** Whether it has to be the only request of its batch. */
  readonly alone: boolean;
}

/** Options of {@link Batcher}. */
export interface BatcherOptions<T> {
  /** Maximum number of rows of a batch. A request with more rows is a separate batch. */
  maxBatch: number;
  /** Longest time that the oldest request waits for others while a slot is free. */
  maxDelayMs: number;
  /** Number of batches that run at once. */
  slots: number;
  /** Number of full batches that start before a slot is free, to wait where they will run; default: none. */
  ahead?: () => number;
  /** Starts a batch. Its slot is free again after {@link Batcher.release}. It must not call the batcher synchronously. */
  start: (batch: T[]) => void;
}

/** Timers of Node.js can fire a fraction of a millisecond early. */
const TIMER_TOLERANCE_MS = 1;

/** Requests with the same key, oldest first. */
class Group<T extends Batchable> {
  readonly items = new Set<T>();
  rows = 0;

  get first(): T {
    return this.items.values().next().value as T;
  }
}

/**
 * Groups requests by key and starts a batch when a slot is free and the batch is full, its oldest request has waited for
 * `maxDelayMs`, or {@link flush} was called. A full batch gains nothing by waiting, and may start ahead of a free slot. The group
 * with the oldest request comes first, and within a group the order is that of arrival. Batches that are not full start in the
 * next iteration of the event loop at the earliest, so requests of the same iteration share a batch.
 */
export class Batcher<T extends Batchable> {
  readonly #options: BatcherOptions<T>;
  readonly #groups = new Map<string, Group<T>>();
  #length = 0;
  #running = 0;
  #paused = false;
  #flushing = false;
  #immediate: NodeJS.Immediate | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: BatcherOptions<T>) {
    this.#options = { ...options };
  }

  /** Most rows of the batches that start from now on. */
  get maxBatch(): number {
    return this.#options.maxBatch;
  }

  set maxBatch(rows: number) {
    this.#options.maxBatch = rows;
    this.#startReady();
  }

  /** Number of queued requests. */
  get length(): number {
    return this.#length;
  }

  /** Number of started batches that have not released their slot. */
  get running(): number {
    return this.#running;
  }

  /** Number of batches that can start at once. */
  get freeSlots(): number {
    return this.#paused ? 0 : Math.max(0, this.#options.slots - this.#running);
  }

  /** Queues a request. */
  add(item: T): void {
    let group = this.#groups.get(item.key);
    if (group === undefined) {
      group = new Group<T>();
      this.#groups.set(item.key, group);
    }
    group.items.add(item);
    group.rows += item.rows;
    this.#length++;
    if (group.rows >= this.#options.maxBatch || item.alone) this.#startReady();
    else this.#startLater();
  }

  /** Removes a queued request. @returns whether it was queued. */
  remove(item: T): boolean {
    const group = this.#groups.get(item.key);
    if (!group?.items.delete(item)) return false;
    this.#forget(group, item);
    return true;
  }

  /** Frees the slot of a batch and starts the next one. */
  release(): void {
    this.#running--;
    this.#startReady();
  }

  /** Starts no batches until {@link resume}. */
  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#startReady();
  }

  /** From now on, no request waits for others. */
  flush(): void {
    this.#flushing = true;
    this.#startReady();
  }

  #forget(group: Group<T>, item: T): void {
    group.rows -= item.rows;
    this.#length--;
    if (group.items.size === 0) this.#groups.delete(item.key);
  }

  #startLater(): void {
    this.#immediate ??= setImmediate(() => {
      this.#immediate = undefined;
      this.#startReady();
    });
  }

  /** Starts all batches that are ready, as far as slots are free. */
  #startReady(tolerance = 0): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const { slots, ahead, maxBatch } = this.#options;
    while (!this.#paused && this.#running < slots + (ahead?.() ?? 0)) {
      const now = performance.now();
      const isFree = this.#running < slots;
      const group = this.#oldest((candidate) => this.#waitOf(candidate, now) <= tolerance);
      if (group === undefined) {
        if (isFree) this.#wake(now);
        return;
      }
      // One that may still grow waits for a free slot, and full ones behind it too: they would get ahead of it for ever.
      if (!isFree && group.rows < maxBatch && !group.first.alone) return;
      this.#running++;
      this.#options.start(this.#take(group));
    }
  }

  /** Calls back when the first group becomes ready. */
  #wake(now: number): void {
    if (this.#length === 0) return;
    const waits = Array.from(this.#groups.values(), (group) => this.#waitOf(group, now));
    this.#timer = setTimeout(() => this.#startReady(TIMER_TOLERANCE_MS), Math.min(...waits));
  }

  /** Milliseconds for which a group still has to wait for more requests. */
  #waitOf(group: Group<T>, now: number): number {
    const { maxBatch, maxDelayMs } = this.#options;
    if (this.#flushing || group.rows >= maxBatch || group.first.alone) return 0;
    return group.first.queuedAt + maxDelayMs - now;
  }

  #oldest(isReady: (group: Group<T>) => boolean): Group<T> | undefined {
    let oldest: Group<T> | undefined;
    for (const group of this.#groups.values())
      if (isReady(group) && (oldest === undefined || group.first.queuedAt < oldest.first.queuedAt))
        oldest = group;
    return oldest;
  }

  /** Removes the requests of the next batch from a group. */
  #take(group: Group<T>): T[] {
    const batch: T[] = [];
    let rows = 0;
    for (const item of group.items) {
      const fits = rows + item.rows <= this.#options.maxBatch && !item.alone && !batch[0]?.alone;
      if (batch.length > 0 && !fits) break;
      batch.push(item);
      rows += item.rows;
    }
    for (const item of batch) {
      group.items.delete(item);
      this.#forget(group, item);
    }
    return batch;
  }
}
