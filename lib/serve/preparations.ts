/**
 * The inputs that functions of the user prepare.
 * @module
 */
import { GRACE_MS } from './cancellation.js';
import type { PoolRequest } from './pool-request.js';

/**
 * Counts the inputs that are being prepared. Those of settled requests count as well, because they use the processor, but only
 * for {@link GRACE_MS}: one that never ends must not occupy a place in the queue forever.
 */
export class Preparations {
  readonly #timers = new Map<PoolRequest, NodeJS.Timeout | undefined>();

  /** How many count. */
  get count(): number {
    return this.#timers.size;
  }

  /** The preparation of a request starts. @returns a function to call when it has ended. */
  begin(request: PoolRequest): () => void {
    this.#timers.set(request, undefined);
    return () => this.#end(request);
  }

  /** A request is settled: its preparation is not needed any more. */
  abandon(request: PoolRequest): void {
    if (this.#timers.has(request))
      this.#timers.set(request, setTimeout(() => this.#end(request), GRACE_MS).unref());
  }

  #end(request: PoolRequest): void {
    clearTimeout(this.#timers.get(request));
    this.#timers.delete(request);
  }
}
