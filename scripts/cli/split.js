/**
 * Splits data sets: for validation, for test images of a folder or a manifest without splits, and for calibration.
 * @module
 */
import { listNames } from '../../dist/data/class-names.js';
import { createDataset, isInMemory, warn } from '../../dist/data/dataset.js';
import { randomSplit, subset } from '../../dist/data/subsets.js';
import { ArgumentError } from '../../dist/errors.js';
import { hashOfName } from './name-hash.js';

/** @import { ImageDataset, InMemoryDataset } from '../../dist/data/dataset.js' */

/**
 * Holds out a share of every class, rounded to whole images. The images of both parts of a set in memory are copied, in the order of
 * the set: loaders are fastest with one array. A class of one image is trained on, and a warning names the classes that are not held out.
 * @param {ImageDataset} set
 * @param {{ share: number, seed: number, use: 'test' | 'validation', limit?: number | null | undefined, byPosition?: boolean | undefined, source?: string | undefined }} options -
 *   `use`: what the part held out is for, for messages; `limit`: use this number of images, spread over the set; `byPosition`: choose by the
 *   positions in the set also where images have names, as in older runs; `source`: where the images are, for messages (default: the name of the set).
 * @returns {{ rest: ImageDataset, held: ImageDataset } | null} Null if one of them would have no image.
 */
function splitSet(set, { share, seed, use, limit, byPosition = false, source = set.name }) {
  const used = Math.min(set.length, limit ?? set.length);
  const count = Math.round(share * used);
  if (count === 0 || count === used) return null;
  // The same images that the loader takes where it is given the limit.
  const chosen = Array.from({ length: used }, (_, i) => Math.floor((i * set.length) / used));
  const choose = set.nameOf && !byPosition ? heldByName : heldByPosition;
  const kept = choose(set, chosen, { count, seed }).sort((a, b) => a - b);
  if (kept.length === 0) return null;
  const shown = labelsOf(set, kept);
  const missing = set.classes.filter((_, label) => !shown.has(label));
  if (missing.length > 0)
    warn(
      'DYCONV_CLASSES',
      `${source}: no ${use} images of ${missing.length} of ${set.classes.length} classes, which have too few: ${listNames(missing)}`,
    );
  const held = new Set(kept);
  return {
    rest: partOf(
      set,
      chosen.filter((index) => !held.has(index)),
    ),
    held: partOf(set, kept),
  };
}

/**
 * The images whose names have the smallest hashes in their class. A name decides about its image alone: an image that is added, removed or
 * renamed changes at most the number that its class holds out.
 * @param {ImageDataset} set
 * @param {number[]} chosen - Indices of the images to choose from.
 * @param {{ count: number, seed: number }} options - `count`: of all classes.
 */
function heldByName(set, chosen, { count, seed }) {
  /** @type {Map<number, number[]>} */
  const byClass = new Map();
  for (const index of chosen) {
    const label = set.labels[index] ?? 0;
    const members = byClass.get(label) ?? [];
    members.push(index);
    byClass.set(label, members);
  }
  const shares = [...byClass].map(([label, members]) => {
    const exact = (count * members.length) / chosen.length;
    // The last image of a class is trained on.
    const most = members.length - 1;
    const held = Math.min(Math.floor(exact + 1e-9), most);
    return { members, most, held, left: exact - held, tie: hashOf(set.classes[label] ?? '', seed) };
  });
  let missing = count - shares.reduce((sum, { held }) => sum + held, 0);
  const byRemainder = shares.toSorted((a, b) => b.left - a.left || compare(a.tie, b.tie));
  for (const one of byRemainder) {
    if (missing === 0) break;
    if (one.held === one.most) continue;
    one.held += 1;
    missing -= 1;
  }
  return shares.flatMap(({ members, held }) =>
    members
      .map((index) => ({ index, hash: hashOf(set.nameOf?.(index) ?? '', seed) }))
      .sort((a, b) => compare(a.hash, b.hash))
      .slice(0, held)
      .map(({ index }) => index),
  );
}

/** @param {string} name @param {number} seed */
const hashOf = (name, seed) => hashOfName(name, (text) => `${seed} ${text}`).toString('hex');

/** @param {string} a @param {string} b */
const compare = (a, b) => (a < b ? -1 : Number(a > b));

/**
 * Images that `data.randomSplit` chooses by their positions, for sets without names.
 * @param {ImageDataset} set @param {number[]} chosen @param {{ count: number, seed: number }} options
 */
function heldByPosition(set, chosen, { count, seed }) {
  const counts = [chosen.length - count, count];
  const [rest = [], held = []] = randomSplit(subset(set, chosen), counts, { seed, stratify: true }).map(
    ({ indices }) => indices.map((index) => chosen[index] ?? 0).sort((a, b) => a - b),
  );
  const trained = labelsOf(set, rest);
  // The first image of a class that would not be trained on.
  const needed = held.filter(
    (index, i) =>
      !trained.has(set.labels[index] ?? 0) &&
      held.findIndex((other) => set.labels[other] === set.labels[index]) === i,
  );
  return held.filter((index) => !needed.includes(index));
}

/** The classes of some images. @param {ImageDataset} set @param {number[]} indices */
function labelsOf({ labels }, indices) {
  return new Set(indices.map((index) => labels[index] ?? 0));
}

/**
 * Splits a training set into images to train on and images to choose the best epoch with, so that the test images choose
 * nothing.
 * @param {ImageDataset} set
 * @param {{ share: number, seed: number, limit?: number | null | undefined, byPosition?: boolean | undefined, source?: string | undefined }} options - As
 *   of {@link splitSet}.
 * @returns {{ trainSet: ImageDataset, valSet: ImageDataset }}
 * @throws {ArgumentError} if a part would have no image.
 */
export function splitForValidation(set, options) {
  const parts = splitSet(set, { ...options, use: 'validation' });
  if (parts) return { trainSet: parts.rest, valSet: parts.held };
  const used = Math.min(set.length, options.limit ?? set.length);
  throw new ArgumentError(
    `Expected a share for --val-split that leaves images for both parts of ${used} but received ${options.share}`,
  );
}

/** Share of the test images in a folder or a manifest without splits. */
export const TEST_SHARE = 0.2;

/**
 * Splits a folder or a manifest without splits: always in the same way, so that evaluation has the images that were not
 * trained on.
 * @param {ImageDataset} set
 * @param {{ byPosition?: boolean | undefined, source?: string | undefined }} [options] - As of {@link splitSet}.
 * @returns {{ trainSet: ImageDataset, testSet: ImageDataset } | null} Null for too few images.
 */
export function splitForTest(set, options = {}) {
  const parts = splitSet(set, { ...options, share: TEST_SHARE, seed: 0, use: 'test' });
  return parts && { trainSet: parts.rest, testSet: parts.held };
}

/**
 * Some images of a set, chosen at random, in the order of the set.
 * @param {ImageDataset} set
 * @param {{ count: number, seed: number }} options - All images if there are fewer.
 */
export function chooseImages(set, { count, seed }) {
  if (count >= set.length) return set;
  const [chosen] = randomSplit(set, [count, set.length - count], { seed });
  return partOf(
    set,
    [...(chosen?.indices ?? [])].sort((a, b) => a - b),
  );
}

/** @param {ImageDataset} set @param {number[]} indices @returns {ImageDataset} */
function partOf(set, indices) {
  if (isInMemory(set)) return copyOf(set, indices);
  const { name, split, classes, shape, concurrency } = set;
  const part = subset(set, indices);
  const labels = Uint16Array.from(indices, (index) => set.labels[index] ?? 0);
  const { length, nameOf, pathOf } = part;
  return {
    name,
    split,
    classes,
    shape,
    labels,
    length,
    nameOf,
    pathOf,
    concurrency,
    get: (index) => part.get(index),
  };
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
    ...(set.pathOf && { paths: indices.map((index) => set.pathOf?.(index) ?? '') }),
  });
}
