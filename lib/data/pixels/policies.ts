/**
 * Augmentation policies: which operations with which magnitudes. The tables are those of torchvision's transforms.
 * @module
 */
import type { Random } from '../random.js';
import {
  adjustBrightness,
  adjustContrast,
  adjustSaturation,
  adjustSharpness,
  autocontrast,
  equalize,
  posterize,
  solarize,
} from './colour.js';
import { affine, rotate, type WarpOptions } from './geometry.js';
import { type ByteImage, cutToByte, roundEven } from './image.js';

/** An operation of the policies. */
export type Operation =
  | 'Identity'
  | 'ShearX'
  | 'ShearY'
  | 'TranslateX'
  | 'TranslateY'
  | 'Rotate'
  | 'Brightness'
  | 'Color'
  | 'Contrast'
  | 'Sharpness'
  | 'Posterize'
  | 'Solarize'
  | 'AutoContrast'
  | 'Equalize';

/** Magnitudes of an operation: a range that is divided evenly, bits that are removed, or none. */
type Magnitudes = { from: number; to: number; signed: boolean } | { bits: number; removed: number } | null;

/** The operations of a policy in their order, for images of a size. */
export type Space = readonly (readonly [Operation, Magnitudes])[];

const signed = (to: number): Magnitudes => ({ from: 0, to, signed: true });
const SOLARIZE: Magnitudes = { from: 255, to: 0, signed: false };

/** Operations of RandAugment (Cubuk et al., CVPR Workshops 2020). */
export function randAugmentSpace([height, width]: readonly [number, number]): Space {
  return [
    ['Identity', null],
    ['ShearX', signed(0.3)],
    ['ShearY', signed(0.3)],
    ['TranslateX', signed((150 / 331) * width)],
    ['TranslateY', signed((150 / 331) * height)],
    ['Rotate', signed(30)],
    ...colours(0.9),
    ['Posterize', { bits: 8, removed: 4 }],
    ['Solarize', SOLARIZE],
    ['AutoContrast', null],
    ['Equalize', null],
  ];
}

/** Operations of TrivialAugment, the wide ones (Müller and Hutter, ICCV 2021). */
export function trivialAugmentSpace(): Space {
  return [
    ['Identity', null],
    ['ShearX', signed(0.99)],
    ['ShearY', signed(0.99)],
    ['TranslateX', signed(32)],
    ['TranslateY', signed(32)],
    ['Rotate', signed(135)],
    ...colours(0.99),
    ['Posterize', { bits: 8, removed: 6 }],
    ['Solarize', SOLARIZE],
    ['AutoContrast', null],
    ['Equalize', null],
  ];
}

/** Operations of AugMix (Hendrycks et al., ICLR 2020). */
export function augMixSpace([height, width]: readonly [number, number], allOps: boolean): Space {
  return [
    ['ShearX', signed(0.3)],
    ['ShearY', signed(0.3)],
    ['TranslateX', signed(width / 3)],
    ['TranslateY', signed(height / 3)],
    ['Rotate', signed(30)],
    ['Posterize', { bits: 4, removed: 4 }],
    ['Solarize', SOLARIZE],
    ['AutoContrast', null],
    ['Equalize', null],
    ...(allOps ? colours(0.9) : []),
  ];
}

function colours(most: number): Space {
  return (['Brightness', 'Color', 'Contrast', 'Sharpness'] as const).map((name) => [name, signed(most)]);
}

/** The magnitude of bin `bin` of `bins`. */
export function magnitudeOf(magnitudes: Magnitudes, bin: number, bins: number): number {
  if (magnitudes === null) return 0;
  if ('bits' in magnitudes) return magnitudes.bits - roundEven(bin / ((bins - 1) / magnitudes.removed));
  return magnitudes.from + ((magnitudes.to - magnitudes.from) * bin) / (bins - 1);
}

/** Applies an operation. Magnitudes of colors are the difference of the factor from 1; shears are tangents. */
export function applyOperation(
  image: ByteImage,
  operation: Operation,
  magnitude: number,
  options: WarpOptions,
): ByteImage {
  const degrees = (Math.atan(magnitude) * 180) / Math.PI;
  const still = { angle: 0, translate: [0, 0], scale: 1, shear: [0, 0] } as const;
  const whole = Math.trunc(magnitude);
  switch (operation) {
    case 'Identity':
      return image;
    case 'ShearX':
      return affine(image, { ...still, shear: [degrees, 0], center: [0, 0] }, options);
    case 'ShearY':
      return affine(image, { ...still, shear: [0, degrees], center: [0, 0] }, options);
    case 'TranslateX':
      return affine(image, { ...still, translate: [whole, 0] }, options);
    case 'TranslateY':
      return affine(image, { ...still, translate: [0, whole] }, options);
    case 'Rotate':
      return rotate(image, magnitude, options);
    case 'Brightness':
      return adjustBrightness(image, 1 + magnitude);
    case 'Color':
      return adjustSaturation(image, 1 + magnitude);
    case 'Contrast':
      return adjustContrast(image, 1 + magnitude);
    case 'Sharpness':
      return adjustSharpness(image, 1 + magnitude);
    case 'Posterize':
      return posterize(image, whole);
    case 'Solarize':
      return solarize(image, magnitude);
    case 'AutoContrast':
      return autocontrast(image);
    case 'Equalize':
      return equalize(image);
  }
}

/** One random operation of a space with the magnitude of a bin. */
export function randomOperation(
  image: ByteImage,
  space: Space,
  { bin, bins }: { bin: number; bins: number },
  random: Random,
  options: WarpOptions,
): ByteImage {
  const [operation, magnitudes] = space[random.below(space.length)]!;
  const flips = random.below(2) === 1 && magnitudes !== null && 'signed' in magnitudes && magnitudes.signed;
  const magnitude = magnitudeOf(magnitudes, bin, bins);
  return applyOperation(image, operation, flips ? -magnitude : magnitude, options);
}

/** Weighted sum of images of one size, its fraction cut off. */
export function weightedSum(images: readonly ByteImage[], weights: readonly number[]): ByteImage {
  const [{ bytes, shape }] = images as [ByteImage];
  const sums = new Float64Array(bytes.length);
  for (const [k, image] of images.entries()) {
    const weight = weights[k]!;
    for (let i = 0; i < sums.length; i++) sums[i]! += weight * image.bytes[i]!;
  }
  return { bytes: Uint8Array.from(sums, (sum) => cutToByte(Math.fround(sum))), shape };
}
