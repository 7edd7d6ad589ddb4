/**
 * The article's comparison table: model, training accuracy, validation accuracy, parameters, and more columns.
 * @module
 */
import type { RunData } from '../run/records.js';
import { alignColumns, formatCount, formatDuration, printable } from '../text.js';
import { findingsOf } from './findings.js';
import { groupRuns, type RunGroup } from './groups.js';
import { type ComparisonRow, rowOf } from './rows.js';
import type { MeanInterval } from './statistics.js';

/** The comparison as data (`rows`), as Markdown and, through `toString()`, as text for a terminal. */
export interface Comparison {
  /** One row per group of runs that differ only in their seed. */
  rows: ComparisonRow[];
  /** The conclusions in sentences: which model is better, by how much, and the interval of the difference. */
  findings: string[];
  /** A Markdown table. */
  toMarkdown(): string;
  /** Aligned text. */
  toString(): string;
}

function measured(value: MeanInterval | null, digits: number): string {
  if (value === null) return '-';
  const half = value.halfWidth === null ? '' : ` \u00b1 ${value.halfWidth.toFixed(digits)}`;
  return `${value.mean.toFixed(digits)}${half}`;
}

/** Heads of the columns; all except the first are numbers and right-aligned. */
const COMPARISON_HEADS = [
  'model',
  'train acc',
  'val acc',
  'parameters',
  'best val acc',
  'test acc',
  'epochs',
  'images/s',
  'time',
  'data',
  'images',
  'seeds',
] as const;

/** The cells of a row as text, in the order of {@link COMPARISON_HEADS}. */
function comparisonCells(entry: ComparisonRow): string[] {
  const low = Math.min(...entry.epochs);
  const high = Math.max(...entry.epochs);
  return [
    entry.model,
    measured(entry.trainAccuracy, 4),
    measured(entry.valAccuracy, 4),
    formatCount(entry.parameters),
    measured(entry.bestValAccuracy, 4),
    measured(entry.testAccuracy, 4),
    `${low === high ? low : `${low}-${high}`}${entry.finished ? '' : ` of ${entry.plannedEpochs}`}`,
    measured(entry.imagesPerSecond, 0),
    entry.seconds === null ? '-' : formatDuration(entry.seconds.mean),
    dataText(entry),
    formatCount(entry.images),
    String(entry.seeds.length),
  ];
}

const dataText = ({ dataset, classes }: ComparisonRow) => `${dataset}, ${classes.length} classes`;

/** A note below the table that explains the interval and the columns; null if not needed. */
export function comparisonNote(rows: readonly ComparisonRow[]): string | null {
  const unfinished = rows.filter(({ finished }) => !finished).map(({ model }) => model);
  const notes = [
    rows.some((entry) => entry.seeds.length > 1) &&
      '\u00b1: 95 % interval of the mean over the seeds (Student\u2019s t)',
    unfinished.length > 0 && `not finished: ${unfinished.join(', ')}`,
  ];
  return notes.filter(Boolean).join('; ') || null;
}

/**
 * Heads and cells as text; without the column of seeds if every model has one run, without the test column if there is no test, and without data and
 * images if all rows have the same.
 */
export function comparisonText(rows: readonly ComparisonRow[]): string[][] {
  const hidden = new Set<string>();
  if (rows.every((entry) => entry.seeds.length === 1)) hidden.add('seeds');
  if (rows.every((entry) => entry.testAccuracy === null)) hidden.add('test acc');
  const differ = (text: (entry: ComparisonRow) => unknown) => new Set(rows.map(text)).size > 1;
  if (!differ(({ dataset, classes }) => JSON.stringify([dataset, [...classes].sort()]))) hidden.add('data');
  if (!differ(({ images }) => images)) hidden.add('images');
  const shown = (_: string, column: number) => !hidden.has(COMPARISON_HEADS[column]!);
  return [[...COMPARISON_HEADS] as string[], ...rows.map(comparisonCells)].map((cells) =>
    cells.filter(shown),
  );
}

function markdown(rows: readonly ComparisonRow[]): string {
  const [heads, ...body] = comparisonText(rows) as [string[], ...string[][]];
  const line = (cells: readonly string[]) =>
    `| ${cells.map((text) => printable(text).replaceAll('|', '\\|')).join(' | ')} |`;
  const rule = heads.map((_, column) => (column === 0 ? '---' : '---:'));
  const note = comparisonNote(rows);
  return [line(heads), line(rule), ...body.map(line), ...(note ? ['', note] : [])].join('\n');
}

/** Pads a mean without an interval, so that the means of a column are aligned. */
function meansAligned(table: readonly string[][]): string[][] {
  const room = (column: number) => Math.max(0, ...table.map((cells) => intervalLength(cells[column]!)));
  const rooms = table[0]!.map((_, column) => room(column));
  return table.map((cells, row) =>
    row === 0 ? cells : cells.map((text, column) => text + ' '.repeat(rooms[column]! - intervalLength(text))),
  );
}

const intervalLength = (text: string) =>
  text.includes(' \u00b1 ') ? text.length - text.indexOf(' \u00b1 ') : 0;

function terminal(rows: readonly ComparisonRow[]): string {
  const lines = alignColumns(meansAligned(comparisonText(rows)));
  const rule = '-'.repeat(Math.max(...lines.map((line) => line.length)));
  const note = comparisonNote(rows);
  return [lines[0], rule, ...lines.slice(1), ...(note ? ['', note] : [])].join('\n');
}

/**
 * Compares runs. Runs that differ only in their seed become one row with mean and 95 % interval.
 * @param runs - runs of `loadRun`
 * @returns rows in the order of the runs; print the object for the table
 * @throws ArgumentError for an invalid run, naming the field
 * @example
 * console.log(String(report.comparison([await report.loadRun('runs/static'), await report.loadRun('runs/dy')])))
 */
export function comparison(runs: readonly RunData[]): Comparison {
  return comparisonOf(groupRuns(runs));
}

/** {@link comparison} of groups. */
export function comparisonOf(groups: readonly RunGroup[]): Comparison {
  const rows = groups.map(rowOf);
  return {
    rows,
    findings: findingsOf(rows),
    toMarkdown: () => markdown(rows),
    toString: () => terminal(rows),
  };
}
