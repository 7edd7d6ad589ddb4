/**
 * From a picture file to the bytes a network was trained on.
 * @module
 */
import { createDataset, type InMemoryDataset } from '../data/dataset.js';
import { decodePicture, type Picture } from '../data/picture.js';
import { DatasetError } from '../errors.js';

export type { Picture } from '../data/picture.js';

/** What {@link readPicture} makes of a picture. */
export interface PictureFormat {
  /** Names of the classes. */
  classes: readonly string[];
  /** [C, H, W] of the images that the network was trained on: 1 or 3 channels. */
  imageShape: readonly number[];
}

/**
 * One picture as a data set of one image, decoded as the pictures of `data.imageFolder` are.
 * @throws DatasetError naming a file that is missing or no picture.
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
