/**
 * Checks of a new run that need no image: before all of them are decoded, which may take minutes.
 * @module
 */
import { findListed } from '../../dist/data/manifest.js';
import { findPictures } from '../../dist/data/picture-files.js';
import { checkWeightsFile } from '../../dist/formats/weights-file.js';
import { ArgumentError, models, tidy } from '../../dist/index.js';
import { checkClassWeights, modelOptionsOf } from './config.js';
import { isPictures, pictureSplits } from './datasets.js';
import { freezeParts } from './model.js';

/** @import { FolderSplit } from '../../dist/data/picture-files.js' */
/** @import { TrainOptions } from './train-options.js' */

/**
 * Checks the initial weights, the parts to be frozen, the classes of all splits, and what depends on the number of classes and images.
 * @param {TrainOptions} options
 * @throws {ArgumentError | CheckpointError | DatasetError} as the later steps would.
 */
export async function checkBeforeReading(options) {
  const { dataset, dataDir, init, freeze } = options;
  if (init !== undefined && !/^(https?|file|hf):/.test(init)) await checkWeightsFile(init);
  if (freeze) checkFreeze(options);
  if (isPictures(dataset)) checkCounts(options, await survey(dataset, dataDir));
}

/** On a network like that of the run. @param {TrainOptions} options */
function checkFreeze(options) {
  tidy(() => {
    const model = models.create(options.model, { numClasses: 2, ...modelOptionsOf(options) });
    freezeParts(model, { freeze: options.freeze });
  });
}

/**
 * The classes of a folder or a manifest, and the number of images of the training split.
 * @param {'folder' | 'manifest'} name @param {string} root
 * @throws {DatasetError} for a split with other classes, or without images.
 */
async function survey(name, root) {
  const splits = await pictureSplits(name, root);
  const find = (/** @type {FolderSplit} */ split, /** @type {readonly string[] | undefined} */ known) =>
    name === 'folder' ? findPictures(root, split, known) : findListed(root, split, known);
  const { classes, files } = await find('train', undefined);
  if (splits !== null) await find('test', classes);
  if (splits?.has('val')) await find('val', classes);
  return { classes, images: files.length };
}

/**
 * Parts of the images may be held out or skipped: the number of training images itself is checked when they have been read.
 * @param {TrainOptions} options @param {{ classes: readonly string[], images: number }} found
 */
function checkCounts({ batchSize, limitTrain, classWeights }, { classes, images }) {
  const most = Math.min(images, limitTrain ?? images);
  if (batchSize > most)
    throw new ArgumentError(
      `Expected at most ${most}, the number of images, for --batch-size but received ${batchSize}`,
    );
  checkClassWeights(classWeights, classes.length);
}
