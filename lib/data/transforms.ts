/**
 * Transforms as data: frozen plain objects that describe how an image is processed for a batch. They can be
 * printed, stored as JSON with a run, and compared; C++ executes them.
 * @module
 */
import { checkIterable, checkKeys, checkOptions, optionKeys } from '../check/index.js';
import { invalidArgument } from '../errors.js';
import { PIXEL_MAKERS } from './pixels/makers.js';
import { isByteStep } from './stages.js';
import { type Bounds, checkChannels, checkProbability, checkRange, checkSize } from './transform-checks.js';
import {
  centerCrop,
  colorJitter,
  type NormalizeOptions,
  normalize,
  type PlannedStep,
  randomCrop,
  randomErasing,
  randomHorizontalFlip,
  randomResizedCrop,
  randomVerticalFlip,
  resize,
} from './transform-steps.js';
import type {
  ComposedTransform,
  PadCropTransform,
  Step,
  TestTransform,
  TrainTransform,
  Transform,
} from './transform-types.js';

const TRAIN_KEYS = optionKeys('resize', 'size', 'scale', 'ratio', 'flip', 'mean', 'std');
const PAD_CROP_KEYS = optionKeys('size', 'padding', 'flip', 'mean', 'std');
const TEST_KEYS = optionKeys('size', 'mean', 'std');
const COMPOSE_KEYS = optionKeys('steps');

export { type BatchMix, cutmix, type MixOptions, mixup } from './mix.js';
export * from './pixels/steps.js';
export { presets } from './presets.js';
export * from './transform-steps.js';
export type * from './transform-types.js';

/** Options of {@link train}. */
export interface TrainTransformOptions extends NormalizeOptions {
  /** Height and width before the crop. Default: 130. */
  resize?: number | undefined;
  /** Height and width of the batch. Default: 128. */
  size?: number | undefined;
  /** Smallest and largest share of the area a crop covers. Default: [0.08, 1]. */
  scale?: Bounds | undefined;
  /** Smallest and largest aspect ratio, width to height, of a crop. Default: [3/4, 4/3]. */
  ratio?: Bounds | undefined;
  /** Probability of a horizontal flip. Default: 0.5. */
  flip?: number | undefined;
}

/** Options of {@link padCrop}. */
export interface PadCropTransformOptions extends NormalizeOptions {
  /** Height and width of the batch. Default: 32. */
  size?: number | undefined;
  /** Black pixels added on every side. Default: 4. */
  padding?: number | undefined;
  /** Probability of a horizontal flip. Default: 0.5. */
  flip?: number | undefined;
}

/** Options of {@link test}. */
export interface TestTransformOptions extends NormalizeOptions {
  /** Height and width of the batch. Default: 128. */
  size?: number | undefined;
}

/**
 * The article's training pipeline: resize to `resize` x `resize`, a random crop of a random area and aspect ratio resized
 * to `size` x `size`, a random flip, to [0, 1], (x - mean) / std. Bilinear with half-pixel centers, no antialiasing.
 * The crop rule is that of torchvision's RandomResizedCrop.
 * @throws ArgumentError naming the option.
 */
export function train(options: TrainTransformOptions = {}): TrainTransform {
  checkOptions(options, TRAIN_KEYS);
  const { resize = 130, size = 128, scale = [0.08, 1], ratio = [3 / 4, 4 / 3], flip = 0.5 } = options;
  return Object.freeze({
    kind: 'train',
    resize: checkSize('resize', resize),
    size: checkSize('size', size),
    scale: checkRange('scale', scale, 1),
    ratio: checkRange('ratio', ratio),
    flip: checkProbability('flip', flip),
    ...normalization(options),
  });
}

/**
 * The usual pipeline for small images at their own size (He et al., CVPR 2016, section 4.2): resize to `size` x `size`
 * if necessary, `padding` black pixels on every side, a random crop of `size` x `size`, a random
 * flip, to [0, 1], (x - mean) / std.
 * @throws ArgumentError naming the option.
 */
export function padCrop(options: PadCropTransformOptions = {}): PadCropTransform {
  checkOptions(options, PAD_CROP_KEYS);
  const { size = 32, padding = 4, flip = 0.5 } = options;
  return Object.freeze({
    kind: 'pad-crop',
    size: checkSize('size', size),
    padding: checkSize('padding', padding),
    flip: checkProbability('flip', flip),
    ...normalization(options),
  });
}

/**
 * The article's test pipeline: resize to `size` x `size`, to [0, 1], (x - mean) / std.
 * @throws ArgumentError naming the option.
 */
export function test(options: TestTransformOptions = {}): TestTransform {
  checkOptions(options, TEST_KEYS);
  const { size = 128 } = options;
  return Object.freeze({ kind: 'test', size: checkSize('size', size), ...normalization(options) });
}

/**
 * The order of the steps; each is optional and may occur once. The size
 * can be changed before and after the crop.
 */
const ORDER: readonly (readonly Step['step'][])[] = [
  ['resize'],
  ['centerCrop', 'randomCrop', 'randomResizedCrop'],
  ['resize'],
  ['randomHorizontalFlip'],
  ['randomVerticalFlip'],
  ['colorJitter'],
  ['normalize'],
  ['randomErasing'],
];

/** Place of `normalize`: the steps from there on work on numbers, not on bytes. */
const NORMALIZE = ORDER.findIndex((names) => names.includes('normalize'));

/**
 * A custom transform: any of the steps, in the order resize, crop, resize, flips, color jitter, normalize, erase.
 * Without `normalize` the values stay in [0, 1].
 *
 * Steps that work on bytes (policies such as `randAugment`, rotations, filters, `custom`, and resizing with `antialias`) may occur anywhere before
 * `normalize`, any number of times. The order begins again after each of them, and the image before it is rounded to bytes.
 *
 * @example
 * const { compose, randomCrop, randomHorizontalFlip, randAugment, normalize, randomErasing, presets } = data.transforms
 * const transform = compose([
 *   randomCrop({ size: 32, padding: 4 }),
 *   randomHorizontalFlip(),
 *   randAugment(),
 *   normalize(presets.cifar10),
 *   randomErasing({ p: 0.25 }),
 * ])
 * @throws ArgumentError naming the option, or the step that is out of order.
 */
export function compose(steps: readonly Step[]): ComposedTransform {
  if (!Array.isArray(steps)) throw invalidArgument('steps', 'a list of steps', steps);
  const checked = checkIterable(steps, 'steps', 'a list of steps').map(stepFrom);
  let place = 0;
  let cropped = false;
  for (const one of checked) {
    const { step } = one;
    if (cropped && step !== 'normalize')
      throw invalidArgument('steps', 'only normalize after fiveCrop', step);
    cropped ||= step === 'fiveCrop';
    if (isByteStep(one)) {
      if (place > NORMALIZE)
        throw invalidArgument('steps', `${step} before normalize and randomErasing`, step);
      place = 0;
      continue;
    }
    while (place < ORDER.length && !ORDER[place]!.includes(step)) place++;
    if (place === ORDER.length) {
      const order = ORDER.map((names) => names.join(' or ')).join(', ');
      throw invalidArgument('steps', `at most one step of each kind in the order ${order}`, step);
    }
    place++;
  }
  return Object.freeze({ kind: 'compose', steps: Object.freeze(checked) });
}

/** The constructor of each kind of step that the add-on executes. */
const PLANNED_MAKERS: Readonly<Record<PlannedStep['step'], (options: never) => PlannedStep>> = {
  resize,
  centerCrop,
  randomCrop,
  randomResizedCrop,
  randomHorizontalFlip,
  randomVerticalFlip,
  colorJitter,
  normalize,
  randomErasing,
};

const MAKERS: Readonly<Record<string, (options: never) => Step>> = { ...PLANNED_MAKERS, ...PIXEL_MAKERS };

/**
 * Restores and validates a step from its JSON form.
 * @throws ArgumentError when it is invalid.
 */
export function stepFrom(value: unknown): Step {
  const { step, ...options } = (value ?? {}) as { step?: string };
  if (step === undefined || !Object.hasOwn(MAKERS, step)) {
    throw invalidArgument('step', `one of ${Object.keys(MAKERS).join(', ')}`, step ?? value);
  }
  return MAKERS[step]!(options as never);
}

/**
 * Restores and validates a transform from its JSON form or an equal object.
 * @throws ArgumentError when it is invalid.
 */
export function from(value: unknown): Transform {
  const { kind, ...options } = (value ?? {}) as { kind?: unknown };
  if (kind === 'train') return train(options);
  if (kind === 'pad-crop') return padCrop(options);
  if (kind === 'test') return test(options);
  if (kind === 'compose') {
    checkKeys(options, COMPOSE_KEYS);
    return compose((options as { steps?: Step[] }).steps ?? []);
  }
  throw invalidArgument('transform', 'a transform made by transforms.train, padCrop, test or compose', value);
}

/**
 * A transform as text, one step per line, for logs and reports.
 * @example
 * data.transforms.format(data.transforms.test({ size: 64 }))  // 'test\n  size: 64, mean: 0.5, std: 0.5'
 */
export function format(transform: Transform): string {
  const checked = from(transform);
  if (checked.kind !== 'compose') {
    const { kind, ...options } = checked;
    return `${kind}\n  ${optionsText(options)}`;
  }
  const lines = checked.steps.map(({ step, ...options }) => `  ${step}(${optionsText(options)})`);
  return ['compose', ...lines].join('\n');
}

function optionsText(options: object): string {
  return Object.entries(options)
    .filter(([, value]) => typeof value !== 'function')
    .map(([name, value]) => `${name}: ${valueText(value)}`)
    .join(', ');
}

function valueText(value: unknown): string {
  if (!Array.isArray(value))
    return typeof value === 'number' ? String(Number(value.toPrecision(6))) : String(value);
  return value.length === 1 ? valueText(value[0]) : `[${value.map(valueText).join(', ')}]`;
}

function normalization({ mean = 0.5, std = 0.5 }: NormalizeOptions): {
  mean: readonly number[];
  std: readonly number[];
} {
  return { mean: checkChannels('mean', mean), std: checkChannels('std', std, 0) };
}
