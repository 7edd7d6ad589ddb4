/**
 * Colors and fonts of images and page.
 * @module
 */
import { invalidArgument } from '../errors.js';

/** Color scheme. */
export type ColourScheme = 'light' | 'dark';

/** Checks a color scheme. */
export function checkScheme(scheme: ColourScheme): ColourScheme {
  if (scheme !== 'light' && scheme !== 'dark') throw invalidArgument('scheme', "'light' or 'dark'", scheme);
  return scheme;
}

/**
 * Colors of series: the palette of Okabe and Ito, which stays distinct under every common color blindness, in an
 * order that puts the pairs of highest contrast first. All have a contrast of about 3:1 or more on both backgrounds.
 * @see Okabe and Ito, Color Universal Design (2008)
 */
export const SERIES_COLOURS = ['#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9', '#7F7F7F'];

/** The same hues for a dark background: the two darkest are lightened. */
export const SERIES_COLOURS_DARK = [
  '#4BA6DD',
  '#F08A3C',
  '#2FBF92',
  '#DD97BD',
  '#F0BC4E',
  '#8CCBF0',
  '#A6A6A6',
];

/** Fonts of most systems; none is downloaded. */
export const FONT_STACK = "Inter, 'Segoe UI', 'Helvetica Neue', Helvetica, Arial, 'DejaVu Sans', sans-serif";

/** Colors of all elements except series. */
export interface Palette {
  background: string;
  surface: string;
  text: string;
  muted: string;
  line: string;
  grid: string;
  right: string;
  wrong: string;
}

/** The two palettes. `wrong` is Okabe and Ito's vermillion, `right` their bluish green, each readable as text. */
export const PALETTES: Record<ColourScheme, Palette> = {
  light: {
    background: '#ffffff',
    surface: '#ffffff',
    text: '#1c2128',
    muted: '#5b6470',
    line: '#c9cfd6',
    grid: '#e9ecef',
    right: '#00734f',
    wrong: '#c22d00',
  },
  dark: {
    background: '#15181d',
    surface: '#1c2026',
    text: '#e6e9ed',
    muted: '#9aa4b0',
    line: '#434b56',
    grid: '#2b3139',
    right: '#3fcf9f',
    wrong: '#ff8a5c',
  },
};

/** Color of the n-th group of runs. */
export function seriesColour(index: number, scheme: ColourScheme = 'light'): string {
  const colours = scheme === 'dark' ? SERIES_COLOURS_DARK : SERIES_COLOURS;
  return colours[index % colours.length]!;
}

/** Colors of a heatmap: of an empty and a full cell, and of the text on either. */
export interface HeatColours {
  low: string;
  high: string;
  onLow: string;
  onHigh: string;
  /** Frame of the diagonal. */
  diagonal: string;
}

/**
 * One hue starting at the background color, so that brightness follows the values. The text of a cell has a
 * contrast of at least 4.5 to its color (WCAG AA) if it changes from `onLow` to `onHigh` at a strength of 0.69.
 */
export const HEAT_COLOURS: Record<ColourScheme, HeatColours> = {
  light: { low: '#f3f6f9', high: '#00466f', onLow: '#000000', onHigh: '#ffffff', diagonal: '#E69F00' },
  dark: { low: '#232931', high: '#47a0d6', onLow: '#ffffff', onHigh: '#000000', diagonal: '#E69F00' },
};

/** Color of the n-th group as a CSS variable of the page, which follows the scheme. */
export function cssColour(index: number): string {
  return `var(--s${index % SERIES_COLOURS.length})`;
}

/** The theme object for `echarts.init`. */
export function chartTheme(scheme: ColourScheme): Record<string, unknown> {
  const { text, muted, line, grid } = PALETTES[scheme];
  const axis = {
    axisLine: { show: true, lineStyle: { color: line } },
    axisTick: { show: false },
    axisLabel: { color: muted, fontSize: 13 },
    nameTextStyle: { color: muted, fontSize: 13 },
    splitLine: { lineStyle: { color: grid } },
  };
  return {
    color: scheme === 'dark' ? SERIES_COLOURS_DARK : SERIES_COLOURS,
    textStyle: { fontFamily: FONT_STACK, color: text },
    title: { textStyle: { color: text, fontWeight: 600 }, subtextStyle: { color: muted } },
    legend: { textStyle: { color: text, fontSize: 13 } },
    valueAxis: axis,
    logAxis: axis,
    categoryAxis: { ...axis, splitLine: { show: false } },
  };
}
