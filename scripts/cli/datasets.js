/**
 * Data sets by the names the commands take.
 * @module
 */
import cliProgress from 'cli-progress';
import { data } from '../../dist/index.js';
import { printable } from './printable.js';

/** @typedef {import('../../dist/data/dataset.js').InMemoryDataset} Dataset */
/** @typedef {Omit<import('../../dist/data/create.js').CreateOptions, 'onProgress'>} SourceOptions */

/**
 * Loads a data set, with a bar on a terminal while it is downloaded or parsed.
 * @param {import('../../dist/data/create.js').DatasetName} name
 * @param {SourceOptions} options
 * @returns {Promise<Dataset>}
 */
export async function loadDataset(name, options) {
  // Folders are counted in pictures, files in bytes.
  const amountOf = (/** @type {number} */ done) =>
    name === 'folder' ? `${done} pictures` : `${(done / 1e6).toFixed(1)} MB`;
  const bars = sourceBars(process.stderr, amountOf);
  try {
    return await data.create(name, { cache: 'mmap', ...options, onProgress: bars.update });
  } finally {
    bars.stop();
  }
}

/** @param {NodeJS.WriteStream} stream @param {(done: number) => string} amountOf */
function sourceBars(stream, amountOf) {
  /** @type {cliProgress.SingleBar | null} */
  let bar = null;
  let current = '';
  const stop = () => bar?.stop();
  return {
    stop,
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
