/**
 * Confusion matrix.
 * @module
 */
import { accuraciesOf, checkConfusion } from '../run/confusion.js';
import type { ConfusionInput } from '../run/records.js';
import { alignColumns } from '../text.js';
import type { ChartOption } from './page-data.js';
import {
  type PictureOptions,
  type PngOptions,
  pictureSize,
  renderSvg,
  splitPngOptions,
  svgToPng,
} from './render.js';
import { HEAT_COLOURS, type HeatColours } from './theme.js';

/**
 * A confusion matrix for a terminal: true classes as rows, predicted classes as columns, the recall at the end of each row.
 * @param confusion - images, [true][predicted]
 * @param classes - class names in label order
 * @throws ArgumentError for anything but names and numbers; ShapeError unless the matrix is square with one row a class
 */
export function formatConfusion(
  confusion: readonly (readonly number[])[],
  classes: readonly string[],
): string {
  checkConfusion({ classes, confusion }, '');
  const short = (name: string) => (name.length > 8 ? `${name.slice(0, 7)}\u2026` : name);
  const rows = accuraciesOf({ classes, confusion }).map(({ class: name, accuracy }, label) => [
    name,
    ...confusion[label]!.map((count) => (count === 0 ? '.' : String(count))),
    accuracy === null ? '-' : `${(100 * accuracy).toFixed(1)} %`,
  ]);
  return alignColumns([['true \\ predicted', ...classes.map(short), 'accuracy'], ...rows]).join('\n');
}

/** From this strength on, `onHigh` has more contrast to the color than `onLow`, in both schemes. */
const DARK_FROM = 0.69;

/**
 * The chart as data, for `echarts.setOption`. The color follows the square root of the share of the true class, so
 * that rare confusions remain visible.
 */
export function confusionOption({ classes, confusion }: ConfusionInput, colours: HeatColours): ChartOption {
  const labelled = classes.length <= 20;
  const longest = Math.max(...classes.map((name) => name.length), 1);
  const data = confusion.flatMap((row, label) => {
    const images = Math.max(
      1,
      row.reduce((sum, count) => sum + count, 0),
    );
    return row.map((count, column) => {
      const strength = Math.round(Math.sqrt(count / images) * 1000) / 1000;
      const value = [column, label, strength, count];
      // The diagonal is framed so that it is visible for any counts.
      const frame = label === column && { itemStyle: { borderColor: colours.diagonal, borderWidth: 1.5 } };
      const text = labelled && {
        label: { color: strength > DARK_FROM ? colours.onHigh : colours.onLow },
      };
      return { value, ...text, ...frame };
    });
  });
  const axis = {
    type: 'category' as const,
    data: [...classes],
    axisLine: { show: false },
    nameLocation: 'middle' as const,
    nameTextStyle: { fontWeight: 600 as const, fontSize: 14 },
  };
  const margin = Math.min(150, 14 + 7.2 * longest);
  const tilted = longest > 6 || classes.length > 12;
  const bottom = 26 + (tilted ? margin * 0.66 : 24);
  return {
    grid: { left: margin + 24, right: 16, top: 16, bottom, outerBoundsMode: 'none' },
    xAxis: {
      ...axis,
      name: 'Predicted',
      nameGap: bottom - 20,
      axisLabel: { interval: labelled ? 0 : 'auto', rotate: tilted ? 40 : 0 },
    },
    yAxis: {
      ...axis,
      name: 'True',
      nameGap: margin + 6,
      inverse: true,
      axisLabel: { interval: labelled ? 0 : 'auto' },
    },
    visualMap: {
      show: false,
      type: 'continuous',
      dimension: 2,
      min: 0,
      max: 1,
      inRange: { color: [colours.low, colours.high] },
    },
    series: [
      {
        type: 'heatmap',
        name: 'confusion',
        data,
        label: { show: labelled, formatter: '{@[3]}', fontSize: 12 },
        itemStyle: { borderWidth: labelled ? 2 : 0, borderColor: 'rgba(127,127,127,0.08)' },
        emphasis: { itemStyle: { borderWidth: 3 } },
      },
    ],
  };
}

/**
 * Confusion matrix as an SVG: true classes as rows, predicted classes as columns, counts in the cells (up to 20 classes).
 * @param input - class names and confusion matrix, [true][predicted]
 * @param options - size in pixels (default 760 x 700) and color scheme (default light)
 * @throws ArgumentError for anything but names and numbers; ShapeError unless the matrix is square with one row a class
 */
export async function confusionSvg(input: ConfusionInput, options: PictureOptions = {}): Promise<string> {
  const size = pictureSize(options, 760, 700);
  checkConfusion(input, 'input');
  return renderSvg(confusionOption(input, HEAT_COLOURS[size.scheme]), size);
}

/**
 * {@link confusionSvg} as a PNG of `scale` (default 2) times its size.
 * @param input - class names and confusion matrix, [true][predicted]
 * @param options - size in CSS pixels, color scheme and scale
 * @throws ArgumentError and ShapeError like {@link confusionSvg}, and for an invalid scale
 */
export async function confusionPng(input: ConfusionInput, options: PngOptions = {}): Promise<Buffer> {
  const [picture, scale] = splitPngOptions(options);
  return svgToPng(await confusionSvg(input, picture), scale);
}
