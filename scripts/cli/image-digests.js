/**
 * Recognizes the images of a run: digests of their names and classes are part of its configuration.
 * @module
 */
import { createHash } from 'node:crypto';

/** @import { ImageDataset } from '../../dist/data/dataset.js' */
/** @import { RunConfig } from '../../dist/train/index.js' */

/**
 * A digest of the names and classes of images, which does not depend on their order or their place: the sum of the first 64 bits of a hash
 * of every image. The digest of a set is thus that of its parts.
 * @param {ImageDataset} set
 */
export function digestOf(set) {
  let sum = 0n;
  for (const [i, label] of set.labels.entries()) {
    // Systems spell letters with accents in different ways.
    const line = JSON.stringify([set.nameOf?.(i).normalize('NFC'), set.classes[label]]);
    sum += createHash('sha256').update(line).digest().readBigUInt64BE();
  }
  return text(sum);
}

/** The digest of all images of two sets without common images. @param {string} first @param {string} second */
export function digestOfBoth(first, second) {
  return text(BigInt(`0x${first}`) + BigInt(`0x${second}`));
}

/** @param {bigint} sum */
const text = (sum) => BigInt.asUintN(64, sum).toString(16).padStart(16, '0');

/**
 * The digests of a run; undefined for data sets whose images have no names.
 * @param {{ trainSet: ImageDataset, testSet: ImageDataset, valSet?: ImageDataset | undefined }} sets - As they were loaded, before validation images are
 *   held out.
 * @returns {RunConfig['imageDigests']}
 */
export function digestsOf({ trainSet, testSet, valSet }) {
  if (!trainSet.nameOf) return undefined;
  return {
    train: digestOf(trainSet),
    test: digestOf(testSet),
    ...(valSet && { val: digestOf(valSet) }),
  };
}
