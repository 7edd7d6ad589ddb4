/**
 * Decodes image files to the format of the training images.
 * @module
 */
import { createDataset, type InMemoryDataset } from '../data/dataset.js';
import { decodePicture, type Picture } from '../data/picture.js';
import { DatasetError } from '../errors.js';

export type { Picture } from '../data/picture.js';

/** The format of {@link readPictures}. */
export interface PictureFormat {
  /** Names of the classes. */
  classes: readonly string[];
  /** [C, H, W] of the training images: 1 or 3 channels. */
  imageShape: readonly number[];
}

/**
 * Images as a data set, decoded like those of `data.imageFolder`.
 * @param name - What messages call an image that is given as bytes, by its index.
 * @throws DatasetError naming a file that is missing or not an image.
 */
export async function readPictures(
  pictures: readonly Picture[],
  { classes, imageShape }: PictureFormat,
  name: (index: number) => string,
): Promise<InMemoryDataset> {
  const [channels, height, width] = imageShape as [1 | 3, number, number];
  const nameOf = (i: number) => (typeof pictures[i] === 'string' ? pictures[i] : name(i));
  const decoded = await Promise.all(
    pictures.map((picture, i) =>
      decodePicture(picture, { channels, height, width }).catch((cause: Error) => {
        throw new DatasetError(`${nameOf(i)}: cannot be read as an image: ${cause.message}`, { cause });
      }),
    ),
  );
  return createDataset({
    name: 'pictures',
    split: 'test',
    classes: [...classes],
    shape: [channels, height, width],
    images: decoded.length === 1 ? decoded[0]! : Buffer.concat(decoded),
    labels: new Uint8Array(pictures.length),
    source: nameOf(0),
  });
}
