/**
 * The images of a run: finds them, and recognizes them where they have been moved or changed.
 * @module
 */
import { existsSync } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { resolve } from 'node:path';
import { TrainingError } from '../../dist/index.js';
import { isPictures, listingOf, loadDataset, loadSplits, splitUnsplit } from './datasets.js';
import { contentDigestOf, digestOf, digestOfBoth } from './image-digests.js';
import { printable } from './printable.js';

/** @import { ImageDataset } from '../../dist/data/dataset.js' */
/** @import { RunConfig } from '../../dist/train/index.js' */
/** @import { SourceOptions } from './datasets.js' */
/** @import { ImageDigests } from './image-digests.js' */

/** Where data sets are by default. */
const DEFAULT_ROOT = 'data';

/**
 * The images of a run that a command measures: its test images, or those of `--data-dir`.
 * @typedef {{ set: ImageDataset, isOwn: boolean, root: string | null }} TestImages - `isOwn`: whether they are the test images of the run; `root`:
 *   where they are.
 */

/**
 * The test images of a run, or of another place. A folder or a manifest without splits is split if it has the images of the training, wherever
 * they are; of another one all images are used, with a message on stderr.
 * @param {RunConfig} config
 * @param {Omit<SourceOptions, 'split' | 'classes' | 'size'>} options - `root`: default, that of the training.
 * @returns {Promise<TestImages>}
 * @throws {TrainingError} for a folder or a manifest without splits whose images have changed since the training.
 */
export async function findTestImages(config, options) {
  const { classes, dataset, imageShape, imageDigests: known } = config;
  const root = await rootOf(config, options.root);
  const given = { ...options, root, size: imageShape[1], classes };
  if (!isPictures(dataset)) {
    const set = await loadDataset(dataset, { ...given, split: 'test' });
    return { set, isOwn: true, root: config.dataDir && root };
  }
  const isSamePlace = config.dataDir !== null && (await placeOf(root)) === (await placeOf(config.dataDir));
  const listing = listingOf(dataset, given);
  if ((await listing.splits()) === null) {
    const all = await loadDataset(dataset, { ...given, listing, split: 'train' });
    return { ...(await splitOrWhole(config, all, { root, isSamePlace })), root };
  }
  const set = await loadDataset(dataset, { ...given, listing, split: 'test' });
  const isOwn = known ? digestOf(set) === known.test && (await hasContents(config, set)) : isSamePlace;
  if (!isOwn)
    console.error(
      `${printable(root)}: these are not the test images of the training: comparisons and reports leave the result out`,
    );
  return { set, isOwn, root };
}

/**
 * The test images of a set without splits.
 * @param {RunConfig} config
 * @param {ImageDataset} all
 * @param {{ root: string, isSamePlace: boolean }} found - `isSamePlace`: whether it is where the run was trained.
 * @returns {Promise<Pick<TestImages, 'set' | 'isOwn'>>}
 */
async function splitOrWhole(config, all, { root, isSamePlace }) {
  const { imageDigests: known } = config;
  const name = /** @type {'folder' | 'manifest'} */ (config.dataset);
  const digest = digestOf(all);
  if (known ? digest === digestOfBoth(known.train, known.test) : isSamePlace) {
    const { trainSet, testSet } = splitUnsplit(name, all, { root, byPosition: !known });
    if (known)
      checkSame(config, { imageDigests: { train: digestOf(trainSet), test: digestOf(testSet) } }, root);
    else checkCount(config, trainSet.length, root);
    // Also images of another set that have the same names: none of those that may have been trained on are measured.
    const isOwn = await hasContents(config, testSet);
    if (!isOwn)
      console.error(
        `${printable(root)}: the contents of test images differ from those in the training: comparisons and reports leave the result out`,
      );
    return { set: testSet, isOwn };
  }
  if (isSamePlace) checkSame(config, { imageDigests: { train: digest } }, root);
  const isTrained = known?.train === digest && (await hasContents(config, all, 'train'));
  const images = `all ${all.length.toLocaleString('en')} images are used for testing`;
  console.error(
    isTrained
      ? `${printable(root)}: ${images}; they are the training images of the run`
      : `${printable(root)}: ${images}; they must not have been used in training`,
  );
  return { set: all, isOwn: known?.test === digest && (await hasContents(config, all)) };
}

/**
 * Whether images of the names of a split have the contents that they had in the training, as far as the run knows them.
 * @param {RunConfig} config @param {ImageDataset} set @param {keyof ImageDigests} [split]
 */
async function hasContents({ contentDigests }, set, split = 'test') {
  return contentDigests === undefined || (await contentDigestOf(set)) === contentDigests[split];
}

/**
 * The folder or file that was given, otherwise that of the training.
 * @param {RunConfig} config @param {string | undefined} given
 * @throws {TrainingError} if that of the training does not exist.
 */
export async function rootOf({ dataset, dataDir }, given) {
  if (given !== undefined) return given;
  if (dataDir === null) return DEFAULT_ROOT;
  if (existsSync(dataDir)) return dataDir;
  // An archive can be downloaded again, also on another machine.
  if (!isPictures(dataset)) return DEFAULT_ROOT;
  throw new TrainingError(
    `Cannot find ${resolve(dataDir)}, where the images were in the training: pass their folder with --data-dir`,
  );
}

/** A path without links; one that does not exist, itself. @param {string} path */
const placeOf = (path) => realpath(path).catch(() => resolve(path));

/** What has changed where digests differ. */
const CHANGES = {
  imageDigests: 'images were added, removed or renamed, or have another class',
  contentDigests: 'the contents of files have changed',
};

/**
 * @param {Pick<RunConfig, 'imageDigests' | 'contentDigests'>} known - Older runs have no digests, or only those of names.
 * @param {{ [key in keyof typeof CHANGES]?: Partial<ImageDigests> | undefined }} found
 * @param {string} root
 * @throws {TrainingError} if the images of a split are not those of the training.
 */
export function checkSame(known, found, root) {
  for (const key of /** @type {(keyof typeof CHANGES)[]} */ (Object.keys(CHANGES))) {
    const [before, now] = [known[key], found[key]];
    if (!before || !now) continue;
    const splits = /** @type {(keyof ImageDigests)[]} */ (Object.keys(now));
    if (splits.every((split) => now[split] === before[split])) continue;
    throw new TrainingError(
      `${root}: expected the images that the run was trained with but found others: ${CHANGES[key]}. ` +
        'Restore the images, or train a new run.',
    );
  }
}

/** The check of older runs, which have no digests. @param {RunConfig} config @param {number} found @param {string} root */
function checkCount({ trainImages, valImages, valSplit, limitTrain }, found, root) {
  const expected = trainImages + (typeof valSplit === 'number' ? valImages : 0);
  if (limitTrain === null && found !== expected)
    throw new TrainingError(
      `${root}: expected ${expected} training images, as when the run was trained, but found ${found}. ` +
        'Changed images change the split into training and test images.',
    );
}

/** The images of {@link findTestImages}. @param {RunConfig} config @param {Parameters<typeof findTestImages>[1]} options */
export async function loadTestSet(config, options) {
  return (await findTestImages(config, options)).set;
}

/**
 * The training images of a run; with a validation set held out of them, those too.
 * @param {RunConfig} config
 * @param {Omit<SourceOptions, 'split' | 'classes' | 'size'>} options - `root`: default, that of the training.
 * @returns {Promise<ImageDataset>}
 */
export async function loadTrainingSet(config, options) {
  const { classes, dataset, imageShape, imageDigests } = config;
  const root = await rootOf(config, options.root);
  const listing = isPictures(dataset) ? listingOf(dataset, { ...options, root }) : undefined;
  const given = { ...options, root, listing, size: imageShape[1], classes };
  if ((await listing?.splits()) !== null) return loadDataset(dataset, { ...given, split: 'train' });
  return (await loadSplits(dataset, given, { byPosition: !imageDigests })).trainSet;
}
