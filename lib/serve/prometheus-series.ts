/**
 * Adding to a series of prom-client: its own methods check and hash the labels of every call, which takes longer than the addition.
 * @module
 */
import type { Counter, Histogram } from 'prom-client';
import type { Labels, Stored, StoredMetric } from './prometheus-text.js';

/** The stored values of a metric for a combination of labels. */
class Series<Values extends Stored> {
  readonly #metric: { hashMap: Record<string, Stored> };
  readonly #labels: Labels;
  #key: string | undefined;

  constructor(metric: object, labels: Labels) {
    this.#metric = metric as StoredMetric;
    this.#labels = labels;
  }

  /** undefined if nothing was added since the metric was made or reset. */
  get values(): Values | undefined {
    return this.#key === undefined ? undefined : (this.#metric.hashMap[this.#key] as Values | undefined);
  }

  /** Looks for the values that the metric has stored by now. */
  find(): void {
    const entries = Object.entries(this.#labels);
    const found = Object.entries(this.#metric.hashMap).find(
      ([, { labels }]) =>
        Object.keys(labels).length === entries.length &&
        entries.every(([name, value]) => labels[name] === value),
    );
    this.#key = found?.[0];
  }
}

/** The same as `counter.inc(labels)`, for one combination of labels. */
export function counterSeries<L extends string>(counter: Counter<L>, labels: Record<L, string>): () => void {
  const series = new Series<Extract<Stored, { value: number }>>(counter, labels);
  return () => {
    const { values } = series;
    if (values !== undefined) values.value += 1;
    else {
      counter.inc(labels);
      series.find();
    }
  };
}

/** The same as `histogram.observe(labels, value)`, for one combination of labels and finite values. */
export function histogramSeries<L extends string>(
  histogram: Histogram<L>,
  labels: Record<L, string>,
): (value: number) => void {
  const series = new Series<Extract<Stored, { sum: number }>>(histogram, labels);
  const bounds = (histogram as unknown as StoredMetric).upperBounds ?? [];
  const names = bounds.map(String);
  return (value) => {
    const { values } = series;
    if (values === undefined) {
      histogram.observe(labels, value);
      series.find();
      return;
    }
    values.sum += value;
    values.count += 1;
    for (let i = 0; i < bounds.length; i++) {
      if (value > bounds[i]!) continue;
      values.bucketValues[names[i]!]! += 1;
      return;
    }
  };
}
