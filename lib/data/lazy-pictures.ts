/**
 * Image files that are decoded when they are read, so that a set takes no memory.
 * @module
 */
import { checkIndex, datasetError, describable, type ImageDataset, type Split } from './dataset.js';
import { DECODES_AT_A_TIME, decodeChecked } from './picture.js';
import type { PictureFile } from './picture-files.js';

/** Arguments of {@link lazyPictures}. */
export interface LazyPictures {
  name: string;
  split: Split;
  classes: readonly string[];
  /** Their labels are indices into `classes`. */
  files: readonly PictureFile[];
  /** Height and width of the images, in pixels. */
  size: number;
  maxPixels: number | undefined;
  /** The folder or the list of the files, for messages. */
  source: string;
}

/**
 * A set of image files: `get(i)` decodes file i to RGB, as for a set in memory. A file that cannot be read is a DatasetError that
 * names it.
 * @throws DatasetError when there are no files.
 */
export function lazyPictures({
  name,
  split,
  classes,
  files,
  size,
  maxPixels,
  source,
}: LazyPictures): ImageDataset {
  const { length } = files;
  if (length === 0) throw datasetError(source, 'expected images but it holds none');
  const set: ImageDataset = {
    name,
    split,
    length,
    classes: Object.freeze([...classes]),
    shape: Object.freeze([3, size, size] as [number, number, number]),
    labels: Uint16Array.from(files, ({ label }) => label),
    concurrency: DECODES_AT_A_TIME,
    nameOf: (index) => files[checkIndex(index, length)]!.name,
    pathOf: (index) => files[checkIndex(index, length)]!.path,
    async get(index) {
      const { path, label, source = path } = files[checkIndex(index, length)]!;
      try {
        const { image } = await decodeChecked(path, { channels: 3, size, maxPixels });
        return { image, label };
      } catch (error) {
        throw datasetError(source, `cannot be read as an image: ${(error as Error).message}`, error);
      }
    },
  };
  return describable(set, source);
}
