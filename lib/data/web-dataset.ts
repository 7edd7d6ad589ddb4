/**
 * Data sets of tar shards in the format of WebDataset.
 * @module
 */
import { checkFunction, checkOptions, checkStrings, optionKeys } from '../check/index.js';
import { DownloadError, invalidArgument } from '../errors.js';
import { datasetError } from './dataset.js';
import { labelFrom } from './labels.js';
import {
  checkDecodeOptions,
  DECODES_AT_A_TIME,
  type DecodeOptions,
  decodeChecked,
  PICTURE_ENDINGS,
} from './picture.js';
import { Random } from './random.js';
import type { ImageSample } from './samples.js';
import { expandBraces, readShard, type SampleFiles, type ShardSample } from './shards.js';
import { checkStream, type ReadableSet, type ReadRequest } from './stream.js';
import { checkUnreadable, skipper, type UnreadableOptions } from './unreadable.js';

/** Options of {@link webDataset}. */
export interface WebDatasetOptions extends DecodeOptions, UnreadableOptions {
  /** Extensions of the image; the first one that a sample has is used. Default: those of all image formats, such as `jpg` and `png`. */
  image?: string | readonly string[] | undefined;
  /**
   * Extension of the label, a text: an integer, or one of `classes`. Or a function that gets the files of a sample by extension and its
   * key, and returns the label. Default: `cls`.
   */
  label?: string | ((files: Readonly<SampleFiles>, key: string) => number | Promise<number>) | undefined;
  /** Names of the classes in label order. Default: not known. */
  classes?: readonly string[] | undefined;
  /** Number of samples, if known; the `length` of loaders depends on it. */
  length?: number | undefined;
}

const WEB_DATASET_KEYS = optionKeys(
  ...([
    'image',
    'label',
    'classes',
    'length',
    'channels',
    'size',
    'maxPixels',
    'unreadable',
    'onSkip',
  ] as const),
);

/** An iterable set of images: for a loader, or for a loop over its samples in order. */
export interface ImageStream extends ReadableSet<ImageSample>, AsyncIterable<ImageSample> {}

/**
 * An iterable data set of tar shards, local or from http servers, in the format of WebDataset: the files of a sample follow each other and have
 * the same name up to the first dot, such as `0001.jpg` and `0001.cls`. Shards are read as streams, one at a time, and never stored.
 * With `shuffle`, a loader reads the shards in random order, and shuffles samples with its buffer (`shuffleBuffer`).
 *
 * @param urls - Paths or addresses of .tar or .tar.gz files; braces are expanded: `train-{000..099}.tar`.
 * @throws ArgumentError naming the option. While samples are read: DatasetError that names the shard and the sample, also for
 * a shard that ends in the middle; DownloadError. With `unreadable: 'skip'` images that cannot be read and damaged shards are left out.
 * @see https://github.com/webdataset/webdataset
 * @example
 * const set = data.webDataset('https://example.org/train-{000..099}.tar', { length: 1_000_000, classes })
 * const loader = data.loader(set, { batchSize: 64, shuffle: true, transform: data.transforms.train() })
 */
export function webDataset(urls: string | readonly string[], options: WebDatasetOptions = {}): ImageStream {
  const {
    image = IMAGE_EXTENSIONS,
    label = 'cls',
    classes,
    length,
    ...rest
  } = checkOptions(options, WEB_DATASET_KEYS);
  const { unreadable, onSkip, ...decode } = rest;
  const shards = shardsOf(urls);
  const images = imagesOf(image);
  if (typeof label !== 'string' && typeof label !== 'function')
    throw invalidArgument('label', 'an extension or a function', label);
  checkDecodeOptions(decode);
  checkUnreadable(rest);
  if (onSkip !== undefined) checkFunction(onSkip, 'onSkip');
  const skip = skipper(rest);
  const set: ImageStream = {
    length,
    classes: classes && Object.freeze(checkStrings(classes, 'classes', 'a list of names')),
    concurrency: DECODES_AT_A_TIME,
    async *read({ epoch, seed, shuffle }: ReadRequest) {
      const order = shuffle ? new Random(seed, epoch, SALT).shuffle(shards.map((_, i) => i)) : shards.keys();
      let count = 0;
      for (const at of order) {
        try {
          for await (const sample of readShard(shards[at]!)) {
            count++;
            yield sample;
          }
        } catch (error) {
          // A network that fails, or a wrong name, says nothing about the shard.
          const isMissing = (error as { cause?: NodeJS.ErrnoException }).cause?.code === 'ENOENT';
          if (unreadable !== 'skip' || error instanceof DownloadError || isMissing) throw error;
          skip(shards[at]!, 'the rest of the shard is skipped', withoutName(error as Error, shards[at]!));
        }
      }
      if (count === 0) throw datasetError(namesOf(shards), 'expected samples but found none');
    },
    async decode({ source, key, files }: ShardSample) {
      try {
        const ending = images.find((name) => name in files);
        if (ending === undefined) throw new Error(`it has no image, only ${Object.keys(files).join(', ')}`);
        const { image, shape } = await decodeChecked(files[ending]!, decode);
        return { image, shape, label: await labelOf(label, files, key, classes) };
      } catch (error) {
        return skip(source, 'cannot be read as a sample', error);
      }
    },
    [Symbol.asyncIterator]: () => samplesOf(set),
  };
  checkStream(set, 'options');
  return set;
}

/** An error whose message begins with the name of the shard, without it: the message of the skipped rest has it already. */
const withoutName = (error: Error, shard: string): Error =>
  new Error(error.message.startsWith(`${shard}: `) ? error.message.slice(shard.length + 2) : error.message, {
    cause: error,
  });

const namesOf = (shards: readonly string[]): string =>
  shards.length === 1 ? shards[0]! : `${shards[0]} and ${shards.length - 1} more`;

/** @throws ArgumentError for what is not an extension without its dot. */
function imagesOf(image: string | readonly string[]): readonly string[] {
  const expected = 'an extension without the dot, or a list of them';
  const list = typeof image === 'string' ? [image] : checkStrings(image, 'image', expected);
  if (list.length === 0 || list.some((one) => one === '' || one.startsWith('.')))
    throw invalidArgument('image', expected, image);
  return list.map((one) => one.toLowerCase());
}

/** Without the dot. */
const IMAGE_EXTENSIONS = PICTURE_ENDINGS.map((ending) => ending.slice(1));

/** Distinguishes this generator from others that use the seed and the epoch. */
const SALT = 0x736872;

function shardsOf(urls: string | readonly string[]): string[] {
  const expected = 'a path or an address, or a list of them';
  const list = typeof urls === 'string' ? [urls] : checkStrings(urls, 'urls', expected);
  const shards = list.flatMap(expandBraces);
  if (shards.length === 0 || shards.includes('')) throw invalidArgument('urls', expected, urls);
  return shards;
}

async function labelOf(
  label: NonNullable<WebDatasetOptions['label']>,
  files: SampleFiles,
  key: string,
  classes: readonly string[] | undefined,
): Promise<number> {
  if (typeof label === 'function') return labelFrom(await label(files, key), classes);
  const content = files[label];
  if (content === undefined)
    throw new Error(`it has no file .${label}, only ${Object.keys(files).join(', ')}`);
  return labelFrom(Buffer.from(content).toString('utf8').trim(), classes);
}

/** All samples of a set in its order, one after another. */
export async function* samplesOf(
  set: ReadableSet<ImageSample>,
): AsyncGenerator<ImageSample, void, undefined> {
  for await (const item of set.read({ epoch: 0, seed: 0, shuffle: false })) {
    const sample = await set.decode(item as never);
    if (sample !== null) yield sample;
  }
}
