/**
 * Data sets of the commands.
 * @module
 */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import cliProgress from 'cli-progress';
import { splitFolder } from '../../dist/data/picture-files.js';
import { ArgumentError, data } from '../../dist/index.js';
import { printable } from './printable.js';
import { splitForTest, TEST_SHARE } from './split.js';

/** @import { CreateOptions } from '../../dist/data/create.js' */
/** @import { InMemoryDataset } from '../../dist/data/dataset.js' */

/** @typedef {Omit<CreateOptions, 'onProgress' | 'onMirrorFailure' | 'onDownloaded'>} SourceOptions */

/** What errors say to do in a command that downloads by default. */
const HINTS = { download: 'Leave out --no-download', verify: 'add --no-verify for an archive of your own' };

/**
 * Loads a data set, with a bar on a terminal while it is downloaded or parsed.
 * @param {string} name
 * @param {SourceOptions} options
 * @returns {Promise<InMemoryDataset>}
 */
export async function loadDataset(name, options) {
  // Folders are counted in images, files in bytes.
  const amountOf = (/** @type {number} */ done) =>
    name === 'folder' ? `${done} pictures` : `${(done / 1e6).toFixed(1)} MB`;
  const bars = sourceBars(process.stderr, amountOf);
  try {
    return await data.create(name, {
      cache: 'mmap',
      hints: HINTS,
      ...options,
      onProgress: bars.update,
      onMirrorFailure: (file, { url, reason }) => bars.say(`${file}: ${url} failed: ${reason}`),
      onDownloaded: (file, url) => bars.say(`${file} was downloaded from ${url}`),
    });
  } finally {
    bars.stop();
  }
}

/**
 * The training and the test images of a data set. Labels are counted by the classes of the training set. A folder of class
 * folders alone, without `train/` and `test/`, is split, with a message on stderr.
 * @param {string} name
 * @param {Omit<SourceOptions, 'split'>} options - `classes`: those of a run.
 * @returns {Promise<{ trainSet: InMemoryDataset, testSet: InMemoryDataset, valSet?: InMemoryDataset }>} `valSet`: of a folder that has
 *   images for validation besides those for testing.
 */
export async function loadSplits(name, options) {
  if (name === 'folder' && (await isUnsplit(options.root ?? 'data'))) return loadUnsplit(options);
  const trainSet = await loadDataset(name, { ...options, split: 'train' });
  const { classes } = trainSet;
  const testSet = await loadDataset(name, { ...options, split: 'test', classes });
  if (name !== 'folder' || !(await hasValidation(options.root ?? 'data'))) return { trainSet, testSet };
  return { trainSet, testSet, valSet: await loadDataset(name, { ...options, split: 'val', classes }) };
}

/** Whether a folder has images for validation besides those for testing. @param {string} root */
export async function hasValidation(root) {
  const top = await readdir(root);
  const validation = splitFolder(top, 'val') ?? '';
  return top.includes(validation) && validation !== splitFolder(top, 'test');
}

/** Whether a folder has neither `train` nor `test`, so that both splits would be the same images. @param {string} root */
export async function isUnsplit(root) {
  const found = await Promise.all(
    ['', 'train', 'test'].map((name) => stat(join(root, name)).catch(() => null)), // reported when it is read
  );
  const [isThere, ...isSplit] = found.map((entry) => entry?.isDirectory() ?? false);
  return isThere === true && !isSplit.includes(true);
}

/** @param {Omit<SourceOptions, 'split'>} options */
async function loadUnsplit(options) {
  const { root = 'data' } = options;
  const set = await loadDataset('folder', { ...options, split: 'train' });
  const parts = splitForTest(set);
  if (!parts)
    throw new ArgumentError(
      `Expected ${root}/train/<class>/ and ${root}/test/<class>/, or more images to split, but found ${set.length} in ${root}/<class>/`,
    );
  console.error(
    `${printable(root)} has no folders train/ and test/: ${100 * TEST_SHARE} % of the images, ` +
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
