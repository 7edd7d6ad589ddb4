/**
 * Image files that are decoded when a loader reads them, so that a set takes no memory.
 * @module
 */
import { checkIndex, type Dataset } from './dataset.js';
import { type DecodeOptions, decodeChecked } from './picture.js';
import type { PictureFile } from './picture-files.js';
import type { ImageSample } from './samples.js';
import { skipper, type UnreadableOptions } from './unreadable.js';

/**
 * A set of image files: `get(i)` decodes file i. Without `size` the images have their own sizes, and the loader needs a transform that
 * resizes.
 * @param files - Their labels are indices into `classes`.
 * @param options - Checked by the caller.
 */
export function lazyPictures(
  files: readonly PictureFile[],
  classes: readonly string[],
  options: DecodeOptions & UnreadableOptions = {},
): Dataset<ImageSample | null> {
  const { length } = files;
  const skip = skipper(options);
  return {
    length,
    classes: Object.freeze([...classes]),
    labels: Uint16Array.from(files, ({ label }) => label),
    nameOf: (index) => files[checkIndex(index, length)]!.name,
    async get(index) {
      const { path, label } = files[checkIndex(index, length)]!;
      try {
        return { ...(await decodeChecked(path, options)), label };
      } catch (error) {
        return skip(path, 'cannot be read as a picture', error);
      }
    },
  };
}
