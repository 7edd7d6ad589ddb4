/**
 * Finds images that occur in two classes or in two splits.
 * @module
 */
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { datasetError, isInMemory } from '../../dist/data/dataset.js';
import { reasonOf } from '../../dist/files/error.js';
import { contentHash, fingerprint, READS_AT_A_TIME } from '../../dist/files/fingerprint.js';
import { forEachParallel } from '../../dist/files/parallel.js';

/** @import { ImageDataset } from '../../dist/data/dataset.js' */
/** @import { Splits } from './data-splits.js' */

/** @typedef {{ images: [string, string], problem: string }} SameImages - `images`: split, class and name of both. */
/** @typedef {{ order: number, split: string, set: ImageDataset, index: number }} Image - `order`: its position in all splits. */

/**
 * Equal images that have different labels or are for training and for testing. Images in memory are equal if their pixels are, as a training
 * reads them. Of sets beyond memory no image is decoded: files are equal if their contents are, and only files of the same length are read.
 * @param {Splits} splits
 * @returns {Promise<SameImages[]>} The second and later ones, each with the first.
 * @throws {DatasetError} naming a file that cannot be read.
 */
export async function sameImages(splits) {
  /** @type {Image[]} */
  const images = [];
  for (const [split, set] of Object.entries(splits))
    for (let index = 0; index < set.length; index++) images.push({ order: images.length, split, set, index });
  const areInMemory = Object.values(splits).every((set) => isInMemory(set));
  const groups = areInMemory ? await equalPixels(images) : await equalFiles(images);
  return groups
    .flatMap(([first, ...others]) => others.flatMap((other) => (first ? problemOf(first, other) : [])))
    .sort((a, b) => a.order - b.order)
    .map(({ images, problem }) => ({ images, problem }));
}

/** @param {Image} first @param {Image} other @returns {(SameImages & { order: number })[]} */
function problemOf(first, other) {
  /** @param {Image} image */
  const label = ({ set, index }) => set.labels[index];
  /** @param {Image} image */
  const place = ({ split, set, index }) => `${split}: ${set.nameOf?.(index) ?? index}`;
  const problem =
    label(first) !== label(other) ? 'two classes' : first.split !== other.split ? 'two splits' : null;
  if (problem === null) return [];
  return [{ order: other.order, images: [place(first), place(other)], problem }];
}

/** @param {Image[]} images */
function equalPixels(images) {
  return divide([images], async ({ set, index }) => {
    const { image } = await set.get(index);
    return createHash('sha256').update(image).digest('base64');
  });
}

/** The cheapest comparison first: few files are left for the next one. @param {Image[]} images */
async function equalFiles(images) {
  let groups = await divide([images], async (image) => (await stat(pathOf(image))).size);
  groups = await divide(groups, async (image) => (await fingerprint(pathOf(image))).toString('base64'));
  return divide(groups, async (image) => (await contentHash(pathOf(image))).toString('base64'));
}

/** @param {Image} image */
const pathOf = ({ set, index }) => set.pathOf?.(index) ?? '';

/**
 * Divides groups of images by a key, and leaves out those that have no equal.
 * @param {Image[][]} groups
 * @param {(image: Image) => Promise<string | number>} keyOf
 * @returns {Promise<Image[][]>} Groups of at least two, in the order of their first images.
 */
async function divide(groups, keyOf) {
  /** @type {Map<Image, string | number>} */
  const keys = new Map();
  await forEachParallel(groups.flat(), READS_AT_A_TIME, async (image) => {
    try {
      keys.set(image, await keyOf(image));
    } catch (error) {
      const failure = /** @type {NodeJS.ErrnoException} */ (error);
      if (failure.code === undefined) throw error;
      throw datasetError(pathOf(image), `cannot be read: ${reasonOf(failure)}`, error);
    }
  });
  return groups.flatMap((group) => {
    /** @type {Map<string | number | undefined, Image[]>} */
    const parts = new Map();
    for (const image of group) {
      const key = keys.get(image);
      const part = parts.get(key);
      if (part) part.push(image);
      else parts.set(key, [image]);
    }
    return [...parts.values()].filter(({ length }) => length > 1);
  });
}
