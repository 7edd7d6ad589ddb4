/**
 * Transforms as data: frozen plain objects that say what happens to an image on its way into a batch. They can be
 * printed, stored as JSON with a run, and compared; C++ carries them out.
 * @module
 */
import { invalidArgument } from '../errors.js';

/** What is subtracted and divided by at the end, in [0, 1] units: one value for all channels or one per channel. */
export interface NormalizeOptions {
  /** Default: 0.5. */
  mean?: number | readonly number[];
  /** Default: 0.5. */
  std?: number | readonly number[];
}

/** Options of {@link train}. */
export interface TrainTransformOptions extends NormalizeOptions {
  /** Height and width before the crop. Default: 130. */
  resize?: number;
  /** Height and width of the batch. Default: 128. */
  size?: number;
  /** Smallest and largest share of the area a crop covers. Default: [0.08, 1]. */
  scale?: readonly [number, number];
  /** Smallest and largest aspect ratio, width to height, of a crop. Default: [3/4, 4/3]. */
  ratio?: readonly [number, number];
  /** Probability of a horizontal flip. Default: 0.5. */
  flip?: number;
}

/** Options of {@link padCrop}. */
export interface PadCropTransformOptions extends NormalizeOptions {
  /** Height and width of the batch. Default: 32. */
  size?: number;
  /** Black pixels put on every side. Default: 4. */
  padding?: number;
  /** Probability of a horizontal flip. Default: 0.5. */
  flip?: number;
}

/** Options of {@link test}. */
export interface TestTransformOptions extends NormalizeOptions {
  /** Height and width of the batch. Default: 128. */
  size?: number;
}

/** Resize, random resized crop, flip, normalise. */
export interface TrainTransform {
  readonly kind: 'train';
  readonly resize: number;
  readonly size: number;
  readonly scale: readonly [number, number];
  readonly ratio: readonly [number, number];
  readonly flip: number;
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** Resize, pad, random crop, flip, normalise. */
export interface PadCropTransform {
  readonly kind: 'pad-crop';
  readonly size: number;
  readonly padding: number;
  readonly flip: number;
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** Resize, normalise. */
export interface TestTransform {
  readonly kind: 'test';
  readonly size: number;
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** What a loader takes as `transform`. */
export type Transform = TrainTransform | PadCropTransform | TestTransform;

const MAX_SIZE = 4096;

/**
 * The article's training pipeline: resize to `resize` x `resize`, a random crop of a random area and aspect ratio resized
 * to `size` x `size`, a random flip, to [0, 1], (x - mean) / std. Bilinear with half-pixel centres, no antialiasing.
 * The crop rule is that of torchvision's RandomResizedCrop.
 * @throws ArgumentError naming the option.
 */
export function train(options: TrainTransformOptions = {}): TrainTransform {
  checkKeys(options, ['resize', 'size', 'scale', 'ratio', 'flip', 'mean', 'std']);
  const { resize = 130, size = 128, scale = [0.08, 1], ratio = [3 / 4, 4 / 3], flip = 0.5 } = options;
  return Object.freeze({
    kind: 'train',
    resize: checkSize('resize', resize),
    size: checkSize('size', size),
    scale: checkRange('scale', scale, 1),
    ratio: checkRange('ratio', ratio, Number.POSITIVE_INFINITY),
    flip: checkProbability('flip', flip),
    ...normalization(options),
  });
}

/**
 * The usual pipeline for small images at their own size (He et al., CVPR 2016, section 4.2): resize to `size` x `size`
 * where they are not of that size, `padding` black pixels on every side, a random `size` x `size` part of that, a random
 * flip, to [0, 1], (x - mean) / std.
 * @throws ArgumentError naming the option.
 */
export function padCrop(options: PadCropTransformOptions = {}): PadCropTransform {
  checkKeys(options, ['size', 'padding', 'flip', 'mean', 'std']);
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
  checkKeys(options, ['size', 'mean', 'std']);
  const { size = 128 } = options;
  return Object.freeze({ kind: 'test', size: checkSize('size', size), ...normalization(options) });
}

/**
 * A transform from its JSON form, or from any object of that form, checked anew.
 * @throws ArgumentError when it is not one.
 */
export function from(value: unknown): Transform {
  const { kind, ...options } = (value ?? {}) as { kind?: unknown };
  if (kind === 'train') return train(options);
  if (kind === 'pad-crop') return padCrop(options);
  if (kind === 'test') return test(options);
  throw invalidArgument('transform', 'a transform made by transforms.train, padCrop or test', value);
}

function normalization({ mean = 0.5, std = 0.5 }: NormalizeOptions): {
  mean: readonly number[];
  std: readonly number[];
} {
  return { mean: checkChannels('mean', mean, -1), std: checkChannels('std', std, 0) };
}

function checkChannels(name: string, value: number | readonly number[], above: number): readonly number[] {
  const values = typeof value === 'number' ? [value] : value;
  if (
    !Array.isArray(values) ||
    values.length === 0 ||
    !values.every((v) => Number.isFinite(v) && v > above)
  ) {
    throw invalidArgument(
      name,
      above === 0 ? 'a positive number or one per channel' : 'a number or one per channel',
      value,
    );
  }
  return Object.freeze([...values]);
}

function checkProbability(name: string, value: unknown): number {
  if (typeof value !== 'number' || !(value >= 0 && value <= 1)) {
    throw invalidArgument(name, 'a probability from 0 to 1', value);
  }
  return value;
}

function checkSize(name: string, value: unknown): number {
  if (!Number.isInteger(value) || (value as number) < 1 || (value as number) > MAX_SIZE) {
    throw invalidArgument(name, `an integer from 1 to ${MAX_SIZE}`, value);
  }
  return value as number;
}

function checkRange(name: string, value: readonly [number, number], most: number): readonly [number, number] {
  const valid =
    Array.isArray(value) &&
    value.length === 2 &&
    value.every((bound) => Number.isFinite(bound) && bound > 0 && bound <= most) &&
    value[0] <= value[1];
  if (!valid) {
    const limit = Number.isFinite(most) ? ` and up to ${most}` : '';
    throw invalidArgument(name, `[smallest, largest], both above 0${limit}`, value);
  }
  return Object.freeze([value[0], value[1]] as const);
}

function checkKeys(options: object, known: readonly string[]): void {
  const unknown = Object.keys(options).find((key) => !known.includes(key));
  if (unknown !== undefined) throw invalidArgument('options', `only ${known.join(', ')}`, unknown);
}
