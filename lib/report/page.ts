/**
 * report.html: one self-contained page about one or several runs.
 * @module
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { checkOptions, checkString, optionKeys } from '../check/index.js';
import { ArgumentError, invalidArgument } from '../errors.js';
import { checkRuns } from '../run/check.js';
import { accuraciesOf } from '../run/confusion.js';
import type { RunData } from '../run/records.js';
import { confusionOption } from './confusion.js';
import { curvePanels, curvesOption } from './curve-panels.js';
import { drawCurves } from './curves.js';
import { groupsOf, type RunGroup } from './groups.js';
import { type Content, html, Markup } from './html.js';
import { expertsChart, scheduleChart, stepsChart } from './page-charts.js';
import type { PageChart, PageData } from './page-data.js';
import { cards, comparisonTable, configTable, environmentTable } from './page-parts.js';
import { PAGE_STYLE } from './page-style.js';
import { columnHeight } from './panels.js';
import type { ComparisonRow } from './rows.js';
import { comparisonOf } from './table.js';
import {
  chartTheme,
  cssColour,
  HEAT_COLOURS,
  type HeatColours,
  PALETTES,
  SERIES_COLOURS,
  seriesColour,
} from './theme.js';

/** Options of {@link page}. */
export interface PageOptions {
  /** Heading; default: the models and the data set. */
  title?: string | undefined;
}

/** @internal */
export const PAGE_KEYS = optionKeys('title');

/** Images above this size are embedded as WebP, to limit the size of a page with many runs. */
const LARGE_PICTURE = 100_000;

/** Maximum size of all embedded images in bytes; in base64 a third more. */
const PICTURE_ROOM = 360_000;

const colourName = (index: number) => `color:s${index % SERIES_COLOURS.length}`;
const heatNames: HeatColours = {
  low: 'color:low',
  high: 'color:high',
  onLow: 'color:onLow',
  onHigh: 'color:onHigh',
  diagonal: 'color:diagonal',
};

/** Data with which the script draws in either scheme. */
function schemes(): PageData['schemes'] {
  const scheme = (name: 'light' | 'dark') => ({
    theme: chartTheme(name),
    palette: PALETTES[name],
    colours: {
      ...Object.fromEntries(SERIES_COLOURS.map((_, i) => [`s${i}`, seriesColour(i, name)])),
      ...HEAT_COLOURS[name],
    },
  });
  return { light: scheme('light'), dark: scheme('dark') };
}

/** The run of a group that is shown in detail: the one with the best validation accuracy. */
function bestRun({ runs }: RunGroup): RunData {
  const top = (run: RunData) => Math.max(-1, ...run.epochs.map(({ val }) => val?.accuracy ?? -1));
  return runs.reduce((best, run) => (top(run) > top(best) ? run : best));
}

/** A page under construction: its sections and charts. */
class Page {
  readonly sections: Markup[] = [];
  readonly charts: PageData['charts'] = {};

  add(heading: Content, body: Content): void {
    this.sections.push(html`<section><h2>${heading}</h2>${body}</section>\n`);
  }

  chart(id: string, chart: PageChart): Markup {
    this.charts[id] = chart;
    const size = `--wide:${chart.height.wide}px;--narrow:${chart.height.narrow}px`;
    return html`<div class="chart ${chart.kind}" data-chart="${id}" style="${size}" role="img" aria-label="${chart.label}"></div>`;
  }
}

async function curvesSection(page: Page, groups: RunGroup[]): Promise<void> {
  if (groups.every(({ runs }) => runs.every(({ epochs }) => epochs.length === 0))) {
    page.add('Learning curves', html`<p class="note">No epoch has been finished yet.</p>`);
    return;
  }
  const panels = curvePanels(groups, colourName);
  const chart: PageChart = {
    kind: 'lines',
    label: 'Learning curves: loss and accuracy by epoch',
    height: { wide: 460, narrow: columnHeight(panels) },
    option: curvesOption(groups, panels, null),
  };
  // An image of the same curves, for browsers without JavaScript.
  const fallback = html`<noscript>${new Markup(await drawCurves(groups))}</noscript>`;
  const button = html`<button type="button" data-log="curves" aria-pressed="false" hidden>log loss</button>`;
  page.add(
    html`Learning curves ${button}`,
    html`${page.chart('curves', chart)}${fallback}<p class="note">Validation solid, training dashed; a ring marks the best validation value. Training values are collected while the weights change. A click on a name in the legend hides its lines.</p>`,
  );
}

function evaluationSection(page: Page, group: RunGroup, index: number): void {
  const run = bestRun(group);
  const { evaluation } = run;
  if (!evaluation) return;
  const side = Math.min(640, Math.max(420, 90 + 46 * evaluation.classes.length));
  const heat: PageChart = {
    kind: 'heat',
    label: `Confusion matrix of ${group.label}`,
    height: { wide: side, narrow: side },
    option: confusionOption(evaluation, heatNames),
  };
  const colour = cssColour(index);
  const percent = (value: number | null) => (value === null ? '-' : `${(100 * value).toFixed(1)} %`);
  const rows = accuraciesOf(evaluation).map(
    (entry) => html`<tr>
<th scope="row">${entry.class}</th>
<td class="n">${percent(entry.accuracy)}<span class="bar"><i style="width:${(100 * (entry.accuracy ?? 0)).toFixed(1)}%;background:${colour}"></i></span></td>
<td class="n">${percent(entry.precision)}</td>
<td>${entry.mistakenFor ? `${entry.mistakenFor.class} (${entry.mistakenFor.images})` : '-'}</td>
</tr>`,
  );
  page.add(
    `Confusion matrix: ${group.label}`,
    html`<div class="two"><div class="scroll">${page.chart(`confusion${index}`, heat)}<p class="note">Images by true class (down) and predicted class (across). The color follows the square root of the share of the true class; correct predictions are framed.</p></div>
<div class="scroll"><table><thead><tr><th>class</th><th class="n">accuracy</th><th class="n">precision</th><th>most often confused with</th></tr></thead><tbody>${rows}</tbody></table>
<p class="note">Weights: ${evaluation.checkpoint}. Accuracy ${evaluation.accuracy.toFixed(4)}, loss ${evaluation.loss.toFixed(4)}, ${evaluation.images.toLocaleString('en-US')} images at ${evaluation.imagesPerSecond.toFixed(0)} images/s.${evaluation.ownImages === false && ' These are not the test images of the run.'}</p></div></div>`,
  );
}

/** An image as a data URI: the PNG itself if it is small, else a WebP of the highest quality that fits. */
async function embedded(picture: Uint8Array, room: number, name: string): Promise<string> {
  const uri = (type: string, bytes: Uint8Array) =>
    `data:image/${type};base64,${Buffer.from(bytes).toString('base64')}`;
  if (picture.length <= Math.min(room, LARGE_PICTURE)) return uri('png', picture);
  const { default: sharp } = await import('sharp');
  const narrow = sharp(picture).resize({ width: 1100, withoutEnlargement: true });
  let bytes: Buffer = Buffer.alloc(0);
  for (const quality of [82, 60, 35, 10]) {
    bytes = await narrow
      .clone()
      .webp({ quality })
      .toBuffer()
      .catch((cause: Error) => {
        throw new ArgumentError(`Expected an image for ${name} but it cannot be read: ${cause.message}`, {
          cause,
        });
      });
    if (bytes.length <= room) break;
  }
  return uri('webp', bytes);
}

/** The images of all groups: predictions spread over the test set, and the mistakes of highest probability. They share the size limit. */
async function pictureSections(page: Page, groups: readonly RunGroup[]): Promise<void> {
  const kinds = [
    { kind: 'predictions', heading: 'Predictions', words: 'Test images with the classes' },
    {
      kind: 'mistakes',
      heading: 'Surest mistakes',
      words: 'Wrongly classified test images with the classes',
    },
  ] as const;
  const shown = kinds.map(({ kind }) =>
    groups.flatMap((group) => {
      const run = bestRun(group);
      const picture = run[kind];
      return picture ? [{ label: group.label, picture, name: `${kind} of run '${run.name}'` }] : [];
    }),
  );
  const room = PICTURE_ROOM / Math.max(1, shown.flat().length);
  for (const [i, { heading, words }] of kinds.entries()) {
    const figures = shown[i]!.map(async ({ label, picture, name }) => {
      const source = await embedded(picture, room, name);
      return html`<figure><img alt="${words} ${label} predicts and the true ones" src="${source}"><figcaption>${label}</figcaption></figure>`;
    });
    if (figures.length > 0) page.add(heading, await Promise.all(figures));
  }
}

/** JSON for a script element: no text in it can end the element. */
function scriptJson(value: unknown): Markup {
  return new Markup(JSON.stringify(value).replaceAll('<', '\\u003c'));
}

/** A script of this package's own or of ECharts, for a script element, which it must not end. */
async function script(file: string | URL): Promise<string> {
  return (await readFile(file, 'utf8')).replaceAll('</script', '<\\/script');
}

/** The scripts of a page: ECharts, and what draws with it, as compiled from browser/page.ts. */
function scripts(): Promise<string[]> {
  const bundle = createRequire(import.meta.url).resolve('echarts/dist/echarts.min.js');
  return Promise.all([script(bundle), script(new URL('../../dist/report/browser/page.js', import.meta.url))]);
}

async function body(
  page: Page,
  runs: readonly RunData[],
  groups: RunGroup[],
  rows: readonly ComparisonRow[],
): Promise<void> {
  page.add(rows.length > 1 ? 'Comparison' : 'Result', comparisonTable(rows, runs));
  await curvesSection(page, groups);
  const steps = stepsChart(groups, colourName);
  if (steps) page.add('Step by step', page.chart('steps', steps));
  for (const [index, group] of groups.entries()) {
    const experts = expertsChart(bestRun(group), colourName);
    if (experts) page.add(`Experts: ${group.label}`, page.chart(`experts${index}`, experts));
  }
  const schedule = scheduleChart(groups, colourName);
  if (schedule) page.add('Schedule', page.chart('schedule', schedule));
  for (const [index, group] of groups.entries()) evaluationSection(page, group, index);
  await pictureSections(page, groups);
  page.add('Configuration', configTable(runs));
  const environment = environmentTable(runs);
  if (environment) page.add('Environment', environment);
}

/**
 * Writes the page about one or several runs: comparison, curves that can be hovered, schedules, use of the experts,
 * confusion matrix, predictions, configuration and environment. The page is self-contained: its content security policy
 * allows only its own two scripts and no requests. About 1.3 MB, most of it ECharts.
 * @param runs - runs of `loadRun`; at least one
 * @param options - heading
 * @returns the HTML
 * @throws ArgumentError for an empty list, and for an invalid run, naming the field
 * @example
 * await writeFile('report.html', await report.page([await report.loadRun('runs/dy')]))
 */
export async function page(runs: readonly RunData[], options: PageOptions = {}): Promise<string> {
  const list = checkRuns(runs);
  const { title: heading } = checkOptions(options, PAGE_KEYS);
  if (heading !== undefined) checkString(heading, 'title');
  if (list.length === 0) throw invalidArgument('runs', 'at least one run', runs);
  return renderPage(list, heading);
}

/** {@link page} of runs that have been checked. */
export async function renderPage(list: readonly RunData[], heading?: string): Promise<string> {
  const groups = groupsOf(list);
  const { rows, findings } = comparisonOf(groups);
  const datasets = [...new Set(list.map(({ config }) => config.dataset))].join(', ');
  const title = heading ?? `${groups.map(({ label }) => label).join(' and ')} on ${datasets}`;
  const made = new Page();
  await body(made, list, groups, rows);
  const texts = await scripts();
  const hashes = texts.map((text) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`);
  const policy = `default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src ${hashes.join(' ')}; base-uri 'none'; form-action 'none'`;
  const data: PageData = { charts: made.charts, schemes: schemes() };
  const count = list.length === 1 ? 'one run' : `${list.length} runs`;
  const versions = [...new Set(list.flatMap(({ environment }) => environment?.dyconv ?? []))].join(', ');
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${new Markup(policy)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${new Markup(PAGE_STYLE)}</style>
</head>
<body>
<header><h1>${title}</h1><p>${count}, ${datasets}</p>${findings.map((text) => html`<p class="finding">${text}</p>`)}</header>
<main>
<div class="cards">${cards(rows)}</div>
${made.sections}</main>
<footer>Made by dyconv${versions && ` ${versions}`}.</footer>
<script type="application/json" id="report-data">${scriptJson(data)}</script>
${texts.map((text) => html`<script>${new Markup(text)}</script>\n`)}</body>
</html>
`.toString();
}
