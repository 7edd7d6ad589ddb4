/**
 * An inference server: requests are collected into batches, with back-pressure, time limits, hot swap and metrics.
 * @module
 */
import type { Registry } from 'prom-client';
import { checkOptions } from '../check/index.js';
import { isPromise } from '../check/promise.js';
import { checkSignal } from '../check/signal.js';
import { OverloadedError, PoolClosedError, ShapeError } from '../errors.js';
import { currentBlock } from '../tensor/context.js';
import { Batches } from './batches.js';
import { COLLATIONS, type Collation, type Holder } from './collation.js';
import {
  createEngine,
  type EngineSettings,
  holdWarmup,
  maxBatchOf,
  type Replacement,
} from './create-engine.js';
import type { Engine } from './engine.js';
import { Networks } from './networks.js';
import { PoolMetrics, type PoolMetricsSnapshot } from './pool-metrics.js';
import {
  checkTimeout,
  type PoolOptions,
  REQUEST_KEYS,
  type ResolvedPoolOptions,
  resolvePoolOptions,
  SWAP_KEYS,
} from './pool-options.js';
import type { PoolState } from './pool-prometheus.js';
import {
  type OnSettle,
  PhaseCounts,
  PoolRequest,
  type Refusal,
  type RequestOptions,
} from './pool-request.js';
import { Preparations } from './preparations.js';
import type { Held } from './rows.js';
import type { SwapOptions } from './swap.js';

/** A pool that answers requests in batches. Created by {@link createPool}. */
export class Pool<I = unknown, O = unknown> {
  readonly #options: ResolvedPoolOptions;
  readonly #collation: Collation;
  readonly #holder: Holder;
  readonly #metrics: PoolMetrics;
  readonly #phases = new PhaseCounts();
  readonly #preparations = new Preparations();
  readonly #batches: Batches;
  readonly #networks: Networks;
  /** Also used for later networks. */
  readonly #warmup: unknown;
  #closed: Promise<void> | undefined;
  #onEmpty: (() => void) | undefined;

  private constructor(
    options: ResolvedPoolOptions,
    engine: Engine,
    metrics: PoolMetrics,
    settings: EngineSettings,
  ) {
    const { inputs, source } = options;
    this.#options = options;
    this.#metrics = metrics;
    this.#warmup = settings.warmup;
    this.#collation = COLLATIONS[inputs];
    this.#holder = this.#collation.holder();
    this.#batches = new Batches({
      ...{ ...options, maxBatch: maxBatchOf(engine, options) },
      ...{ collation: this.#collation, holder: this.#holder, metrics, phases: this.#phases },
      generation: () => this.#networks.current,
    });
    const { batcher } = this.#batches;
    this.#networks = new Networks(engine, { kind: source.kind, settings, metrics, batcher });
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
   * @param input - The caller can dispose a tensor at once, but must not change its values before the answer; other
   *   values are passed as they are. A function, for inputs that are slow to prepare, is called after the request was accepted;
   *   the pool owns its result.
   * @returns The rows of the result that belong to the input, which the caller must dispose.
   * @throws OverloadedError when the queue is full; PoolClosedError after {@link close}; RequestTimeoutError; WorkerError; the
   * reason of the signal; ArgumentError and ShapeError for an invalid input; otherwise what the network throws
   * for this input: if a batch of several requests fails, each request is repeated separately.
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
   *
   * Swaps run one after another. One that has not ended one second after {@link close} is rejected with a PoolClosedError.
   * @param options.timeoutMs - Milliseconds until a SwapTimeoutError, for networks whose code may never end. Default Infinity.
   * @returns A promise that resolves when the old network is no longer used.
   * @throws DisposedError for a disposed program; CheckpointError and other errors if the new network or weights cannot be used; the
   * old ones are then kept. SwapTimeoutError says whether they are.
   */
  async swap(replacement: Replacement, options: SwapOptions = {}): Promise<void> {
    const { timeoutMs = Number.POSITIVE_INFINITY } = checkOptions(options, SWAP_KEYS);
    await this.#networks.swap(replacement, checkTimeout(timeoutMs));
  }

  /** Metrics since the creation of the pool. */
  metrics(): PoolMetricsSnapshot {
    return this.#metrics.snapshot();
  }

  /** The metrics of this pool in the text format of Prometheus, version 0.0.4. */
  prometheus(): string {
    return this.#metrics.text;
  }

  /** The registry of prom-client with the metrics: the option `registry`, or a separate one of this pool. */
  get registry(): Registry {
    return this.#metrics.registry as Registry;
  }

  /** @internal */
  get state(): PoolState {
    const { preparing, queued, running } = this.#phases;
    return { queued: preparing + queued, running, runningBatches: this.#batches.batcher.running };
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
    this.#phases.begin(request);
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
    const { batcher, msPerRequest } = this.#batches;
    const maxBatch = this.#networks.current.engine.batchRows === undefined ? batcher.maxBatch : 1;
    const waiting = batcher.length + this.#preparations.count;
    // Requests that a free replica can take wait only for the end of the event-loop iteration or for maxDelayMs.
    if (waiting >= maxQueue + batcher.freeSlots * maxBatch) {
      const message = `The queue of the pool is full: ${waiting} requests wait, and maxQueue is ${maxQueue}`;
      const retryAfterMs = Math.ceil((waiting * msPerRequest) / replicas);
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
    const { batchRows } = this.#networks.current.engine;
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
    const enqueue = (value: unknown) => {
      this.#enqueuePrepared(request, value);
      end();
    };
    try {
      const input = prepare();
      if (isPromise(input)) Promise.resolve(input).then(enqueue, fail);
      else enqueue(input);
    } catch (error) {
      fail(error);
    }
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
    this.#phases.move(request, 'queued');
    this.#batches.batcher.add(request);
  }

  readonly #onSettle: OnSettle = (request, outcome, now, error) => {
    this.#phases.end(request);
    this.#preparations.abandon(request);
    const { batch } = request;
    if (batch === undefined) {
      this.#batches.batcher.remove(request);
      if (request.input !== undefined) this.#holder.release(request.input);
    } else if (--batch.unsettled === 0 && !batch.hasEnded) batch.cancellation.cancel();
    this.#metrics.settle(outcome, request, now, error);
    if (this.#phases.total === 0) this.#onEmpty?.();
  };

  async #drain(): Promise<void> {
    this.#batches.batcher.flush();
    this.#networks.beginClosing();
    if (this.#phases.total > 0)
      await new Promise<void>((resolve) => {
        this.#onEmpty = resolve;
      });
    try {
      await this.#networks.close();
    } finally {
      this.#collation.dispose(this.#warmup);
      this.#metrics.close();
    }
  }
}
