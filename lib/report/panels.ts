/**
 * Line charts in one or two panels side by side that share a legend, for all curves of a report.
 * @module
 */
import type { EChartsOption, LineSeriesOption, TitleComponentOption, YAXisComponentOption } from 'echarts';
import { dropUndefined } from '../check/index.js';

/** One panel. */
export interface Panel {
  title: string;
  /** A line below the title; rich text of ECharts. */
  subtitle?: string | undefined;
  /** Styles of the rich text. */
  rich?: Record<string, { color: string; fontSize: number; fontWeight: number }> | undefined;
  /** Number of lines of the subtitle; default 1. */
  subtitleLines?: number | undefined;
  yAxis?:
    | { type?: 'value' | 'log' | undefined; min?: number | undefined; max?: number | undefined }
    | undefined;
  /** Series by name, points and colour; the axes are set here. */
  series: LineSeriesOption[];
}

/** Layout of the panels. */
export interface PanelsOptions {
  /** Name of the horizontal axis. */
  xName: string;
  /** Last value of the horizontal axis; the first is 1. */
  last: number;
  /** Width in pixels at which the legend wraps; null for a scrolling legend of one line (page only). */
  legendWidth: number | null;
}

/** Width in pixels below which panels are stacked, and the width of their subtitles then. */
const NARROW = 720;
const NARROW_TEXT = 290;

/** Number of rows of a wrapped legend, estimated from the usual width of a character at 13 px. */
function legendRows(names: readonly string[], width: number): number {
  let rows = 1;
  let used = 0;
  for (const name of names) {
    const item = 62 + 7.4 * name.length;
    if (used > 0 && used + item > width - 40) {
      rows++;
      used = 0;
    }
    used += item;
  }
  return rows;
}

function titleOf(
  panel: Panel,
  place: { left: number | string; top: number },
  subtitleWidth?: number,
): TitleComponentOption {
  return {
    text: panel.title,
    subtext: panel.subtitle ?? '',
    itemGap: 6,
    padding: 0,
    textStyle: { fontSize: 17, fontWeight: 600 },
    subtextStyle: {
      fontSize: 13,
      lineHeight: 18,
      rich: panel.rich ?? {},
      ...(subtitleWidth ? { width: subtitleWidth, overflow: 'break' as const } : {}),
    },
    ...place,
  };
}

function yAxisOf({ yAxis = {} }: Panel, gridIndex: number): YAXisComponentOption {
  const given = dropUndefined(yAxis);
  if (given.type === 'log') return { ...given, type: 'log', gridIndex };
  return { ...given, type: 'value', gridIndex, scale: true };
}

/** Positions of the panels: side by side, or stacked if the chart is narrow. */
function places(count: number, top: number, bottom: number, column: boolean) {
  if (column) {
    const step = top + 270 + 56;
    return Array.from({ length: count }, (_, i) => ({
      title: { left: 46, top: 8 + i * step },
      grid: { left: 46, right: 14, top: top + i * step, bottom: 'auto', height: 270 },
    }));
  }
  if (count === 1) return [{ title: { left: 56, top: 8 }, grid: { left: 56, right: 28, top, bottom } }];
  return [
    { title: { left: 56, top: 8 }, grid: { left: 56, right: '53%', top, bottom } },
    // Space between them for the axis labels of the right one.
    { title: { left: '54.5%', top: 8 }, grid: { left: '54.5%', right: 28, top, bottom } },
  ];
}

/** Height in pixels of this number of stacked panels, including the legend. */
export function columnHeight(count: number): number {
  return count * (82 + 270 + 56) + 36;
}

/**
 * The chart as data for `echarts.setOption`, without functions, so that it can be stored as JSON.
 * @param panels - one or two
 */
export function panelsOption(panels: readonly Panel[], options: PanelsOptions): EChartsOption {
  const { xName, last, legendWidth } = options;
  const names = [...new Set(panels.flatMap(({ series }) => series.map(({ name }) => String(name))))];
  const top = 46 + 18 * Math.max(...panels.map(({ subtitleLines = 1 }) => subtitleLines));
  const bottom = 54 + 27 * (legendWidth === null ? 1 : legendRows(names, legendWidth));
  const row = places(panels.length, top, bottom, false);
  const titles = panels.map((panel, i) => titleOf(panel, row[i]!.title));
  const base: EChartsOption = {
    title: titles,
    legend: {
      ...(legendWidth === null ? { type: 'scroll' as const } : {}),
      data: names,
      bottom: 6,
      left: 'center',
      itemWidth: 32,
      itemGap: 16,
      padding: [0, 20],
      // No symbol, because it would hide whether the line is solid or dashed.
      itemStyle: { opacity: 0 },
    },
    grid: row.map(({ grid }) => ({ ...grid, outerBoundsMode: 'none' as const })),
    xAxis: panels.map((_, gridIndex) => ({
      type: 'value' as const,
      gridIndex,
      name: xName,
      nameLocation: 'middle' as const,
      nameGap: 28,
      // A single epoch is in the middle rather than on the edge.
      min: last <= 1 ? 0 : 1,
      max: last <= 1 ? 2 : last,
      minInterval: 1,
      splitLine: { show: false },
    })),
    yAxis: panels.map(yAxisOf),
    series: panels.flatMap(({ series }, index) =>
      series.map((entry) => ({ ...entry, xAxisIndex: index, yAxisIndex: index })),
    ),
  };
  if (legendWidth !== null) return base;
  const column = places(panels.length, top + 18, bottom, true);
  const narrow: EChartsOption = {
    title: panels.map((panel, i) => titleOf(panel, column[i]!.title, NARROW_TEXT)),
    grid: column.map(({ grid }) => grid),
  };
  const wide: EChartsOption = {
    title: titles,
    grid: row.map(({ grid }) => ({ ...grid, height: 'auto' })),
  };
  return {
    baseOption: base,
    media: [{ query: { maxWidth: NARROW }, option: narrow }, { option: wide }],
  };
}
