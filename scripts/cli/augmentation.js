/**
 * Augmentation of training images: the loader's options from the configuration of a run.
 * @module
 */

import { normalizationOf, sizeBeforeCrop } from '../../dist/data/preprocessing.js';
import { data } from '../../dist/index.js';
import { DEFAULT_PADDING } from './augment-options.js';

/** @import { LoaderOptions } from '../../dist/data/loader-options.js' */
/** @import { Transform } from '../../dist/data/transforms.js' */
/** @import { RunConfig } from '../../dist/train/index.js' */
/** @import { Draft } from './config.js' */

/**
 * The transform of training images.
 * @param {Draft} config
 * @returns {Transform}
 */
function trainTransform(config) {
  const {
    imageSize: size,
    imageShape,
    crop = 'resized',
    padding,
    flip = 0.5,
    colorJitter,
    randomErasing,
  } = config;
  const t = data.transforms;
  const resize = sizeBeforeCrop(config);
  const { mean, std } = normalizationOf(config);
  if (crop === 'resized' && !colorJitter && !randomErasing) return t.train({ resize, size, flip, mean, std });
  const [, height = 1, width = 1] = imageShape;
  const crops = {
    resized: () => [t.resize({ size: resize }), t.randomResizedCrop({ size })],
    padded: () => [
      t.randomCrop({ size: [height, width], padding: padding ?? DEFAULT_PADDING }),
      t.resize({ size }),
    ],
    none: () => [t.resize({ size })],
  };
  const [brightness, contrast, saturation, hue] = colorJitter ?? [];
  return t.compose([
    ...crops[crop](),
    t.randomHorizontalFlip({ p: flip }),
    ...(colorJitter ? [t.colorJitter({ brightness, contrast, saturation, hue })] : []),
    t.normalize({ mean, std }),
    ...(randomErasing ? [t.randomErasing({ p: randomErasing })] : []),
  ]);
}

/**
 * MixUp and CutMix; none in most runs.
 * @param {Draft} config
 */
function mixOf({ mixup, cutmix, mixProb }) {
  const p = mixProb ?? 1;
  const mixes = [
    ...(mixup ? [data.transforms.mixup({ alpha: mixup, p })] : []),
    ...(cutmix ? [data.transforms.cutmix({ alpha: cutmix, p })] : []),
  ];
  return mixes.length > 0 ? mixes : undefined;
}

/**
 * The format of batches, also for test images.
 * @param {Pick<RunConfig, 'batchDtype' | 'memoryFormat' | 'augmentOn'>} config
 * @returns {Pick<LoaderOptions, 'dtype' | 'memoryFormat' | 'augmentOn'>}
 */
export function batchFormat({ batchDtype, memoryFormat, augmentOn }) {
  return {
    dtype: batchDtype,
    memoryFormat: memoryFormat === 'channels-last' ? 'channelsLast' : 'contiguous',
    augmentOn,
  };
}

/**
 * The loader's options for training batches.
 * @param {Draft} config
 * @returns {Pick<LoaderOptions, 'transform' | 'mix' | 'dtype' | 'memoryFormat' | 'augmentOn'>}
 */
export function augmentation(config) {
  return { transform: trainTransform(config), mix: mixOf(config), ...batchFormat(config) };
}
