/**
 * Images that are listed in a file, with their classes and splits.
 * @module
 */
import { checkOptions, optionKeys } from '../check/index.js';
import { checkPath } from '../files/error.js';
import { printable } from '../text.js';
import { listNames } from './class-names.js';
import { datasetError, type ImageDataset, type InMemoryDataset } from './dataset.js';
import { atLine, type ManifestRow, readManifest } from './manifest-file.js';
import {
  checkEmptyClasses,
  type FolderSplit,
  type FoundPictures,
  MAX_CLASSES,
  SPLIT_SOURCES,
} from './picture-files.js';
import { checkPictureSet, PICTURE_SET_KEYS, type PictureSetOptions, pictureSet } from './picture-set.js';

/** Options of {@link manifest}. */
export interface ManifestOptions extends PictureSetOptions {
  /** Path of the manifest: `.csv`, `.tsv` or `.jsonl`. */
  file: string;
  /**
   * Which rows, if they have splits: `train`; `val`, `valid` or `validation`; `test` or, without it, those for validation. Default:
   * `train`.
   */
  split?: FolderSplit | undefined;
}

const MANIFEST_KEYS = optionKeys('file', 'split', ...PICTURE_SET_KEYS);

/**
 * Reads the images of a manifest, as {@link imageFolder} reads those of a folder. A manifest is a table with a row per image: a CSV file
 * (RFC 4180, UTF-8) whose first line has the names of the columns, the same with tabs (`.tsv`), or a file with a JSON object in every line
 * (`.jsonl`). The columns or keys are
 * - `path` (or `file_name`): relative to the folder of the manifest, or absolute;
 * - `label`: the name of the class;
 * - `split`, which may be missing: `train`, `val` (`valid`, `validation`) or `test`.
 *
 * Other columns are ignored. Classes are the labels of the training rows: in numerical order if all are integers, otherwise in alphabetical
 * order. `set.nameOf(i)` is the path as written in the file.
 * @throws DatasetError with the number of the line for a row that does not fit, a label that the training rows do not have, and an image
 * that is missing or cannot be read; for a split without rows; ArgumentError.
 * @example
 * const set = await data.manifest({ file: 'photos.csv', split: 'train' })
 */
export function manifest(options: ManifestOptions & { memoryLimit?: undefined }): Promise<InMemoryDataset>;
export function manifest(options: ManifestOptions): Promise<ImageDataset>;
export async function manifest(options: ManifestOptions): Promise<ImageDataset> {
  const { file, split = 'train', ...rest } = checkOptions(options, MANIFEST_KEYS);
  checkPath(file, 'the path of a manifest', 'file');
  checkPictureSet(split, rest);
  return pictureSet('manifest', split, findListed(file, await readManifest(file), split, rest.classes), rest);
}

/**
 * The images of a split in a manifest, and the class of each.
 * @param file - The manifest, for messages.
 */
export function findListed(
  file: string,
  rows: readonly ManifestRow[],
  split: FolderSplit,
  known: readonly string[] | undefined,
): FoundPictures {
  const own = rowsOf(rows, split);
  if (own.length === 0)
    throw datasetError(file, `expected rows of the split ${split} but found none, only of ${splitsIn(rows)}`);
  const training = rowsOf(rows, 'train');
  const classes = known ?? classNames(training.length > 0 ? training : own);
  if (classes.length < 2 || classes.length > MAX_CLASSES)
    throw datasetError(
      file,
      `expected from 2 to ${MAX_CLASSES} classes but found ${classes.length}: ${listNames(classes)}`,
    );
  const labels = new Map(classes.map((name, label) => [name, label]));
  const files = own.map(({ line, name, path, label: className }) => {
    const label = labels.get(className);
    if (label === undefined)
      throw datasetError(
        atLine(file, line),
        `expected one of the ${classes.length} classes ${listNames(classes)} for label but found ${printable(className)}`,
      );
    return { path, name, label, source: `${atLine(file, line)}: ${name}` };
  });
  const found: FoundPictures = { folder: file, classes, files, leftOut: [] };
  checkEmptyClasses(found, split);
  return found;
}

/** The rows of a split; all rows of a manifest without splits. */
function rowsOf(rows: readonly ManifestRow[], split: FolderSplit): readonly ManifestRow[] {
  if (rows[0]?.split === undefined) return rows;
  const has = SPLIT_SOURCES[split].find((source) => rows.some((row) => row.split === source));
  return rows.filter((row) => row.split === has);
}

/** The splits of the rows with their numbers, for messages. */
function splitsIn(rows: readonly ManifestRow[]): string {
  const counts = new Map<string, number>();
  for (const { split = 'none' } of rows) counts.set(split, (counts.get(split) ?? 0) + 1);
  return [...counts].map(([split, count]) => `${split} (${count})`).join(', ');
}

/** The different labels in their order. */
function classNames(rows: readonly ManifestRow[]): string[] {
  const names = [...new Set(rows.map(({ label }) => label))];
  const isNumber = names.every((name) => /^-?\d{1,15}$/.test(name));
  return names.sort((a, b) => (isNumber ? Number(a) - Number(b) : a < b ? -1 : Number(a > b)));
}
