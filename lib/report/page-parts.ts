/**
 * The parts of the page that are text and tables.
 * @module
 */

import type { RunData } from '../run/records.js';
import { formatCount, formatDuration } from '../text.js';
import { type Content, html, type Markup } from './html.js';
import type { ComparisonRow } from './rows.js';
import { comparisonNote, comparisonText } from './table.js';
import { cssColour } from './theme.js';

/** Keys of the configuration by importance; other keys follow. */
const CONFIG_ORDER = ['model', 'modelOptions', 'parameters', 'dataset', 'epochs', 'batchSize', 'lr', 'seed'];

const dot = (index: number) => html`<span class="dot" style="background:${cssColour(index)}"></span>`;

function epochsText({ epochs, plannedEpochs, finished }: ComparisonRow): string {
  const most = Math.max(...epochs);
  if (!finished) return `not finished: ${most} of ${plannedEpochs} epochs`;
  return `${most} ${most === 1 ? 'epoch' : 'epochs'}`;
}

/** One card per model: its best validation accuracy, parameters and time. */
export function cards(rows: readonly ComparisonRow[]): Markup[] {
  return rows.map((entry, index) => {
    const value = entry.testAccuracy ?? entry.bestValAccuracy ?? entry.trainAccuracy;
    const half = value?.halfWidth ? html` <small>\u00b1 ${value.halfWidth.toFixed(4)}</small>` : null;
    const seeds = entry.seeds.length > 1 ? `, mean of ${entry.seeds.length} seeds` : '';
    const validated = entry.bestValAccuracy ? 'best validation accuracy' : 'training accuracy';
    const what = entry.testAccuracy ? 'test accuracy of the best epoch' : validated;
    const more = [
      `${formatCount(entry.parameters)} parameters`,
      epochsText(entry),
      ...(entry.seconds ? [formatDuration(entry.seconds.mean)] : []),
    ];
    return html`<div class="card">
<div class="name">${dot(index)}<span>${entry.model}</span></div>
<div class="big">${value ? value.mean.toFixed(4) : '-'}${half}</div>
<div class="what">${what}${seeds}</div>
<div class="more">${more.join(' \u00b7 ')}</div>
</div>`;
  });
}

/** Which images chose the best epoch of every run, in a sentence. */
function chooser(runs: readonly RunData[]): string {
  const shares = new Set(runs.map(({ config }) => config.valSplit ?? null));
  const [share] = shares;
  if (shares.size > 1)
    return 'The best epoch was chosen on different images: see valSplit in the configuration.';
  if (share === 'folder') return 'The best epoch was chosen on the validation images of the data set.';
  if (share) return `The best epoch was chosen on ${100 * share} % of the training images, held out for it.`;
  return 'The best epoch was chosen on the test images themselves, which makes its accuracy a little too high: train.js --val-split chooses on others.';
}

/** The comparison as a table; the highest accuracies are bold if there are several rows. */
export function comparisonTable(rows: readonly ComparisonRow[], runs: readonly RunData[]): Markup {
  const top = (key: 'trainAccuracy' | 'valAccuracy' | 'bestValAccuracy') =>
    Math.max(...rows.map((entry) => entry[key]?.mean ?? -1));
  const bold = new Map<number, (entry: ComparisonRow) => boolean>(
    rows.length < 2
      ? []
      : [
          [2, (entry) => entry.valAccuracy?.mean === top('valAccuracy')],
          [4, (entry) => entry.bestValAccuracy?.mean === top('bestValAccuracy')],
        ],
  );
  const [heads, ...body] = comparisonText(rows) as [string[], ...string[][]];
  const head = heads.map((name, i) => html`<th class="${i > 0 && 'n'}" scope="col">${name}</th>`);
  const lines = rows.map((entry, index) => {
    const [name, ...cells] = body[index]!;
    const tds = cells.map(
      (text, i) => html`<td class="n${bold.get(i + 1)?.(entry) && ' best'}">${text}</td>`,
    );
    return html`<tr><th scope="row">${dot(index)} ${name}</th>${tds}</tr>`;
  });
  const note = comparisonNote(rows);
  const chosenBy = chooser(runs);
  return html`<div class="scroll"><table><thead><tr>${head}</tr></thead><tbody>${lines}</tbody></table></div>
<p class="note">Accuracies of the last epoch and of the best one. ${chosenBy} Parameters include the running statistics of batch norm.${note && ` ${note}.`}</p>`;
}

function plain(value: unknown): string {
  if (value === null || value === undefined) return '-';
  if (Array.isArray(value)) return value.length > 0 ? value.map(plain).join(', ') : 'none';
  if (typeof value === 'object')
    return Object.entries(value)
      .map(([key, item]) => `${key} ${plain(item)}`)
      .join(', ');
  if (typeof value === 'number' && Number.isInteger(value) && Math.abs(value) >= 10_000)
    return formatCount(value);
  return String(value);
}

/** A table with keys as rows and runs as columns; rows in which runs differ are marked. */
function factsTable(
  heads: readonly string[],
  records: readonly Record<string, unknown>[],
  keys: string[],
): Markup {
  const lines = keys.map((key) => {
    const cells = records.map((record) => plain(record[key]));
    const differs = new Set(cells).size > 1;
    const shown = !differs && cells.length > 1 ? [cells[0]!] : cells;
    const span = shown.length < cells.length ? cells.length : 1;
    const tds = shown.map(
      (text) => html`<td colspan="${span}">${key === 'command' ? html`<code>${text}</code>` : text}</td>`,
    );
    return html`<tr class="${differs && 'differs'}"><th scope="row">${key}</th>${tds}</tr>`;
  });
  const names: Content = heads.map((name) => html`<th scope="col">${name}</th>`);
  const head = heads.length > 1 && html`<thead><tr><th></th>${names}</tr></thead>`;
  return html`<div class="scroll"><table class="facts">${head}<tbody>${lines}</tbody></table></div>`;
}

/** The configuration of every run; differences are marked. */
export function configTable(runs: readonly RunData[]): Markup {
  const records = runs.map(({ config }): Record<string, unknown> => ({ ...config }));
  const all = [...new Set(records.flatMap((record) => Object.keys(record)))];
  const keys = [
    ...CONFIG_ORDER.filter((key) => all.includes(key)),
    ...all.filter((key) => !CONFIG_ORDER.includes(key)),
  ];
  return factsTable(
    runs.map(({ name }) => name),
    records,
    keys,
  );
}

/** The environment of every run; null if none has recorded it. */
export function environmentTable(runs: readonly RunData[]): Markup | null {
  if (runs.every(({ environment }) => environment === null)) return null;
  const records = runs.map(({ environment }): Record<string, unknown> => {
    if (environment === null) return {};
    const { memoryBytes, command, ...rest } = environment;
    return {
      ...rest,
      memory: `${(memoryBytes / 2 ** 30).toFixed(1)} GiB`,
      command: command.join(' '),
    };
  });
  const keys = [...new Set(records.flatMap((record) => Object.keys(record)))];
  return factsTable(
    runs.map(({ name }) => name),
    records,
    keys,
  );
}
