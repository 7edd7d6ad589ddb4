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
import type { PhaseCounts, PoolBatch, PoolRequest, Trial } from './pool-request.js';
import { WorkerDied } from './worker-engine.js';

/** What the batches of a pool need of it. */
export interface BatchesOptions {
  /** Of the pool. */
  name: string;
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
        const { trial } = requests[0]!;
        if (trial !== undefined && --trial.left === 0) this.#limit(generation, trial);
      }
    } catch (error) {
      failure = error;
      batch.hasEnded = true;
      this.#fail(batch, error, generation);
    }
    cancellation.end();
    for (const request of requests)
      if (request.isSettled && request.input !== undefined) holder.release(request.input);
    const ms = performance.now() - startedAt;
    const rows = rowsOf(requests);
    this.#msPerRequest += (ms / requests.length - this.#msPerRequest) * (this.#msPerRequest === 0 ? 1 : 0.1);
    metrics.batch(requests.length, rows, ms, failure);
    generation.end();
    if (!hasReleased) this.batcher.release();
  }

  #fail({ requests }: PoolBatch, error: unknown, { engine }: Generation): void {
    const isTrial = engine.sizes !== undefined && requests.length > 1;
    const trial = isTrial ? { rows: rowsOf(requests), left: requests.length, error } : undefined;
    for (const request of requests) {
      request.trial = trial;
      this.#failRequest(request, error);
    }
  }

  /** A request that was not alone in its batch, or whose worker ended, is repeated once. */
  #failRequest(request: PoolRequest, error: unknown): void {
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

  /** Halves the batches of a program that has failed with one, but computes each of its requests alone. */
  #limit(generation: Generation, { rows, error }: Trial): void {
    const { sizes } = generation.engine;
    const most = Math.max(1, Math.floor(rows / 2));
    if (sizes === undefined || most >= (sizes.most ?? Number.POSITIVE_INFINITY)) return;
    Object.assign(sizes, { most, reason: error });
    if (generation !== this.#options.generation() || most >= this.batcher.maxBatch) return;
    this.batcher.maxBatch = most;
    const { name } = this.#options;
    process.emitWarning(
      `The program of the pool ${JSON.stringify(name)} does not compute ${rows} rows at once, and gets at most ${most} from now on: ${error instanceof Error ? error.message : String(error)} (give batching.maxBatch, or an input for warmup, with which createPool finds the limit)`,
      { type: 'DyconvWarning', code: 'DYCONV_BATCH_SIZE' },
    );
  }
}

/** The rows of requests together. */
function rowsOf(requests: readonly PoolRequest[]): number {
  let rows = 0;
  for (const request of requests) rows += request.rows;
  return rows;
}
