/**
 * The augmentation options of train.js.
 * @module
 */
import { inGroup } from './option-table.js';
import { jitterStrengths, nonNegativeInteger, number, oneOf } from './value-types.js';

/** @import { OptionTable } from './types.js' */

/** Default of --padding in pixels. */
export const DEFAULT_PADDING = 4;

const probability = number({ min: 0, max: 1 });

export const AUGMENTATION = inGroup(
  'Augmentation',
  /** @satisfies {OptionTable} */ ({
    crop: {
      value: 'name',
      type: oneOf(['resized', 'padded', 'none']),
      default: 'resized',
      config: 'crop',
      help: 'resized: a random part, resized (as in the article); padded: a random part of the padded image; none: the whole image',
    },
    padding: {
      value: 'n',
      type: nonNegativeInteger,
      config: 'padding',
      help: `black pixels around an image for --crop padded (default: ${DEFAULT_PADDING})`,
    },
    flip: {
      value: 'p',
      type: probability,
      default: 0.5,
      config: 'flip',
      help: 'probability of a horizontal flip',
    },
    colorJitter: {
      value: 'strengths',
      type: jitterStrengths,
      config: 'colorJitter',
      help: 'brightness, contrast, saturation and hue, such as 0.4,0.4,0.4,0.1; one number for the first three',
    },
    randomErasing: {
      value: 'p',
      type: probability,
      config: 'randomErasing',
      help: 'probability that a random rectangle is erased',
    },
    mixup: {
      value: 'alpha',
      type: number({ above: 0 }),
      config: 'mixup',
      help: 'mixup with this alpha, such as 0.2; with --cutmix, one of the two is chosen for every batch',
    },
    cutmix: {
      value: 'alpha',
      type: number({ above: 0 }),
      config: 'cutmix',
      help: 'CutMix with this alpha, such as 1',
    },
    mixProb: {
      value: 'p',
      type: probability,
      config: 'mixProb',
      help: 'probability that --mixup or --cutmix is applied to a batch (default: 1)',
    },
    batchDtype: {
      value: 'name',
      type: oneOf(['float32', 'bfloat16']),
      default: 'float32',
      config: 'batchDtype',
      help: 'dtype of the images',
    },
    memoryFormat: {
      value: 'name',
      type: oneOf(['contiguous', 'channels-last']),
      default: 'contiguous',
      config: 'memoryFormat',
      help: 'memory format of the images',
    },
    augmentOn: {
      value: 'where',
      type: oneOf(['auto', 'cpu', 'device']),
      default: 'auto',
      config: 'augmentOn',
      help: 'where images are transformed; device keeps the whole set in its memory; auto: device on a GPU, else cpu',
    },
  }),
);
