/**
 * A swap of a pool, which can be abandoned while it waits for code of the user.
 * @module
 */
import { SwapTimeoutError } from '../errors.js';
import { MAX_TIMER_MS } from './pool-options.js';

/** Options of {@link Pool.swap}. */
export interface SwapOptions {
  /**
   * Milliseconds after which the promise is rejected with a SwapTimeoutError, and the swap is abandoned: a module that is never
   * loaded, a warm-up or `loadStateDict` that never ends, batches of the old network that never end. Default Infinity.
   */
  timeoutMs?: number | undefined;
}

/** What a swap waits for, as its SwapTimeoutError says it. */
const PHASES = {
  waiting: 'an earlier swap had not ended, and the pool keeps its network',
  creating: 'the new network was not ready, and the pool keeps the old one',
  emptying: 'batches with the old weights had not ended, and the pool keeps these weights',
  loading: 'loadStateDict had not ended. The pool keeps its network; its program has the weights that it has',
  ending: 'the pool uses the new network, but batches of the old one had not ended',
} as const;

/** A swap that has not ended. */
export class Swap {
  phase: keyof typeof PHASES = 'waiting';
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout | undefined;
  #startedAt = performance.now();

  constructor(timeoutMs: number) {
    if (timeoutMs <= MAX_TIMER_MS) this.#timer = setTimeout(() => this.#expire(timeoutMs), timeoutMs);
  }

  /** Aborted when the swap is abandoned. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Whether the new network is used. */
  get hasReplaced(): boolean {
    return this.phase === 'ending';
  }

  /** Milliseconds since it began. */
  get ms(): number {
    return performance.now() - this.#startedAt;
  }

  /** No earlier swap runs any more. */
  begin(): void {
    this.#startedAt = performance.now();
  }

  /** Ends the swap with an error as soon as it waits. */
  giveUp(error: Error): void {
    this.#controller.abort(error);
  }

  /** The swap has ended. */
  end(): void {
    clearTimeout(this.#timer);
  }

  #expire(timeoutMs: number): void {
    const message = `The swap did not end within ${timeoutMs} ms: ${PHASES[this.phase]}`;
    this.giveUp(new SwapTimeoutError(message, this.hasReplaced));
  }
}
