/**
 * The splits of a data set as a training uses them, for `data`.
 * @module
 */
import { ArgumentError } from '../../dist/errors.js';
import { isPictures, listingOf, loadDataset, splitUnsplit } from './datasets.js';
import { printable } from './printable.js';

/** @import { ImageDataset } from '../../dist/data/dataset.js' */
/** @import { FolderSplit } from '../../dist/data/picture-files.js' */
/** @import { SourceOptions } from './datasets.js' */

/** @typedef {Partial<Record<FolderSplit, ImageDataset>>} Splits */

/**
 * Loads a split of a data set; of image files all splits that there are, with the classes of the training images, as an error in one of
 * them stops a training. Images without splits are divided as in a training, if they are enough.
 * @param {string} name
 * @param {SourceOptions} options
 * @returns {Promise<{ set: ImageDataset, splits: Splits }>} `set`: the one of `options.split`.
 * @throws {ArgumentError} if the set does not have the split.
 */
export async function loadWithSplits(name, options) {
  const { split, root = 'data' } = options;
  const splits = isPictures(name)
    ? await loadPictures(name, options)
    : { [split]: await loadDataset(name, options) };
  // Sets without images for testing are tested with those for validation.
  const set = splits[split] ?? (split === 'test' ? splits.val : undefined);
  if (!set)
    throw new ArgumentError(
      `Expected one of ${Object.keys(splits).join(', ')}, the splits of ${root}, for --split but received ${split}`,
    );
  return { set, splits };
}

/** @param {'folder' | 'manifest'} name @param {SourceOptions} options @returns {Promise<Splits>} */
async function loadPictures(name, options) {
  const { root = 'data' } = options;
  const listing = listingOf(name, options);
  const given = { ...options, listing };
  const found = await listing.splits();
  if (found === null) {
    const all = await loadDataset(name, { ...given, split: 'train' });
    try {
      const { trainSet, testSet } = splitUnsplit(name, all, { root });
      return { train: trainSet, test: testSet };
    } catch (error) {
      if (!(error instanceof ArgumentError)) throw error;
      // Too few to train on, but enough to be shown.
      console.error(`warning: ${printable(error.message)}`);
      return { train: all };
    }
  }
  /** @type {Splits} */
  const splits = {};
  for (const split of /** @type {const} */ (['train', 'val', 'test'])) {
    if (!found.has(split)) continue;
    const classes = splits.train?.classes;
    splits[split] = await loadDataset(name, { ...given, split, ...(classes && { classes }) });
  }
  return splits;
}

/**
 * The number of images of every class in every split.
 * @param {Splits} splits
 * @returns {{ class: string, counts: Partial<Record<FolderSplit, number>> }[]} In label order.
 */
export function classCounts(splits) {
  const sets = /** @type {[FolderSplit, ImageDataset][]} */ (Object.entries(splits));
  const classes = sets[0]?.[1].classes ?? [];
  const counted = sets.map(([split, { labels }]) => {
    const counts = new Array(classes.length).fill(0);
    for (const label of labels) counts[label]++;
    return /** @type {const} */ ([split, counts]);
  });
  return classes.map((name, label) => ({
    class: name,
    counts: Object.fromEntries(counted.map(([split, counts]) => [split, counts[label]])),
  }));
}
