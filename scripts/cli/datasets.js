/**
 * Data sets of the commands.
 * @module
 */
import cliProgress from 'cli-progress';
import { PictureListing } from '../../dist/data/picture-listing.js';
import { pictureSet } from '../../dist/data/picture-set.js';
import { ArgumentError, DatasetError, data } from '../../dist/index.js';
import { printable } from './printable.js';
import { DATA_MEMORY } from './run-options.js';
import { splitForTest, TEST_SHARE } from './split.js';
import { skippedFiles } from './warnings.js';

/** @import { CreateOptions } from '../../dist/data/create.js' */
/** @import { ImageDataset } from '../../dist/data/dataset.js' */

/**
 * `listing`: of a folder or a manifest, if it is already listed.
 * @typedef {Omit<CreateOptions, 'onProgress' | 'onMirrorFailure' | 'onDownloaded'> & { listing?: PictureListing | undefined }} SourceOptions
 */

/** The folder of data sets by default. */
const DEFAULT_ROOT = 'data';

/** What errors say to do in a command that downloads by default. */
const HINTS = {
  download: 'Leave out --no-download',
  verify: 'add --no-verify for an archive from another source',
};

/**
 * Loads a data set, with a bar on a terminal while it is downloaded or parsed.
 * @param {string} name
 * @param {SourceOptions} options - `memoryLimit`: default, {@link DATA_MEMORY}.
 * @returns {Promise<ImageDataset>}
 */
export async function loadDataset(name, options) {
  // Image files are counted in images, archives in bytes.
  const amountOf = (/** @type {number} */ done) =>
    isPictures(name) ? `${done} images` : `${(done / 1e6).toFixed(1)} MB`;
  const bars = sourceBars(process.stderr, amountOf);
  const skipped = skippedFiles();
  try {
    return await create(name, {
      cache: 'mmap',
      hints: HINTS,
      memoryLimit: DATA_MEMORY * 2 ** 20,
      onSkip: skipped.onSkip,
      ...options,
      onProgress: bars.update,
      onMirrorFailure: (file, { url, reason }) => bars.say(`${file}: ${url} failed: ${reason}`),
      onDownloaded: (file, url) => bars.say(`${file} was downloaded from ${url}`),
    });
  } catch (error) {
    throw options.unreadable === 'skip' ? error : withAdvice(error);
  } finally {
    bars.stop();
    skipped.print();
  }
}

/**
 * A set by its name, as of `data.create`; image files as they were listed.
 * @param {string} name
 * @param {CreateOptions & { listing?: PictureListing | undefined }} options
 * @returns {Promise<ImageDataset>}
 */
async function create(name, { listing, ...options }) {
  if (!isPictures(name)) return data.create(name, options);
  const { root = DEFAULT_ROOT, split, classes, onProgress, ...rest } = options;
  const { size, memoryLimit, unreadable, onSkip, signal } = rest;
  const found = await listingOf(name, { root, listing }).find(split, classes);
  return pictureSet(name, split, found, {
    ...{ classes, size, memoryLimit, unreadable, onSkip, signal },
    onProgress: onProgress && ((done, total) => onProgress(root, done, total, 'parse')),
  });
}

/** An error for images that cannot be read, with the option that skips them. @param {unknown} error */
function withAdvice(error) {
  if (!(error instanceof DatasetError) || !/cannot be read as an image/.test(error.message)) return error;
  const them = /, and \d+ more \(/.test(error.message) ? 'them' : 'it';
  return new DatasetError(`${error.message}. Repair or remove ${them}, or add --skip-unreadable`, {
    cause: error,
  });
}

/** Whether a data set consists of image files. @param {string} name @returns {name is 'folder' | 'manifest'} */
export function isPictures(name) {
  return name === 'folder' || name === 'manifest';
}

/**
 * The listing of a folder or a manifest: the one that there is, or a new one.
 * @param {'folder' | 'manifest'} name
 * @param {Pick<SourceOptions, 'root' | 'listing'>} options
 */
export function listingOf(name, { root = DEFAULT_ROOT, listing }) {
  return listing ?? new PictureListing(name, root);
}

/**
 * The training and the test images of a data set. Labels are counted by the classes of the training set. A folder of class
 * folders alone, without `train/` and `test/`, and a manifest without splits are split, with a message on stderr.
 * @param {string} name
 * @param {Omit<SourceOptions, 'split'>} options - `classes`: those of a run.
 * @returns {Promise<{ trainSet: ImageDataset, testSet: ImageDataset, valSet?: ImageDataset }>} `valSet`: of a folder or a manifest that has
 *   images for validation besides those for testing.
 * @param {{ byPosition?: boolean | undefined }} [how] - Of sets without splits, as of `splitForTest`.
 */
export async function loadSplits(name, options, how = {}) {
  const listing = isPictures(name) ? listingOf(name, options) : undefined;
  const given = { ...options, listing };
  const splits = await listing?.splits();
  const trainSet = await loadDataset(name, { ...given, split: 'train' });
  if (isPictures(name) && splits === null)
    return splitUnsplit(name, trainSet, { ...how, root: options.root ?? DEFAULT_ROOT });
  const { classes } = trainSet;
  const testSet = await loadDataset(name, { ...given, split: 'test', classes });
  if (!splits?.has('val') || !splits.has('test')) return { trainSet, testSet };
  return { trainSet, testSet, valSet: await loadDataset(name, { ...given, split: 'val', classes }) };
}

/** What a set without splits lacks, and where the images are expected, for messages. */
const UNSPLIT = {
  folder: {
    lacks: 'folders train/ and test/',
    expected: (/** @type {string} */ root) => `${root}/train/<class>/ and ${root}/test/<class>/`,
    place: (/** @type {string} */ root) => `${root}/<class>/`,
  },
  manifest: {
    lacks: 'splits',
    expected: (/** @type {string} */ root) => `a column split in ${root}`,
    place: (/** @type {string} */ root) => root,
  },
};

/**
 * The training and the test images of a folder or a manifest without splits, with a message on stderr.
 * @param {'folder' | 'manifest'} name
 * @param {ImageDataset} set - All images.
 * @param {{ root: string, byPosition?: boolean | undefined }} options
 * @throws {ArgumentError} for too few images.
 */
export function splitUnsplit(name, set, { root, byPosition }) {
  const { lacks, expected, place } = UNSPLIT[name];
  const parts = splitForTest(set, { byPosition, source: root });
  if (!parts)
    throw new ArgumentError(
      `Expected ${expected(root)}, or more images to split, but found ${set.length} in ${place(root)}`,
    );
  console.error(
    `${printable(root)} has no ${lacks}: ${100 * TEST_SHARE} % of the images, ` +
      `${parts.testSet.length.toLocaleString('en')} of ${set.length.toLocaleString('en')}, are used as test images`,
  );
  return parts;
}

/** A bar for the download of a file, or of none. @param {string} name */
export function downloadBar(name) {
  const bars = sourceBars(process.stderr, (done) => `${(done / 1e6).toFixed(1)} MB`);
  return {
    stop: bars.stop,
    /** @param {number} done @param {number | undefined} total */
    update: (done, total) => bars.update(name, done, total, 'download'),
  };
}

/** @param {NodeJS.WriteStream} stream @param {(done: number) => string} amountOf */
function sourceBars(stream, amountOf) {
  /** @type {cliProgress.SingleBar | null} */
  let bar = null;
  let current = '';
  const stop = () => bar?.stop();
  return {
    stop,
    /** A line above the next bar. @param {string} text */
    say(text) {
      stop();
      bar = null;
      current = '';
      stream.write(`${printable(text)}\n`);
    },
    /** @param {string} file @param {number} done @param {number | undefined} total @param {'download' | 'parse'} phase */
    update(file, done, total, phase) {
      const task = `${phase === 'download' ? 'Downloading' : 'Reading'} ${printable(file)}`;
      if (!stream.isTTY || process.env.TERM === 'dumb') {
        if (task !== current) stream.write(`${task}\n`);
        current = task;
        return;
      }
      if (task !== current) {
        stop();
        current = task;
        bar = new cliProgress.SingleBar({
          stream,
          format: `${task} {bar} {percentage}%  {amount}`,
          hideCursor: true,
        });
        bar.start(total ?? done, 0, { amount: amountOf(0) });
      }
      bar?.setTotal(total ?? done);
      bar?.update(done, { amount: amountOf(done) });
    },
  };
}
