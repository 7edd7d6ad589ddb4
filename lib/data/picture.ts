/**
 * Decodes an image file to bytes, in the same way for training, evaluation and prediction.
 * @module
 */
import type { Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { reasonOf } from '../files/error.js';

/** A path, or the bytes of an image file: PNG, JPEG, WebP, GIF, TIFF, AVIF, or any other format that sharp reads. */
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

/** File extensions of images, in lower case: photograph formats that sharp decodes. */
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
 * An image as planes of bytes, [channels, height, width]. It is rotated by its EXIF orientation, scaled to
 * cover the size (bilinear, with antialiasing if it shrinks) and cropped at its centre. Transparent pixels become
 * black, the first frame of an animation is used, other colour spaces and depths become sRGB bytes. A file with minor
 * defects is read; a truncated one is rejected.
 * @throws Error (of Node.js or sharp) when the file is missing, not a regular file, or not an image.
 */
export async function decodePicture(picture: Picture, size: PictureSize): Promise<Uint8Array> {
  const { channels, height, width } = size;
  // Opening a pipe would wait for its writer, and block one of the few threads of all file operations.
  if (typeof picture === 'string' && !(await entryOf(picture)).isFile())
    throw new Error('expected a regular file');
  // Loaded with the first image: sharp has a native library that other code does not need.
  const { default: sharp } = await import('sharp');
  const pixels = await sharp(picture, { failOn: 'truncated' })
    .rotate() // EXIF orientation
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

/** The type of a path. @throws Error with the reason why it cannot be read. */
async function entryOf(path: string): Promise<Stats> {
  try {
    return await stat(path);
  } catch (error) {
    const cause = error as NodeJS.ErrnoException;
    throw new Error(cause.code === 'ENOENT' ? 'no such file' : reasonOf(cause), { cause });
  }
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
