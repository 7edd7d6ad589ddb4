/**
 * The metrics of a pool in the format of Prometheus.
 * @module
 */
import type { Gauge, Registry } from 'prom-client';
import { memory } from '../runtime/memory.js';
import type { Outcome, Refusal } from './pool-request.js';

/** Upper bounds of durations in seconds. */
const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** What a pool reports about its present state. */
export interface PoolState {
  queued: number;
  running: number;
  runningBatches: number;
}

/** Counts events of a pool. */
export interface PrometheusMetrics {
  registry: Registry;
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
}

/**
 * Metrics in a registry of their own, so that a process can have several pools. prom-client is loaded with the first pool.
 * @param pool - Value of the label `pool`.
 * @param maxBatch - The buckets of batch sizes are the powers of two up to it.
 */
export async function createPrometheus(
  pool: string,
  maxBatch: number,
  state: () => PoolState,
): Promise<PrometheusMetrics> {
  const { default: prom } = await import('prom-client');
  const registry = new prom.Registry();
  const registers = [registry];
  const labels = { pool };
  const counter = <L extends string>(name: string, help: string, label: L) => {
    const metric = new prom.Counter({ name, help, labelNames: ['pool', label], registers });
    return (value: string) => metric.inc({ pool, [label]: value } as Record<'pool' | L, string>);
  };
  const total = (name: string, help: string) => {
    const metric = new prom.Counter({ name, help, labelNames: ['pool'], registers });
    metric.inc(labels, 0);
    return () => metric.inc(labels);
  };
  const histogram = (name: string, help: string, buckets: number[]) => {
    const metric = new prom.Histogram({ name, help, buckets, labelNames: ['pool'], registers });
    metric.zero(labels);
    return (value: number) => metric.observe(labels, value);
  };
  const gauge = (name: string, help: string, read: () => number) => {
    const metric: Gauge<'pool'> = new prom.Gauge({
      ...{ name, help, labelNames: ['pool'] as const, registers },
      collect: () => metric.set(labels, read()),
    });
  };
  gauge('dyconv_pool_queue_length', 'Requests that wait for a batch', () => state().queued);
  gauge('dyconv_pool_in_flight_requests', 'Requests in batches that run', () => state().running);
  gauge('dyconv_pool_in_flight_batches', 'Batches that run', () => state().runningBatches);
  gauge('dyconv_memory_allocated_bytes', 'CPU memory of tensors in use', () => memory().allocatedBytes);
  gauge('dyconv_memory_cached_bytes', 'CPU memory kept for reuse', () => memory().cachedBytes);
  gauge('dyconv_memory_live_tensors', 'Live tensors of the thread of the pool', () => memory().numTensors);
  const sizes = Array.from({ length: Math.ceil(Math.log2(maxBatch)) + 1 }, (_, i) =>
    Math.min(2 ** i, maxBatch),
  );
  return {
    registry,
    request: counter('dyconv_pool_requests_total', 'Accepted requests that were settled', 'outcome'),
    refusal: counter('dyconv_pool_refused_total', 'Requests that were not accepted', 'reason'),
    retry: total('dyconv_pool_retries_total', 'Requests that were repeated because their worker ended'),
    workerExit: total('dyconv_pool_worker_exits_total', 'Worker threads that ended unexpectedly'),
    swap: total('dyconv_pool_swaps_total', 'Finished swaps of weights or networks'),
    duration: histogram('dyconv_pool_request_duration_seconds', 'From acceptance to answer', SECONDS),
    queueDuration: histogram('dyconv_pool_queue_duration_seconds', 'From acceptance to the batch', SECONDS),
    batchDuration: histogram('dyconv_pool_batch_duration_seconds', 'Duration of batches', SECONDS),
    batchSize: histogram('dyconv_pool_batch_size', 'Rows of batches', sizes),
  };
}
