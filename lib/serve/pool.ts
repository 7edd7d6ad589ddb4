/**
 * An inference server: requests are collected into batches, with back-pressure, time limits, hot swap and metrics.
 * @module
 */
import { AsyncResource } from 'node:async_hooks';
import type { Registry } from 'prom-client';
import { checkOptions } from '../check/index.js';
import { isPromise } from '../check/promise.js';
import { checkSignal } from '../check/signal.js';
import { OverloadedError, PoolClosedError, ShapeError, WorkerError } from '../errors.js';
import { currentBlock } from '../tensor/context.js';
import { answerBatch, computeBatch, Generation } from './batch.js';
import { Batcher } from './batcher.js';
import { Cancellation } from './cancellation.js';
import { COLLATIONS, type Collation, type Holder } from './collation.js';
import {
  createEngine,
  type EngineSettings,
  holdWarmup,
  maxBatchOf,
  parseReplacement,
  type Replacement,
} from './create-engine.js';
import type { Engine } from './engine.js';
import { PoolMetrics, type PoolMetricsSnapshot } from './pool-metrics.js';
import {
  checkTimeout,
  type PoolOptions,
  REQUEST_KEYS,
  type ResolvedPoolOptions,
  resolvePoolOptions,
} from './pool-options.js';
import type { PoolState } from './pool-prometheus.js';
import {
  type OnSettle,
  type Phase,
  type PoolBatch,
  PoolRequest,
  type Refusal,
  type RequestOptions,
} from './pool-request.js';
import { Preparations } from './preparations.js';
import type { Held } from './rows.js';
import { WorkerDied } from './worker-engine.js';

/** A pool that answers requests in batches. Created by {@link createPool}. */
export class Pool<I = unknown, O = unknown> {
  readonly #options: ResolvedPoolOptions;
  readonly #collation: Collation;
  readonly #holder: Holder;
  readonly #batcher: Batcher<PoolRequest>;
  readonly #metrics: PoolMetrics;
  readonly #settings: EngineSettings;
  /** Batches run in the asynchronous context of the pool, not in that of a request. */
  readonly #resource = new AsyncResource('DyconvPool');
  readonly #phases: Record<Phase, number> = { preparing: 0, queued: 0, running: 0 };
  #generation: Generation;
  readonly #preparations = new Preparations();
  /** Settles when all swaps so far have ended. */
  #swaps: Promise<unknown> = Promise.resolve();
  #closed: Promise<void> | undefined;
  #onEmpty: (() => void) | undefined;
  /** Mean milliseconds per request of recent batches; 0 before the first one. */
  #msPerRequest = 0;

  private constructor(
    options: ResolvedPoolOptions,
    engine: Engine,
    metrics: PoolMetrics,
    settings: EngineSettings,
  ) {
    this.#options = options;
    this.#collation = COLLATIONS[options.inputs];
    this.#holder = this.#collation.holder();
    this.#generation = new Generation(engine);
    this.#metrics = metrics;
    this.#settings = settings;
    const { maxDelayMs, replicas } = options;
    const maxBatch = maxBatchOf(engine, options);
    const start = (requests: PoolRequest[]) => this.#start(requests);
    // The next full batch is there when the program ends one: no core waits for JavaScript.
    const ahead = () => (this.#generation.engine.queues ? replicas : 0);
    this.#batcher = new Batcher({ maxBatch, maxDelayMs, slots: replicas, ahead, start });
  }

  /** @internal */
  static async create<I, O>(options: PoolOptions): Promise<Pool<I, O>> {
    const resolved = resolvePoolOptions(options);
    const { name, registry, source } = resolved;
    let pool: Pool<I, O> | undefined;
    const idle = { queued: 0, running: 0, runningBatches: 0 };
    const warmup = holdWarmup(resolved);
    let metrics: PoolMetrics | undefined;
    try {
      metrics = await PoolMetrics.create(name, registry, () => pool?.state ?? idle);
      const settings: EngineSettings = { ...resolved, warmup, onExit: () => metrics?.workerExit() };
      pool = new Pool<I, O>(resolved, await createEngine(source, settings), metrics, settings);
      return pool;
    } catch (error) {
      metrics?.release();
      COLLATIONS[resolved.inputs].dispose(warmup);
      throw error;
    }
  }

  /**
   * Answers a request.
   * @param input - The caller can dispose it at once, but must not change its values before the answer. A function, for inputs
   *   that are slow to prepare, is called after the request was accepted; the pool owns its result.
   * @returns The rows of the result that belong to the input, which the caller must dispose.
   * @throws OverloadedError when the queue is full; PoolClosedError after {@link close}; RequestTimeoutError; WorkerError; the
   * reason of the signal; ArgumentError and ShapeError for an invalid input; otherwise what the network throws
   * for this input: of a batch of several requests that fails, each is repeated alone.
   */
  run(input: I | (() => I | Promise<I>), options: RequestOptions = {}): Promise<O> {
    // An async function would make two more promises for each request; each promise runs the hooks of AsyncLocalStorage.
    try {
      return this.#accept(input, options) as Promise<O>;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Replaces the network while requests are answered: a program, function, module or file by another one of the same kind, or
   * the weights by a state dict. Running batches finish with the old network, waiting requests use the new one. While weights
   * are copied, requests wait; a compiled program then computes with them once.
   * @returns A promise that resolves when the old network is no longer used.
   * @throws DisposedError for a disposed program; CheckpointError and other errors if the new network or weights cannot be used; the
   * old ones are then kept.
   */
  swap(replacement: Replacement): Promise<void> {
    const swapped = this.#swaps.then(() => this.#replace(replacement));
    this.#swaps = swapped.catch(() => {});
    return swapped;
  }

  /** Metrics since the creation of the pool. */
  metrics(): PoolMetricsSnapshot {
    return this.#metrics.snapshot();
  }

  /** The metrics of this pool in the text format of Prometheus, version 0.0.4. */
  prometheus(): string {
    return this.#metrics.text;
  }

  /** The registry of prom-client with the metrics: the option `registry`, or that of this pool alone. */
  get registry(): Registry {
    return this.#metrics.registry as Registry;
  }

  /** @internal */
  get state(): PoolState {
    const { preparing, queued, running } = this.#phases;
    return { queued: preparing + queued, running, runningBatches: this.#batcher.running };
  }

  /** Rejects new requests, answers the accepted ones, and frees the threads. Further calls return the same promise. */
  close(): Promise<void> {
    this.#closed ??= this.#drain();
    return this.#closed;
  }

  /** The same as {@link close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Accepts a request. @returns its result. @throws why it is refused. */
  #accept(input: unknown, options: RequestOptions): Promise<unknown> {
    const { signal, timeoutMs = this.#options.timeoutMs } = checkOptions(options, REQUEST_KEYS);
    this.#admit(signal, timeoutMs);
    const prepare = typeof input === 'function' ? (input as () => unknown) : undefined;
    const held = prepare === undefined ? this.#holdOrRefuse(input) : undefined;
    const request = new PoolRequest(this.#onSettle, currentBlock());
    request.limit(signal, timeoutMs);
    this.#metrics.accept();
    this.#phases.preparing++;
    if (held === undefined) this.#prepare(request, prepare!);
    else this.#enqueue(request, held);
    return request.result;
  }

  /** Checks whether a request can be accepted. @throws why it is refused. */
  #admit(signal: AbortSignal | undefined, timeoutMs: number): void {
    checkSignal(signal);
    checkTimeout(timeoutMs);
    signal?.throwIfAborted();
    if (this.#closed)
      throw this.#refuse('closed', new PoolClosedError('Expected an open pool, but it was closed'));
    const { maxQueue, replicas } = this.#options;
    // With a fixed batch size, a batch is one request.
    const maxBatch = this.#generation.engine.batchRows === undefined ? this.#batcher.maxBatch : 1;
    const waiting = this.#batcher.length + this.#preparations.count;
    // Requests that a free replica can take only wait for the end of the turn or for maxDelayMs.
    if (waiting >= maxQueue + this.#batcher.freeSlots * maxBatch) {
      const message = `The queue of the pool is full: ${waiting} requests wait, and maxQueue is ${maxQueue}`;
      const retryAfterMs = Math.ceil((waiting * this.#msPerRequest) / replicas);
      throw this.#refuse('overloaded', new OverloadedError(message, retryAfterMs));
    }
  }

  #holdOrRefuse(input: unknown): Held {
    try {
      return this.#checkRows(this.#holder.hold(input, false));
    } catch (error) {
      throw this.#refuse('invalid', error);
    }
  }

  /** @throws ShapeError for an input that a program with a fixed batch size does not take. It is freed. */
  #checkRows(held: Held): Held {
    const { batchRows } = this.#generation.engine;
    if (batchRows === undefined || held.rows === batchRows) return held;
    this.#holder.release(held.input);
    throw new ShapeError(
      `Expected ${batchRows} rows, the fixed batch size of the program, for input but received ${held.rows}`,
    );
  }

  #refuse<E>(reason: Refusal, error: E): E {
    this.#metrics.refuse(reason, error);
    return error;
  }

  #prepare(request: PoolRequest, prepare: () => unknown): void {
    const end = this.#preparations.begin(request);
    const fail = (error: unknown) => {
      end();
      request.reject('failed', error);
    };
    let input: unknown;
    try {
      input = prepare();
    } catch (error) {
      fail(error);
      return;
    }
    const enqueue = (value: unknown) => {
      this.#enqueuePrepared(request, value);
      end();
    };
    if (isPromise(input)) Promise.resolve(input).then(enqueue, fail);
    else enqueue(input);
  }

  #enqueuePrepared(request: PoolRequest, input: unknown): void {
    try {
      if (request.isSettled) this.#collation.dispose(input);
      else {
        const held = this.#checkRows(this.#holder.hold(input, true));
        request.queuedAt = performance.now();
        this.#enqueue(request, held);
      }
    } catch (error) {
      request.reject('failed', error);
    }
  }

  #enqueue(request: PoolRequest, { input, key, rows }: Held): void {
    request.input = input;
    request.key = key;
    request.rows = rows;
    this.#move(request, 'queued');
    this.#batcher.add(request);
  }

  #move(request: PoolRequest, phase: Phase): void {
    this.#phases[request.phase]--;
    this.#phases[phase]++;
    request.phase = phase;
  }

  readonly #onSettle: OnSettle = (request, outcome, now, error) => {
    this.#phases[request.phase]--;
    this.#preparations.abandon(request);
    const { batch } = request;
    if (batch === undefined) {
      this.#batcher.remove(request);
      if (request.input !== undefined) this.#holder.release(request.input);
    } else if (--batch.unsettled === 0 && !batch.hasEnded) batch.cancellation.cancel();
    this.#metrics.settle(outcome, request, now, error);
    if (this.#onEmpty === undefined) return;
    const { preparing, queued, running } = this.#phases;
    if (preparing + queued + running === 0) this.#onEmpty();
  };

  #start(requests: readonly PoolRequest[]): void {
    const batch: PoolBatch = {
      ...{ requests, cancellation: new Cancellation() },
      ...{ hasEnded: false, unsettled: requests.length },
    };
    const startedAt = performance.now();
    for (const request of requests) {
      this.#move(request, 'running');
      request.batch = batch;
      request.startedAt = startedAt;
    }
    const generation = this.#generation;
    generation.begin();
    // In a turn of its own: the code that queued the request may be inside a tidy block.
    queueMicrotask(() => this.#resource.runInAsyncScope(() => void this.#runBatch(batch, generation)));
  }

  async #runBatch(batch: PoolBatch, generation: Generation): Promise<void> {
    const { requests, cancellation } = batch;
    const startedAt = performance.now();
    let failure: unknown;
    let hasReleased = false;
    try {
      if (!cancellation.isCancelled) {
        const results = await computeBatch(batch, generation.engine, this.#holder, this.#collation);
        batch.hasEnded = true;
        // The next batch starts first, in a microtask: it is computed while the requests of this one are answered.
        hasReleased = true;
        this.#batcher.release();
        await undefined;
        answerBatch(batch, results, this.#collation);
      }
    } catch (error) {
      failure = error;
      batch.hasEnded = true;
      for (const request of requests) this.#fail(request, error);
    }
    cancellation.end();
    for (const request of requests)
      if (request.isSettled && request.input !== undefined) this.#holder.release(request.input);
    const ms = performance.now() - startedAt;
    const rows = requests.reduce((sum, request) => sum + request.rows, 0);
    this.#msPerRequest += (ms / requests.length - this.#msPerRequest) * (this.#msPerRequest === 0 ? 1 : 0.1);
    this.#metrics.batch(requests.length, rows, ms, failure);
    generation.end();
    if (!hasReleased) this.#batcher.release();
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

  /** Repeats a request in a batch by itself: it is not known which request of a batch is the cause of the failure. */
  #repeatAlone(request: PoolRequest): void {
    this.#metrics.retry();
    // With a key of its own it does not wait behind requests that wait for more.
    const key = `${request.key};alone`;
    Object.assign(request, { batch: undefined, startedAt: undefined, alone: true, key });
    this.#move(request, 'queued');
    this.#batcher.add(request);
  }

  async #replace(replacement: Replacement): Promise<void> {
    if (this.#closed) throw new PoolClosedError('Expected an open pool for swap, but it was closed');
    const start = performance.now();
    try {
      const { source, state } = parseReplacement(this.#options.source.kind, replacement);
      if (source) {
        const old = this.#generation;
        this.#generation = new Generation(await createEngine(source, this.#settings));
        this.#batcher.maxBatch = maxBatchOf(this.#generation.engine, this.#options);
        await old.idle();
        await old.engine.close();
      } else {
        this.#batcher.pause();
        try {
          await this.#generation.idle();
          await this.#generation.engine.loadStateDict(state);
        } finally {
          this.#batcher.resume();
        }
      }
    } catch (error) {
      this.#metrics.swap(performance.now() - start, error);
      throw error instanceof WorkerDied ? new WorkerError(error.message, { cause: error }) : error;
    }
    this.#metrics.swap(performance.now() - start, undefined);
  }

  async #drain(): Promise<void> {
    this.#batcher.flush();
    const { preparing, queued, running } = this.#phases;
    if (preparing + queued + running > 0)
      await new Promise<void>((resolve) => {
        this.#onEmpty = resolve;
      });
    await this.#swaps;
    // A batch that no request waits for any more. A worker is ended instead.
    if (this.#options.source.kind !== 'module') await this.#generation.idle();
    await this.#generation.engine.close();
    this.#collation.dispose(this.#settings.warmup);
    this.#metrics.close();
  }
}
