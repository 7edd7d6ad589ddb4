/**
 * Finds images that occur in two classes or in two splits.
 * @module
 */
import { createHash } from 'node:crypto';

/** @import { Splits } from './data-splits.js' */

/** @typedef {{ images: [string, string], problem: string }} SameImages - `images`: split, class and name of both. */

/**
 * Images with equal pixels, as they are read for a training, that have different labels or are for training and for testing.
 * @param {Splits} splits
 * @returns {Promise<SameImages[]>} The second and later ones, each with the first.
 */
export async function sameImages(splits) {
  /** @type {Map<string, { split: string, label: number, place: string }>} */
  const seen = new Map();
  /** @type {SameImages[]} */
  const found = [];
  for (const [split, set] of Object.entries(splits)) {
    for (let i = 0; i < set.length; i++) {
      const { image, label } = await set.get(i);
      const digest = createHash('sha256').update(image).digest('base64');
      const place = `${split}: ${set.nameOf?.(i) ?? i}`;
      const first = seen.get(digest);
      if (!first) seen.set(digest, { split, label, place });
      else if (first.label !== label) found.push({ images: [first.place, place], problem: 'two classes' });
      else if (first.split !== split) found.push({ images: [first.place, place], problem: 'two splits' });
    }
  }
  return found;
}
