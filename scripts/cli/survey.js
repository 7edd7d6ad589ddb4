/**
 * Checks of a new run that need no image: before all of them are decoded, which may take minutes.
 * @module
 */
import { checkWeightsFile } from '../../dist/formats/weights-file.js';
import { ArgumentError, models, tidy } from '../../dist/index.js';
import { checkClassWeights, modelOptionsOf } from './config.js';
import { isPictures, listingOf } from './datasets.js';
import { freezeParts } from './model.js';

/** @import { PictureListing } from '../../dist/data/picture-listing.js' */
/** @import { TrainOptions } from './train-options.js' */

/**
 * Checks the initial weights, the parts to be frozen, the classes of all splits, and what depends on the number of classes and images.
 * @param {TrainOptions} options
 * @returns {Promise<PictureListing | undefined>} Of a folder or a manifest, with which the images are read.
 * @throws {ArgumentError | CheckpointError | DatasetError} as the later steps would.
 */
export async function checkBeforeReading(options) {
  const { dataset, dataDir, init, freeze } = options;
  if (init !== undefined && !/^(https?|file|hf):/.test(init)) await checkWeightsFile(init);
  if (freeze) checkFreeze(options);
  if (!isPictures(dataset)) return undefined;
  const listing = listingOf(dataset, { root: dataDir });
  checkCounts(options, await survey(listing));
  return listing;
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
 * @param {PictureListing} listing
 * @throws {DatasetError} for a split with other classes, or without images.
 */
async function survey(listing) {
  const splits = await listing.splits();
  const { classes, files } = await listing.find('train');
  if (splits !== null) await listing.find('test', classes);
  if (splits?.has('val')) await listing.find('val', classes);
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
