/**
 * The JSON data of a page for its script. Page and script, which runs in a browser, share only these types.
 * @module
 */

/**
 * An option object of Apache ECharts. Its own type needs a browser's types, which a project with dyconv may not have, and
 * would fail to compile there.
 */
export type ChartOption = Record<string, unknown>;

/** A chart of the page. */
export interface PageChart {
  /** `lines` shares one tooltip between all series, `heat` has one for every cell. */
  kind: 'lines' | 'heat';
  /** Description for screen readers. */
  label: string;
  /** Height in pixels; `narrow` where the panels are below each other. */
  height: { wide: number; narrow: number };
  /** It refers to colors as `color:<name>`, so one option works for both schemes. */
  option: ChartOption;
}

/** Colors of one scheme. */
export interface PageScheme {
  /** The theme for `echarts.init`. */
  theme: Record<string, unknown>;
  /** Colors by their names in options. */
  colours: Record<string, string>;
  /** Colors of tooltips and legends. */
  palette: { surface: string; line: string; text: string; muted: string };
}

/** The whole of it. */
export interface PageData {
  /** By the id that the page's elements have in `data-chart`. */
  charts: Record<string, PageChart>;
  schemes: { light: PageScheme; dark: PageScheme };
}
