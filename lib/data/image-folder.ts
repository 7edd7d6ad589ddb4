/**
 * Pictures in folders: one folder per class.
 * @module
 */
import { readdir } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join, posix } from 'node:path';
import { checkOptions } from '../check/index.js';
import { DatasetError, invalidArgument } from '../errors.js';
import { checkSplit, createDataset, type Dataset, datasetError, type Split } from './dataset.js';

/** Options of {@link imageFolder}. */
export interface ImageFolderOptions {
  /** The folder that holds `train/<class>/*.png` and `test/<class>/*.png`, or the class folders themselves. */
  root: string;
  /** The folder `train/` or `test/`, where there are such. */
  split: Split;
  /** Height and width every picture is resized to, in pixels. Default: 130, the size before the random crop. */
  size?: number;
  /** What to do with pictures that cannot be read. Default: `error`, which names the first and counts them. */
  unreadable?: 'error' | 'skip';
  /** Called for every picture that was skipped. Without it their number is told as a process warning. */
  onSkip?: (file: string, reason: string) => void;
  /** Called while pictures are read. */
  onProgress?: (done: number, total: number) => void;
}

const PICTURE = /\.(png|jpe?g|webp)$/i;
const MAX_CLASSES = 65_536;

/** A picture to be read. */
interface PictureFile {
  path: string;
  /** Its path below the folder of the set. */
  name: string;
  label: number;
}

/**
 * Reads pictures into memory as RGB: each is scaled to cover `size` x `size` and cropped to its centre. Classes are the
 * names of the folders, in alphabetical order. Transparency is put on black. `set.nameOf(i)` is the path of picture i below
 * the folder of its split, such as `cat/12.png`.
 * @throws DatasetError when there is no such folder, no picture in it, or a picture cannot be read; ArgumentError.
 */
export async function imageFolder(options: ImageFolderOptions): Promise<Dataset> {
  const { root, split, size = 130, unreadable = 'error' } = checkOptions(options);
  checkSplit(split);
  if (typeof root !== 'string' || root === '') throw invalidArgument('root', 'the path of a folder', root);
  if (!Number.isInteger(size) || size < 1 || size > 4096) {
    throw invalidArgument('size', 'an integer from 1 to 4096', size);
  }
  if (unreadable !== 'error' && unreadable !== 'skip') {
    throw invalidArgument('unreadable', `'error' or 'skip'`, unreadable);
  }
  const { folder, classes } = await findClasses(root, split);
  const files: PictureFile[] = [];
  for (const [label, name] of classes.entries()) {
    for (const file of (await readdir(join(folder, name))).filter((file) => PICTURE.test(file)).sort()) {
      files.push({ path: join(folder, name, file), name: posix.join(name, file), label });
    }
  }
  if (files.length === 0) throw datasetError(folder, 'expected .png, .jpg or .webp pictures but found none');
  const { images, labels, names } = await decodeAll(files, size, options);
  return createDataset({
    name: 'folder',
    split,
    classes,
    shape: [3, size, size],
    images,
    labels,
    source: folder,
    names,
  });
}

async function findClasses(root: string, split: Split): Promise<{ folder: string; classes: string[] }> {
  const top = await folders(root);
  // A folder with `train` or `test` in it is split; without the one asked for it is incomplete, not unsplit.
  const isSplit = top.includes('train') || top.includes('test');
  const folder = isSplit ? join(root, split) : root;
  const classes = isSplit ? await folders(folder) : top;
  if (classes.length < 2 || classes.length > MAX_CLASSES) {
    throw datasetError(folder, `expected a folder per class but found ${classes.length} folder(s)`);
  }
  return { folder, classes };
}

async function folders(path: string): Promise<string[]> {
  try {
    const entries = await readdir(path, { withFileTypes: true });
    return entries
      .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
      .map(({ name }) => name)
      .sort();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const found = { ENOENT: 'no such folder', ENOTDIR: 'a file' }[code ?? ''] ?? message;
    throw datasetError(path, `expected a folder of pictures but found ${found}`, error);
  }
}

async function decodeAll(
  files: readonly PictureFile[],
  size: number,
  { unreadable, onSkip, onProgress }: ImageFolderOptions,
): Promise<{ images: Uint8Array; labels: Uint16Array; names: string[] }> {
  const plane = size * size;
  const images = allocate(files.length * 3 * plane);
  const good = new Array<boolean>(files.length).fill(true);
  const failures: { path: string; error: Error }[] = [];
  let next = 0;
  let done = 0;
  const work = async () => {
    for (let i = next++; i < files.length; i = next++) {
      const { path } = files[i]!;
      try {
        toPlanes(await decode(path, size), images.subarray(i * 3 * plane, (i + 1) * 3 * plane));
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
  if (failures.length > 0 && onSkip === undefined) {
    process.emitWarning(unreadableError(failures, files.length).message, {
      type: 'DyconvWarning',
      code: 'DYCONV_SKIPPED',
    });
  }
  return compact(files, images, good, 3 * plane);
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
      {
        cause: error,
      },
    );
  }
}

/** Closes the gaps that skipped pictures left. */
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

async function decode(path: string, size: number): Promise<Buffer> {
  // Loaded when the first picture is: sharp brings a native library that other sets do not need.
  const { default: sharp } = await import('sharp');
  return sharp(path, { failOn: 'truncated' })
    .rotate() // as the camera's orientation tag says
    .resize(size, size, { fit: 'cover', kernel: 'linear' })
    .flatten()
    .toColourspace('srgb')
    .removeAlpha()
    .raw()
    .toBuffer();
}

/** Interleaved RGB to planes. */
function toPlanes(rgb: Uint8Array, out: Uint8Array): void {
  const plane = out.length / 3;
  if (rgb.length !== out.length)
    throw new Error(`expected ${out.length} bytes of RGB but received ${rgb.length}`);
  for (let i = 0, p = 0; p < plane; p++) {
    out[p] = rgb[i++]!;
    out[plane + p] = rgb[i++]!;
    out[2 * plane + p] = rgb[i++]!;
  }
}
