/**
 * Charts of the page other than the learning curves: loss by step, schedules, use of the experts.
 * @module
 */
import type { LineSeriesOption } from 'echarts';
import type { RunData } from '../run/records.js';
import type { RunGroup } from './groups.js';
import type { PageChart } from './page-data.js';
import { columnHeight, type Panel, panelsOption } from './panels.js';

type Colour = (index: number) => string;

/** Limits the size of the page. */
const STEP_POINTS = 600;

function line(
  name: string,
  data: (readonly [number, number])[],
  colour: string,
  extra: LineSeriesOption = {},
): LineSeriesOption {
  return {
    name,
    type: 'line',
    data: data.map(([x, y]) => [x, Number.isFinite(y) ? Number(y.toPrecision(6)) : null] as [number, number]),
    showSymbol: data.length <= 12,
    symbol: 'circle',
    symbolSize: 6,
    color: colour,
    lineStyle: { width: 2 },
    ...extra,
  };
}

/** Means of consecutive steps, at most {@link STEP_POINTS} of them. */
function thinned(points: readonly (readonly [number, number])[]): [number, number][] {
  const size = Math.ceil(points.length / STEP_POINTS);
  const out: [number, number][] = [];
  for (let i = 0; i < points.length; i += size) {
    const bucket = points.slice(i, i + size);
    const mean = bucket.reduce((sum, [, y]) => sum + y, 0) / bucket.length;
    out.push([bucket.at(-1)![0], Number(mean.toPrecision(5))]);
  }
  return out;
}

function chart(label: string, panels: Panel[], xName: string, last: number): PageChart {
  const option = panelsOption(panels, { xName, last, legendWidth: null });
  return { kind: 'lines', label, height: { wide: 380, narrow: columnHeight(panels) }, option };
}

/** Training loss of the logged steps; null if no run has logged steps. */
export function stepsChart(groups: readonly RunGroup[], colour: Colour): PageChart | null {
  const runs = groups.flatMap(({ label, runs }, index) => runs.map((run) => ({ run, label, index })));
  const logged = runs.filter(({ run }) => run.steps.length > 0);
  if (logged.length === 0) return null;
  const last = Math.max(...logged.map(({ run }) => run.steps.at(-1)!.step));
  const series = logged.map(({ run, label, index }) =>
    line(label, thinned(run.steps.map(({ step, loss }) => [step, loss] as const)), colour(index), {
      showSymbol: false,
      lineStyle: { width: 1.3, opacity: 0.9 },
    }),
  );
  const panel = {
    title: 'Training loss by step',
    subtitle: 'loss of single batches as they were logged',
    series,
  };
  return chart('Training loss by step', [panel], 'Step', last);
}

/** Learning rate and routing temperature over the epochs, one line per group; null before the first epoch. */
export function scheduleChart(groups: readonly RunGroup[], colour: Colour): PageChart | null {
  const entries = groups.map(({ label, runs }, index) => ({ label, index, epochs: runs[0]!.epochs }));
  const shown = entries.filter(({ epochs }) => epochs.length > 0);
  if (shown.length === 0) return null;
  const rates = shown.flatMap(({ epochs }) => epochs.map(({ lr }) => lr)).filter((lr) => lr > 0);
  const log = rates.length > 0 && Math.max(...rates) / Math.min(...rates) >= 9;
  const step: LineSeriesOption = { step: 'middle' };
  const rate: Panel = {
    title: 'Learning rate',
    yAxis: log ? { type: 'log' } : { min: 0 },
    series: shown.map(({ label, index, epochs }) =>
      line(
        label,
        epochs.map(({ epoch, lr }) => [epoch, log && lr <= 0 ? Number.NaN : lr] as const),
        colour(index),
        step,
      ),
    ),
  };
  const heated = shown.filter(({ epochs }) => epochs.some(({ temperature }) => temperature !== null));
  const temperature: Panel = {
    title: 'Routing temperature',
    subtitle: 'softmax(logits / temperature): uniform when hot, decided when cold',
    yAxis: { min: 0 },
    series: heated.map(({ label, index, epochs }) =>
      line(
        label,
        epochs.map((e) => [e.epoch, e.temperature ?? Number.NaN] as const),
        colour(index),
        step,
      ),
    ),
  };
  const last = Math.max(...shown.map(({ epochs }) => epochs.at(-1)!.epoch));
  return chart(
    'Learning rate and temperature',
    heated.length > 0 ? [rate, temperature] : [rate],
    'Epoch',
    last,
  );
}

/** Mean attention and entropy of every dynamic layer; null if the run has not recorded them. */
export function expertsChart(run: RunData, colour: Colour): PageChart | null {
  const epochs = run.epochs.filter(({ experts }) => experts && experts.length > 0);
  if (epochs.length === 0) return null;
  const layers = [...new Set(epochs.flatMap(({ experts }) => experts!.map(({ layer }) => layer)))];
  const of = (layer: string) =>
    epochs.flatMap(({ epoch, experts }) =>
      experts!.filter((usage) => usage.layer === layer).map((usage) => ({ epoch, usage })),
    );
  const dashes = ['solid', [6, 4], [2, 3], [10, 3, 2, 3]] as const;
  const usage = layers.flatMap((layer, index) => {
    const records = of(layer);
    const count = Math.max(...records.map(({ usage }) => usage.mean.length));
    return Array.from({ length: count }, (_, k) =>
      line(
        `${layer} expert ${k + 1}`,
        records.map(({ epoch, usage }) => [epoch, usage.mean[k] ?? Number.NaN] as const),
        colour(index),
        { lineStyle: { width: 1.8, type: dashes[k % dashes.length] as 'solid' } },
      ),
    );
  });
  const counts = epochs.flatMap(({ experts }) => experts!.map(({ mean }) => mean.length));
  const uniform = Math.log(Math.max(...counts));
  const panels: Panel[] = [
    { title: 'Use of the experts', subtitle: 'mean attention over the images of an epoch', series: usage },
    {
      title: 'Entropy of the attention',
      subtitle: `in nats; ${uniform.toFixed(3)} is uniform over ${Math.max(...counts)} experts, 0 is one expert alone`,
      series: layers.map((layer, index) =>
        line(
          `${layer} entropy`,
          of(layer).map(({ epoch, usage }) => [epoch, usage.entropy] as const),
          colour(index),
        ),
      ),
    },
  ];
  return chart('Use and entropy of the experts', panels, 'Epoch', epochs.at(-1)!.epoch);
}
