import * as prom from 'prom-client';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ArgumentError, nn, serve, type Tensor } from '../../lib/index.js';
import { row } from './support/eager-program.js';

const echo = (x: Tensor) => x;

/** A pool that is closed with the test, after `requests` answered requests. */
async function openPool(
  name: string,
  registry: prom.Registry<prom.RegistryContentType>,
  requests = 0,
): Promise<serve.Pool<serve.TensorInput, Tensor>> {
  const pool = await serve.createPool({ run: echo, name, registry, batching: { maxBatch: 1 } });
  onTestFinished(() => pool.close());
  using x = row();
  for (let i = 0; i < requests; i++) (await pool.run(x)).dispose();
  return pool;
}

const answered = (name: string, count: number) =>
  `dyconv_pool_requests_total{pool="${name}",outcome="answered"} ${count}\n`;

describe('the option registry', () => {
  it('has the metrics of several pools, each with its name as label', async () => {
    const registry = new prom.Registry();
    prom.collectDefaultMetrics({ register: registry });
    const first = await openPool('first', registry, 2);
    const second = await openPool('second', registry, 3);
    expect(first.registry).toBe(registry);
    const text = await registry.metrics();
    expect(text).toContain('process_cpu_user_seconds_total');
    expect(text.match(/# TYPE dyconv_pool_requests_total counter/g)).toHaveLength(1);
    for (const [name, count] of [
      ['first', 2],
      ['second', 3],
    ] as const) {
      expect(text).toContain(answered(name, count));
      expect(text).toContain(`dyconv_pool_queue_length{pool="${name}"} 0\n`);
      expect(text).toContain(`dyconv_pool_batch_size_bucket{le="1",pool="${name}"} ${count}\n`);
    }
    expect(second.metrics().answered).toBe(3);
  });

  it('leaves prometheus() the metrics of the pool alone', async () => {
    const registry = new prom.Registry();
    prom.collectDefaultMetrics({ register: registry });
    const first = await openPool('first', registry, 1);
    await openPool('second', registry, 1);
    const text = first.prometheus();
    expect(text).toContain(answered('first', 1));
    expect(text).not.toContain('pool="second"');
    expect(text).not.toContain('process_cpu');
  });

  it('refuses two open pools with one name, and gives the name of a closed one to a later pool, which counts on', async () => {
    const registry = new prom.Registry();
    const first = await openPool('photos', registry, 2);
    await expect(openPool('photos', registry)).rejects.toThrow(
      new ArgumentError(
        "Expected a name that no other open pool of the registry has for name but received 'photos' (string)",
      ),
    );
    await first.close();
    expect(await registry.metrics()).not.toContain('dyconv_pool_queue_length{');
    await openPool('photos', registry, 1);
    const text = await registry.metrics();
    expect(text).toContain(answered('photos', 3));
    expect(text).toContain('dyconv_pool_batch_duration_seconds_count{pool="photos"} 3\n');
    expect(text).toContain('dyconv_pool_queue_length{pool="photos"} 0\n');
    expect(text).toContain('dyconv_pool_swaps_total{pool="photos"} 0\n');
  });

  it('frees the name when the pool cannot be created', async () => {
    const registry = new prom.Registry();
    const options = { run: new nn.Linear(2, 2), warmup: row(), registry };
    await expect(serve.createPool(options)).rejects.toThrow('linear');
    await openPool('default', registry);
  });

  it('can be cleared', async () => {
    const registry = new prom.Registry();
    const first = await openPool('first', registry, 1);
    registry.clear();
    await openPool('first', registry, 2);
    await first.close();
    expect(await registry.metrics()).toContain(answered('first', 2));
    expect(await registry.metrics()).toContain('dyconv_pool_queue_length{pool="first"} 0\n');
  });

  it('can be one of OpenMetrics, which renames counters', async () => {
    const registry = new prom.Registry<prom.RegistryContentType>();
    registry.setContentType(prom.Registry.OPENMETRICS_CONTENT_TYPE);
    const first = await openPool('first', registry, 1);
    expect(await registry.metrics()).toContain('# TYPE dyconv_pool_requests counter');
    await openPool('second', registry, 2);
    for (const [name, count] of [
      ['first', 1],
      ['second', 2],
    ] as const)
      expect(await registry.metrics()).toContain(answered(name, count));
    expect(first.prometheus()).toContain('# TYPE dyconv_pool_requests_total counter');
  });

  it('must not have other metrics of these names', async () => {
    const registry = new prom.Registry();
    const name = 'dyconv_pool_swaps_total';
    new prom.Counter({ name, help: 'of somebody else', registers: [registry] });
    await expect(openPool('first', registry)).rejects.toThrow(
      new ArgumentError(
        `Expected a registry without other metrics of pools for registry but it has another ${name}`,
      ),
    );
    expect(registry.getMetricsAsArray()).toHaveLength(1);
  });

  it.each([[null], [{}], ['default'], [prom]])('is checked: %s', async (registry) => {
    await expect(serve.createPool({ run: echo, registry: registry as never })).rejects.toThrow(
      /^Expected a Registry of prom-client for registry but received /,
    );
  });
});
