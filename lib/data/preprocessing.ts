/**
 * How a run prepares images: the same for training, evaluation and serving.
 * @module
 */
import { type ChannelPreset, presets } from './presets.js';
import { centerCrop, compose, normalize, resize, type Transform, test } from './transforms.js';

/** The fields of the configuration of a run that are used here. */
interface Prepared {
  /** Height and width of the images in the network, in pixels. */
  imageSize: number;
  /** Default: 'half'. */
  preset?: 'half' | 'imagenet' | 'cifar10' | 'cifar100' | undefined;
}

/** Mean and standard deviation by which images are normalized. */
export function normalizationOf({ preset = 'half' }: Pick<Prepared, 'preset'>): ChannelPreset {
  return presets[preset];
}

/**
 * Height and width of images before a crop to `imageSize`, in pixels: 130 / 128 as in the article, or 256 / 224 as for the weights of
 * torchvision.
 */
export function sizeBeforeCrop({ imageSize, preset }: Prepared): number {
  return Math.round(imageSize * (preset === 'imagenet' ? 256 / 224 : 130 / 128));
}

/** The transform of images that are not augmented: resized, with the preset `imagenet` also cropped at the center. */
export function testTransform(config: Prepared): Transform {
  const { imageSize: size, preset } = config;
  const { mean, std } = normalizationOf(config);
  if (preset !== 'imagenet') return test({ size, mean, std });
  return compose([resize({ size: sizeBeforeCrop(config) }), centerCrop({ size }), normalize({ mean, std })]);
}
