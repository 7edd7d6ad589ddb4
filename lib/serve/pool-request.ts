/**
 * A request to a pool, which settles exactly once.
 * @module
 */
import { onAbort } from '../check/signal.js';
import { RequestTimeoutError } from '../errors.js';
import type { Batchable } from './batcher.js';
import { MAX_TIMER_MS } from './pool-options.js';

/** The result of an accepted request. `crashed`: its worker thread ended twice. */
export type Outcome = 'answered' | 'failed' | 'timeout' | 'aborted' | 'crashed';

/** Why a request was not accepted. */
export type Refusal = 'overloaded' | 'closed' | 'invalid';

/** Options of a request. */
export interface RequestOptions {
  /**
   * Cancels the request: its promise is rejected with the reason of the signal. A queued request is removed from the queue;
   * the result of a running one is discarded.
   */
  signal?: AbortSignal | undefined;
  /** Milliseconds after which the promise is rejected with a RequestTimeoutError. Default: that of the pool. */
  timeoutMs?: number | undefined;
}

/** Where an unsettled request is. */
export type Phase = 'preparing' | 'queued' | 'running';

/** Requests that run together. */
export interface PoolBatch {
  readonly requests: readonly PoolRequest[];
  /** Aborted when none of the requests needs the result of the batch, while it runs. */
  readonly controller: AbortController;
  /** Whether the batch has ended. */
  hasEnded: boolean;
  /** Number of requests that are not settled. */
  unsettled: number;
}

/** Limits of a request, checked. */
export interface RequestLimits {
  signal: AbortSignal | undefined;
  timeoutMs: number;
  /** Called once, when the request is settled. */
  onSettle: (request: PoolRequest, outcome: Outcome, error?: unknown) => void;
}

/** A request from its acceptance to its answer. */
export class PoolRequest implements Batchable {
  /** When it was accepted; times are milliseconds of `performance.now()`. */
  readonly acceptedAt = performance.now();
  /** When it was queued: after its input was prepared. */
  queuedAt = this.acceptedAt;
  /** When its last batch started; undefined while it waits. */
  startedAt: number | undefined;
  /** What it asks to run, in the form that the pool's engine takes; undefined while it is prepared. */
  input: unknown;
  key = '';
  rows = 1;
  alone = false;
  /** Where it is; after it has settled, where it was. */
  phase: Phase = 'preparing';
  /** The batch that it is in. */
  batch: PoolBatch | undefined;
  /** Number of batches of it whose worker ended. */
  crashes = 0;
  /** Settles with the result of its rows. */
  readonly result: Promise<unknown>;
  readonly #limits: RequestLimits;
  #resolve!: (value: unknown) => void;
  #reject!: (error: unknown) => void;
  #settled = false;
  #timer: NodeJS.Timeout | undefined;
  #removeAbort: (() => void) | undefined;

  constructor(limits: RequestLimits) {
    this.#limits = limits;
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    const { signal, timeoutMs } = limits;
    if (signal) this.#removeAbort = onAbort(signal, () => this.reject('aborted', signal.reason));
    if (timeoutMs <= MAX_TIMER_MS) this.#timer = setTimeout(this.#onTimeout, timeoutMs);
  }

  get isSettled(): boolean {
    return this.#settled;
  }

  /** @returns whether this call settled the request. */
  resolve(value: unknown): boolean {
    if (!this.#settle('answered')) return false;
    this.#resolve(value);
    return true;
  }

  /** @returns whether this call settled the request. */
  reject(outcome: Exclude<Outcome, 'answered'>, error: unknown): boolean {
    if (!this.#settle(outcome, error)) return false;
    this.#reject(error);
    return true;
  }

  #settle(outcome: Outcome, error?: unknown): boolean {
    if (this.#settled) return false;
    this.#settled = true;
    clearTimeout(this.#timer);
    this.#removeAbort?.();
    this.#limits.onSettle(this, outcome, error);
    return true;
  }

  readonly #onTimeout = (): void => {
    const where = this.startedAt === undefined ? 'waiting in the queue' : 'running';
    const message = `The request was not answered within ${this.#limits.timeoutMs} ms: it was ${where}`;
    this.reject('timeout', new RequestTimeoutError(message));
  };
}
