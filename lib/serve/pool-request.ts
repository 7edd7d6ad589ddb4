/**
 * A request to a pool, which settles exactly once.
 * @module
 */
import { onAbort } from '../check/signal.js';
import { RequestTimeoutError } from '../errors.js';
import type { TidyBlock } from '../tensor/context.js';
import type { Batchable } from './batcher.js';
import type { Cancellation } from './cancellation.js';
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

/** How many unsettled requests are in each phase. */
export class PhaseCounts {
  readonly #counts: Record<Phase, number> = { preparing: 0, queued: 0, running: 0 };

  get preparing(): number {
    return this.#counts.preparing;
  }

  get queued(): number {
    return this.#counts.queued;
  }

  get running(): number {
    return this.#counts.running;
  }

  get total(): number {
    return this.preparing + this.queued + this.running;
  }

  /** A request begins. */
  begin(request: PoolRequest): void {
    this.#counts[request.phase]++;
  }

  /** A request enters another phase. */
  move(request: PoolRequest, phase: Phase): void {
    this.end(request);
    request.phase = phase;
    this.begin(request);
  }

  /** A request is settled. */
  end(request: PoolRequest): void {
    this.#counts[request.phase]--;
  }
}

/** Requests that run together. */
export interface PoolBatch {
  readonly requests: readonly PoolRequest[];
  /** Used when none of the requests needs the result of the batch, while it runs. */
  readonly cancellation: Cancellation;
  /** Whether the batch has ended. */
  hasEnded: boolean;
  /** Number of requests that are not settled. */
  unsettled: number;
}

/** A batch that failed: if each of its requests succeeds alone, it had too many rows. */
export interface Trial {
  readonly rows: number;
  readonly error: unknown;
  /** Number of requests that have not succeeded alone. */
  left: number;
}

/** Called once for a request, when it is settled. */
export type OnSettle = (request: PoolRequest, outcome: Outcome, now: number, error?: unknown) => void;

/** A request from its acceptance to its answer. */
export class PoolRequest implements Batchable {
  /** When it was accepted; times are milliseconds of `performance.now()`. */
  readonly acceptedAt: number;
  /** When it was queued: after its input was prepared. */
  queuedAt: number;
  /** The tidy block that its result belongs to. */
  readonly block: TidyBlock | undefined;
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
  /** Of the batch that failed and of which it is repeated; undefined if nothing can be learned from that. */
  trial: Trial | undefined;
  /** Number of batches of it whose worker ended. */
  crashes = 0;
  /** Settles with the result of its rows. */
  readonly result: Promise<unknown>;
  readonly #onSettle: OnSettle;
  #resolve!: (value: unknown) => void;
  #reject!: (error: unknown) => void;
  #settled = false;
  #timer: NodeJS.Timeout | undefined;
  #removeAbort: (() => void) | undefined;

  constructor(onSettle: OnSettle, block: TidyBlock | undefined) {
    this.acceptedAt = performance.now();
    this.queuedAt = this.acceptedAt;
    this.block = block;
    this.#onSettle = onSettle;
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** Ends the request when the signal is aborted, or after some time. */
  limit(signal: AbortSignal | undefined, timeoutMs: number): void {
    if (signal) this.#removeAbort = onAbort(signal, () => this.reject('aborted', signal.reason));
    if (timeoutMs <= MAX_TIMER_MS) this.#timer = setTimeout(() => this.#expire(timeoutMs), timeoutMs);
  }

  get isSettled(): boolean {
    return this.#settled;
  }

  /** @param now - The time, for requests that are answered together. @returns whether this call settled the request. */
  resolve(value: unknown, now: number): boolean {
    if (!this.#settle('answered', now)) return false;
    this.#resolve(value);
    return true;
  }

  /** @returns whether this call settled the request. */
  reject(outcome: Exclude<Outcome, 'answered'>, error: unknown): boolean {
    if (!this.#settle(outcome, performance.now(), error)) return false;
    this.#reject(error);
    return true;
  }

  #settle(outcome: Outcome, now: number, error?: unknown): boolean {
    if (this.#settled) return false;
    this.#settled = true;
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#removeAbort?.();
    this.#onSettle(this, outcome, now, error);
    return true;
  }

  #expire(timeoutMs: number): void {
    const where = this.startedAt === undefined ? 'waiting in the queue' : 'running';
    const message = `The request was not answered within ${timeoutMs} ms: it was ${where}`;
    this.reject('timeout', new RequestTimeoutError(message));
  }
}
