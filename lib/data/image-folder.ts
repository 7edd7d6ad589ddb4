/**
 * Pictures in folders: one folder per class.
 * @module
 */
import { availableParallelism } from 'node:os';
import { oneOf } from '../check/arguments.js';
import { checkOptions, optionKeys } from '../check/index.js';
import { DatasetError, invalidArgument } from '../errors.js';
import { listNames } from './class-names.js';
import { createDataset, datasetError, type InMemoryDataset, warn } from './dataset.js';
import { decodePicture } from './picture.js';
import {
  countOf,
  type FolderSplit,
  type FoundPictures,
  findPictures,
  type PictureFile,
} from './picture-files.js';

/** Options of {@link imageFolder}. */
export interface ImageFolderOptions {
  /**
   * The folder that contains `train/<class>/` and `test/<class>/`, or the class folders themselves. Images may be in
   * subfolders of a class folder; links are followed.
   */
  root: string;
  /**
   * Which folder, if there are `train/` or `test/`: `train/`; `val/`, `valid/` or `validation/`; `test/` or, without it, the one for
   * validation.
   */
  split: FolderSplit;
  /**
   * Names of the classes in label order, such as `set.classes` of the training set or those stored with a run. Default: the
   * folders of `train/`, for all splits; without `train/` those of the folder itself.
   */
  classes?: readonly string[] | undefined;
  /** Height and width of the resized images, in pixels. Default: 130, the size before the random crop. */
  size?: number | undefined;
  /** What to do with unreadable images. Default: `error`, which names the first one and counts them. */
  unreadable?: 'error' | 'skip' | undefined;
  /**
   * Called for every file that is left out, because of its file extension or because it cannot be read. Without it
   * the number of these files is reported as a process warning.
   */
  onSkip?: ((file: string, reason: string) => void) | undefined;
  /** Called while pictures are read. */
  onProgress?: ((done: number, total: number) => void) | undefined;
}

const IMAGE_FOLDER_KEYS = optionKeys(
  'root',
  'split',
  'classes',
  'size',
  'unreadable',
  'onSkip',
  'onProgress',
);

/**
 * Reads images into memory as RGB (PNG, JPEG, WebP, GIF, TIFF, AVIF): each is scaled to cover `size` x `size` and cropped
 * at its centre; transparent pixels become black. Classes are the names of the folders, in alphabetical order.
 * `set.nameOf(i)` is the path of image i relative to the folder of its split, such as `cat/12.png`.
 *
 * A class without images is an error in the training split. In the test split it is a process warning with the code
 * `DYCONV_CLASSES`; a class that the training split does not have is an error.
 * @throws DatasetError when the folder does not exist or has no images, has other classes than expected, or an image cannot be
 * read; ArgumentError.
 */
export async function imageFolder(options: ImageFolderOptions): Promise<InMemoryDataset> {
  const {
    root,
    split,
    classes: known,
    size = 130,
    unreadable = 'error',
    onSkip,
  } = checkOptions(options, IMAGE_FOLDER_KEYS);
  oneOf('split', ['train', 'val', 'test'], split);
  if (typeof root !== 'string' || root === '') throw invalidArgument('root', 'the path of a folder', root);
  if (!Number.isInteger(size) || size < 1 || size > 4096) {
    throw invalidArgument('size', 'an integer from 1 to 4096', size);
  }
  if (unreadable !== 'error' && unreadable !== 'skip') {
    throw invalidArgument('unreadable', `'error' or 'skip'`, unreadable);
  }
  if (known !== undefined && !(Array.isArray(known) && known.every((name) => typeof name === 'string')))
    throw invalidArgument('classes', 'an array of names', known);
  const found = await findPictures(root, split, known);
  reportLeftOut(found, onSkip);
  const { images, labels, names } = await decodeAll(found.files, size, options);
  const set = createDataset({
    name: 'folder',
    split: split === 'val' ? 'test' : split,
    classes: found.classes,
    shape: [3, size, size],
    images,
    labels,
    source: found.folder,
    names,
  });
  const missing = found.classes.filter((_, label) => !labels.includes(label));
  if (missing.length > 0)
    warn(
      'DYCONV_CLASSES',
      `${found.folder}: no pictures of ${missing.length} of ${found.classes.length} classes: ${listNames(missing)}`,
    );
  return set;
}

function reportLeftOut({ folder, leftOut }: FoundPictures, onSkip: ImageFolderOptions['onSkip']): void {
  if (onSkip) for (const { path, reason } of leftOut) onSkip(path, `no picture: ${reason}`);
  else if (leftOut.length > 0) warn('DYCONV_LEFT_OUT', `${folder}: ${countOf(leftOut)}`);
}

async function decodeAll(
  files: readonly PictureFile[],
  size: number,
  { unreadable, onSkip, onProgress }: ImageFolderOptions,
): Promise<{ images: Uint8Array; labels: Uint16Array; names: string[] }> {
  const bytes = 3 * size * size;
  const images = allocate(files.length * bytes);
  const good = new Array<boolean>(files.length).fill(true);
  const failures: { path: string; error: Error }[] = [];
  let next = 0;
  let done = 0;
  const work = async () => {
    for (let i = next++; i < files.length; i = next++) {
      const { path } = files[i]!;
      try {
        images.set(await decodePicture(path, { channels: 3, height: size, width: size }), i * bytes);
      } catch (error) {
        good[i] = false;
        failures.push({ path, error: error as Error });
        if (unreadable === 'skip') onSkip?.(path, (error as Error).message);
      }
      onProgress?.(++done, files.length);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));
  if (failures.length > 0 && unreadable !== 'skip') throw unreadableError(failures, files.length);
  if (failures.length > 0 && onSkip === undefined)
    warn('DYCONV_SKIPPED', unreadableError(failures, files.length).message);
  return compact(files, images, good, bytes);
}

/** The first of the unreadable pictures by name, and how many there are. */
function unreadableError(failures: { path: string; error: Error }[], total: number): DatasetError {
  const [{ path, error }] = failures.toSorted((a, b) => (a.path < b.path ? -1 : 1)) as [(typeof failures)[0]];
  const others = failures.length > 1 ? `, and ${failures.length - 1} more` : '';
  const count = `${failures.length} of ${total} pictures`;
  return datasetError(path, `cannot be read as a picture${others} (${count}): ${error.message}`, error);
}

function allocate(bytes: number): Uint8Array {
  try {
    return new Uint8Array(bytes);
  } catch (error) {
    const needed = (bytes / 2 ** 30).toFixed(1);
    throw new DatasetError(
      `The pictures take ${needed} GiB of memory, which is not there: choose a smaller size`,
      { cause: error },
    );
  }
}

/** Removes the gaps of skipped images. */
function compact(
  files: readonly PictureFile[],
  images: Uint8Array,
  good: readonly boolean[],
  bytes: number,
): { images: Uint8Array; labels: Uint16Array; names: string[] } {
  const labels: number[] = [];
  const names: string[] = [];
  for (const [i, { label, name }] of files.entries()) {
    if (!good[i]) continue;
    if (labels.length < i) images.copyWithin(labels.length * bytes, i * bytes, (i + 1) * bytes);
    labels.push(label);
    names.push(name);
  }
  return { images: images.subarray(0, labels.length * bytes), labels: Uint16Array.from(labels), names };
}
