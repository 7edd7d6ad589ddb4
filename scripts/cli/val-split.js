/**
 * Training images that are held out to choose the best epoch, so that the test images choose nothing.
 * @module
 */

import { createDataset } from '../../dist/data/dataset.js';
import { Random } from '../../dist/data/random.js';
import { ArgumentError } from '../../dist/errors.js';

/** @typedef {import('../../dist/data/dataset.js').InMemoryDataset} Dataset */

/**
 * Splits a training set: the same share of every class, as far as whole images allow, chosen by the seed. The images of both
 * parts are copied, in the order of the set.
 * @param {Dataset} set
 * @param {{ share: number, seed: number, limit?: number | null }} options - `limit`: so many images, spread over the set, are used at all.
 * @returns {{ trainSet: Dataset, valSet: Dataset }}
 * @throws {ArgumentError} where a part would have no image.
 */
export function splitForValidation(set, { share, seed, limit }) {
  const used = Math.min(set.length, limit ?? set.length);
  // The same images that the loader takes where it is given the limit.
  const chosen = Array.from({ length: used }, (_, i) => Math.floor((i * set.length) / used));
  /** @type {number[][]} */
  const byClass = set.classes.map(() => []);
  for (const index of chosen) byClass[set.labels[index] ?? 0]?.push(index);
  const random = new Random(seed);
  /** @type {Set<number>} */
  const held = new Set();
  let owed = 0; // what rounding has left over so far, so that the parts add up to the share
  for (const members of byClass) {
    owed += share * members.length;
    const count = Math.min(members.length, Math.round(owed));
    owed -= count;
    for (let i = 0; i < count; i++) {
      const j = i + random.below(members.length - i);
      [members[i], members[j]] = [/** @type {number} */ (members[j]), /** @type {number} */ (members[i])];
      held.add(/** @type {number} */ (members[i]));
    }
  }
  if (held.size === 0 || held.size === used) {
    throw new ArgumentError(
      `Expected a share for --val-split that leaves images for both parts of ${used} but received ${share}`,
    );
  }
  return {
    trainSet: part(
      set,
      chosen.filter((index) => !held.has(index)),
    ),
    valSet: part(
      set,
      chosen.filter((index) => held.has(index)),
    ),
  };
}

/** @param {Dataset} set @param {number[]} indices @returns {Dataset} */
function part(set, indices) {
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
