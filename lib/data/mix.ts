/**
 * Mixup and cutmix: every image of a batch mixed with the one before it, the first with the last, and its label with
 * that one's, as torchvision's transforms v2 do it. In a shuffled epoch that is a partner at random.
 * @module
 */

import { checkOptions, optionKeys } from '../check/index.js';
import { invalidArgument } from '../errors.js';
import { Random } from './random.js';
import { checkProbability } from './transform-checks.js';

const MIX_OF_KEYS = optionKeys('alpha', 'p');

/** Options of {@link mixup} and {@link cutmix}. */
export interface MixOptions {
  /** The share of an image's own is drawn from Beta(alpha, alpha). Default: 1, uniform. */
  alpha?: number | undefined;
  /** How likely a batch is mixed at all. Default: 1. */
  p?: number | undefined;
}

/** What a loader takes as `mix`. */
export interface BatchMix {
  /** How two images become one: their weighted sum, or one with a rectangle of the other. */
  readonly kind: 'mixup' | 'cutmix';
  /** Both parameters of the Beta distribution that the share is drawn from. */
  readonly alpha: number;
  /** How likely a batch is mixed, 0 to 1. */
  readonly p: number;
}

/** What is done to one batch. */
export interface Mixing {
  /** An image's own share: of every pixel, or of the pixels where there is a box. Its label has the same. */
  share: number;
  /** The rectangle that comes from the other image; undefined for mixup. */
  box?: { top: number; left: number; height: number; width: number } | undefined;
}

/**
 * Images and labels blended with another's (Zhang et al., mixup: Beyond Empirical Risk Minimization, ICLR 2018).
 * @throws ArgumentError naming the option.
 */
export function mixup(options: MixOptions = {}): BatchMix {
  return mixOf('mixup', options);
}

/**
 * A rectangle taken from another image, labels by area (Yun et al., CutMix, ICCV 2019).
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
 * One or several mixes from their JSON form, checked anew.
 * @throws ArgumentError when they are none.
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

/** Keeps the generator apart from that of the order, which starts from the seed and the epoch as well. */
const SALT = 0x6d6978;

/**
 * What happens to a batch: one of the mixes, each as likely as the others, with its own numbers. Depends on the seed, the
 * epoch and the number of the batch alone.
 * @returns undefined where the batch is left as it is.
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
