/**
 * Writes the report files of `train`, `evaluate` and `compare`. Every file is written atomically.
 * @module
 */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import {
  checkIterable,
  checkOptions,
  checkRecord,
  checkString,
  checkStrings,
  optionKeys,
} from '../check/index.js';
import type { ImageDataset } from '../data/dataset.js';
import { ArgumentError, invalidArgument } from '../errors.js';
import { saveFile } from '../files/atomic.js';
import { fileError } from '../files/error.js';
import { loadRun } from '../run/read.js';
import type { Prediction as PredictedClass } from '../train/evaluate.js';
import { confusionPng } from './confusion.js';
import { drawCurves } from './curves.js';
import { groupsOf } from './groups.js';
import { PAGE_KEYS, type PageOptions, renderPage } from './page.js';
import { predictionsPng } from './predictions.js';
import { svgToPng } from './render.js';
import { type Comparison, comparisonOf } from './table.js';

/** Options of {@link writePredictions}. */
export interface WritePredictionsOptions {
  /** The images, with their class names: in memory, or decoded when they are shown. */
  set: ImageDataset;
  /**
   * `predictions` of `train.evaluate`: one for every image of `set` in its order, or for fewer images that are spread evenly over
   * it, as those of a loader with a `limit` are.
   */
  predictions: readonly PredictedClass[];
  /** Images to show at most; default 18, as in the article. */
  count?: number | undefined;
  /**
   * Which images: `'spread'` evenly over all predictions (the default), or only the `'mistakes'`, those with the highest probability
   * first.
   */
  show?: 'spread' | 'mistakes' | undefined;
}

const WRITE_PREDICTIONS_KEYS = optionKeys('set', 'predictions', 'count', 'show');

const PREDICTION = { label: 'number', predicted: 'number', probability: 'number' } as const;

/**
 * Draws images of a set with their true and predicted classes into a PNG file.
 * @param file - path of the PNG
 * @param options - set, predictions, and which of them are shown
 * @returns the number of images shown; with 0 no file is written
 * @throws ArgumentError for what is no set or no prediction, and for predictions of other images than those of the set; CheckpointError if
 * the file cannot be written; what `get` of the set throws
 */
export async function writePredictions(file: string, options: WritePredictionsOptions): Promise<number> {
  checkString(file, 'file', 'the path of a PNG file');
  const { set, count = 18, show = 'spread' } = checkOptions(options, WRITE_PREDICTIONS_KEYS);
  checkRecord(set, 'set', 'a Dataset', {
    get: 'function',
    length: 'number',
    shape: 'array',
    classes: 'array',
  });
  const predictions = checkIterable(options.predictions, 'predictions', 'an array of predictions');
  for (const [i, prediction] of predictions.entries())
    checkRecord(prediction, `predictions[${i}]`, 'a prediction', PREDICTION);
  if (predictions.length > set.length)
    throw new ArgumentError(
      `Expected at most ${set.length} predictions, one for every image of ${set.name}, but received ${predictions.length}`,
    );
  if (!(Number.isInteger(count) && count >= 1))
    throw invalidArgument('count', 'a whole number from 1 on', count);
  if (show !== 'spread' && show !== 'mistakes') throw invalidArgument('show', "'spread' or 'mistakes'", show);
  const chosen = (show === 'spread' ? spread : surestMistakes)(predictions, count);
  if (chosen.length === 0) return 0;
  const items = chosen.map(async (index) => {
    const prediction = predictions[index]!;
    const item = Math.floor((index * set.length) / predictions.length);
    const { image, label } = await set.get(item);
    if (label !== prediction.label)
      throw invalidArgument(
        `predictions[${index}].label`,
        `${label}, the label of image ${item},`,
        prediction.label,
      );
    return { ...prediction, image, shape: set.shape, name: set.nameOf?.(item) };
  });
  await saveFile(file, await predictionsPng(await Promise.all(items), { classes: set.classes }));
  return items.length;
}

/** Indices spread evenly over all predictions. */
function spread({ length }: readonly PredictedClass[], count: number): number[] {
  const shown = Math.min(count, length);
  return Array.from({ length: shown }, (_, i) => Math.floor((i * length) / shown));
}

/** Indices of the wrong predictions with the highest probability. */
function surestMistakes(predictions: readonly PredictedClass[], count: number): number[] {
  return [...predictions.keys()]
    .filter((i) => predictions[i]!.label !== predictions[i]!.predicted)
    .sort((a, b) => predictions[b]!.probability - predictions[a]!.probability)
    .slice(0, count);
}

/**
 * Writes `curves.svg`, `curves.png`, `report.html` and, after an evaluation, `confusion.png` into a run directory.
 * @param directory - the run directory
 * @throws ArgumentError if it is not a run directory; CheckpointError if a file in it is damaged or cannot be written
 */
export async function writeRunReport(directory: string): Promise<void> {
  const run = await loadRun(directory);
  const svg = await drawCurves(groupsOf([run]));
  const write = (name: string, contents: string | Uint8Array) =>
    saveFile(path.join(directory, name), contents);
  await write('curves.svg', svg);
  await write('curves.png', await svgToPng(svg));
  if (run.evaluation) await write('confusion.png', await confusionPng(run.evaluation));
  await write('report.html', await renderPage([run]));
}

/** Options of {@link compare}. */
export interface CompareOptions extends PageOptions {
  /** Path of the page with the overlaid curves; default: no page. */
  out?: string | undefined;
}

const COMPARE_KEYS = optionKeys(...PAGE_KEYS, 'out');

/**
 * Compares run directories: the article's table and, with `out`, a page with all curves in one chart.
 * @param directories - at least one; runs that differ only in their seed become one row
 * @param options - path and title of the page
 * @returns the comparison; print it for the table
 * @throws ArgumentError if an argument is not a path, a folder is not a run or a run has no finished epoch;
 * CheckpointError if a file is damaged, or the page cannot be written
 */
export async function compare(
  directories: readonly string[],
  options: CompareOptions = {},
): Promise<Comparison> {
  const list = checkStrings(directories, 'directories', 'an array of run directories');
  const { out, title } = checkOptions(options, COMPARE_KEYS);
  if (out !== undefined) checkString(out, 'out', 'the path of an HTML file');
  if (title !== undefined) checkString(title, 'title');
  if (list.length === 0) throw invalidArgument('directories', 'at least one run directory', directories);
  const seen = new Set<string>();
  const runs = [];
  for (const directory of list) {
    const resolved = path.resolve(directory);
    if (seen.has(resolved))
      throw new ArgumentError(`Expected different run directories but received '${directory}' twice`);
    seen.add(resolved);
    const run = await loadRun(directory);
    if (run.epochs.length === 0)
      throw new ArgumentError(
        `Expected at least one finished epoch in '${directory}', but its metrics.jsonl has none`,
      );
    runs.push(run);
  }
  const result = comparisonOf(groupsOf(runs));
  if (out !== undefined) {
    const page = await renderPage(runs, title);
    await mkdir(path.dirname(path.resolve(out)), { recursive: true }).catch((error) => {
      throw fileError('write', out, error);
    });
    await saveFile(out, page);
  }
  return result;
}
