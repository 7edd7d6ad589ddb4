/**
 * From the file of a picture to bytes: the one decoder of training, evaluation and prediction.
 * @module
 */
import { stat } from 'node:fs/promises';

/** A path, or the bytes of an encoded picture: PNG, JPEG, WebP, GIF, TIFF, AVIF, or anything else sharp reads. */
export type Picture = string | Uint8Array;

/** Size of a decoded picture. */
export interface PictureSize {
  /** 3 for RGB, 1 for grey levels. */
  channels: 1 | 3;
  /** Pixels. */
  height: number;
  /** Pixels. */
  width: number;
}

/** Endings of the files that are read as pictures, in lower case: formats of photographs that sharp decodes. */
export const PICTURE_ENDINGS: readonly string[] = [
  '.avif',
  '.gif',
  '.jfif',
  '.jpe',
  '.jpeg',
  '.jpg',
  '.png',
  '.tif',
  '.tiff',
  '.webp',
];

/**
 * A picture as planes of bytes, [channels, height, width]. It is turned as the camera's orientation tag says, scaled to
 * cover the size (bilinear, with antialiasing where it shrinks) and cut around its centre. Transparent pixels are put on
 * black, the first frame of an animation is taken, other colour spaces and depths become sRGB bytes. A file with harmless
 * flaws is read as far as decoders agree; a truncated one is refused.
 * @throws Error, not one of ours, when the file is missing, no regular file, or no picture.
 */
export async function decodePicture(picture: Picture, size: PictureSize): Promise<Uint8Array> {
  const { channels, height, width } = size;
  // To open a pipe would wait for its writer, on one of the few threads that all file operations share.
  if (typeof picture === 'string' && !(await stat(picture)).isFile())
    throw new Error('expected a regular file');
  // Loaded when the first picture is: sharp brings a native library that others do not need.
  const { default: sharp } = await import('sharp');
  const pixels = await sharp(picture, { failOn: 'truncated' })
    .rotate() // as the camera's orientation tag says
    .resize(width, height, { fit: 'cover', kernel: 'linear' })
    .flatten()
    .toColourspace(channels === 1 ? 'b-w' : 'srgb')
    .removeAlpha()
    .raw()
    .toBuffer();
  const plane = height * width;
  if (pixels.length !== channels * plane)
    throw new Error(`expected ${channels * plane} bytes of pixels but received ${pixels.length}`);
  return channels === 1 ? pixels : toPlanes(pixels, plane);
}

/** Interleaved RGB to planes. */
function toPlanes(rgb: Uint8Array, plane: number): Uint8Array {
  const out = new Uint8Array(3 * plane);
  for (let i = 0, p = 0; p < plane; p++) {
    out[p] = rgb[i++]!;
    out[plane + p] = rgb[i++]!;
    out[2 * plane + p] = rgb[i++]!;
  }
  return out;
}
