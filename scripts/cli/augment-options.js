/**
 * The options of train.js that say what happens to training images.
 * @module
 */
import { InvalidArgumentError, Option } from 'commander';
import { choice, nonNegativeInteger, number } from './options.js';

const CROPS = /** @type {const} */ (['resized', 'padded', 'none']);
/** Of --padding, in pixels. */
export const DEFAULT_PADDING = 4;

/** Adds the options. @param {import('commander').Command} command */
export function addAugmentation(command) {
  const share = number({ min: 0, max: 1 });
  return command
    .addOption(
      choice(
        '--crop <name>',
        "part of an image: a random one resized (the article's), one of the padded image, or all",
        'resized',
        CROPS,
      ),
    )
    .option(
      '--padding <n>',
      `black pixels around an image for --crop padded (default: ${DEFAULT_PADDING})`,
      nonNegativeInteger,
    )
    .option('--flip <p>', 'how likely an image is mirrored', share, 0.5)
    .addOption(
      new Option(
        '--color-jitter <strengths>',
        'of brightness, contrast, saturation and hue, such as 0.4,0.4,0.4,0.1; one number for the first three',
      ).argParser(jitterStrengths),
    )
    .option('--random-erasing <p>', 'how likely an image loses a rectangle', share)
    .option('--mixup <alpha>', 'blends images and labels of a batch, such as 0.2', number({ above: 0 }))
    .option(
      '--cutmix <alpha>',
      'pastes parts of images into others, such as 1; with --mixup one of them is chosen for every batch',
      number({ above: 0 }),
    )
    .option('--mix-prob <p>', 'how likely a batch is mixed (default: 1)', share)
    .addOption(choice('--batch-dtype <name>', 'dtype of the images', 'float32', ['float32', 'bfloat16']))
    .addOption(
      choice('--memory-format <name>', 'layout of the images', 'contiguous', ['contiguous', 'channels-last']),
    )
    .addOption(
      choice(
        '--augment-on <where>',
        'where images are transformed; on the device the whole set is kept there; auto: on a GPU',
        'auto',
        ['auto', 'cpu', 'device'],
      ),
    );
}

/** One, three or four numbers of at least 0, the hue's at most 0.5. @param {string} text */
function jitterStrengths(text) {
  const values = text.split(',').map((part) => (part.trim() === '' ? Number.NaN : Number(part)));
  const all = values.length === 1 ? [values[0], values[0], values[0]] : values;
  const valid = all.every((value) => value !== undefined && value >= 0 && value < Number.POSITIVE_INFINITY);
  if (!valid || all.length < 3 || all.length > 4 || (all[3] ?? 0) > 0.5) {
    throw new InvalidArgumentError(
      'Expected 1, 3 or 4 numbers from 0 on, the fourth at most 0.5, such as 0.4,0.4,0.4,0.1.',
    );
  }
  return all;
}
