/**
 * The article's comparison table: model, training accuracy, validation accuracy, parameters, and more columns.
 * @module
 */
import type { RunData } from '../run/records.js';
import { alignColumns, formatCount, formatDuration, printable } from '../text.js';
import { groupRuns, type RunGroup } from './groups.js';
import { type MeanInterval, meanInterval } from './statistics.js';

/** One model of the comparison. A field is null if no run of the group has the value. */
export interface ComparisonRow {
  /** Name of the model, with a suffix if there are several of that name. */
  model: string;
  /** Directories of the runs, one per seed. */
  runs: string[];
  /** Seeds of the runs. */
  seeds: number[];
  /** Over the batches of the last epoch during training; 0 to 1. */
  trainAccuracy: MeanInterval | null;
  /** After the last epoch; 0 to 1. */
  valAccuracy: MeanInterval | null;
  /** After the best epoch of each run; 0 to 1. */
  bestValAccuracy: MeanInterval | null;
  /** Parameters and batch-norm statistics, counted as in the article. */
  parameters: number;
  /**
   * Of the best weights on the test images, 0 to 1, if other images chose them (`--val-split`). Without such a split the test
   * images are those of the validation, and this is null.
   */
  testAccuracy: MeanInterval | null;
  /** Number of validation images, or of test images if there is a `testAccuracy`; the smallest of all runs. */
  images: number;
  /** Finished epochs of every run. */
  epochs: number[];
  /** Configured number of epochs. */
  plannedEpochs: number;
  /** Whether every run has ended: after its last epoch, or by early stopping. */
  finished: boolean;
  /** Training images per second over the whole run. */
  imagesPerSecond: MeanInterval | null;
  /** Training time in seconds, without validation. */
  seconds: MeanInterval | null;
}

/** The comparison as data (`rows`), as Markdown and, through `toString()`, as text for a terminal. */
export interface Comparison {
  /** One row per group of runs that differ only in their seed. */
  rows: ComparisonRow[];
  /** A Markdown table. */
  toMarkdown(): string;
  /** Aligned text. */
  toString(): string;
}

function interval(values: readonly (number | null | undefined)[]): MeanInterval | null {
  const finite = values.filter((value): value is number => Number.isFinite(value));
  return finite.length > 0 ? meanInterval(finite) : null;
}

/** The accuracy of the best weights on the test images; null if they have not been evaluated. */
function bestOnTest({ evaluation }: RunData): number | null {
  return evaluation?.checkpoint === 'best' ? evaluation.accuracy : null;
}

/** A run that early stopping ended has an evaluation; an interrupted one does not. */
function hasEnded({ config, epochs, evaluation }: RunData): boolean {
  const last = epochs.at(-1)?.epoch ?? 0;
  return !(last < config.epochs) || (config.earlyStopping != null && evaluation !== null);
}

function row({ label, runs }: RunGroup): ComparisonRow {
  const bests = runs.map(({ epochs }) => {
    const values = epochs.map(({ val }) => val?.accuracy ?? Number.NaN).filter(Number.isFinite);
    return values.length > 0 ? Math.max(...values) : null;
  });
  const speeds = runs.map(({ epochs }) => {
    const seconds = epochs.reduce((sum, epoch) => sum + epoch.seconds, 0);
    return epochs.reduce((sum, epoch) => sum + epoch.imagesPerSecond * epoch.seconds, 0) / seconds;
  });
  const { valSplit, epochs: plannedEpochs } = runs[0]!.config;
  const tested = valSplit ? runs.map(bestOnTest) : [];
  const testAccuracy = tested.every((value) => value !== null) ? interval(tested) : null;
  return {
    model: label,
    runs: runs.map((run) => run.path),
    seeds: runs.map((run) => run.config.seed),
    trainAccuracy: interval(runs.map(({ epochs }) => epochs.at(-1)?.train.accuracy)),
    valAccuracy: interval(runs.map(({ epochs }) => epochs.at(-1)?.val?.accuracy)),
    bestValAccuracy: interval(bests),
    testAccuracy,
    images: Math.min(
      ...runs.map(({ config, evaluation }) => (testAccuracy ? evaluation?.images : config.valImages) ?? 0),
    ),
    parameters: runs[0]!.config.parameters.total,
    epochs: runs.map(({ epochs }) => epochs.length),
    plannedEpochs,
    finished: runs.every(hasEnded),
    imagesPerSecond: interval(speeds),
    seconds: interval(
      runs.map(({ epochs }) =>
        epochs.length > 0 ? epochs.reduce((sum, epoch) => sum + epoch.seconds, 0) : null,
      ),
    ),
  };
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
    String(entry.seeds.length),
  ];
}

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

/** Heads and cells as text; without the column of seeds if every model has one run, and without the test column if there is no test. */
export function comparisonText(rows: readonly ComparisonRow[]): string[][] {
  const hidden = new Set<string>();
  if (rows.every((entry) => entry.seeds.length === 1)) hidden.add('seeds');
  if (rows.every((entry) => entry.testAccuracy === null)) hidden.add('test acc');
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
  const rows = groups.map(row);
  return { rows, toMarkdown: () => markdown(rows), toString: () => terminal(rows) };
}
