/**
 * MixUp and CutMix: every image of a batch is mixed with the one before it (the first with the last), and so are the
 * labels, as in torchvision's transforms v2. In a shuffled epoch this is a random partner.
 * @module
 */

import { checkOptions, optionKeys } from '../check/index.js';
import { invalidArgument } from '../errors.js';
import { Random } from './random.js';
import { checkProbability } from './transform-checks.js';

const MIX_OF_KEYS = optionKeys('alpha', 'p');

/** Options of {@link mixup} and {@link cutmix}. */
export interface MixOptions {
  /** The share of the first image is drawn from Beta(alpha, alpha). Default: 1, uniform. */
  alpha?: number | undefined;
  /** Probability that a batch is mixed. Default: 1. */
  p?: number | undefined;
}

/** Value of the option `mix` of a loader. */
export interface BatchMix {
  /** The kind: a weighted sum, or one image with a rectangle of the other. */
  readonly kind: 'mixup' | 'cutmix';
  /** Both parameters of the Beta distribution of the share. */
  readonly alpha: number;
  /** Probability that a batch is mixed, 0 to 1. */
  readonly p: number;
}

/** The mixing of one batch. */
export interface Mixing {
  /** The share of the first image: of every pixel, or of the number of pixels if there is a box. The label has the same. */
  share: number;
  /** The rectangle that comes from the other image; undefined for mixup. */
  box?: { top: number; left: number; height: number; width: number } | undefined;
}

/**
 * Weighted sums of two images and of their labels (Zhang et al., mixup: Beyond Empirical Risk Minimization, ICLR 2018).
 * @throws ArgumentError naming the option.
 */
export function mixup(options: MixOptions = {}): BatchMix {
  return mixOf('mixup', options);
}

/**
 * A rectangle is replaced by that of another image; labels are weighted by area (Yun et al., CutMix, ICCV 2019).
 * @throws ArgumentError naming the option.
 */
export function cutmix(options: MixOptions = {}): BatchMix {
  return mixOf('cutmix', options);
}

function mixOf(kind: BatchMix['kind'], options: MixOptions): BatchMix {
  checkOptions(options, MIX_OF_KEYS);
  const { alpha = 1, p = 1 } = options;
  if (!(Number.isFinite(alpha) && alpha > 0)) throw invalidArgument('alpha', 'a positive number', alpha);
  return Object.freeze({ kind, alpha, p: checkProbability('p', p) });
}

/**
 * Restores and validates one or several mixes from their JSON form.
 * @throws ArgumentError when they are invalid.
 */
export function mixesFrom(value: unknown): readonly BatchMix[] {
  const list: unknown[] = Array.isArray(value) ? value : [value];
  if (list.length === 0) throw invalidArgument('mix', 'at least one of mixup and cutmix', value);
  return list.map((one) => {
    const { kind, ...options } = (one ?? {}) as { kind?: unknown };
    if (kind !== 'mixup' && kind !== 'cutmix') {
      throw invalidArgument('mix', 'made by transforms.mixup or cutmix, or a list of those', one);
    }
    return mixOf(kind, options);
  });
}

/** Distinguishes this generator from that of the order, which also uses the seed and the epoch. */
const SALT = 0x6d6978;

/**
 * The mixing of a batch: one of the mixes, with equal probability, and its random numbers. Depends only on the seed, the
 * epoch and the number of the batch.
 * @returns undefined if the batch is not mixed.
 */
export function drawMixing(
  mixes: readonly BatchMix[],
  [height, width]: readonly [number, number],
  { seed, epoch, batch }: { seed: number; epoch: number; batch: number },
): Mixing | undefined {
  const random = new Random(seed, epoch, batch, SALT);
  const { kind, alpha, p } = mixes[random.below(mixes.length)]!;
  if (random.uniform() >= p) return undefined;
  const share = random.beta(alpha);
  if (kind === 'mixup') return { share };
  const [x, y] = [random.below(width), random.below(height)];
  const half = 0.5 * Math.sqrt(1 - share);
  const [halfWidth, halfHeight] = [Math.floor(half * width), Math.floor(half * height)];
  const [left, right] = [Math.max(0, x - halfWidth), Math.min(width, x + halfWidth)];
  const [top, bottom] = [Math.max(0, y - halfHeight), Math.min(height, y + halfHeight)];
  const box = { top, left, height: bottom - top, width: right - left };
  return { share: 1 - (box.height * box.width) / (height * width), box };
}

/**
 * Labels as probabilities, mixed as the images were.
 * @returns [labels, classes], row by row.
 */
export function softLabels(
  labels: readonly number[],
  classes: number,
  mixing: Mixing | undefined,
): Float32Array {
  const share = mixing?.share ?? 1;
  const rows = new Float32Array(labels.length * classes);
  for (const [row, label] of labels.entries()) {
    const before = labels.at(row - 1)!;
    rows[row * classes + label]! += share;
    rows[row * classes + before]! += 1 - share;
  }
  return rows;
}
