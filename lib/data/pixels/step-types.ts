/**
 * The steps that work on the bytes of an image, as data.
 * @module
 */
import type { Random } from '../random.js';
import type { Bounds, Size } from '../transform-checks.js';

/** Interpolation of a step; without `fill` it is black. */
export interface Interpolation {
  /** How values between pixels are chosen. */
  readonly interpolation: 'nearest' | 'bilinear';
  /** Value of the pixels from outside the image, 0 to 255: one number, or one per channel; absent: black. */
  readonly fill?: number | readonly number[] | undefined;
}

/** See `transforms.randAugment`. */
export interface RandAugmentStep extends Interpolation {
  /** Which step it is. */
  readonly step: 'randAugment';
  /** Operations per image. */
  readonly numOps: number;
  /** The bin of all magnitudes. */
  readonly magnitude: number;
  /** Number of bins. */
  readonly numMagnitudeBins: number;
}

/** See `transforms.trivialAugmentWide`. */
export interface TrivialAugmentStep extends Interpolation {
  /** Which step it is. */
  readonly step: 'trivialAugmentWide';
  /** Number of bins from which the magnitude is drawn. */
  readonly numMagnitudeBins: number;
}

/** See `transforms.augMix`. */
export interface AugMixStep extends Interpolation {
  /** Which step it is. */
  readonly step: 'augMix';
  /** Largest magnitude, 1 to 10. */
  readonly severity: number;
  /** Number of chains. */
  readonly mixtureWidth: number;
  /** Operations of a chain; -1: 1 to 3, by chance. */
  readonly chainDepth: number;
  /** Parameter of the distributions of the weights. */
  readonly alpha: number;
  /** Whether brightness, contrast, color and sharpness are among the operations. */
  readonly allOps: boolean;
}

/** See `transforms.randomRotation`. */
export interface RandomRotationStep extends Interpolation {
  /** Which step it is. */
  readonly step: 'randomRotation';
  /** Bounds of the angle. */
  readonly degrees: Bounds;
  /** Whether the result has the size of the rotated image. */
  readonly expand: boolean;
  /** The point that stays, [x, y] in pixels; without it the center. */
  readonly center?: readonly [number, number] | undefined;
}

/** See `transforms.randomAffine`. */
export interface RandomAffineStep extends Interpolation {
  /** Which step it is. */
  readonly step: 'randomAffine';
  /** Bounds of the angle. */
  readonly degrees: Bounds;
  /** Largest translations, as a share of width and height. */
  readonly translate: readonly [number, number];
  /** Bounds of the scale. */
  readonly scale: Bounds;
  /** Bounds of the horizontal and the vertical shear, in degrees. */
  readonly shear: readonly [number, number, number, number];
  /** The point that stays, [x, y] in pixels; without it the center. */
  readonly center?: readonly [number, number] | undefined;
}

/** See `transforms.randomPerspective`. */
export interface RandomPerspectiveStep extends Interpolation {
  /** Which step it is. */
  readonly step: 'randomPerspective';
  /** Largest distance of a corner, as a share of half the size. */
  readonly distortionScale: number;
  /** Probability, 0 to 1. */
  readonly p: number;
}

/** See `transforms.grayscale`. */
export interface GrayscaleStep {
  /** Which step it is. */
  readonly step: 'grayscale';
  /** 1 or 3 equal channels. */
  readonly numOutputChannels: 1 | 3;
}

/** See `transforms.randomGrayscale`. */
export interface RandomGrayscaleStep {
  /** Which step it is. */
  readonly step: 'randomGrayscale';
  /** Probability, 0 to 1. */
  readonly p: number;
}

/** See `transforms.gaussianBlur`. */
export interface GaussianBlurStep {
  /** Which step it is. */
  readonly step: 'gaussianBlur';
  /** Height and width of the kernel, odd. */
  readonly kernelSize: Size;
  /** Bounds of the standard deviation, in pixels. */
  readonly sigma: Bounds;
}

/** See `transforms.fiveCrop`. */
export interface FiveCropStep {
  /** Which step it is. */
  readonly step: 'fiveCrop';
  /** Height and width of each crop. */
  readonly size: Size;
}

/** An image as a custom step gets and returns it. */
export interface StepImage {
  /** The bytes [C, H, W], row-major. The function must not change those that it gets. */
  image: Uint8Array;
  /** [C, H, W]. */
  shape: readonly [channels: number, height: number, width: number];
}

/** Random numbers for a custom step: they depend on the seed of the loader, the epoch, the image and the place of the step. */
export type StepRandom = Pick<Random, 'uniform' | 'below' | 'normal'>;

/** The function of a custom step. */
export type StepFunction = (image: StepImage, random: StepRandom) => StepImage | Uint8Array;

/** See `transforms.custom`. */
export interface CustomStep {
  /** Which step it is. */
  readonly step: 'custom';
  /** For messages and printing. */
  readonly name: string;
  /** What it does. */
  readonly apply: StepFunction;
}

/** A step that works on the bytes of an image. */
export type PixelStep =
  | RandAugmentStep
  | TrivialAugmentStep
  | AugMixStep
  | RandomRotationStep
  | RandomAffineStep
  | RandomPerspectiveStep
  | GrayscaleStep
  | RandomGrayscaleStep
  | GaussianBlurStep
  | FiveCropStep
  | CustomStep;
