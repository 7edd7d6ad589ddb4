/**
 * From a picture file to the bytes a network was trained on.
 * @module
 */
import { createDataset, type Dataset } from '../data/dataset.js';
import { DatasetError } from '../errors.js';

/** A path, or the bytes of an encoded picture: PNG, JPEG, WebP, or anything else sharp reads. */
export type Picture = string | Uint8Array;

/** What {@link readPicture} makes of a picture. */
export interface PictureFormat {
  /** Names of the classes. */
  classes: readonly string[];
  /** [C, H, W] of the images that the network was trained on. */
  imageShape: readonly number[];
}

/**
 * One picture as a data set of one image. A picture of another size than the format's is cut to its proportions around
 * the centre and scaled; transparency becomes white; the camera's orientation tag is obeyed.
 * @throws DatasetError naming a file that is missing or no picture.
 */
export async function readPicture(
  picture: Picture,
  { classes, imageShape }: PictureFormat,
): Promise<Dataset> {
  const [channels = 3, height = 32, width = 32] = imageShape;
  const name = typeof picture === 'string' ? picture : 'picture';
  // Loaded when needed: whoever serves no pictures should not pay for it.
  const { default: sharp } = await import('sharp');
  let pixels: Buffer;
  try {
    pixels = await sharp(picture)
      .rotate()
      .flatten({ background: '#ffffff' })
      .toColourspace('srgb')
      .resize(width, height, { fit: 'cover' })
      .raw()
      .toBuffer();
  } catch (cause) {
    throw new DatasetError(`${name}: cannot be read as a picture: ${(cause as Error).message}`, { cause });
  }
  const plane = width * height;
  const perPixel = pixels.length / plane; // 1 for a grey picture, else 3
  const images = Uint8Array.from({ length: channels * plane }, (_, index) => {
    const channel = Math.min(Math.floor(index / plane), perPixel - 1);
    return pixels[(index % plane) * perPixel + channel] ?? 0;
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
