/**
 * Splits data sets with `data.randomSplit`: for validation, and for test images of a folder without `test/`.
 * @module
 */
import { createDataset } from '../../dist/data/dataset.js';
import { randomSplit, subset } from '../../dist/data/subsets.js';
import { ArgumentError } from '../../dist/errors.js';

/** @import { InMemoryDataset } from '../../dist/data/dataset.js' */

/**
 * Holds out a share of every class, rounded to whole images. The images of both parts are copied, in the order of the set:
 * loaders are fastest with one array.
 * @param {InMemoryDataset} set
 * @param {{ share: number, seed: number, limit?: number | null | undefined }} options - `limit`: use this number of images, spread over the set.
 * @returns {{ rest: InMemoryDataset, held: InMemoryDataset } | null} Null if one of them would have no image.
 */
function splitSet(set, { share, seed, limit }) {
  const used = Math.min(set.length, limit ?? set.length);
  const count = Math.round(share * used);
  if (count === 0 || count === used) return null;
  // The same images that the loader takes where it is given the limit.
  const chosen = Array.from({ length: used }, (_, i) => Math.floor((i * set.length) / used));
  const [rest = [], held = []] = randomSplit(subset(set, chosen), [used - count, count], {
    seed,
    stratify: true,
  }).map(({ indices }) => indices.map((index) => chosen[index] ?? 0).sort((a, b) => a - b));
  return { rest: copyOf(set, rest), held: copyOf(set, held) };
}

/**
 * Splits a training set into images to train on and images to choose the best epoch with, so that the test images choose
 * nothing.
 * @param {InMemoryDataset} set
 * @param {{ share: number, seed: number, limit?: number | null | undefined }} options - `limit`: use this number of images, spread over the set.
 * @returns {{ trainSet: InMemoryDataset, valSet: InMemoryDataset }}
 * @throws {ArgumentError} if a part would have no image.
 */
export function splitForValidation(set, options) {
  const parts = splitSet(set, options);
  if (parts) return { trainSet: parts.rest, valSet: parts.held };
  const used = Math.min(set.length, options.limit ?? set.length);
  throw new ArgumentError(
    `Expected a share for --val-split that leaves images for both parts of ${used} but received ${options.share}`,
  );
}

/** Share of the test images in a folder without `train/` and `test/`. */
export const TEST_SHARE = 0.2;

/**
 * Splits a folder without `train/` and `test/`: always in the same way, so that evaluation has the images that were not
 * trained on.
 * @param {InMemoryDataset} set
 * @returns {{ trainSet: InMemoryDataset, testSet: InMemoryDataset } | null} Null for too few images.
 */
export function splitForTest(set) {
  const parts = splitSet(set, { share: TEST_SHARE, seed: 0 });
  return parts && { trainSet: parts.rest, testSet: parts.held };
}

/** @param {InMemoryDataset} set @param {number[]} indices @returns {InMemoryDataset} */
function copyOf(set, indices) {
  const size = set.shape.reduce((product, side) => product * side, 1);
  const images = new Uint8Array(indices.length * size);
  for (const [i, index] of indices.entries()) {
    images.set(set.images.subarray(index * size, (index + 1) * size), i * size);
  }
  return createDataset({
    name: set.name,
    split: set.split,
    classes: set.classes,
    shape: set.shape,
    images,
    labels: Uint16Array.from(indices, (index) => set.labels[index] ?? 0),
    source: set.name,
    ...(set.nameOf && { names: indices.map((index) => set.nameOf?.(index) ?? '') }),
  });
}
