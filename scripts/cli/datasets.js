/**
 * Data sets by the names the commands take.
 * @module
 */
import cliProgress from 'cli-progress';
import { createDataset } from '../../dist/data/dataset.js';
import { data } from '../../dist/index.js';

/** @typedef {import('../../dist/data/dataset.js').Dataset} Dataset */
/** @typedef {Omit<import('../../dist/data/create.js').CreateOptions, 'onProgress'>} SourceOptions */

/** Values of `--dataset`. */
export const DATASETS = data.list();

/**
 * Loads a data set, with a bar on a terminal while it is downloaded.
 * @param {import('../../dist/data/create.js').DatasetName} name
 * @param {SourceOptions & { limit: number | null }} options - `limit`: use only so many images, spread over the whole set.
 * @returns {Promise<Dataset>}
 */
export async function loadDataset(name, { limit, ...options }) {
  const bars = downloadBars(process.stderr);
  try {
    const set = await data.create(name, { ...options, onProgress: bars.update });
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
export function thin(set, count) {
  const size = set.shape.reduce((product, side) => product * side, 1);
  const images = new Uint8Array(count * size);
  const labels = set.labels.slice(0, count);
  for (let to = 0; to < count; to++) {
    const from = Math.floor((to * set.length) / count);
    images.set(set.get(from).image, to * size);
    labels[to] = set.get(from).label;
  }
  const { name, split, classes, shape } = set;
  return createDataset({ name, split, classes, shape, images, labels, source: name });
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
