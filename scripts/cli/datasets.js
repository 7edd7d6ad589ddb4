/**
 * Data sets by the names the commands take.
 * @module
 */
import cliProgress from 'cli-progress';
import { data } from '../../dist/index.js';

/** @typedef {import('../../dist/index.js').data.Dataset} Dataset */
/** @typedef {{ root: string, split: 'train' | 'test', download: boolean, verify: boolean, onProgress?: (file: string, done: number, total?: number) => void, signal?: AbortSignal }} SourceOptions */

/** @type {Record<string, (options: SourceOptions) => Promise<Dataset>>} */
const SOURCES = {
  cifar10: data.cifar10,
  cifar100: data.cifar100,
  mnist: data.mnist,
  'fashion-mnist': data.fashionMnist,
  bundled: ({ split }) => data.bundled({ split }),
  folder: ({ root, split }) => data.imageFolder({ root, split }),
};

/** Values of `--dataset`. */
export const DATASETS = Object.keys(SOURCES);

/** Side of the square images the article's networks take, in pixels. */
export const IMAGE_SIZE = 128;

/**
 * Loads a data set, with a bar on a terminal while it is downloaded.
 * @param {string} name - One of {@link DATASETS}.
 * @param {SourceOptions & { limit: number | null }} options - `limit`: use only so many images, spread over the whole set.
 * @returns {Promise<Dataset>}
 */
export async function loadDataset(name, { limit, ...options }) {
  const bars = downloadBars(process.stderr);
  try {
    const set = await SOURCES[name]({ ...options, onProgress: bars.update });
    return limit !== null && limit < set.length ? thin(set, limit) : set;
  } finally {
    bars.stop();
  }
}

/**
 * Every n-th image of a set, so that a set sorted by class keeps all its classes.
 * @param {Dataset} set
 * @param {number} count
 */
function thin(set, count) {
  return data.subset(
    set,
    Array.from({ length: count }, (_, index) => Math.floor((index * set.length) / count)),
  );
}

/** @param {NodeJS.WriteStream} stream */
function downloadBars(stream) {
  /** @type {cliProgress.SingleBar | null} */
  let bar = null;
  let current = '';
  const stop = () => bar?.stop();
  return {
    stop,
    /** @param {string} file @param {number} done @param {number} [total] */
    update(file, done, total) {
      if (!stream.isTTY) {
        if (file !== current) stream.write(`Downloading ${file}\n`);
        current = file;
        return;
      }
      if (file !== current) {
        stop();
        current = file;
        bar = new cliProgress.SingleBar({
          stream,
          format: `${file} {bar} {percentage}%  {megabytes} MB`,
          hideCursor: true,
        });
        bar.start(total ?? done, 0, { megabytes: '0' });
      }
      bar?.setTotal(total ?? done);
      bar?.update(done, { megabytes: (done / 1e6).toFixed(1) });
    },
  };
}
