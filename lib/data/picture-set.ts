/**
 * Sets of image files of one size: in memory if they fit, otherwise decoded when they are read.
 * @module
 */
import { oneOf } from '../check/arguments.js';
import { checkFunction, optionKeys } from '../check/index.js';
import { usableCores } from '../control-groups.js';
import { DatasetError, invalidArgument } from '../errors.js';
import { forEachParallel } from '../files/parallel.js';
import { allocateBytes } from './bytes.js';
import { listNames } from './class-names.js';
import { createDataset, datasetError, type ImageDataset, type Split, warn } from './dataset.js';
import { lazyPictures } from './lazy-pictures.js';
import { checkDecodeOptions, checkPictureHeader, decodePicture } from './picture.js';
import {
  checkEmptyClasses,
  countOf,
  type FolderSplit,
  type FoundPictures,
  type PictureFile,
  reasonFor,
} from './picture-files.js';
import { checkUnreadable } from './unreadable.js';

/** Options that sets of image files share. */
export interface PictureSetOptions {
  /**
   * Names of the classes in label order, such as `set.classes` of the training set or those stored with a run. Default: those of the
   * training images, for all splits; without splits those of all images.
   */
  classes?: readonly string[] | undefined;
  /** Height and width of the resized images, in pixels. Default: 130, the size before the random crop. */
  size?: number | undefined;
  /** Images with more pixels cannot be read: a small file may contain a huge image. Default: 100 million. */
  maxPixels?: number | undefined;
  /**
   * Memory for the images, in bytes: `length` x 3 x `size` x `size` are needed. The images of a set that needs more are decoded whenever a loader
   * reads them, and are the same ones: training is equal to the bit. Default: no limit.
   */
  memoryLimit?: number | undefined;
  /**
   * What to do with unreadable images. Default: `error`, which names the first one and counts them; in a set beyond
   * `memoryLimit` only their headers are read at first, and an image that is damaged behind it is an error when it is read. `skip` leaves them out; beyond `memoryLimit` it decodes every
   * image once to find them.
   */
  unreadable?: 'error' | 'skip' | undefined;
  /**
   * Called for every file that is left out, because of its file extension or because it cannot be read. Without it
   * the number of these files is reported as a process warning.
   */
  onSkip?: ((file: string, reason: string) => void) | undefined;
  /** Stops the reading of images: the promise is rejected with its reason. */
  signal?: AbortSignal | undefined;
  /** Called while images are read. */
  onProgress?: ((done: number, total: number) => void) | undefined;
}

/** @internal */
export const PICTURE_SET_KEYS = optionKeys(
  'classes',
  'size',
  'maxPixels',
  'memoryLimit',
  'unreadable',
  'onSkip',
  'signal',
  'onProgress',
);

/** Checks the options that sets of image files share, and the split. @throws ArgumentError naming the option. */
export function checkPictureSet(split: FolderSplit, options: PictureSetOptions): void {
  const { classes, size, maxPixels, memoryLimit, onSkip, signal, onProgress } = options;
  oneOf('split', ['train', 'val', 'test'], split);
  if (size !== undefined && !(Number.isInteger(size) && size >= 1 && size <= 4096))
    throw invalidArgument('size', 'an integer from 1 to 4096', size);
  checkDecodeOptions({ maxPixels });
  if (memoryLimit !== undefined && !(typeof memoryLimit === 'number' && memoryLimit >= 0))
    throw invalidArgument('memoryLimit', 'a number of bytes', memoryLimit);
  checkUnreadable(options);
  if (onSkip !== undefined) checkFunction(onSkip, 'onSkip');
  if (signal !== undefined && !(signal instanceof AbortSignal))
    throw invalidArgument('signal', 'an AbortSignal', signal);
  if (onProgress !== undefined) checkFunction(onProgress, 'onProgress');
  if (classes !== undefined && !(Array.isArray(classes) && classes.every((name) => typeof name === 'string')))
    throw invalidArgument('classes', 'an array of names', classes);
}

/**
 * A set of the images that were found. Classes without images are a process warning.
 * @param name - Name of the set.
 * @param options - Checked by the caller.
 * @throws DatasetError for images that cannot be read, and when there is not enough memory.
 */
export async function pictureSet(
  name: string,
  split: FolderSplit,
  found: FoundPictures,
  options: PictureSetOptions,
): Promise<ImageDataset> {
  const { folder: source, classes } = found;
  const { size = 130, maxPixels, memoryLimit = Number.POSITIVE_INFINITY, unreadable } = options;
  reportLeftOut(found, options.onSkip);
  const parts = { name, split: setSplit(split), classes, source };
  let set: ImageDataset;
  if (found.files.length * 3 * size * size <= memoryLimit) {
    const { files, images } = await decodeAll(found.files, size, options, (good) =>
      checkRest(found, split, good),
    );
    set = createDataset({
      ...parts,
      shape: [3, size, size],
      images,
      labels: Uint16Array.from(files, ({ label }) => label),
      names: files.map(({ name }) => name),
      paths: files.map(({ path }) => path),
    });
  } else {
    // Only decoding shows whether an image is intact, and what is left out is not part of the set.
    const good = await forEachPicture(found.files, options, ({ path }) =>
      unreadable === 'skip' ? decode(path, size, options) : checkPictureHeader(path, maxPixels),
    );
    checkRest(found, split, good);
    set = lazyPictures({ ...parts, files: found.files.filter((_, i) => good[i]), size, maxPixels });
  }
  warnOfEmptyClasses(set, source);
  return set;
}

/**
 * Checks the images that could be read, as those that were found were checked.
 * @throws DatasetError if there are none, or none of a class to train on.
 */
function checkRest(found: FoundPictures, split: FolderSplit, good: readonly boolean[]): void {
  const files = found.files.filter((_, i) => good[i]);
  const total = found.files.length;
  if (files.length === total) return;
  if (files.length === 0)
    throw datasetError(
      found.folder,
      total === 1 ? 'its only image cannot be read' : `none of its ${total} images can be read`,
    );
  const skipped = found.files.filter((_, i) => !good[i]).map(({ path }) => ({ path, reason: 'unreadable' }));
  checkEmptyClasses({ ...found, files, leftOut: [...found.leftOut, ...skipped] }, split);
}

/** The split of a set in memory: images for validation are for testing, too. */
function setSplit(split: FolderSplit): Split {
  return split === 'val' ? 'test' : split;
}

function warnOfEmptyClasses({ classes, labels }: ImageDataset, source: string): void {
  const seen = new Set(Array.from(labels));
  const missing = classes.filter((_, label) => !seen.has(label));
  if (missing.length > 0)
    warn(
      'DYCONV_CLASSES',
      `${source}: no images of ${missing.length} of ${classes.length} classes: ${listNames(missing)}`,
    );
}

function reportLeftOut({ folder, leftOut }: FoundPictures, onSkip: PictureSetOptions['onSkip']): void {
  if (onSkip) for (const file of leftOut) onSkip(file.path, reasonFor(file));
  else if (leftOut.length > 0) warn('DYCONV_LEFT_OUT', `${folder}: ${countOf(leftOut)}`);
}

/** Decodes all files, and leaves out those that cannot be read if requested. `check` is called with which could be read. */
async function decodeAll(
  files: readonly PictureFile[],
  size: number,
  options: PictureSetOptions,
  check: (good: readonly boolean[]) => void,
): Promise<{ files: readonly PictureFile[]; images: Uint8Array }> {
  const bytes = 3 * size * size;
  const images = allocate(files.length * bytes);
  const good = await forEachPicture(files, options, async ({ path }, i) =>
    images.set(await decode(path, size, options), i * bytes),
  );
  check(good);
  const kept = files.filter((_, i) => good[i]);
  if (kept.length === files.length) return { files, images };
  let to = 0;
  for (const [i, isGood] of good.entries()) {
    if (!isGood) continue;
    if (to < i) images.copyWithin(to * bytes, i * bytes, (i + 1) * bytes);
    to++;
  }
  return { files: kept, images: images.subarray(0, to * bytes) };
}

function decode(path: string, size: number, { maxPixels }: PictureSetOptions): Promise<Uint8Array> {
  return decodePicture(path, { channels: 3, height: size, width: size }, maxPixels);
}

/**
 * Reads every file, some at a time.
 * @param read - Fails for a file that cannot be read.
 * @returns Whether each file could be read.
 * @throws DatasetError that names the first unreadable file and counts them, unless they are to be skipped.
 */
async function forEachPicture(
  files: readonly PictureFile[],
  { unreadable, onSkip, onProgress, signal }: PictureSetOptions,
  read: (file: PictureFile, index: number) => Promise<unknown>,
): Promise<boolean[]> {
  const good = new Array<boolean>(files.length).fill(true);
  const failures: Failure[] = [];
  let done = 0;
  await forEachParallel(files, usableCores(), async (file, i) => {
    signal?.throwIfAborted();
    const { path, source = path } = file;
    try {
      await read(file, i);
    } catch (error) {
      good[i] = false;
      failures.push({ index: i, source, error: error as Error });
      if (unreadable === 'skip') onSkip?.(source, (error as Error).message);
    }
    onProgress?.(++done, files.length);
  });
  if (failures.length > 0 && unreadable !== 'skip') throw unreadableError(failures, files.length);
  if (failures.length > 0 && onSkip === undefined)
    warn('DYCONV_SKIPPED', unreadableError(failures, files.length).message);
  return good;
}

/** A file that could not be read. */
interface Failure {
  index: number;
  source: string;
  error: Error;
}

/** The first unreadable image, and the number of all. */
function unreadableError(failures: readonly Failure[], total: number): DatasetError {
  const [{ source, error }] = failures.toSorted((a, b) => a.index - b.index) as [Failure];
  const others = failures.length > 1 ? `, and ${failures.length - 1} more` : '';
  const count = `${failures.length} of ${total} images`;
  return datasetError(source, `cannot be read as an image${others} (${count}): ${error.message}`, error);
}

function allocate(bytes: number): Uint8Array {
  try {
    return allocateBytes(bytes);
  } catch (error) {
    const needed = (bytes / 2 ** 30).toFixed(1);
    throw new DatasetError(
      `The images need ${needed} GiB of memory, more than is available: choose a smaller size, or set memoryLimit`,
      { cause: error },
    );
  }
}
