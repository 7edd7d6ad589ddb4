/**
 * What happens to training images: what config.json keeps of the options, and what the loader is given.
 * @module
 */
import { data } from '../../dist/index.js';
import { DEFAULT_PADDING } from './augment-options.js';

/** @typedef {import('../../dist/train/index.js').RunConfig} RunConfig */
/** @typedef {import('../../dist/data/loader.js').LoaderOptions} LoaderOptions */

/** Side of the image that a resized crop is taken from, for crops of 128 pixels; in the article 130. */
const MARGIN = 130 / 128;

/**
 * What a configuration keeps.
 * @param {Record<string, any>} options - Those of train.js.
 * @param {import('../../dist/index.js').Device} device - Of the training.
 */
export function augmentationOf(options, device) {
  const { crop, padding, flip, colorJitter, randomErasing, mixup, cutmix, mixProb } = options;
  const { batchDtype, memoryFormat, augmentOn } = options;
  return {
    crop,
    padding: crop === 'padded' ? (padding ?? DEFAULT_PADDING) : null,
    flip,
    colorJitter: colorJitter ?? null,
    randomErasing: randomErasing ?? null,
    mixup: mixup ?? null,
    cutmix: cutmix ?? null,
    mixProb: mixProb ?? null,
    batchDtype,
    memoryFormat,
    augmentOn: augmentOn === 'auto' ? (device.startsWith('cuda') ? 'device' : 'cpu') : augmentOn,
  };
}

/**
 * The transform of training images.
 * @param {Omit<RunConfig, 'parameters'>} config
 * @returns {import('../../dist/data/transforms.js').Transform}
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
  const resize = Math.round(MARGIN * size);
  if (crop === 'resized' && !colorJitter && !randomErasing) return t.train({ resize, size, flip });
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
    t.normalize(),
    ...(randomErasing ? [t.randomErasing({ p: randomErasing })] : []),
  ]);
}

/**
 * What is done to whole batches; nothing in most runs.
 * @param {Omit<RunConfig, 'parameters'>} config
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
 * How batches are laid out, those of the test images too.
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
 * The loader's options that make training batches of images.
 * @param {Omit<RunConfig, 'parameters'>} config
 * @returns {Pick<LoaderOptions, 'transform' | 'mix' | 'dtype' | 'memoryFormat' | 'augmentOn'>}
 */
export function augmentation(config) {
  return { transform: trainTransform(config), mix: mixOf(config), ...batchFormat(config) };
}
