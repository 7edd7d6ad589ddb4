/**
 * The text format of Prometheus, synchronously: prom-client has it only as a promise.
 * @see https://prometheus.io/docs/instrumenting/exposition_formats/
 * @module
 */

/** Values of labels by name. */
export type Labels = Readonly<Record<string, string | number>>;

/** What prom-client 15 stores for one combination of labels; for histograms, only the count of each bucket. */
export type Stored =
  | { labels: Labels; value: number }
  | { labels: Labels; bucketValues: Record<string, number>; sum: number; count: number };

/** A metric of prom-client. Its values are not in its type. */
export interface StoredMetric {
  help: string;
  type: string;
  upperBounds?: readonly number[];
  hashMap: Record<string, Stored>;
  collect?: () => void;
}

/**
 * The text of metrics whose `collect` functions are synchronous: equal to `await registry.metrics()` of a registry of them.
 * @param metrics - Metrics of prom-client by name.
 * @param pool - Only samples with this value of the label `pool`.
 */
export function metricsText(metrics: ReadonlyMap<string, object>, pool: string): string {
  const texts = Array.from(metrics, ([name, metric]) => metricText(name, metric as StoredMetric, pool));
  return `${texts.join('\n\n')}\n`;
}

function metricText(name: string, metric: StoredMetric, pool: string): string {
  metric.collect?.();
  const { help, type, upperBounds = [], hashMap } = metric;
  const samples = Object.values(hashMap)
    .filter(({ labels }) => labels.pool === pool)
    .flatMap((stored) => samplesOf(name, stored, upperBounds));
  return [`# HELP ${name} ${escapeText(help)}`, `# TYPE ${name} ${type}`, ...samples].join('\n');
}

function samplesOf(name: string, stored: Stored, upperBounds: readonly number[]): string[] {
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
