/**
 * The charts of learning curves as data: loss and accuracy over the epochs, training and validation, of any number of runs.
 * @module
 */
import type { LineSeriesOption } from 'echarts';
import type { EpochRecord } from '../run/records.js';
import type { RunGroup } from './groups.js';
import type { ChartOption } from './page-data.js';
import { type Panel, panelsOption } from './panels.js';

type Metric = 'loss' | 'accuracy';
type Point = [epoch: number, value: number | null];

/** The best validation value of a group and its position. */
interface Best {
  value: number;
  epoch: number;
  /** Index of the run in its group. */
  run: number;
}

/** Contents of a panel. */
interface Measure {
  metric: Metric;
  title: string;
  better: 'lower' | 'higher';
}

const PANELS: readonly Measure[] = [
  { metric: 'loss', title: 'Loss', better: 'lower' },
  { metric: 'accuracy', title: 'Accuracy', better: 'higher' },
];

/** Points of one curve; a value that is not finite leaves a gap. */
function points(epochs: readonly EpochRecord[], part: 'train' | 'val', metric: Metric): Point[] {
  return epochs.flatMap((record) => {
    const value = record[part]?.[metric];
    if (value === undefined) return [];
    return [[record.epoch, Number.isFinite(value) ? Number(value.toPrecision(6)) : null] satisfies Point];
  });
}

function best(group: RunGroup, metric: Metric, better: 'lower' | 'higher'): Best | null {
  let found: Best | null = null;
  for (const [run, { epochs }] of group.runs.entries()) {
    for (const [epoch, value] of points(epochs, 'val', metric)) {
      if (value === null) continue;
      if (found && (better === 'higher' ? value <= found.value : value >= found.value)) continue;
      found = { value, epoch, run };
    }
  }
  return found;
}

/** Axis bounds for accuracies: round numbers around the data, never outside 0 to 1. */
export function accuracyBounds(values: readonly number[]): { min: number; max: number } {
  const finite = values.filter(Number.isFinite);
  if (finite.length === 0) return { min: 0, max: 1 };
  const low = Math.min(...finite);
  const high = Math.max(...finite);
  const step = [0.01, 0.02, 0.05, 0.1].find((candidate) => (high - low) / candidate <= 5) ?? 0.2;
  const round = (value: number) => Number(value.toFixed(4));
  let min = Math.max(0, Math.floor(low / step + 1e-9) * step);
  let max = Math.min(1, Math.ceil(high / step - 1e-9) * step);
  if (max - min < 2 * step) [min, max] = [Math.max(0, min - step), Math.min(1, max + step)];
  return { min: round(min), max: round(max) };
}

function groupSeries(
  group: RunGroup,
  index: number,
  { metric, better }: Measure,
  colour: string,
  single: boolean,
): LineSeriesOption[] {
  const top = best(group, metric, better);
  return group.runs.flatMap(({ epochs }, run) =>
    (['train', 'val'] as const).map((part): LineSeriesOption => {
      const data = points(epochs, part, metric);
      const marked = part === 'val' && top?.run === run;
      return {
        id: `${metric}-${part}-${index}-${run}`,
        name: curveName(group.label, part, single),
        type: 'line',
        data,
        showSymbol: data.length <= 12,
        symbol: 'circle',
        symbolSize: part === 'val' ? 7 : 5,
        color: colour,
        lineStyle:
          part === 'val'
            ? { width: 2.4, type: 'solid', opacity: group.runs.length > 1 ? 0.75 : 1 }
            : { width: 1.6, type: [6, 4], opacity: 0.75 },
        z: part === 'val' ? 3 : 2,
        ...(marked && {
          markPoint: {
            data: [{ name: 'best validation', coord: [top.epoch, top.value] }],
            symbol: 'circle',
            symbolSize: 13,
            silent: true,
            label: { show: false },
            itemStyle: { color: 'rgba(0,0,0,0)', borderColor: colour, borderWidth: 2.4 },
          },
        }),
      };
    }),
  );
}

function curveName(label: string, part: 'train' | 'val', single: boolean): string {
  const name = part === 'val' ? 'validation' : 'training';
  return single ? name : `${label} ${name}`;
}

/** The text below a panel's title: the best validation value of every group, in the group's color. */
function bestLine(
  groups: readonly RunGroup[],
  { metric, better }: Measure,
  colour: (index: number) => string,
): Pick<Panel, 'subtitle' | 'rich'> {
  const rich: Panel['rich'] = {};
  const words = groups.flatMap((group, index) => {
    const top = best(group, metric, better);
    if (!top) return [];
    rich[`g${index}`] = { color: colour(index), fontSize: 13, fontWeight: 600 };
    return [`{g${index}|\u25cb ${top.value.toFixed(4)}}\u00a0at\u00a0epoch\u00a0${top.epoch}`];
  });
  return { subtitle: words.length > 0 ? ['best validation', ...words] : 'no validation', rich };
}

/** The panels of loss and accuracy. @param color - Color of the n-th group. */
export function curvePanels(groups: readonly RunGroup[], colour: (index: number) => string): [Panel, Panel] {
  const epochs = groups.flatMap(({ runs }) => runs.flatMap((run) => run.epochs));
  const accuracies = epochs.flatMap(({ train, val }) => [train.accuracy, val?.accuracy ?? Number.NaN]);
  const [loss, accuracy] = PANELS.map((panel) => ({
    title: panel.title,
    ...bestLine(groups, panel, colour),
    series: groups.flatMap((group, index) =>
      groupSeries(group, index, panel, colour(index), groups.length === 1),
    ),
  })) as [Panel, Panel];
  return [loss, { ...accuracy, yAxis: accuracyBounds(accuracies) }];
}

/**
 * The chart as data for `echarts.setOption`, without functions, so that it can be stored as JSON.
 * @param groups - from `groupRuns`
 * @param panels - from {@link curvePanels}
 * @param legendWidth - width in pixels at which the legend wraps; null on a page
 */
export function curvesOption(
  groups: readonly RunGroup[],
  panels: readonly Panel[],
  legendWidth: number | null,
): ChartOption {
  const epochs = groups.flatMap(({ runs }) => runs.flatMap((run) => run.epochs));
  const last = Math.max(1, ...epochs.map(({ epoch }) => epoch));
  return panelsOption(panels, { xName: 'Epoch', last, legendWidth });
}
