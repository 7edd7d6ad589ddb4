/**
 * The constructors of the steps that work on bytes, by their names.
 * @module
 */
import type { CustomStep, PixelStep } from './step-types.js';
import {
  augMix,
  custom,
  fiveCrop,
  gaussianBlur,
  grayscale,
  randAugment,
  randomAffine,
  randomGrayscale,
  randomPerspective,
  randomRotation,
  trivialAugmentWide,
} from './steps.js';

/** The constructor of each kind of step. */
export const PIXEL_MAKERS: Readonly<Record<PixelStep['step'], (options: never) => PixelStep>> = {
  randAugment,
  trivialAugmentWide,
  augMix,
  randomRotation,
  randomAffine,
  randomPerspective,
  grayscale,
  randomGrayscale,
  gaussianBlur,
  fiveCrop,
  custom: ({ apply, ...options }: CustomStep) => custom(apply, options as { name: string }),
};
