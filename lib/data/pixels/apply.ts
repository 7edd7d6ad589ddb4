/**
 * Applies the steps that work on the bytes of an image, with their random choices.
 * @module
 */
import { invalidArgument } from '../../errors.js';
import type { Random } from '../random.js';
import type { RandomResizedCropStep, ResizeStep } from '../transform-steps.js';
import { grayscale } from './colour.js';
import { gaussianBlur, resizeAntialias } from './filters.js';
import { affine, crop, fiveCrop, type Point, perspective, rotate } from './geometry.js';
import { type ByteImage, roundEven } from './image.js';
import {
  augMixSpace,
  randAugmentSpace,
  randomOperation,
  trivialAugmentSpace,
  weightedSum,
} from './policies.js';
import type {
  AugMixStep,
  PixelStep,
  RandomAffineStep,
  RandomPerspectiveStep,
  StepImage,
} from './step-types.js';

/** A step that works on bytes: also the resizing ones, if they antialias. */
export type ByteStep = PixelStep | ResizeStep | RandomResizedCropStep;

/**
 * The image after a step; five images after {@link fiveCrop}.
 * @param random - A generator of the image and the step.
 */
export function applyStep(image: ByteImage, step: ByteStep, random: Random): ByteImage[] {
  return step.step === 'fiveCrop' ? fiveCrop(image, step.size) : [applySingle(image, step, random)];
}

function applySingle(
  image: ByteImage,
  step: Exclude<ByteStep, { step: 'fiveCrop' }>,
  random: Random,
): ByteImage {
  const [channels, height, width] = image.shape;
  const size = [height, width] as const;
  switch (step.step) {
    case 'resize':
      return resizeAntialias(image, step.size);
    case 'randomResizedCrop':
      return resizeAntialias(crop(image, randomBox(size, step, random)), step.size);
    case 'randAugment': {
      const bin = { bin: step.magnitude, bins: step.numMagnitudeBins };
      let result = image;
      for (let i = 0; i < step.numOps; i++)
        result = randomOperation(result, randAugmentSpace(size), bin, random, step);
      return result;
    }
    case 'trivialAugmentWide': {
      const bins = step.numMagnitudeBins;
      return randomOperation(image, trivialAugmentSpace(), { bin: random.below(bins), bins }, random, step);
    }
    case 'augMix':
      return mixed(image, step, random);
    case 'randomRotation':
      return rotate(image, between(step.degrees, random), step);
    case 'randomAffine':
      return affine(image, affineParameters(step, size, random), step);
    case 'randomPerspective':
      return random.uniform() < step.p ? distorted(image, step, random) : image;
    case 'grayscale':
      return grayscale(image, step.numOutputChannels);
    case 'randomGrayscale':
      return random.uniform() < step.p ? grayscale(image, channels) : image;
    case 'gaussianBlur':
      return gaussianBlur(image, step.kernelSize, between(step.sigma, random));
    case 'custom': {
      const { bytes, shape } = image;
      return stepResult(step.apply({ image: bytes, shape }, random), image, step.name);
    }
  }
}

/** The rectangle of a random resized crop, by torchvision's rule. */
function randomBox(
  [height, width]: readonly [number, number],
  { scale, ratio }: RandomResizedCropStep,
  random: Random,
): [number, number, number, number] {
  const [low, high] = ratio;
  for (let attempt = 0; attempt < 10; attempt++) {
    const area = height * width * between(scale, random);
    const aspect = Math.exp(between([Math.log(low), Math.log(high)], random));
    const [w, h] = [roundEven(Math.sqrt(area * aspect)), roundEven(Math.sqrt(area / aspect))];
    if (w > 0 && h > 0 && w <= width && h <= height)
      return [random.below(height - h + 1), random.below(width - w + 1), h, w];
  }
  const own = width / height;
  const [w, h] =
    own < low
      ? [width, Math.min(height, roundEven(width / low))]
      : own > high
        ? [Math.min(width, roundEven(height * high)), height]
        : [width, height];
  return [Math.floor((height - h) / 2), Math.floor((width - w) / 2), h, w];
}

function affineParameters(
  { degrees, translate, scale, shear, center }: RandomAffineStep,
  [height, width]: readonly [number, number],
  random: Random,
) {
  const [x, y] = translate;
  const [low, high, lowVertical, highVertical] = shear;
  return {
    angle: between(degrees, random),
    translate: [
      roundEven(between([-x * width, x * width], random)),
      roundEven(between([-y * height, y * height], random)),
    ],
    scale: between(scale, random),
    shear: [between([low, high], random), between([lowVertical, highVertical], random)],
    center,
  } as const;
}

/** Each corner moves inwards by a random number of pixels. */
function distorted(image: ByteImage, step: RandomPerspectiveStep, random: Random): ByteImage {
  const [, height, width] = image.shape;
  const [boundX, boundY] = [width, height].map(
    (size) => Math.floor(step.distortionScale * Math.floor(size / 2)) + 1,
  ) as [number, number];
  const from: Point[] = [
    [0, 0],
    [width - 1, 0],
    [width - 1, height - 1],
    [0, height - 1],
  ];
  const to = from.map(([x, y]): Point => {
    const [dx, dy] = [random.below(boundX), random.below(boundY)];
    return [x === 0 ? dx : x - dx, y === 0 ? dy : y - dy];
  });
  return perspective(image, from, to, step);
}

function mixed(image: ByteImage, step: AugMixStep, random: Random): ByteImage {
  const { severity, mixtureWidth, chainDepth, alpha, allOps } = step;
  const [, height, width] = image.shape;
  const space = augMixSpace([height, width], allOps);
  const [own, rest] = random.dirichlet(alpha, 2) as [number, number];
  const weights = [own, ...random.dirichlet(alpha, mixtureWidth).map((weight) => weight * rest)];
  const images = [image];
  for (let chain = 0; chain < mixtureWidth; chain++) {
    const depth = chainDepth > 0 ? chainDepth : 1 + random.below(3);
    let result = image;
    for (let i = 0; i < depth; i++)
      result = randomOperation(result, space, { bin: random.below(severity), bins: 10 }, random, step);
    images.push(result);
  }
  return weightedSum(images, weights);
}

function between([low, high]: readonly [number, number], random: Random): number {
  return low + (high - low) * random.uniform();
}

/** The image that a custom step returned. @throws ArgumentError if it is none. */
function stepResult(result: StepImage | Uint8Array, before: ByteImage, name: string): ByteImage {
  const { image, shape } =
    result instanceof Uint8Array ? { image: result, shape: before.shape } : (result ?? {});
  const fits =
    image instanceof Uint8Array &&
    Array.isArray(shape) &&
    shape.length === 3 &&
    shape.every((size) => Number.isSafeInteger(size) && size > 0) &&
    shape[0] * shape[1] * shape[2] === image.length;
  if (!fits)
    throw invalidArgument(`the result of the step ${name}`, 'bytes [C, H, W], or { image, shape }', result);
  return { bytes: image, shape };
}
