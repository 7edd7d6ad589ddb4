/**
 * The metrics of pools in the format of Prometheus.
 * @module
 */
import type { Counter, Gauge, Histogram, Registry, RegistryContentType } from 'prom-client';
import { ArgumentError } from '../errors.js';
import { memory } from '../runtime/memory.js';
import type { Outcome, Refusal } from './pool-request.js';
import { counterSeries, histogramSeries } from './prometheus-series.js';
import { metricsText } from './prometheus-text.js';

type Client = typeof import('prom-client');

/** A registry of either text format. */
export type AnyRegistry = Registry<RegistryContentType>;

/** Upper bounds of durations in seconds. */
const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** Upper bounds of batch sizes. They are the same for all pools, because pools can share a registry. */
const ROWS = Array.from({ length: 11 }, (_, power) => 2 ** power);

/** What a pool reports about its present state. */
export interface PoolState {
  queued: number;
  running: number;
  runningBatches: number;
}

/** Counts events of a pool. */
export interface PrometheusMetrics {
  registry: AnyRegistry;
  request: (outcome: Outcome) => void;
  refusal: (reason: Refusal) => void;
  retry: () => void;
  workerExit: () => void;
  swap: () => void;
  /** All in seconds. */
  duration: (seconds: number) => void;
  queueDuration: (seconds: number) => void;
  batchDuration: (seconds: number) => void;
  batchSize: (rows: number) => void;
  /** The metrics of the pool as text. */
  text: () => string;
  /** The state of the pool is no longer reported, and its name is free. Counters and histograms stay. */
  release: () => void;
}

type Metric = Counter | Gauge | Histogram;

/** Metrics that are registered together. */
interface Metrics {
  requests: Counter<'pool' | 'outcome'>;
  refusals: Counter<'pool' | 'reason'>;
  totals: Record<'retries' | 'workerExits' | 'swaps', Counter<'pool'>>;
  histograms: Record<'duration' | 'queueDuration' | 'batchDuration' | 'batchSize', Histogram<'pool'>>;
  gauges: Gauge<'pool'>[];
}

function createMetrics(prom: Client, pools: ReadonlyMap<string, () => PoolState>): Metrics {
  const labelNames = ['pool'] as const;
  const registers: Registry[] = [];
  const counter = <L extends string>(name: string, help: string, label: L) =>
    new prom.Counter({ name, help, labelNames: ['pool', label], registers });
  const total = (name: string, help: string) => new prom.Counter({ name, help, labelNames, registers });
  const histogram = (name: string, help: string, buckets = SECONDS) =>
    new prom.Histogram({ name, help, buckets, labelNames, registers });
  const gauge = (name: string, help: string, read: (state: PoolState) => number) => {
    const metric: Gauge<'pool'> = new prom.Gauge({
      ...{ name, help, labelNames, registers },
      collect() {
        for (const [pool, state] of pools) metric.set({ pool }, read(state()));
      },
    });
    return metric;
  };
  return {
    gauges: [
      gauge('dyconv_pool_queue_length', 'Requests that wait for a batch', ({ queued }) => queued),
      gauge('dyconv_pool_in_flight_requests', 'Requests in batches that run', ({ running }) => running),
      gauge('dyconv_pool_in_flight_batches', 'Batches that run', ({ runningBatches }) => runningBatches),
      gauge('dyconv_memory_allocated_bytes', 'CPU memory of tensors in use', () => memory().allocatedBytes),
      gauge('dyconv_memory_cached_bytes', 'CPU memory kept for reuse', () => memory().cachedBytes),
      gauge(
        'dyconv_memory_live_tensors',
        'Live tensors of the thread of the pool',
        () => memory().numTensors,
      ),
    ],
    requests: counter('dyconv_pool_requests_total', 'Accepted requests that were settled', 'outcome'),
    refusals: counter('dyconv_pool_refused_total', 'Requests that were not accepted', 'reason'),
    totals: {
      retries: total('dyconv_pool_retries_total', 'Requests that were repeated because their batch failed'),
      workerExits: total(
        'dyconv_pool_worker_exits_total',
        'Worker threads that ended unexpectedly or were ended',
      ),
      swaps: total('dyconv_pool_swaps_total', 'Finished swaps of weights or networks'),
    },
    histograms: {
      duration: histogram('dyconv_pool_request_duration_seconds', 'From acceptance to answer'),
      queueDuration: histogram('dyconv_pool_queue_duration_seconds', 'From acceptance to the batch'),
      batchDuration: histogram('dyconv_pool_batch_duration_seconds', 'Duration of batches'),
      batchSize: histogram('dyconv_pool_batch_size', 'Rows of batches', ROWS),
    },
  };
}

/** The metrics of all pools that use a registry. A metric has a series for every pool, with its name as the label `pool`. */
class PoolRegistry {
  readonly registry: AnyRegistry;
  readonly #metrics: Metrics;
  /** By name as they were created: a registry of OpenMetrics changes the names of counters. */
  readonly #registered: ReadonlyMap<string, Metric>;
  /** States of the open pools by name. */
  readonly #pools = new Map<string, () => PoolState>();
  /** Names of all pools so far: a later pool with the same name continues the counters. */
  readonly #names = new Set<string>();

  /** @throws ArgumentError when the registry has other metrics of these names. */
  constructor(prom: Client, registry: AnyRegistry) {
    this.registry = registry;
    this.#metrics = createMetrics(prom, this.#pools);
    const { gauges, requests, refusals, totals, histograms } = this.#metrics;
    const all = [...gauges, requests, refusals, ...Object.values(totals), ...Object.values(histograms)];
    this.#registered = new Map(all.map((metric) => [(metric as Metric & { name: string }).name, metric]));
    for (const name of this.#registered.keys())
      if (registry.getSingleMetric(name) !== undefined)
        throw new ArgumentError(
          `Expected a registry without other metrics of pools for registry but it has another ${name}`,
        );
    for (const metric of this.#registered.values()) registry.registerMetric(metric);
  }

  /** Whether the metrics are still registered: `registry.clear()` removes them. */
  get isRegistered(): boolean {
    return [...this.#registered].every(([name, metric]) => this.registry.getSingleMetric(name) === metric);
  }

  /** @throws ArgumentError when an open pool has the same name. */
  add(pool: string, state: () => PoolState): PrometheusMetrics {
    if (this.#pools.has(pool))
      throw new ArgumentError(
        `Expected a name that no other open pool of the registry has for name but received '${pool}' (string)`,
      );
    this.#pools.set(pool, state);
    const { requests, refusals, totals, histograms, gauges } = this.#metrics;
    const labels = { pool };
    if (!this.#names.has(pool)) {
      this.#names.add(pool);
      for (const counter of Object.values(totals)) counter.inc(labels, 0);
      for (const histogram of Object.values(histograms)) histogram.zero(labels);
    }
    const outcomes = new Map<Outcome, () => void>();
    const outcomeSeries = (outcome: Outcome) => {
      const count = counterSeries(requests, { pool, outcome });
      outcomes.set(outcome, count);
      return count;
    };
    return {
      registry: this.registry,
      request: (outcome) => (outcomes.get(outcome) ?? outcomeSeries(outcome))(),
      refusal: (reason) => refusals.inc({ pool, reason }),
      retry: () => totals.retries.inc(labels),
      workerExit: () => totals.workerExits.inc(labels),
      swap: () => totals.swaps.inc(labels),
      duration: histogramSeries(histograms.duration, labels),
      queueDuration: histogramSeries(histograms.queueDuration, labels),
      batchDuration: histogramSeries(histograms.batchDuration, labels),
      batchSize: histogramSeries(histograms.batchSize, labels),
      text: () => metricsText(this.#registered, pool),
      release: () => {
        if (this.#pools.get(pool) !== state) return;
        this.#pools.delete(pool);
        for (const gauge of gauges) gauge.remove(labels);
      },
    };
  }
}

const registries = new WeakMap<AnyRegistry, PoolRegistry>();

/**
 * The metrics of a pool. prom-client is loaded with the first pool.
 * @param pool - Value of the label `pool`.
 * @param registry - Where they are registered; undefined: a registry that no other pool has.
 * @throws ArgumentError when another open pool of the registry has the name, or the registry has other metrics of these names.
 */
export async function createPrometheus(
  pool: string,
  registry: AnyRegistry | undefined,
  state: () => PoolState,
): Promise<PrometheusMetrics> {
  const { default: prom } = await import('prom-client');
  const target: AnyRegistry = registry ?? new prom.Registry();
  let metrics = registries.get(target);
  if (!metrics?.isRegistered) {
    metrics = new PoolRegistry(prom, target);
    registries.set(target, metrics);
  }
  return metrics.add(pool, state);
}
