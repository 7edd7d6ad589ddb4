/**
 * Hashes of the names of images, which choose test images and recognize the images of a run.
 * @module
 */
import { createHash } from 'node:crypto';

/**
 * The SHA-256 of a text with the name of an image. Systems spell letters with accents in different ways, so that equal names are
 * normalized first.
 * @param {string} name
 * @param {(name: string) => string} textOf - The text with the normalized name.
 */
export function hashOfName(name, textOf) {
  return createHash('sha256')
    .update(textOf(name.normalize('NFC')))
    .digest();
}
