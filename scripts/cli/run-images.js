/**
 * The images of a run: finds them, and recognizes them where they have been moved or changed.
 * @module
 */
import { existsSync } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { resolve } from 'node:path';
import { TrainingError } from '../../dist/index.js';
import { isPictures, loadDataset, loadSplits, pictureSplits, splitUnsplit } from './datasets.js';
import { digestOf, digestOfBoth } from './image-digests.js';
import { printable } from './printable.js';

/** @import { ImageDataset } from '../../dist/data/dataset.js' */
/** @import { RunConfig } from '../../dist/train/index.js' */
/** @import { SourceOptions } from './datasets.js' */
/** @typedef {NonNullable<RunConfig['imageDigests']>} ImageDigests */

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
  if ((await pictureSplits(dataset, root)) === null) {
    const all = await loadDataset(dataset, { ...given, split: 'train' });
    return { ...splitOrWhole(config, all, { root, isSamePlace }), root };
  }
  const set = await loadDataset(dataset, { ...given, split: 'test' });
  const isOwn = known ? digestOf(set) === known.test : isSamePlace;
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
 * @returns {Pick<TestImages, 'set' | 'isOwn'>}
 */
function splitOrWhole(config, all, { root, isSamePlace }) {
  const { imageDigests: known } = config;
  const name = /** @type {'folder' | 'manifest'} */ (config.dataset);
  const digest = digestOf(all);
  if (known ? digest === digestOfBoth(known.train, known.test) : isSamePlace) {
    const { trainSet, testSet } = splitUnsplit(name, all, { root, byPosition: !known });
    if (known) checkSame(known, { train: digestOf(trainSet), test: digestOf(testSet) }, root);
    else checkCount(config, trainSet.length, root);
    return { set: testSet, isOwn: true };
  }
  if (isSamePlace && known) checkSame(known, { train: digest }, root);
  const images = `all ${all.length.toLocaleString('en')} images are used for testing`;
  console.error(
    known?.train === digest
      ? `${printable(root)}: ${images}; they are the training images of the run`
      : `${printable(root)}: ${images}; they must not have been used in training`,
  );
  return { set: all, isOwn: known?.test === digest };
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
    `Cannot find ${resolve(dataDir)}, where the images were in the training: give their place with --data-dir`,
  );
}

/** A path without links; one that does not exist, itself. @param {string} path */
const placeOf = (path) => realpath(path).catch(() => resolve(path));

/**
 * @param {ImageDigests} known @param {Partial<ImageDigests>} found @param {string} root
 * @throws {TrainingError} if the images of a split are not those of the training.
 */
export function checkSame(known, found, root) {
  const splits = /** @type {const} */ (['train', 'test', 'val']);
  const changed = splits.find((split) => found[split] !== undefined && found[split] !== known[split]);
  if (changed === undefined) return;
  throw new TrainingError(
    `${root}: expected the images that the run was trained with but found others: images were added, removed or renamed, or have another class. ` +
      'Use the images as they were, or train another run.',
  );
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
  const given = { ...options, root, size: imageShape[1], classes };
  if (!isPictures(dataset) || (await pictureSplits(dataset, root)) !== null)
    return loadDataset(dataset, { ...given, split: 'train' });
  return (await loadSplits(dataset, given, { byPosition: !imageDigests })).trainSet;
}
