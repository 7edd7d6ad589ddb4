import * as prom from 'prom-client';
import { describe, expect, it } from 'vitest';
import { counterSeries, histogramSeries } from '../../lib/serve/prometheus-series.js';

const BUCKETS = [0.005, 0.1, 1, 2.5];

/** Metrics with the same content, one by the methods of prom-client, one by series. */
function twins() {
  const registries = [new prom.Registry(), new prom.Registry()];
  const [byClient, bySeries] = registries.map((registry) => {
    const registers = [registry];
    const counter = new prom.Counter({ name: 'c', help: 'c', labelNames: ['pool', 'outcome'], registers });
    const histogram = new prom.Histogram({
      ...{ name: 'h', help: 'h', labelNames: ['pool'], buckets: BUCKETS, registers },
    });
    return { registry, counter, histogram };
  });
  return { byClient: byClient!, bySeries: bySeries! };
}

describe('series', () => {
  it('add what the methods of prom-client add, also after reset() and remove()', async () => {
    const { byClient, bySeries } = twins();
    const labels = [{ pool: 'a "b"' }, { pool: 'c' }];
    const counts = labels.map((of) => counterSeries(bySeries.counter, { ...of, outcome: 'answered' }));
    const observations = labels.map((of) => histogramSeries(bySeries.histogram, of));
    const values = [0, 0.005, 0.0051, 0.1, 0.3, 1, 2.5, 2.6, 100];
    for (const change of [
      () => {},
      ({ registry }: typeof byClient) => registry.resetMetrics(),
      ({ counter, histogram }: typeof byClient) => {
        counter.remove({ pool: 'c', outcome: 'answered' });
        histogram.remove({ pool: 'c' });
      },
      ({ histogram }: typeof byClient) => histogram.zero({ pool: 'c' }),
    ]) {
      change(byClient);
      change(bySeries);
      for (const [i, of] of labels.entries())
        for (const value of values.slice(i)) {
          byClient.counter.inc({ ...of, outcome: 'answered' });
          counts[i]!();
          byClient.histogram.observe(of, value);
          observations[i]!(value);
        }
      expect(await bySeries.registry.metrics()).toBe(await byClient.registry.metrics());
    }
  });

  it('do not exist before the first addition', async () => {
    const { bySeries } = twins();
    counterSeries(bySeries.counter, { pool: 'a', outcome: 'answered' });
    expect(await bySeries.registry.metrics()).not.toContain('c{');
  });
});
