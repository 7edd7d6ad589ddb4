/**
 * The batches of a pool: which requests they have, how they run and fail.
 * @module
 */
import { AsyncResource } from 'node:async_hooks';
import { WorkerError } from '../errors.js';
import { answerBatch, computeBatch } from './batch.js';
import { Batcher } from './batcher.js';
import { Cancellation } from './cancellation.js';
import type { Collation, Holder } from './collation.js';
import type { Generation } from './generation.js';
import type { PoolMetrics } from './pool-metrics.js';
import type { PhaseCounts, PoolBatch, PoolRequest } from './pool-request.js';
import { WorkerDied } from './worker-engine.js';

/** What the batches of a pool need of it. */
export interface BatchesOptions {
  replicas: number;
  maxBatch: number;
  maxDelayMs: number;
  collation: Collation;
  holder: Holder;
  metrics: PoolMetrics;
  phases: PhaseCounts;
  /** The engine of batches that start now. */
  generation: () => Generation;
}

/** Runs the requests that are added to its batcher. */
export class Batches {
  readonly batcher: Batcher<PoolRequest>;
  readonly #options: BatchesOptions;
  /** Batches run in the asynchronous context of the pool, not in that of a request. */
  readonly #resource = new AsyncResource('DyconvPool');
  #msPerRequest = 0;

  constructor(options: BatchesOptions) {
    this.#options = options;
    const { maxBatch, maxDelayMs, replicas, generation } = options;
    const start = (requests: PoolRequest[]) => this.#start(requests);
    // The next full batch is there when the program ends one: no core waits for JavaScript.
    const ahead = () => (generation().engine.queues ? replicas : 0);
    this.batcher = new Batcher({ maxBatch, maxDelayMs, slots: replicas, ahead, start });
  }

  /** Mean milliseconds per request of recent batches; 0 before the first one. */
  get msPerRequest(): number {
    return this.#msPerRequest;
  }

  #start(requests: readonly PoolRequest[]): void {
    const batch: PoolBatch = {
      ...{ requests, cancellation: new Cancellation() },
      ...{ hasEnded: false, unsettled: requests.length },
    };
    const startedAt = performance.now();
    for (const request of requests) {
      this.#options.phases.move(request, 'running');
      request.batch = batch;
      request.startedAt = startedAt;
    }
    const generation = this.#options.generation();
    generation.begin();
    // In a microtask: the code that queued the request may be inside a tidy block.
    queueMicrotask(() => this.#resource.runInAsyncScope(() => void this.#run(batch, generation)));
  }

  async #run(batch: PoolBatch, generation: Generation): Promise<void> {
    const { requests, cancellation } = batch;
    const { holder, collation, metrics } = this.#options;
    const startedAt = performance.now();
    let failure: unknown;
    let hasReleased = false;
    try {
      if (!cancellation.isCancelled) {
        const results = await computeBatch(batch, generation.engine, holder, collation);
        batch.hasEnded = true;
        // The next batch starts first, in a microtask: it is computed while the requests of this one are answered.
        hasReleased = true;
        this.batcher.release();
        await undefined;
        answerBatch(batch, results, collation);
      }
    } catch (error) {
      failure = error;
      batch.hasEnded = true;
      for (const request of requests) this.#fail(request, error);
    }
    cancellation.end();
    for (const request of requests)
      if (request.isSettled && request.input !== undefined) holder.release(request.input);
    const ms = performance.now() - startedAt;
    const rows = requests.reduce((sum, request) => sum + request.rows, 0);
    this.#msPerRequest += (ms / requests.length - this.#msPerRequest) * (this.#msPerRequest === 0 ? 1 : 0.1);
    metrics.batch(requests.length, rows, ms, failure);
    generation.end();
    if (!hasReleased) this.batcher.release();
  }

  /** A request that was not alone in its batch, or whose worker ended, is repeated once. */
  #fail(request: PoolRequest, error: unknown): void {
    if (request.isSettled) return;
    const hasCrashed = error instanceof WorkerDied;
    if (hasCrashed && ++request.crashes > 1) {
      const message = `The worker of the request ended, also at the second attempt: ${error.message}`;
      request.reject('crashed', new WorkerError(message, { cause: error }));
    } else if (hasCrashed || request.batch!.requests.length > 1) this.#repeatAlone(request);
    else request.reject('failed', error);
  }

  /** Repeats a request in a separate batch: it is not known which request of a batch caused the failure. */
  #repeatAlone(request: PoolRequest): void {
    this.#options.metrics.retry();
    // With its own key it does not wait behind requests that wait for others.
    const key = `${request.key};alone`;
    Object.assign(request, { batch: undefined, startedAt: undefined, alone: true, key });
    this.#options.phases.move(request, 'queued');
    this.batcher.add(request);
  }
}
