/**
 * An inference server: requests are collected into batches, with back-pressure, time limits, hot swap and metrics.
 * @module
 */
import { AsyncResource } from 'node:async_hooks';
import type { Registry } from 'prom-client';
import { checkOptions } from '../check/index.js';
import { checkSignal } from '../check/signal.js';
import { OverloadedError, PoolClosedError, WorkerError } from '../errors.js';
import { Batcher } from './batcher.js';
import { COLLATIONS, type Collation } from './collation.js';
import {
  createEngine,
  type EngineSettings,
  holdWarmup,
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
  type Outcome,
  type Phase,
  type PoolBatch,
  PoolRequest,
  type Refusal,
  type RequestOptions,
} from './pool-request.js';
import { WorkerDied } from './worker-engine.js';
import { UnpostableError } from './worker-protocol.js';

/** Batches of a replaced engine end before it is closed. */
interface Generation {
  readonly engine: Engine;
  /** Number of its batches that run. */
  running: number;
  /** Called when the last one has ended. */
  onIdle?: () => void;
}

/** A pool that answers requests in batches. Created by {@link createPool}. */
export class Pool<I = unknown, O = unknown> {
  readonly #options: ResolvedPoolOptions;
  readonly #collation: Collation;
  readonly #batcher: Batcher<PoolRequest>;
  readonly #metrics: PoolMetrics;
  readonly #settings: EngineSettings;
  /** Batches run in the asynchronous context of the pool, not in that of a request. */
  readonly #resource = new AsyncResource('DyconvPool');
  readonly #phases: Record<Phase, number> = { preparing: 0, queued: 0, running: 0 };
  #generation: Generation;
  /** Inputs that are being prepared, those of settled requests included: they use the processor. */
  #preparations = 0;
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
    this.#generation = { engine, running: 0 };
    this.#metrics = metrics;
    this.#settings = settings;
    const { maxBatch, maxDelayMs, replicas } = options;
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
   * reason of the signal; ArgumentError and ShapeError for an invalid input; otherwise what the batch throws.
   */
  async run(input: I | (() => I | Promise<I>), options: RequestOptions = {}): Promise<O> {
    const { signal, timeoutMs = this.#options.timeoutMs } = checkOptions(options, REQUEST_KEYS);
    const prepare = typeof input === 'function' ? (input as () => I | Promise<I>) : undefined;
    const described = this.#admit(signal, timeoutMs, () =>
      prepare ? undefined : this.#collation.describe(input),
    );
    const onSettle = (request: PoolRequest, outcome: Outcome, error: unknown) =>
      this.#onSettle(request, outcome, error);
    const request = new PoolRequest({ signal, timeoutMs, onSettle });
    this.#metrics.accept();
    this.#phases.preparing++;
    if (described) this.#enqueue(request, this.#collation.hold(input), described);
    else void this.#prepare(request, prepare!);
    return this.#collation.adopt(await request.result) as O;
  }

  /**
   * Replaces the network while requests are answered: a program, function, module or file by another one of the same kind, or
   * the weights by a state dict. Running batches finish with the old network, waiting requests use the new one. While weights
   * are copied, requests wait.
   * @returns A promise that resolves when the old network is no longer used.
   * @throws CheckpointError and other errors if the new network cannot be used; the old one is then kept.
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

  /** Checks a request before it is accepted. @throws why it is refused. */
  #admit<T>(signal: AbortSignal | undefined, timeoutMs: number, describe: () => T): T {
    checkSignal(signal);
    checkTimeout(timeoutMs);
    signal?.throwIfAborted();
    if (this.#closed)
      throw this.#refuse('closed', new PoolClosedError('Expected an open pool, but it was closed'));
    const { maxQueue, maxBatch, replicas } = this.#options;
    const waiting = this.#batcher.length + this.#preparations;
    // Requests that a free replica can take only wait for the end of the turn or for maxDelayMs.
    if (waiting >= maxQueue + this.#batcher.freeSlots * maxBatch) {
      const message = `The queue of the pool is full: ${waiting} requests wait, and maxQueue is ${maxQueue}`;
      const retryAfterMs = Math.ceil((waiting * this.#msPerRequest) / replicas);
      throw this.#refuse('overloaded', new OverloadedError(message, retryAfterMs));
    }
    try {
      return describe();
    } catch (error) {
      throw this.#refuse('invalid', error);
    }
  }

  #refuse<E>(reason: Refusal, error: E): E {
    this.#metrics.refuse(reason, error);
    return error;
  }

  async #prepare(request: PoolRequest, prepare: () => unknown): Promise<void> {
    this.#preparations++;
    try {
      const input = await prepare();
      try {
        if (!request.isSettled) {
          const described = this.#collation.describe(input);
          this.#enqueue(request, this.#collation.hold(input), described);
        }
      } finally {
        this.#collation.dispose(input);
      }
    } catch (error) {
      request.reject('failed', error);
    } finally {
      this.#preparations--;
    }
  }

  #enqueue(request: PoolRequest, input: unknown, { key, rows }: { key: string; rows: number }): void {
    Object.assign(request, { input, key, rows, queuedAt: performance.now() });
    this.#move(request, 'queued');
    this.#batcher.add(request);
  }

  #move(request: PoolRequest, phase: Phase): void {
    this.#phases[request.phase]--;
    this.#phases[phase]++;
    request.phase = phase;
  }

  #onSettle(request: PoolRequest, outcome: Outcome, error: unknown): void {
    this.#phases[request.phase]--;
    const { batch } = request;
    if (batch === undefined) {
      this.#batcher.remove(request);
      if (request.input !== undefined) this.#collation.dispose(request.input);
    } else if (--batch.unsettled === 0 && !batch.hasEnded) batch.controller.abort();
    this.#metrics.settle(outcome, request, request.rows, error);
    const { preparing, queued, running } = this.#phases;
    if (preparing + queued + running === 0) this.#onEmpty?.();
  }

  #start(requests: readonly PoolRequest[]): void {
    const batch: PoolBatch = {
      ...{ requests, controller: new AbortController() },
      ...{ hasEnded: false, unsettled: requests.length },
    };
    const startedAt = performance.now();
    for (const request of requests) {
      this.#move(request, 'running');
      Object.assign(request, { batch, startedAt });
    }
    const generation = this.#generation;
    generation.running++;
    // In a turn of its own: the code that queued the request may be inside a tidy block.
    queueMicrotask(() => this.#resource.runInAsyncScope(() => void this.#runBatch(batch, generation)));
  }

  async #runBatch(batch: PoolBatch, generation: Generation): Promise<void> {
    const { requests, controller } = batch;
    const startedAt = performance.now();
    let failure: unknown;
    let hasReleased = false;
    try {
      if (!controller.signal.aborted) {
        const results = await this.#compute(batch, generation.engine);
        batch.hasEnded = true;
        // The next batch starts first, in a microtask: it is computed while the requests of this one are answered.
        hasReleased = true;
        this.#batcher.release();
        await undefined;
        this.#answer(batch, results);
      }
    } catch (error) {
      failure = error;
      batch.hasEnded = true;
      for (const request of requests) this.#fail(request, error);
    }
    for (const request of requests) if (request.isSettled) this.#collation.dispose(request.input);
    const ms = performance.now() - startedAt;
    const rows = requests.reduce((sum, request) => sum + request.rows, 0);
    this.#msPerRequest += (ms / requests.length - this.#msPerRequest) * (this.#msPerRequest === 0 ? 1 : 0.1);
    this.#metrics.batch(requests.length, rows, ms, failure);
    if (--generation.running === 0) generation.onIdle?.();
    if (!hasReleased) this.#batcher.release();
  }

  /** The results of the requests of a batch. */
  async #compute({ requests, controller }: PoolBatch, engine: Engine): Promise<unknown[]> {
    const inputs = requests.map(({ input }) => input);
    if (engine.runBatch) return engine.runBatch(inputs, controller.signal);
    const { input, release } = this.#collation.join(inputs);
    try {
      const output = await engine.run(input, controller.signal);
      const rows = requests.map(({ rows, isSettled }) => ({ count: rows, wanted: !isSettled }));
      return this.#collation.split(output, rows, input);
    } finally {
      release();
    }
  }

  #answer({ requests }: PoolBatch, results: readonly unknown[]): void {
    for (const [i, request] of requests.entries()) {
      const result = results[i];
      if (result instanceof Error) request.reject('failed', result);
      else if (!request.resolve(result) && result !== undefined) this.#collation.dispose(result);
    }
  }

  /** A request whose worker ended is repeated once. */
  #fail(request: PoolRequest, error: unknown): void {
    if (request.isSettled) return;
    // It is not known which input of the batch cannot be passed to the worker.
    if (error instanceof UnpostableError && !request.alone && request.batch!.requests.length > 1)
      this.#repeatAlone(request);
    else if (!(error instanceof WorkerDied)) request.reject('failed', error);
    else if (++request.crashes > 1) {
      const message = `The worker of the request ended, also at the second attempt: ${error.message}`;
      request.reject('crashed', new WorkerError(message, { cause: error }));
    } else {
      this.#metrics.retry();
      this.#repeatAlone(request);
    }
  }

  /** Repeats a request in a batch by itself: others must not suffer if it is the cause of the failure. */
  #repeatAlone(request: PoolRequest): void {
    Object.assign(request, { batch: undefined, startedAt: undefined, alone: true });
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
        this.#generation = { engine: await createEngine(source, this.#settings), running: 0 };
        await idle(old);
        await old.engine.close();
      } else {
        this.#batcher.pause();
        try {
          await idle(this.#generation);
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
    // A batch that no request waits for any more. A worker is ended instead: its function may never return.
    if (this.#options.source.kind !== 'module') await idle(this.#generation);
    await this.#generation.engine.close();
    this.#collation.dispose(this.#settings.warmup);
    this.#metrics.close();
  }
}

function idle(generation: Generation): Promise<void> {
  if (generation.running === 0) return Promise.resolve();
  return new Promise((resolve) => {
    generation.onIdle = resolve;
  });
}
