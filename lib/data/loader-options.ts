/**
 * Options of loaders, and their checks.
 * @module
 */
import {
  checkFunction,
  checkOptions,
  dropUndefined,
  optionKeys,
  type RequiredOptions,
} from '../check/index.js';
import { usableCores } from '../control-groups.js';
import { invalidArgument } from '../errors.js';
import type { Device } from '../tensor/dtype.js';
import { type BatchMix, mixesFrom } from './mix.js';
import { type Transform, from as transformFrom } from './transforms.js';
import { checkWeights } from './weighted.js';

/** Options of a loader. */
export interface LoaderOptions {
  /** Images per batch. */
  batchSize: number;
  /** A new order every epoch. Default: false, the order of the set. */
  shuffle?: boolean | undefined;
  /**
   * For an iterable set with `shuffle`: size of the buffer from which the next item is drawn. Items of the sets of this
   * package are undecoded images. Default: 1000.
   */
  shuffleBuffer?: number | undefined;
  /**
   * Weights of the samples of the set, such as those of {@link balancedWeights}: an epoch then draws as many samples as without, with
   * replacement, in random order. A sample that is drawn twice in an epoch is augmented the same way. Default: every sample once.
   */
  weights?: readonly number[] | undefined;
  /** Drop a last batch that would be smaller. Default: false. */
  dropLast?: boolean | undefined;
  /** Applied to every image, from `data.transforms`. Default: images are only scaled to [0, 1]. */
  transform?: Transform | undefined;
  /**
   * Applied to every batch: `data.transforms.mixup()` or `cutmix()`, or a list from which one is chosen for every batch.
   * Labels are then probabilities, float32 [B, number of classes], as `functional.crossEntropy` takes them. Default: nothing.
   */
  mix?: BatchMix | readonly BatchMix[] | undefined;
  /** Element type of the images. Default: `float32`. */
  dtype?: 'float32' | 'bfloat16' | undefined;
  /** Memory layout of the images: separate planes, or the channels of a pixel next to each other. Default: `contiguous`. */
  memoryFormat?: 'contiguous' | 'channelsLast' | undefined;
  /** Seed of shuffling and augmentation, an integer. Default: 0. */
  seed?: number | undefined;
  /** Number of batches prepared in advance; 0 prepares each one on request. Default: 2. */
  prefetch?: number | undefined;
  /** Number of native threads per batch. Default: half of the usable cores. */
  threads?: number | undefined;
  /**
   * Makes a batch from the samples of a custom data set; may be async. The loader yields its result; the tensors in it belong
   * to the consumer. Default: images and labels for samples `{ image, label }`, else {@link defaultCollate}.
   */
  collate?: ((samples: never[]) => unknown) | undefined;
  /**
   * Number of samples that are read or decoded at the same time, over all batches in preparation. Default: that of the set, or 8; 512 for the
   * sets of this package that decode image files.
   */
  concurrency?: number | undefined;
  /** Device of the batches. Default: `cpu`. Copies to CUDA use page-locked memory and are asynchronous. */
  device?: Device | undefined;
  /**
   * Where images are transformed. `device`: the whole set is copied to the device as bytes once, and batches are made
   * there, with the same random choices. Default: `cpu`.
   */
  augmentOn?: 'cpu' | 'device' | undefined;
  /** Maximum number of images, spread evenly over the set; for an iterable set, the first ones. Default: all. */
  limit?: number | undefined;
  /** This process's share of the images, for training in several processes. Default: rank 0 of 1. */
  rank?: number | undefined;
  /** Number of processes. */
  worldSize?: number | undefined;
  /**
   * Whether all processes get the same number of images: those that remain at the end of an epoch are left out, as training requires.
   * False: the first processes get one more, so that each image is evaluated once. Default: true.
   */
  dropRemainder?: boolean | undefined;
}

const LOADER_KEYS = optionKeys(
  'batchSize',
  'shuffle',
  'shuffleBuffer',
  'weights',
  'dropLast',
  'transform',
  'mix',
  'dtype',
  'memoryFormat',
  'seed',
  'prefetch',
  'collate',
  'concurrency',
  'threads',
  'device',
  'augmentOn',
  'limit',
  'rank',
  'worldSize',
  'dropRemainder',
);

/** Options with all defaults. */
export interface ResolvedOptions
  extends RequiredOptions<Omit<LoaderOptions, 'transform' | 'mix' | 'collate' | 'weights'>> {
  weights: readonly number[] | undefined;
  collate: ((samples: never[]) => unknown) | undefined;
  concurrency: number;
  transform: Transform | undefined;
  mix: readonly BatchMix[] | undefined;
}

/**
 * Checks every option and fills in defaults.
 * @param set - `length`: number of images in the set; Infinity if it is not known. `concurrency`: that of the set, if it has one.
 * @throws ArgumentError naming the option.
 */
export function resolveOptions(
  options: LoaderOptions,
  { length, concurrency = 8 }: { length: number; concurrency?: number | undefined },
): ResolvedOptions {
  const { transform, mix, collate, weights } = checkOptions(options, LOADER_KEYS);
  if (weights !== undefined) checkWeights(weights, length);
  const resolved: ResolvedOptions = {
    shuffle: false,
    shuffleBuffer: 1000,
    dropLast: false,
    dtype: 'float32',
    memoryFormat: 'contiguous',
    seed: 0,
    prefetch: 2,
    concurrency,
    threads: Math.max(1, usableCores() >> 1),
    device: 'cpu',
    augmentOn: 'cpu',
    limit: length,
    rank: 0,
    worldSize: 1,
    dropRemainder: true,
    ...dropUndefined(options),
    weights,
    transform: transform && transformFrom(transform),
    mix: mix && mixesFrom(mix),
    collate: collate && checkFunction(collate, 'collate'),
  };
  // Without a limit it is the length, which may be Infinity.
  checkNumbers({ ...resolved, limit: options.limit ?? 1 });
  const choices = {
    dtype: ['float32', 'bfloat16'],
    memoryFormat: ['contiguous', 'channelsLast'],
    augmentOn: ['cpu', 'device'],
  };
  for (const [name, values] of Object.entries(choices) as [keyof typeof choices, string[]][]) {
    if (!values.includes(resolved[name]))
      throw invalidArgument(name, values.map((value) => `'${value}'`).join(' or '), resolved[name]);
  }
  return resolved;
}

function checkNumbers(options: ResolvedOptions): void {
  const { batchSize, limit, seed, prefetch, concurrency, threads, worldSize, rank, shuffleBuffer } = options;
  const values = { batchSize, limit, prefetch, concurrency, threads, worldSize, shuffleBuffer };
  const atLeast = {
    ...{ batchSize: 1, limit: 1, prefetch: 0, concurrency: 1, threads: 1, worldSize: 1 },
    shuffleBuffer: 1,
  };
  for (const [name, value] of Object.entries(values) as [keyof typeof values, number][]) {
    if (!isInteger(value, atLeast[name]))
      throw invalidArgument(name, `an integer from ${atLeast[name]}`, value);
  }
  if (!Number.isSafeInteger(seed)) throw invalidArgument('seed', 'an integer', seed);
  if (!isInteger(rank, 0, worldSize - 1))
    throw invalidArgument('rank', `an integer from 0 to ${worldSize - 1}`, rank);
}

/** An integer within bounds. */
export function isInteger(value: unknown, least: number, most = Number.MAX_SAFE_INTEGER): boolean {
  return Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most;
}
