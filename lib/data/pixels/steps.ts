/**
 * The steps of a transform that work on the bytes of an image: policies, rotations, filters, and custom functions. Names, rules and
 * defaults are those of torchvision's transforms v2: https://docs.pytorch.org/vision/stable/transforms.html
 * @module
 */
import { integer, number, oneOf } from '../../check/arguments.js';
import { checkFunction, checkOptions, checkString, optionKeys } from '../../check/index.js';
import { ArgumentError, invalidArgument } from '../../errors.js';
import { type Bounds, checkProbability, checkRange, checkSizes, type Size } from '../transform-checks.js';
import type {
  AugMixStep,
  CustomStep,
  FiveCropStep,
  GaussianBlurStep,
  GrayscaleStep,
  Interpolation,
  RandAugmentStep,
  RandomAffineStep,
  RandomGrayscaleStep,
  RandomPerspectiveStep,
  RandomRotationStep,
  StepFunction,
  TrivialAugmentStep,
} from './step-types.js';

export type * from './step-types.js';

/** Options of steps that move pixels. */
export interface InterpolationOptions {
  /** `nearest` or `bilinear`. Default: `nearest`, but `bilinear` for {@link randomPerspective} and {@link augMix}. */
  interpolation?: 'nearest' | 'bilinear' | undefined;
  /** Value of the pixels from outside the image, 0 to 255: one number, or one per channel. Default: black. */
  fill?: number | readonly number[] | undefined;
}

const INTERPOLATION_KEYS = ['interpolation', 'fill'] as const;
const RAND_AUGMENT_KEYS = optionKeys(...INTERPOLATION_KEYS, 'numOps', 'magnitude', 'numMagnitudeBins');
const TRIVIAL_AUGMENT_KEYS = optionKeys(...INTERPOLATION_KEYS, 'numMagnitudeBins');
const AUG_MIX_KEYS = optionKeys(
  ...INTERPOLATION_KEYS,
  ...(['severity', 'mixtureWidth', 'chainDepth', 'alpha', 'allOps'] as const),
);
const ROTATION_KEYS = optionKeys(...INTERPOLATION_KEYS, 'degrees', 'expand', 'center');
const AFFINE_KEYS = optionKeys(...INTERPOLATION_KEYS, 'degrees', 'translate', 'scale', 'shear', 'center');
const PERSPECTIVE_KEYS = optionKeys(...INTERPOLATION_KEYS, 'distortionScale', 'p');
const GRAYSCALE_KEYS = optionKeys('numOutputChannels');
const RANDOM_GRAYSCALE_KEYS = optionKeys('p');
const BLUR_KEYS = optionKeys('kernelSize', 'sigma');
const FIVE_CROP_KEYS = optionKeys('size');
const CUSTOM_KEYS = optionKeys('name');

/** Options of {@link randAugment}. */
export interface RandAugmentOptions extends InterpolationOptions {
  /** Operations per image. Default: 2. */
  numOps?: number | undefined;
  /** The bin of all magnitudes, below `numMagnitudeBins`. Default: 9. */
  magnitude?: number | undefined;
  /** Number of bins, at least 2. Default: 31. */
  numMagnitudeBins?: number | undefined;
}

/**
 * Random operations of one magnitude: shears, translations, rotation, colors, posterize, solarize, contrast (Cubuk et al., RandAugment,
 * CVPR Workshops 2020).
 */
export function randAugment(options: RandAugmentOptions = {}): RandAugmentStep {
  checkOptions(options, RAND_AUGMENT_KEYS);
  const { numOps = 2, magnitude = 9, numMagnitudeBins = 31 } = options;
  integer('numMagnitudeBins', numMagnitudeBins, 2);
  integer('magnitude', magnitude, 0);
  if (magnitude >= numMagnitudeBins)
    throw invalidArgument('magnitude', `an integer from 0 to ${numMagnitudeBins - 1}`, magnitude);
  return Object.freeze({
    step: 'randAugment',
    numOps: integer('numOps', numOps, 0),
    magnitude,
    numMagnitudeBins,
    ...interpolationOf(options, 'nearest'),
  });
}

/** Options of {@link trivialAugmentWide}. */
export interface TrivialAugmentOptions extends InterpolationOptions {
  /** Number of bins from which the magnitude is drawn, at least 2. Default: 31. */
  numMagnitudeBins?: number | undefined;
}

/** One random operation of random magnitude (Müller and Hutter, TrivialAugment, ICCV 2021). */
export function trivialAugmentWide(options: TrivialAugmentOptions = {}): TrivialAugmentStep {
  checkOptions(options, TRIVIAL_AUGMENT_KEYS);
  const { numMagnitudeBins = 31 } = options;
  return Object.freeze({
    step: 'trivialAugmentWide',
    numMagnitudeBins: integer('numMagnitudeBins', numMagnitudeBins, 2),
    ...interpolationOf(options, 'nearest'),
  });
}

/** Options of {@link augMix}. */
export interface AugMixOptions extends InterpolationOptions {
  /** Largest magnitude, 1 to 10. Default: 3. */
  severity?: number | undefined;
  /** Number of chains of operations. Default: 3. */
  mixtureWidth?: number | undefined;
  /** Operations of a chain; -1: 1 to 3, by chance. Default: -1. */
  chainDepth?: number | undefined;
  /** Parameter of the distributions of the weights. Default: 1. */
  alpha?: number | undefined;
  /** Whether brightness, contrast, color and sharpness are among the operations. Default: true. */
  allOps?: boolean | undefined;
}

/** A weighted sum of the image and of chains of operations on it (Hendrycks et al., AugMix, ICLR 2020). */
export function augMix(options: AugMixOptions = {}): AugMixStep {
  checkOptions(options, AUG_MIX_KEYS);
  const { severity = 3, mixtureWidth = 3, chainDepth = -1, alpha = 1, allOps = true } = options;
  if (!Number.isInteger(severity) || severity < 1 || severity > 10)
    throw invalidArgument('severity', 'an integer from 1 to 10', severity);
  if (chainDepth !== -1) integer('chainDepth', chainDepth, 1);
  if (typeof allOps !== 'boolean') throw invalidArgument('allOps', 'a boolean', allOps);
  return Object.freeze({
    step: 'augMix',
    severity,
    mixtureWidth: integer('mixtureWidth', mixtureWidth, 1),
    chainDepth,
    alpha: number('alpha', alpha, { min: Number.MIN_VALUE }),
    allOps,
    ...interpolationOf(options, 'bilinear'),
  });
}

/** Options of {@link randomRotation}. */
export interface RandomRotationOptions extends InterpolationOptions {
  /** Bounds of the angle, counter-clockwise; d means [-d, d]. */
  degrees: number | Bounds;
  /** Whether the result has the size of the rotated image; a transform must then resize it. Default: false. */
  expand?: boolean | undefined;
  /** The point that stays, [x, y] in pixels. Default: the center. */
  center?: readonly [number, number] | undefined;
}

/** Rotates by a random angle. */
export function randomRotation(options: RandomRotationOptions): RandomRotationStep {
  checkOptions(options, ROTATION_KEYS);
  const { degrees, expand = false, center } = options;
  if (typeof expand !== 'boolean') throw invalidArgument('expand', 'a boolean', expand);
  return Object.freeze({
    step: 'randomRotation',
    degrees: symmetric('degrees', degrees),
    expand,
    ...centerOf(center),
    ...interpolationOf(options, 'nearest'),
  });
}

/** Options of {@link randomAffine}. */
export interface RandomAffineOptions extends InterpolationOptions {
  /** Bounds of the angle, clockwise; d means [-d, d]. */
  degrees: number | Bounds;
  /** Largest translations, as a share of width and height, 0 to 1. Default: none. */
  translate?: readonly [number, number] | undefined;
  /** Bounds of the scale. Default: 1. */
  scale?: Bounds | undefined;
  /** Bounds of the horizontal shear in degrees (s means [-s, s]), or of the horizontal and the vertical one. Default: none. */
  shear?: number | Bounds | readonly [number, number, number, number] | undefined;
  /** The point that stays, [x, y] in pixels. Default: the center. */
  center?: readonly [number, number] | undefined;
}

/** Rotates, translates, scales and shears at random. */
export function randomAffine(options: RandomAffineOptions): RandomAffineStep {
  checkOptions(options, AFFINE_KEYS);
  const { degrees, translate = [0, 0], scale = [1, 1], shear = 0, center } = options;
  if (!isNumbers(translate, 2) || translate.some((share) => share < 0 || share > 1))
    throw invalidArgument('translate', 'two shares from 0 to 1', translate);
  const [low, high] =
    Array.isArray(shear) && shear.length === 4 ? shear : symmetric('shear', shear as number);
  const vertical = Array.isArray(shear) && shear.length === 4 ? shear.slice(2) : [0, 0];
  const shears = [low, high, ...vertical];
  if (!isNumbers(shears, 4)) throw invalidArgument('shear', 'a number, or 2 or 4 bounds in degrees', shear);
  return Object.freeze({
    step: 'randomAffine',
    degrees: symmetric('degrees', degrees),
    translate: Object.freeze([...translate]) as unknown as readonly [number, number],
    scale: checkRange('scale', scale),
    shear: Object.freeze(shears) as unknown as RandomAffineStep['shear'],
    ...centerOf(center),
    ...interpolationOf(options, 'nearest'),
  });
}

/** Options of {@link randomPerspective}. */
export interface RandomPerspectiveOptions extends InterpolationOptions {
  /** Largest distance that a corner moves, as a share of half the size, 0 to 1. Default: 0.5. */
  distortionScale?: number | undefined;
  /** Probability, 0 to 1. Default: 0.5. */
  p?: number | undefined;
}

/** Moves the four corners inwards at random. */
export function randomPerspective(options: RandomPerspectiveOptions = {}): RandomPerspectiveStep {
  checkOptions(options, PERSPECTIVE_KEYS);
  const { distortionScale = 0.5, p = 0.5 } = options;
  return Object.freeze({
    step: 'randomPerspective',
    distortionScale: number('distortionScale', distortionScale, { min: 0, max: 1 }),
    p: checkProbability('p', p),
    ...interpolationOf(options, 'bilinear'),
  });
}

/** Gray levels, by default in one channel; 3 repeats it. */
export function grayscale(options: { numOutputChannels?: 1 | 3 | undefined } = {}): GrayscaleStep {
  checkOptions(options, GRAYSCALE_KEYS);
  const { numOutputChannels = 1 } = options;
  if (numOutputChannels !== 1 && numOutputChannels !== 3)
    throw invalidArgument('numOutputChannels', '1 or 3', numOutputChannels);
  return Object.freeze({ step: 'grayscale', numOutputChannels });
}

/** Gray levels in all channels, with probability `p`, by default 0.1. */
export function randomGrayscale(options: { p?: number | undefined } = {}): RandomGrayscaleStep {
  checkOptions(options, RANDOM_GRAYSCALE_KEYS);
  const { p = 0.1 } = options;
  return Object.freeze({ step: 'randomGrayscale', p: checkProbability('p', p) });
}

/** Options of {@link gaussianBlur}. */
export interface GaussianBlurOptions {
  /** Size of the kernel in pixels, odd, or [height, width]. */
  kernelSize: number | Size;
  /** Standard deviation in pixels, or its bounds. Default: [0.1, 2]. */
  sigma?: number | Bounds | undefined;
}

/** Smooths the image by a Gaussian of random width; the border is reflected. */
export function gaussianBlur(options: GaussianBlurOptions): GaussianBlurStep {
  checkOptions(options, BLUR_KEYS);
  const { sigma = [0.1, 2] } = options;
  const kernelSize = checkSizes('kernelSize', options.kernelSize);
  if (kernelSize.some((size) => size % 2 === 0))
    throw invalidArgument('kernelSize', 'odd numbers', options.kernelSize);
  return Object.freeze({
    step: 'gaussianBlur',
    kernelSize,
    sigma: checkRange('sigma', typeof sigma === 'number' ? [sigma, sigma] : sigma),
  });
}

/**
 * Cuts out the four corners and the center. Batches are then [B, 5, C, H, W], for a mean over the predictions of an image; only
 * `normalize` may follow.
 */
export function fiveCrop(options: { size: number | Size }): FiveCropStep {
  checkOptions(options, FIVE_CROP_KEYS);
  return Object.freeze({ step: 'fiveCrop', size: checkSizes('size', options.size) });
}

/**
 * A custom step: a function of the bytes of an image. It runs in JavaScript between the other steps, and cannot be stored as JSON.
 * @param apply - Gets `{ image, shape }`, bytes [C, H, W], and random numbers that depend on the image, the epoch and the seed only. Returns
 *   the bytes of an image of the same shape, or `{ image, shape }`.
 * @example
 * const invert = data.transforms.custom(({ image }) => image.map((value) => 255 - value), { name: 'invert' })
 */
export function custom(apply: StepFunction, options: { name?: string | undefined } = {}): CustomStep {
  const { name } = checkOptions(options, CUSTOM_KEYS);
  if (apply === undefined && name !== undefined)
    throw new ArgumentError(
      `Expected the function of the custom step ${name}, which is not part of its JSON form`,
    );
  checkFunction(apply, 'apply');
  return Object.freeze({
    step: 'custom',
    name: checkString(name ?? (apply.name || 'custom'), 'name'),
    apply,
  });
}

function interpolationOf(
  { interpolation, fill }: InterpolationOptions,
  otherwise: Interpolation['interpolation'],
): Interpolation {
  if (fill !== undefined) {
    const values = typeof fill === 'number' ? [fill] : fill;
    if (!Array.isArray(values) || values.length === 0 || !values.every((value) => value >= 0 && value <= 255))
      throw invalidArgument('fill', 'a number from 0 to 255, or one per channel', fill);
  }
  return {
    interpolation: oneOf('interpolation', ['nearest', 'bilinear'], interpolation ?? otherwise),
    ...(fill !== undefined && { fill: typeof fill === 'number' ? fill : Object.freeze([...fill]) }),
  };
}

/** A number d as [-d, d], or two bounds. */
function symmetric(name: string, value: unknown): Bounds {
  const bounds = typeof value === 'number' ? [-Math.abs(value), Math.abs(value)] : value;
  if (!isNumbers(bounds, 2) || bounds[0]! > bounds[1]!)
    throw invalidArgument(name, 'a number of degrees or [smallest, largest]', value);
  return Object.freeze([bounds[0]!, bounds[1]!] as const);
}

function centerOf(center: readonly [number, number] | undefined): { center?: readonly [number, number] } {
  if (center === undefined) return {};
  if (!isNumbers(center, 2)) throw invalidArgument('center', '[x, y] in pixels', center);
  return { center: Object.freeze([...center]) as unknown as readonly [number, number] };
}

function isNumbers(value: unknown, length: number): value is readonly number[] {
  return Array.isArray(value) && value.length === length && value.every((one) => Number.isFinite(one));
}
