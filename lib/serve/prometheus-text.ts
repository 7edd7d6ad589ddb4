/**
 * The text format of Prometheus, synchronously: prom-client has it only as a promise.
 * @see https://prometheus.io/docs/instrumenting/exposition_formats/
 * @module
 */
import type { Registry } from 'prom-client';

type Labels = Readonly<Record<string, string | number>>;

/** What prom-client 15 stores for one combination of labels; for histograms, the count of each bucket alone. */
type Stored =
  | { labels: Labels; value: number }
  | { labels: Labels; bucketValues: Record<string, number>; sum: number; count: number };

/** A metric of prom-client. Its values are not in its type. */
interface StoredMetric {
  name: string;
  help: string;
  type: string;
  upperBounds?: readonly number[];
  hashMap: Record<string, Stored>;
  collect?: () => void;
}

/** The text of all metrics of a registry whose `collect` functions are synchronous: equal to `await registry.metrics()`. */
export function prometheusText(registry: Registry): string {
  const metrics = registry.getMetricsAsArray() as unknown as StoredMetric[];
  return `${metrics.map(metricText).join('\n\n')}\n`;
}

function metricText(metric: StoredMetric): string {
  metric.collect?.();
  const { name, help, type, upperBounds = [], hashMap } = metric;
  const samples = Object.values(hashMap).flatMap((stored) => {
    if ('value' in stored) return [sample(name, stored.labels, stored.value)];
    const { labels, bucketValues, sum, count } = stored;
    let below = 0;
    const buckets = upperBounds.map((le) => {
      below += bucketValues[le]!;
      return sample(`${name}_bucket`, { le, ...labels }, below);
    });
    return [
      ...buckets,
      sample(`${name}_bucket`, { le: '+Inf', ...labels }, count),
      sample(`${name}_sum`, labels, sum),
      sample(`${name}_count`, labels, count),
    ];
  });
  return [`# HELP ${name} ${escapeText(help)}`, `# TYPE ${name} ${type}`, ...samples].join('\n');
}

function sample(name: string, labels: Labels, value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escapeLabel(String(text))}"`);
  return `${name}${pairs.length > 0 ? `{${pairs.join(',')}}` : ''} ${value}`;
}

function escapeText(text: string): string {
  return text.replace(/\\/g, '\\\\').replace(/\n/g, '\\n');
}

function escapeLabel(text: string): string {
  return escapeText(text).replace(/"/g, '\\"');
}
