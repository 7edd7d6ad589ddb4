/**
 * The steps that a transform can be composed of, each a frozen plain object. Names, rules and defaults are those of
 * torchvision's transforms v2 unless said otherwise: https://docs.pytorch.org/vision/stable/transforms.html
 * @module
 */

import { checkOptions, optionKeys } from '../check/index.js';
import { invalidArgument } from '../errors.js';
import {
  type Bounds,
  checkChannels,
  checkFactor,
  checkHue,
  checkProbability,
  checkRange,
  checkSize,
  checkSizes,
  type Size,
} from './transform-checks.js';

const RESIZE_KEYS = optionKeys('size', 'antialias');
const CENTER_CROP_KEYS = optionKeys('size');
const RANDOM_CROP_KEYS = optionKeys('size', 'padding');
const RANDOM_RESIZED_CROP_KEYS = optionKeys('size', 'scale', 'ratio', 'antialias');
const RANDOM_HORIZONTAL_FLIP_KEYS = optionKeys('p');
const COLOR_JITTER_KEYS = optionKeys('brightness', 'contrast', 'saturation', 'hue');
const NORMALIZE_KEYS = optionKeys('mean', 'std');
const RANDOM_ERASING_KEYS = optionKeys('p', 'scale', 'ratio', 'value');

/** See {@link resize}. */
export interface ResizeStep {
  /** Which step it is. */
  readonly step: 'resize';
  /** Height and width of the result, in pixels. */
  readonly size: Size;
  /** Present if the image is smoothed where it shrinks. */
  readonly antialias?: true | undefined;
}

/** See {@link centerCrop}. */
export interface CenterCropStep {
  /** Which step it is. */
  readonly step: 'centerCrop';
  /** Height and width of the result, in pixels. */
  readonly size: Size;
}

/** See {@link randomCrop}. */
export interface RandomCropStep {
  /** Which step it is. */
  readonly step: 'randomCrop';
  /** Height and width of the result, in pixels. */
  readonly size: Size;
  /** Pixels of zeros around the image before the crop. */
  readonly padding: number;
}

/** See {@link randomResizedCrop}. */
export interface RandomResizedCropStep {
  /** Which step it is. */
  readonly step: 'randomResizedCrop';
  /** Height and width of the result, in pixels. */
  readonly size: Size;
  /** Bounds of the area, as a share of the image. */
  readonly scale: Bounds;
  /** Bounds of the width over the height. */
  readonly ratio: Bounds;
  /** Present if the image is smoothed where it shrinks. */
  readonly antialias?: true | undefined;
}

/** See {@link randomHorizontalFlip} and {@link randomVerticalFlip}. */
export interface FlipStep {
  /** Which step it is. */
  readonly step: 'randomHorizontalFlip' | 'randomVerticalFlip';
  /** Probability, 0 to 1. */
  readonly p: number;
}

/** See {@link colorJitter}. */
export interface ColorJitterStep {
  /** Which step it is. */
  readonly step: 'colorJitter';
  /** Bounds of the factor for the brightness; 1 changes nothing. */
  readonly brightness: Bounds;
  /** Bounds of the factor for the contrast; 1 changes nothing. */
  readonly contrast: Bounds;
  /** Bounds of the factor for the saturation; 1 changes nothing. */
  readonly saturation: Bounds;
  /** Bounds of the change of the hue, in turns: -0.5 to 0.5; 0 changes nothing. */
  readonly hue: Bounds;
}

/** See {@link normalize}. */
export interface NormalizeStep {
  /** Which step it is. */
  readonly step: 'normalize';
  /** Subtracted from values of 0 to 1: one number, or one per channel. */
  readonly mean: readonly number[];
  /** The difference is divided by this: one number, or one per channel. */
  readonly std: readonly number[];
}

/** See {@link randomErasing}. */
export interface RandomErasingStep {
  /** Which step it is. */
  readonly step: 'randomErasing';
  /** Probability, 0 to 1. */
  readonly p: number;
  /** Bounds of the area, as a share of the image. */
  readonly scale: Bounds;
  /** Bounds of the width over the height. */
  readonly ratio: Bounds;
  /** Value of the erased pixels: one number, one per channel, or noise. */
  readonly value: readonly number[] | 'random';
}

/** A step that the add-on executes, unless it antialiases. */
export type PlannedStep =
  | ResizeStep
  | CenterCropStep
  | RandomCropStep
  | RandomResizedCropStep
  | FlipStep
  | ColorJitterStep
  | NormalizeStep
  | RandomErasingStep;

/** Options of {@link resize}. */
export interface ResizeOptions {
  /** A number of pixels or [height, width]. */
  size: number | Size;
  /**
   * Whether the image is smoothed where it shrinks, as torchvision's default is. It is then rounded to bytes, and computed in JavaScript, about
   * ten times slower than without. Default: false, as in the article.
   */
  antialias?: boolean | undefined;
}

/** Scales the image to `size`, without keeping the aspect ratio. */
export function resize(options: ResizeOptions): ResizeStep {
  checkOptions(options, RESIZE_KEYS);
  const { size, antialias = false } = options;
  return Object.freeze({ step: 'resize', size: checkSizes('size', size), ...antialiasOf(antialias) });
}

function antialiasOf(antialias: boolean): { antialias?: true } {
  if (typeof antialias !== 'boolean') throw invalidArgument('antialias', 'a boolean', antialias);
  return antialias ? { antialias } : {};
}

/** Crops the image at its center. Pixels outside the image are black. */
export function centerCrop(options: { size: number | Size }): CenterCropStep {
  checkOptions(options, CENTER_CROP_KEYS);
  return Object.freeze({ step: 'centerCrop', size: checkSizes('size', options.size) });
}

/** Options of {@link randomCrop}. */
export interface RandomCropOptions {
  /** A number of pixels or [height, width]. */
  size: number | Size;
  /** Black pixels added on every side before the crop. Default: 0. */
  padding?: number | undefined;
}

/** Crops a part of the given size at a random position. */
export function randomCrop(options: RandomCropOptions): RandomCropStep {
  checkOptions(options, RANDOM_CROP_KEYS);
  const { size, padding = 0 } = options;
  return Object.freeze({
    step: 'randomCrop',
    size: checkSizes('size', size),
    padding: checkSize('padding', padding, 0),
  });
}

/** Options of {@link randomResizedCrop}. */
export interface RandomResizedCropOptions {
  /** Size of the result: a number of pixels or [height, width]. */
  size: number | Size;
  /** Smallest and largest share of the area a crop covers. Default: [0.08, 1]. */
  scale?: Bounds | undefined;
  /** Smallest and largest aspect ratio, width to height, of a crop. Default: [3/4, 4/3]. */
  ratio?: Bounds | undefined;
  /** As for {@link resize}. Default: false. */
  antialias?: boolean | undefined;
}

/** Crops a part of random area and aspect ratio and scales it to `size`. */
export function randomResizedCrop(options: RandomResizedCropOptions): RandomResizedCropStep {
  checkOptions(options, RANDOM_RESIZED_CROP_KEYS);
  const { size, scale = [0.08, 1], ratio = [3 / 4, 4 / 3], antialias = false } = options;
  return Object.freeze({
    step: 'randomResizedCrop',
    size: checkSizes('size', size),
    scale: checkRange('scale', scale, 1),
    ratio: checkRange('ratio', ratio),
    ...antialiasOf(antialias),
  });
}

/** Flips the image horizontally with probability `p`, by default 0.5. */
export function randomHorizontalFlip(options: { p?: number | undefined } = {}): FlipStep {
  checkOptions(options, RANDOM_HORIZONTAL_FLIP_KEYS);
  const { p = 0.5 } = options;
  return Object.freeze({ step: 'randomHorizontalFlip', p: checkProbability('p', p) });
}

/** Flips the image vertically with probability `p`, by default 0.5. */
export function randomVerticalFlip(options: { p?: number | undefined } = {}): FlipStep {
  checkOptions(options, RANDOM_HORIZONTAL_FLIP_KEYS);
  const { p = 0.5 } = options;
  return Object.freeze({ step: 'randomVerticalFlip', p: checkProbability('p', p) });
}

/** Options of {@link colorJitter}: a strength, or the bounds of the factor. Omitted properties do not change. */
export interface ColorJitterOptions {
  /** Multiplies the image by a factor from [max(0, 1 - s), 1 + s]. Default: 0. */
  brightness?: number | Bounds | undefined;
  /** Blends the image with its mean gray level by such a factor. Default: 0. */
  contrast?: number | Bounds | undefined;
  /** Blends the image with its gray version by such a factor. Default: 0. */
  saturation?: number | Bounds | undefined;
  /** Shifts the hue by a part of the color circle from [-h, h], at most 0.5. Default: 0. */
  hue?: number | Bounds | undefined;
}

/**
 * Changes brightness, contrast, saturation and hue randomly, in a random order, like torchvision's ColorJitter for
 * float images: clamped to [0, 1] after each, not rounded. Images have 1 or 3 channels; gray ones keep saturation and hue.
 */
export function colorJitter(options: ColorJitterOptions): ColorJitterStep {
  checkOptions(options, COLOR_JITTER_KEYS);
  const { brightness = 0, contrast = 0, saturation = 0, hue = 0 } = options;
  return Object.freeze({
    step: 'colorJitter',
    brightness: checkFactor('brightness', brightness),
    contrast: checkFactor('contrast', contrast),
    saturation: checkFactor('saturation', saturation),
    hue: checkHue('hue', hue),
  });
}

/** Options of {@link normalize}: what is subtracted and divided by, in [0, 1] units, for all channels or for each. */
export interface NormalizeOptions {
  /** Default: 0.5. */
  mean?: number | readonly number[] | undefined;
  /** Default: 0.5. */
  std?: number | readonly number[] | undefined;
}

/** (x - mean) / std, of values in [0, 1]. */
export function normalize(options: NormalizeOptions = {}): NormalizeStep {
  checkOptions(options, NORMALIZE_KEYS);
  const { mean = 0.5, std = 0.5 } = options;
  return Object.freeze({
    step: 'normalize',
    mean: checkChannels('mean', mean),
    std: checkChannels('std', std, 0),
  });
}

/** Options of {@link randomErasing}. */
export interface RandomErasingOptions {
  /** Probability that a rectangle of an image is erased. Default: 0.5. */
  p?: number | undefined;
  /** Smallest and largest share of the area. Default: [0.02, 0.33]. */
  scale?: Bounds | undefined;
  /** Smallest and largest aspect ratio, height to width. Default: [0.3, 3.3]. */
  ratio?: Bounds | undefined;
  /** Value of the erased pixels after normalization: one number, one per channel, or normal noise. Default: 0. */
  value?: number | readonly number[] | 'random' | undefined;
}

/** Erases a random rectangle of the normalized image (Zhong et al., Random Erasing Data Augmentation, AAAI 2020). */
export function randomErasing(options: RandomErasingOptions = {}): RandomErasingStep {
  checkOptions(options, RANDOM_ERASING_KEYS);
  const { p = 0.5, scale = [0.02, 0.33], ratio = [0.3, 3.3], value = 0 } = options;
  return Object.freeze({
    step: 'randomErasing',
    p: checkProbability('p', p),
    scale: checkRange('scale', scale, 1),
    ratio: checkRange('ratio', ratio),
    value: value === 'random' ? value : checkChannels('value', value),
  });
}
