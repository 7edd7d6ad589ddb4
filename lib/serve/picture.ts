/**
 * Decodes an image file to the format of the training images.
 * @module
 */
import { createDataset, type InMemoryDataset } from '../data/dataset.js';
import { decodePicture, type Picture } from '../data/picture.js';
import { DatasetError } from '../errors.js';

export type { Picture } from '../data/picture.js';

/** The format of {@link readPicture}. */
export interface PictureFormat {
  /** Names of the classes. */
  classes: readonly string[];
  /** [C, H, W] of the training images: 1 or 3 channels. */
  imageShape: readonly number[];
}

/**
 * An image as a data set of one image, decoded like those of `data.imageFolder`.
 * @throws DatasetError naming a file that is missing or not an image.
 */
export async function readPicture(
  picture: Picture,
  { classes, imageShape }: PictureFormat,
): Promise<InMemoryDataset> {
  const [channels, height, width] = imageShape as [1 | 3, number, number];
  const name = typeof picture === 'string' ? picture : 'picture';
  const images = await decodePicture(picture, { channels, height, width }).catch((cause: Error) => {
    throw new DatasetError(`${name}: cannot be read as a picture: ${cause.message}`, { cause });
  });
  return createDataset({
    name,
    split: 'test',
    classes: [...classes],
    shape: [channels, height, width],
    images,
    labels: new Uint8Array(1),
    source: name,
  });
}
