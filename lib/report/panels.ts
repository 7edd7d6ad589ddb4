/**
 * Line charts in one or two panels side by side that share a legend, for all curves of a report.
 * @module
 */
import type { EChartsOption, LineSeriesOption, TitleComponentOption, YAXisComponentOption } from 'echarts';
import { dropUndefined } from '../check/index.js';

/** One panel. */
export interface Panel {
  title: string;
  /**
   * The text below the title; rich text of ECharts. It wraps where the panel is narrow: a string between words, an array
   * between its parts.
   */
  subtitle?: string | readonly string[] | undefined;
  /** Styles of the rich text. */
  rich?: Record<string, { color: string; fontSize: number; fontWeight: number }> | undefined;
  yAxis?:
    | { type?: 'value' | 'log' | undefined; min?: number | undefined; max?: number | undefined }
    | undefined;
  /** Series by name, points and color; the axes are set here. */
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

/** Width in pixels up to which panels are stacked: also in the style sheet of the page, for their height. */
const NARROW = 720;
/** Width in pixels from which the panels of a row have room for longer lines. */
const WIDE = 1000;
/** Width in pixels of the subtitle of a stacked panel on a small screen. */
const COLUMN_TEXT = 290;
/** Height in pixels of a stacked panel without its title, and the distance to the next one. */
const PLOT = 270;
const GAP = 56;

/** Width in pixels of the subtitle of a panel in a row of panels. */
function rowText(width: number, count: number): number {
  return count === 1 ? width - 84 : Math.floor(0.455 * width - 28);
}

/**
 * A subtitle in lines of at most this width, by the width of a character of a wide font (DejaVu Sans) at 13 px.
 * @param subtitle - A text, which wraps between words, or parts that stay together; rich text of ECharts.
 */
function wrapped(subtitle: string | readonly string[], width: number): string[] {
  const gap = typeof subtitle === 'string' ? ' ' : '   ';
  const parts = typeof subtitle === 'string' ? subtitle.split(gap) : subtitle;
  const widthOf = (text: string) => 8 * text.replace(/\{\w+\|([^}]*)\}/g, '$1').length;
  const lines: string[] = [];
  for (const part of parts) {
    const longer = `${lines.at(-1)}${gap}${part}`;
    if (lines.length > 0 && widthOf(longer) <= width) lines[lines.length - 1] = longer;
    else lines.push(part);
  }
  return lines;
}

/** Distance of a plot from the top of its panel: the title and the longest subtitle. */
function plotTop(panels: readonly Panel[], textWidth: number): number {
  return 46 + 18 * Math.max(...panels.map(({ subtitle = '' }) => wrapped(subtitle, textWidth).length));
}

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
  textWidth: number,
): TitleComponentOption {
  return {
    text: panel.title,
    subtext: wrapped(panel.subtitle ?? '', textWidth).join('\n'),
    itemGap: 6,
    padding: 0,
    textStyle: { fontSize: 17, fontWeight: 600 },
    subtextStyle: {
      fontSize: 13,
      lineHeight: 18,
      rich: panel.rich ?? {},
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
    const step = top + PLOT + GAP;
    return Array.from({ length: count }, (_, i) => ({
      title: { left: 60, top: 8 + i * step },
      grid: { left: 60, right: 28, top: top + i * step, bottom: 'auto', height: PLOT },
    }));
  }
  if (count === 1) return [{ title: { left: 56, top: 8 }, grid: { left: 56, right: 28, top, bottom } }];
  return [
    { title: { left: 56, top: 8 }, grid: { left: 56, right: '53%', top, bottom } },
    // Space between them for the axis labels of the right one.
    { title: { left: '54.5%', top: 8 }, grid: { left: '54.5%', right: 28, top, bottom } },
  ];
}

/** Height in pixels of the panels if they are stacked, including the legend. */
export function columnHeight(panels: readonly Panel[]): number {
  return panels.length * (plotTop(panels, COLUMN_TEXT) + PLOT + GAP) + 36;
}

/**
 * The chart as data for `echarts.setOption`, without functions, so that it can be stored as JSON.
 * @param panels - one or two
 */
export function panelsOption(panels: readonly Panel[], options: PanelsOptions): EChartsOption {
  const { xName, last, legendWidth } = options;
  const names = [...new Set(panels.flatMap(({ series }) => series.map(({ name }) => String(name))))];
  const bottom = 54 + 27 * (legendWidth === null ? 1 : legendRows(names, legendWidth));
  const placed = (textWidth: number, column = false) => {
    const spots = places(panels.length, plotTop(panels, textWidth), bottom, column);
    return {
      title: panels.map((panel, i) => titleOf(panel, spots[i]!.title, textWidth)),
      grid: spots.map(({ grid }) => grid),
    };
  };
  const row = placed(rowText(legendWidth ?? WIDE, panels.length));
  const base: EChartsOption = {
    title: row.title,
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
    grid: row.grid.map((grid) => ({ ...grid, outerBoundsMode: 'none' as const })),
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
  const medium = placed(rowText(NARROW, panels.length));
  const resized = ({ title, grid }: typeof row): EChartsOption => ({
    title,
    grid: grid.map((place) => ({ ...place, height: 'auto' })),
  });
  return {
    baseOption: base,
    media: [
      { query: { maxWidth: NARROW }, option: placed(COLUMN_TEXT, true) },
      { query: { minWidth: NARROW + 1, maxWidth: WIDE }, option: resized(medium) },
      { option: resized(row) },
    ],
  };
}
