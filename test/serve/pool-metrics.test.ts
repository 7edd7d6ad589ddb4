import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { serve, type Tensor, tensor, zeros } from '../../lib/index.js';
import { EagerProgram, sumTimes } from './support/eager-program.js';

const row = () => tensor([[1, 2, 3]]);
const ignore = () => {};

/** A pool after one request of every kind that ends at once, and two that are under way. */
async function busyPool(name?: string) {
  const program = new EagerProgram(sumTimes(1), 20);
  const pool = await serve.createPool({ program, name, batching: { maxBatch: 2, maxQueue: 1 } });
  using x = row();
  using bad = zeros([1, 4]);
  const run = async (input: Tensor, options = {}) => (await pool.run(input, options)).dispose();
  await run(x);
  await Promise.all([run(x), run(x)]);
  await run(bad).catch(ignore);
  const late = () => run(x, { timeoutMs: 1 }).catch(ignore);
  await Promise.all([late(), late()]); // A full batch starts at once.
  await sleep(40);
  const waiting = [run(x), run(x), run(x), run(x).catch(ignore)];
  return { pool, waiting };
}

describe('metrics()', () => {
  it('counts requests by how they ended, batches by size, and what waits', async () => {
    const { pool, waiting } = await busyPool();
    const metrics = pool.metrics();
    expect(metrics).toMatchObject({
      ...{ queued: 1, running: 2, runningBatches: 1, accepted: 9, answered: 3, failed: 1, timedOut: 2 },
      ...{ aborted: 0, crashed: 0, retried: 0, workerExits: 0, swaps: 0, batches: 4 },
      refused: { overloaded: 1, closed: 0, invalid: 0 },
      batchSizes: { 1: 2, 2: 2 },
    });
    const { p50, p95, p99 } = metrics.latencyMs;
    expect(p50).toBeGreaterThan(15);
    expect(p95).toBeGreaterThanOrEqual(p50);
    expect(p99).toBeGreaterThanOrEqual(p95);
    expect(metrics.queueMs.p50).toBeLessThan(p50);
    expect(metrics.memory.numTensors).toBeGreaterThan(0);
    expect(metrics.memory.rss).toBeGreaterThan(1e6);
    await Promise.all(waiting);
    await pool.close();
    expect(pool.metrics()).toMatchObject({ queued: 0, running: 0, accepted: 9, answered: 6 });
  });
});

describe('prometheus()', () => {
  it('gives the text that prom-client gives, synchronously', async () => {
    const { pool, waiting } = await busyPool('a "quoted"\\name');
    const text = pool.prometheus();
    const own = (lines: string) =>
      lines
        .split('\n')
        .filter((line) => !line.startsWith('dyconv_memory_'))
        .sort();
    expect(own(text)).toEqual(own(await pool.registry.metrics()));
    await Promise.all(waiting);
    await pool.close();
  });

  it('has a sample for every figure, in the format of Prometheus', async () => {
    const { pool, waiting } = await busyPool('photos');
    const samples = parse(pool.prometheus());
    expect(samples).toMatchObject({
      'dyconv_pool_requests_total{pool="photos",outcome="answered"}': 3,
      'dyconv_pool_requests_total{pool="photos",outcome="failed"}': 1,
      'dyconv_pool_requests_total{pool="photos",outcome="timeout"}': 2,
      'dyconv_pool_refused_total{pool="photos",reason="overloaded"}': 1,
      'dyconv_pool_queue_length{pool="photos"}': 1,
      'dyconv_pool_in_flight_requests{pool="photos"}': 2,
      'dyconv_pool_in_flight_batches{pool="photos"}': 1,
      'dyconv_pool_batch_size_bucket{le="1",pool="photos"}': 2,
      'dyconv_pool_batch_size_bucket{le="2",pool="photos"}': 4,
      'dyconv_pool_batch_size_bucket{le="+Inf",pool="photos"}': 4,
      'dyconv_pool_batch_size_sum{pool="photos"}': 6,
      'dyconv_pool_request_duration_seconds_count{pool="photos"}': 3,
      'dyconv_pool_worker_exits_total{pool="photos"}': 0,
      'dyconv_pool_swaps_total{pool="photos"}': 0,
    });
    expect(samples['dyconv_memory_allocated_bytes{pool="photos"}']).toBeGreaterThan(0);
    await Promise.all(waiting);
    await pool.close();
  });

  it('keeps pools apart', async () => {
    await using first = await serve.createPool({ run: (x: Tensor) => x, name: 'first' });
    await using second = await serve.createPool({ run: (x: Tensor) => x, name: 'second' });
    using x = row();
    (await first.run(x)).dispose();
    expect(first.prometheus()).toContain('dyconv_pool_requests_total{pool="first",outcome="answered"} 1');
    expect(second.prometheus()).not.toContain('dyconv_pool_requests_total{');
  });
});

describe('diagnostics_channel', () => {
  const events: [string, Record<string, unknown>][] = [];
  const listeners = ['request', 'batch', 'refuse', 'swap', 'close'].map((what) => ({
    name: `dyconv:pool:${what}`,
    listen: (event: unknown) => void events.push([what, event as Record<string, unknown>]),
  }));
  afterEach(() => {
    for (const { name, listen } of listeners) unsubscribe(name, listen);
    events.length = 0;
  });

  it('publishes requests, batches, refusals, swaps and the end', async () => {
    for (const { name, listen } of listeners) subscribe(name, listen);
    const pool = await serve.createPool({ run: sumTimes(1), name: 'p' });
    using x = row();
    using bad = zeros([1, 4]);
    (await pool.run(x)).dispose();
    await pool.run(bad).catch(ignore);
    await pool.swap(sumTimes(2).stateDict());
    await pool.close();
    const refused = await pool.run(x).catch((error: Error) => error);
    expect(events.map(([what]) => what)).toEqual([
      ...['request', 'batch', 'request', 'batch'],
      ...['swap', 'close', 'refuse'],
    ]);
    const [request, batch, failed] = events.map(([, event]) => event);
    expect(request).toMatchObject({ pool: 'p', outcome: 'answered', rows: 1, error: undefined });
    expect(request!.totalMs).toBeGreaterThanOrEqual(request!.queueMs as number);
    expect(batch).toMatchObject({ pool: 'p', requests: 1, rows: 1, error: undefined });
    expect(failed).toMatchObject({ outcome: 'failed', error: { code: 'ERR_SHAPE' } });
    expect(events[6]![1]).toEqual({ pool: 'p', reason: 'closed', error: refused });
  });
});

/** Reads the text format of Prometheus strictly. */
function parse(text: string): Record<string, number> {
  const samples: Record<string, number> = {};
  const types = new Map<string, string>();
  expect(text.endsWith('\n')).toBe(true);
  for (const line of text.split('\n')) {
    if (line === '' || /^# HELP [a-z_]+ \S.*$/.test(line)) continue;
    const type = /^# TYPE ([a-z_]+) (counter|gauge|histogram)$/.exec(line);
    if (type) {
      expect(types.has(type[1]!), line).toBe(false);
      types.set(type[1]!, type[2]!);
      continue;
    }
    const sample =
      /^(([a-z_]+?)(?:_bucket|_sum|_count)?)(\{[a-z]+="(?:[^"\\\n]|\\[\\"n])*"(?:,[a-z]+="(?:[^"\\\n]|\\[\\"n])*")*\}) (\d+(?:\.\d+)?(?:e[-+]?\d+)?)$/.exec(
        line,
      );
    expect(sample, line).not.toBeNull();
    expect(types.has(sample![2]!) || types.has(sample![1]!), line).toBe(true);
    samples[`${sample![1]}${sample![3]}`] = Number(sample![4]);
  }
  return samples;
}
