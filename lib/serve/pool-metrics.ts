/**
 * Metrics of a pool: as numbers, and as events of `node:diagnostics_channel`.
 * @module
 */
import { type Channel, channel } from 'node:diagnostics_channel';
import { type MemoryStats, memory } from '../runtime/memory.js';
import {
  type AnyRegistry,
  createPrometheus,
  type PoolState,
  type PrometheusMetrics,
} from './pool-prometheus.js';
import type { Outcome, Refusal } from './pool-request.js';

/** Percentiles in milliseconds of the last 4,096 answered requests; NaN if there are none. */
export interface Latency {
  /** Median. */
  p50: number;
  /** 95th percentile. */
  p95: number;
  /** 99th percentile. */
  p99: number;
}

/** Result of {@link Pool.metrics}. Counts are those since the pool was created. */
export interface PoolMetricsSnapshot {
  /** Requests that wait for a batch, including those whose input is being prepared. */
  queued: number;
  /** Requests in batches that run. */
  running: number;
  /** Batches that run. */
  runningBatches: number;
  /** Requests that were accepted: the sum of `queued`, `running`, `answered`, `failed`, `timedOut`, `aborted` and `crashed`. */
  accepted: number;
  /** Requests that were not accepted, by reason. */
  refused: Record<Refusal, number>;
  /** Requests with a result. */
  answered: number;
  /** Requests whose batch or preparation failed. */
  failed: number;
  /** Requests with a RequestTimeoutError. */
  timedOut: number;
  /** Requests that their signal aborted. */
  aborted: number;
  /** Requests with a WorkerError: their worker ended twice. */
  crashed: number;
  /** Requests that were repeated because their batch failed or its worker ended. */
  retried: number;
  /** Batches that were run. */
  batches: number;
  /** Number of batches by number of rows. */
  batchSizes: Record<number, number>;
  /** From acceptance to answer. */
  latencyMs: Latency;
  /** From acceptance to the start of the batch. */
  queueMs: Latency;
  /** Worker threads that ended unexpectedly, or were ended because their function did not return. */
  workerExits: number;
  /** Finished swaps. */
  swaps: number;
  /** Memory of the tensors, see {@link memory}, and the resident size of the process in bytes. */
  memory: MemoryStats & { rss: number };
}

/** Event of the channel `dyconv:pool:request`: a request was settled. */
export interface PoolRequestEvent {
  /** Name of the pool. */
  pool: string;
  /** How the request ended. */
  outcome: Outcome;
  /** Rows of its input. */
  rows: number;
  /** Milliseconds from acceptance to the start of the batch; undefined if it did not start. */
  queueMs: number | undefined;
  /** Milliseconds from acceptance to the end. */
  totalMs: number;
  /** The error, if the request has no result; otherwise undefined. */
  error: unknown;
}

/** Event of the channel `dyconv:pool:batch`: a batch ended. */
export interface PoolBatchEvent {
  /** Name of the pool. */
  pool: string;
  /** Requests in the batch. */
  requests: number;
  /** Their rows. */
  rows: number;
  /** Duration in milliseconds. */
  ms: number;
  /** The error of the batch; undefined if it succeeded. */
  error: unknown;
}

const CHANNELS = {
  request: channel('dyconv:pool:request'),
  batch: channel('dyconv:pool:batch'),
  refuse: channel('dyconv:pool:refuse'),
  swap: channel('dyconv:pool:swap'),
  worker: channel('dyconv:pool:worker'),
  close: channel('dyconv:pool:close'),
} satisfies Record<string, Channel>;

/** The last values of a quantity. */
class Window {
  static readonly SIZE = 4096;
  readonly #values = new Float64Array(Window.SIZE);
  #count = 0;

  add(value: number): void {
    this.#values[this.#count++ % Window.SIZE] = value;
  }

  percentiles(): Latency {
    const sorted = this.#values.slice(0, Math.min(this.#count, Window.SIZE)).sort();
    const at = (share: number) => sorted[Math.ceil(share * sorted.length) - 1] ?? Number.NaN;
    return { p50: at(0.5), p95: at(0.95), p99: at(0.99) };
  }
}

/** What is recorded of a request; times are milliseconds of `performance.now()`. */
interface SettledRequest {
  readonly acceptedAt: number;
  readonly startedAt: number | undefined;
  readonly rows: number;
}

/** Counts what happens in a pool. */
export class PoolMetrics {
  readonly #name: string;
  readonly #state: () => PoolState;
  readonly #counts = { accepted: 0, retried: 0, batches: 0, workerExits: 0, swaps: 0 };
  readonly #outcomes: Record<Outcome, number> = {
    answered: 0,
    failed: 0,
    timeout: 0,
    aborted: 0,
    crashed: 0,
  };
  readonly #refused: Record<Refusal, number> = { overloaded: 0, closed: 0, invalid: 0 };
  readonly #batchSizes = new Map<number, number>();
  readonly #latency = new Window();
  readonly #queue = new Window();
  readonly #prometheus: PrometheusMetrics;

  private constructor(name: string, state: () => PoolState, prometheus: PrometheusMetrics) {
    this.#name = name;
    this.#state = state;
    this.#prometheus = prometheus;
  }

  /**
   * @param registry - For the metrics of Prometheus; undefined: a new one.
   * @throws ArgumentError for a registry that has metrics of a pool with this name.
   */
  static async create(
    name: string,
    registry: AnyRegistry | undefined,
    state: () => PoolState,
  ): Promise<PoolMetrics> {
    return new PoolMetrics(name, state, await createPrometheus(name, registry, state));
  }

  /** The registry of the metrics of Prometheus. */
  get registry(): AnyRegistry {
    return this.#prometheus.registry;
  }

  /** The metrics in the text format of Prometheus. */
  get text(): string {
    return this.#prometheus.text();
  }

  accept(): void {
    this.#counts.accepted++;
  }

  refuse(reason: Refusal, error: unknown): void {
    this.#refused[reason]++;
    this.#prometheus.refusal(reason);
    this.#publish('refuse', { reason, error });
  }

  /** @param now - When the request was settled. */
  settle(outcome: Outcome, request: SettledRequest, now: number, error: unknown): void {
    const { acceptedAt, startedAt, rows } = request;
    const totalMs = now - acceptedAt;
    const queueMs = startedAt === undefined ? undefined : startedAt - acceptedAt;
    this.#outcomes[outcome]++;
    this.#prometheus.request(outcome);
    if (outcome === 'answered' && queueMs !== undefined) {
      this.#latency.add(totalMs);
      this.#queue.add(queueMs);
      this.#prometheus.duration(totalMs / 1000);
      this.#prometheus.queueDuration(queueMs / 1000);
    }
    if (CHANNELS.request.hasSubscribers) this.#publish('request', { outcome, rows, queueMs, totalMs, error });
  }

  batch(requests: number, rows: number, ms: number, error: unknown): void {
    this.#counts.batches++;
    this.#batchSizes.set(rows, (this.#batchSizes.get(rows) ?? 0) + 1);
    this.#prometheus.batchSize(rows);
    this.#prometheus.batchDuration(ms / 1000);
    this.#publish('batch', { requests, rows, ms, error });
  }

  retry(): void {
    this.#counts.retried++;
    this.#prometheus.retry();
  }

  workerExit(): void {
    this.#counts.workerExits++;
    this.#prometheus.workerExit();
    this.#publish('worker', { event: 'exit' });
  }

  swap(ms: number, error: unknown): void {
    if (error === undefined) {
      this.#counts.swaps++;
      this.#prometheus.swap();
    }
    this.#publish('swap', { ms, error });
  }

  /** Frees the name of the pool in the registry. */
  release(): void {
    this.#prometheus.release();
  }

  close(): void {
    this.release();
    this.#publish('close', {});
  }

  snapshot(): PoolMetricsSnapshot {
    const { timeout, ...outcomes } = this.#outcomes;
    return {
      ...this.#state(),
      ...this.#counts,
      ...outcomes,
      timedOut: timeout,
      refused: { ...this.#refused },
      batchSizes: Object.fromEntries(this.#batchSizes),
      latencyMs: this.#latency.percentiles(),
      queueMs: this.#queue.percentiles(),
      memory: { ...memory(), rss: process.memoryUsage.rss() },
    };
  }

  #publish(name: keyof typeof CHANNELS, event: object): void {
    if (CHANNELS[name].hasSubscribers) CHANNELS[name].publish({ pool: this.#name, ...event });
  }
}
