/**
 * Data sets of parquet files, such as those of Hugging Face.
 * @module
 */
import type { FileMetaData } from 'hyparquet';
import { checkFunction, checkOptions, checkString, checkStrings, optionKeys } from '../check/index.js';
import { DatasetError, DownloadError, describe, invalidArgument } from '../errors.js';
import { openParts, type RandomAccess } from '../files/remote.js';
import { checkSameClasses } from './class-names.js';
import { datasetError, warn } from './dataset.js';
import { labelFrom } from './labels.js';
import { checkDecodeOptions, DECODES_AT_A_TIME, type DecodeOptions, decodeChecked } from './picture.js';
import { Random } from './random.js';
import { checkStream, type ReadRequest } from './stream.js';
import { checkUnreadable, skipper, type UnreadableOptions } from './unreadable.js';
import { type ImageStream, samplesOf } from './web-dataset.js';

/** Options of {@link parquet}. */
export interface ParquetOptions extends DecodeOptions, UnreadableOptions {
  /** Column of the images: encoded bytes, or a struct with the field `bytes`. Default: `image`. */
  image?: string | undefined;
  /** Column of the labels: integers, or names of classes. Default: `label`. */
  label?: string | undefined;
  /** Names of the classes in label order. Default: those that Hugging Face stores in the files; otherwise not known. */
  classes?: readonly string[] | undefined;
}

const PARQUET_KEYS = optionKeys(
  ...(['image', 'label', 'classes', 'channels', 'size', 'maxPixels', 'unreadable', 'onSkip'] as const),
);

/** A set of known length. */
export interface ParquetSet extends ImageStream {
  /** Number of rows. */
  readonly length: number;
}

/** Rows that are read at once. */
interface RowGroup {
  file: number;
  /** First row, and the one after the last. */
  rows: [start: number, end: number];
}

/** A row of a file. */
interface ParquetItem {
  /** The file and the row, for messages. */
  source: string;
  image: unknown;
  label: unknown;
}

interface OpenFile {
  name: string;
  access: RandomAccess;
  metadata: FileMetaData;
}

/**
 * An iterable data set of parquet files, local or from http servers that support range requests. Only the columns of image and label are
 * read, one row group at a time, which is the memory that is needed: Hugging Face writes groups of 100 to 1,000 images. With `shuffle`,
 * a loader reads the row groups in random order, and shuffles rows with its buffer (`shuffleBuffer`).
 *
 * @param files - Paths or addresses.
 * @throws ArgumentError naming the option; DatasetError naming the file, if it is not parquet or a column is missing, and the row of an
 * image or a label that cannot be read; DownloadError. With `unreadable: 'skip'` rows and row groups that cannot be read are left out.
 * @see https://huggingface.co/docs/datasets/image_dataset
 * @example
 * const set = await data.parquet(['train-00000.parquet', 'train-00001.parquet'], { image: 'img', label: 'label' })
 * console.log(set.length, set.classes)
 */
export async function parquet(
  files: string | readonly string[],
  options: ParquetOptions = {},
): Promise<ParquetSet> {
  const { image = 'image', label = 'label', classes: own, ...rest } = checkOptions(options, PARQUET_KEYS);
  const { unreadable: _, onSkip, ...decode } = rest;
  const names =
    typeof files === 'string' ? [files] : checkStrings(files, 'files', 'a path or a list of paths');
  if (names.length === 0) throw invalidArgument('files', 'at least one path', files);
  for (const [name, column] of Object.entries({ image, label }))
    checkString(column, name, 'the name of a column');
  checkDecodeOptions(decode);
  checkUnreadable(rest);
  if (onSkip !== undefined) checkFunction(onSkip, 'onSkip');
  const opened: OpenFile[] = [];
  for (const name of names) opened.push(await openParquet(name, [image, label]));
  const groups = opened.flatMap(({ name, metadata }, file) => groupsOf(name, metadata, file));
  const named = own && checkStrings(own, 'classes', 'a list of names');
  const classes = named ?? classesIn(opened[0]!.metadata, label);
  if (classes) for (const file of opened) checkClasses(file, label, classes, named !== undefined);
  const skip = skipper(rest);
  const set: ParquetSet = {
    length: groups.reduce((sum, { rows: [start, end] }) => sum + end - start, 0),
    classes: classes && Object.freeze([...classes]),
    concurrency: DECODES_AT_A_TIME,
    async *read({ epoch, seed, shuffle }: ReadRequest) {
      const order = shuffle ? new Random(seed, epoch, SALT).shuffle(groups.map((_, i) => i)) : groups.keys();
      for (const at of order) {
        const { file, rows } = groups[at]!;
        const { name } = opened[file]!;
        try {
          yield* await readRows(opened[file]!, rows, [image, label]);
        } catch (error) {
          if (error instanceof DownloadError) throw error;
          skip(`${name} (rows ${rows[0]} to ${rows[1] - 1})`, 'damaged', error);
        }
      }
    },
    async decode({ source, image: value, label: given }: ParquetItem) {
      try {
        return { ...(await decodeChecked(bytesOf(value), decode)), label: labelFrom(given, classes) };
      } catch (error) {
        return skip(source, 'cannot be read as a sample', error);
      }
    },
    [Symbol.asyncIterator]: () => samplesOf(set),
  };
  if (set.length === 0) throw datasetError(names[0]!, 'expected rows but found none');
  checkStream(set, 'options');
  return set;
}

/** Distinguishes this generator from others that use the seed and the epoch. */
const SALT = 0x706172;

/** Memory of a row group above which a warning is given. */
const LARGE_GROUP = 1 << 30;

async function openParquet(name: string, columns: readonly string[]): Promise<OpenFile> {
  try {
    const { parquetMetadataAsync, parquetSchema } = await import('hyparquet');
    const access = await openParts(name);
    await checkMagic(name, access);
    const metadata = await parquetMetadataAsync(access);
    const found = parquetSchema(metadata).children.map(({ element }) => element.name);
    const missing = columns.find((column) => !found.includes(column));
    if (missing !== undefined)
      throw datasetError(name, `expected a column ${missing} but found ${found.join(', ')}`);
    return { name, access, metadata };
  } catch (error) {
    if (error instanceof DatasetError || error instanceof DownloadError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    throw datasetError(
      name,
      code === 'ENOENT' ? 'no such file' : `cannot be read as parquet, its footer is damaged: ${message}`,
      error,
    );
  }
}

/** A parquet file begins and ends with these letters. */
const MAGIC = 'PAR1';

/** @throws DatasetError for a file that is empty, cut, or of another kind. */
async function checkMagic(name: string, access: RandomAccess): Promise<void> {
  const size = access.byteLength;
  if (size === 0) throw datasetError(name, 'the file is empty');
  const text = async (start: number, end: number) =>
    Buffer.from(await access.slice(Math.max(0, start), Math.min(end, size))).toString('latin1');
  if ((await text(0, MAGIC.length)) !== MAGIC)
    throw datasetError(name, 'expected a parquet file but found another kind of file');
  if (size < 3 * MAGIC.length || (await text(size - MAGIC.length, size)) !== MAGIC)
    throw datasetError(name, 'the parquet file is incomplete: its end is missing');
}

function groupsOf(name: string, { row_groups: groups }: FileMetaData, file: number): RowGroup[] {
  let start = 0;
  const large = groups.find(({ total_byte_size: size }) => Number(size) > LARGE_GROUP);
  if (large)
    warn(
      'DYCONV_ROW_GROUP',
      `${name}: reading a row group takes ${(Number(large.total_byte_size) / 2 ** 30).toFixed(1)} GiB of memory: write the file with fewer rows \
per group`,
    );
  return groups.map(({ num_rows: count }) => {
    const rows: RowGroup['rows'] = [start, start + Number(count)];
    start = rows[1];
    return { file, rows };
  });
}

/** The items of a row group. */
async function readRows(
  { name, access, metadata }: OpenFile,
  [rowStart, rowEnd]: RowGroup['rows'],
  [image, label]: readonly [string, string],
): Promise<ParquetItem[]> {
  const { parquetReadObjects } = await import('hyparquet');
  const { compressors } = await import('hyparquet-compressors');
  const rows = await parquetReadObjects({
    ...{ file: access, metadata, columns: [image, label], rowStart, rowEnd, compressors },
    utf8: false,
  });
  return rows.map((row, i) => ({
    source: `${name} (row ${rowStart + i})`,
    image: copied(row[image]),
    label: row[label],
  }));
}

/** A value without the rest of its page, which a view would keep in memory. */
function copied(value: unknown): unknown {
  const bytes = value instanceof Uint8Array ? value : (value as { bytes?: unknown } | null)?.bytes;
  return bytes instanceof Uint8Array ? bytes.slice() : value;
}

function bytesOf(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw new Error(`expected the bytes of an image file but found ${describe(value)}`);
}

/**
 * The integers of a file are indices into the names that it has itself.
 * @param areGiven - Whether the classes are those of the option, which may be other names for those in the file.
 * @throws DatasetError for a file with other names than the set, or with the same ones in another order.
 */
function checkClasses(
  { name, metadata }: OpenFile,
  label: string,
  classes: readonly string[],
  areGiven: boolean,
): void {
  const own = classesIn(metadata, label);
  if (own === undefined) return;
  const isRenamed = areGiven && [...own].sort().join('\0') !== [...classes].sort().join('\0');
  if (!isRenamed) checkSameClasses(name, classes, own);
}

/** The names of a ClassLabel column, in the metadata that Hugging Face's library writes. */
function classesIn({ key_value_metadata: metadata }: FileMetaData, label: string): string[] | undefined {
  const text = metadata?.find(({ key }) => key === 'huggingface')?.value;
  try {
    const { names } = JSON.parse(text ?? '{}').info.features[label];
    return Array.isArray(names) && names.every((name) => typeof name === 'string') ? names : undefined;
  } catch {
    return undefined; // written by other software
  }
}
