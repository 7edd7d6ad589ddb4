/**
 * Reads lists of image files: their paths, their classes and their splits.
 * @module
 */
import { constants } from 'node:buffer';
import { dirname, extname, resolve } from 'node:path';
import { describe } from '../errors.js';
import { reasonOf } from '../files/error.js';
import { openFile } from '../files/open.js';
import { listNames } from './class-names.js';
import { csvRecords, LineError } from './csv.js';
import { datasetError } from './dataset.js';
import { type FolderSplit, SPLIT_NAMES } from './picture-files.js';

/** A row of a manifest. */
export interface ManifestRow {
  /** 1-based line of the file. */
  line: number;
  /** As written in the file. */
  name: string;
  /** Absolute path. */
  path: string;
  /** Name of the class. */
  label: string;
  /** Undefined if the manifest has no splits. */
  split: FolderSplit | undefined;
}

/** The values of a row, not yet checked. */
interface RawRow {
  line: number;
  path: unknown;
  label: unknown;
  split: unknown;
}

/** How a manifest is read, by its file extension. */
const FORMATS: Readonly<Record<string, (text: string) => Iterable<RawRow>>> = {
  '.csv': (text) => tableRows(text, ','),
  '.tsv': (text) => tableRows(text, '\t'),
  '.jsonl': jsonRows,
  '.ndjson': jsonRows,
};

/** The endings of the names of manifests. */
export const MANIFEST_ENDINGS: readonly string[] = Object.keys(FORMATS);

/** Columns or keys of the path: `file_name` is that of Hugging Face's `metadata.csv`. */
const PATH_NAMES = ['path', 'file_name'] as const;

/** The split of rows by its name. */
const SPLITS = new Map(
  Object.entries(SPLIT_NAMES).flatMap(([split, names]) =>
    names.map((name) => [name, split as FolderSplit] as const),
  ),
);

/**
 * The rows of a manifest in their order.
 * @throws DatasetError naming the file and the line.
 */
export async function readManifest(file: string): Promise<ManifestRow[]> {
  const rowsOf = FORMATS[extname(file).toLowerCase()];
  if (!rowsOf)
    throw datasetError(
      file,
      `expected the name of a manifest to end in ${MANIFEST_ENDINGS.slice(0, -1).join(', ')} or .ndjson`,
    );
  const text = await readText(file);
  const folder = dirname(resolve(file));
  const lines = new Map<string, number>();
  const rows: ManifestRow[] = [];
  try {
    for (const raw of rowsOf(text)) {
      const row = rowOf(raw, folder);
      const before = lines.get(row.path);
      if (before !== undefined)
        throw new LineError(row.line, `expected every image once but ${row.name} is also in line ${before}`);
      lines.set(row.path, row.line);
      if (rows.length > 0 && (row.split === undefined) !== (rows[0]!.split === undefined))
        throw new LineError(
          row.line,
          row.split === undefined
            ? 'expected a split, as the rows before have one, but found none'
            : `expected no split, as the rows before have none, but found ${describe(raw.split)}`,
        );
      rows.push(row);
    }
  } catch (error) {
    if (error instanceof LineError) throw datasetError(atLine(file, error.line), error.message);
    throw error;
  }
  if (rows.length === 0) throw datasetError(file, 'expected a row for every image but found none');
  return rows;
}

/** The place of a row, for messages. */
export function atLine(file: string, line: number): string {
  return `${file}, line ${line}`;
}

/** The splits that there are rows of; null if rows have no splits. */
export function splitsOfRows(rows: readonly ManifestRow[]): ReadonlySet<FolderSplit> | null {
  const splits = new Set(rows.map(({ split }) => split).filter((split) => split !== undefined));
  return splits.size === 0 ? null : splits;
}

/** The content of a text file without its byte order mark. */
async function readText(file: string): Promise<string> {
  let bytes: Buffer;
  try {
    const opened = await openFile(file);
    try {
      bytes = await opened.readFile();
    } finally {
      await opened.close();
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const reason = code === 'ENOENT' ? 'no such file' : reasonOf(error as NodeJS.ErrnoException);
    throw datasetError(file, `cannot be read as a manifest: ${reason}`, error);
  }
  if (bytes.length > constants.MAX_STRING_LENGTH)
    throw datasetError(
      file,
      `expected at most ${constants.MAX_STRING_LENGTH} bytes but found ${bytes.length}`,
    );
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw datasetError(file, 'expected text in UTF-8 but found other bytes', error);
  }
}

function* tableRows(text: string, separator: ',' | '\t'): Generator<RawRow> {
  const records = csvRecords(text, separator);
  const { value: header } = records.next();
  if (!header) return;
  const { line, fields } = header;
  const names = fields.map((name) => name.trim().toLowerCase());
  const repeated = names.find((name, i) => names.indexOf(name) !== i);
  if (repeated !== undefined)
    throw new LineError(line, `expected unique column names but found ${describe(repeated)} twice`);
  const path = PATH_NAMES.find((name) => names.includes(name));
  if (path === undefined || !names.includes('label'))
    throw new LineError(
      line,
      `expected the columns path and label, and optionally split, but found ${listNames(names)}${hint(fields, separator)}`,
    );
  const [pathAt, labelAt, splitAt] = [path, 'label', 'split'].map((name) => names.indexOf(name));
  for (const { line, fields } of records) {
    if (fields.length !== names.length)
      throw new LineError(
        line,
        `expected ${names.length} fields, as in the header, but found ${fields.length}`,
      );
    yield { line, path: fields[pathAt!], label: fields[labelAt!]!.trim(), split: fields[splitAt!]?.trim() };
  }
}

/** What separates the columns instead, where there is only one. */
function hint([only = '', ...others]: readonly string[], separator: string): string {
  const found = others.length === 0 ? [';', '\t', ','].find((sign) => only.includes(sign)) : undefined;
  if (found === undefined) return '';
  const wanted = separator === ',' ? 'commas' : 'tabs';
  return `: separate columns with ${wanted}`;
}

function* jsonRows(text: string): Generator<RawRow> {
  // Strings of JSON cannot contain line ends.
  for (const [i, row] of text.split(/\r\n|\n|\r/).entries()) {
    if (row.trim() === '') continue;
    const line = i + 1;
    const value = jsonObject(row, line);
    const path = PATH_NAMES.find((name) => name in value);
    if (path === undefined || !('label' in value))
      throw new LineError(
        line,
        `expected an object with path and label, and optionally split, but found the keys ${listNames(Object.keys(value))}`,
      );
    const { label, split } = value;
    // Numbers are names like others.
    yield { line, path: value[path], label: Number.isSafeInteger(label) ? String(label) : label, split };
  }
}

function jsonObject(text: string, line: number): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new LineError(line, `expected an object in JSON: ${(error as Error).message}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new LineError(line, `expected an object in JSON but found ${describe(value)}`);
  return value as Record<string, unknown>;
}

/** @throws LineError naming the value that does not fit. */
function rowOf({ line, path, label, split }: RawRow, folder: string): ManifestRow {
  if (typeof path !== 'string' || path === '' || path.includes('\0'))
    throw new LineError(line, `expected the path of an image for path but found ${describe(path)}`);
  if (typeof label !== 'string' || label === '')
    throw new LineError(line, `expected the name of a class for label but found ${describe(label)}`);
  const isMissing = split === undefined || split === null || split === '';
  const found = typeof split === 'string' ? SPLITS.get(split) : undefined;
  if (!isMissing && found === undefined)
    throw new LineError(
      line,
      `expected one of ${listNames([...SPLITS.keys()])} for split but found ${describe(split)}`,
    );
  return { line, name: path, path: resolve(folder, path), label, split: found };
}
