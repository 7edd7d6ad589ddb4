/**
 * Recognizes the images of a run: digests of their names, classes and contents are part of its configuration.
 * @module
 */
import { datasetError } from '../../dist/data/dataset.js';
import { reasonOf } from '../../dist/files/error.js';
import { fingerprint, READS_AT_A_TIME } from '../../dist/files/fingerprint.js';
import { forEachParallel } from '../../dist/files/parallel.js';
import { hashOfName } from './name-hash.js';

/** @import { ImageDataset } from '../../dist/data/dataset.js' */
/** @import { RunConfig } from '../../dist/train/index.js' */
/** @typedef {NonNullable<RunConfig['imageDigests']>} ImageDigests */

/**
 * A digest of the names and classes of images, which does not depend on their order or their place: the sum of the first 64 bits of a hash
 * of every image. The digest of a set is thus that of its parts.
 * @param {ImageDataset} set
 */
export function digestOf(set) {
  let sum = 0n;
  for (let i = 0; i < set.length; i++) sum += hashOf(set, i);
  return text(sum);
}

/**
 * {@link digestOf} with the contents of the files.
 * @param {ImageDataset} set @param {AbortSignal} [signal]
 * @returns {Promise<string | undefined>} Undefined for images that are not files.
 * @throws {DatasetError} naming a file that cannot be read.
 */
export async function contentDigestOf(set, signal) {
  const { pathOf, length } = set;
  if (!pathOf) return undefined;
  let sum = 0n;
  const indices = Array.from({ length }, (_, i) => i);
  await forEachParallel(indices, READS_AT_A_TIME, async (i) => {
    signal?.throwIfAborted();
    const path = pathOf(i);
    const content = await fingerprint(path).catch((error) =>
      Promise.reject(datasetError(path, `cannot be read: ${reasonOf(error)}`, error)),
    );
    sum += hashOf(set, i, content.toString('hex'));
  });
  return text(sum);
}

/** The digest of all images of two sets without common images. @param {string} first @param {string} second */
export function digestOfBoth(first, second) {
  return text(BigInt(`0x${first}`) + BigInt(`0x${second}`));
}

/** @param {ImageDataset} set @param {number} i @param {string[]} more */
function hashOf(set, i, ...more) {
  const className = set.classes[set.labels[i] ?? 0];
  const line = (/** @type {string} */ name) => JSON.stringify([name, className, ...more]);
  return hashOfName(set.nameOf?.(i) ?? '', line).readBigUInt64BE();
}

/** @param {bigint} sum */
const text = (sum) => BigInt.asUintN(64, sum).toString(16).padStart(16, '0');

/**
 * The digests of a run; none for data sets whose images have no names.
 * @param {{ trainSet: ImageDataset, testSet: ImageDataset, valSet?: ImageDataset | undefined }} sets - As they were loaded, before validation images are
 *   held out.
 * @param {AbortSignal} [signal]
 * @returns {Promise<Pick<RunConfig, 'imageDigests' | 'contentDigests'>>}
 */
export async function digestsOf({ trainSet, testSet, valSet }, signal) {
  if (!trainSet.nameOf) return {};
  /** @type {[keyof ImageDigests, ImageDataset][]} */
  const sets = [
    ['train', trainSet],
    ['test', testSet],
  ];
  if (valSet) sets.push(['val', valSet]);
  /** @type {Partial<ImageDigests>} */
  const names = {};
  /** @type {Partial<ImageDigests>} */
  const contents = {};
  for (const [split, set] of sets) {
    names[split] = digestOf(set);
    const digest = await contentDigestOf(set, signal);
    if (digest !== undefined) contents[split] = digest;
  }
  const isOfFiles = sets.every(([split]) => contents[split] !== undefined);
  return {
    imageDigests: /** @type {ImageDigests} */ (names),
    ...(isOfFiles && { contentDigests: /** @type {ImageDigests} */ (contents) }),
  };
}
