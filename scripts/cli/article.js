/**
 * What the article reports, to be printed next to measurements.
 * @module
 */

/** Accuracies after the last epoch, by model. */
export const ARTICLE = new Map([
  ['alexnet', { train: 0.7049, val: 0.7872 }],
  ['alexnet-dy', { train: 0.7515, val: 0.8209 }],
]);

/** Epochs of a training. */
export const ARTICLE_EPOCHS = 100;

/** Images per second of its AlexNet-DY at inference. */
export const ARTICLE_IMAGES_PER_SECOND = 1764;
