/**
 * Training from image files that are decoded when they are read: waiting for data, memory, decoded images per second.
 * @module
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getNumThreads } from '../../dist/index.js';
import { writePictures } from './picture-sets.js';
import { measureSource } from './picture-source.js';
import { machine, printRows } from './turns.js';

/** @import { Source } from './picture-sets.js' */

/**
 * @typedef {{ model: import('../../dist/models/names.js').ModelName, images: number, size: number, imageSize: number, batch: number,
 *   sources: readonly Source[], turns: number, json?: boolean }} Options
 */

/**
 * Measures each source in a separate process, because its peak memory is measured too.
 * @param {Options} options
 */
export async function measurePictures({ images, size, sources, json, ...rest }) {
  const root = await mkdtemp(join(tmpdir(), 'dyconv-pictures-'));
  /** @type {Record<string, import('./picture-source.js').SourceResult>} */
  const results = {};
  try {
    const written = await writePictures(root, { images, size, sources });
    const [folder = root] = written.folder ?? [];
    for (const source of sources) {
      const paths = written[source];
      if (paths)
        results[source] = await measureSource({
          ...{ ...rest, source, paths, folder, images, size },
          threads: getNumThreads(),
        });
      else console.error(`${source} is not measured: npm install hyparquet-writer, which writes the files`);
    }
  } finally {
    await rm(root, { recursive: true });
  }
  if (json) {
    console.log(JSON.stringify({ what: 'pictures', images, size, ...rest, machine: machine(), results }));
    return;
  }
  printRows(
    Object.entries(results).map(([source, r]) => ({
      source,
      'train images/s': r.train_images_per_second.toFixed(0),
      'waiting for data': `${(100 * r.waiting).toFixed(1)} %`,
      'peak MB': r.peak_mb.toFixed(0),
      'loader images/s': r.images_per_second.toFixed(0),
      'sharp images/s': r.sharp_images_per_second.toFixed(0),
      ratio: r.of_sharp.toFixed(2),
    })),
  );
}
