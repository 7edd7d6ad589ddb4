import { data } from '../../dist/index.js';
import { machine, median, printRows, record } from './turns.js';

/**
 * Images a second through the loader, train and test pipelines taking turns; nothing is done with the batches.
 * @param {{ batch: number, images: number, json?: boolean }} options
 */
export async function measureData({ batch, images, json }) {
  const set = await data.bundled({ split: 'train', channels: 3 });
  const pipelines = { train: data.transforms.train(), test: data.transforms.test() };
  const threads = [1, 2];
  /** @type {Record<string, number[]>} */
  const rates = {};
  for (let turn = 0; turn <= 5; turn++) {
    for (const [name, transform] of Object.entries(pipelines)) {
      for (const count of threads) {
        const rate = await imagesPerSecond(
          set,
          { batchSize: batch, transform, threads: count, shuffle: true },
          images,
        );
        const key = `${name}, ${count} thread${count > 1 ? 's' : ''}`;
        if (turn > 0) record(rates, key, rate);
      }
    }
  }
  const results = Object.fromEntries(
    Object.entries(rates).map(([name, values]) => [name, { images_per_second: Math.round(median(values)) }]),
  );
  if (json) console.log(JSON.stringify({ what: 'data', batch, machine: machine(), results }));
  else
    printRows(
      Object.entries(results).map(([name, r]) => ({
        pipeline: name,
        'images/s': String(r.images_per_second),
      })),
    );
}

/** @param {import('../../dist/data/dataset.js').Dataset} set @param {any} options @param {number} images */
async function imagesPerSecond(set, options, images) {
  const loader = data.loader(set, { dropLast: true, ...options });
  let seen = 0;
  const start = performance.now();
  while (seen < images) {
    for await (const { images: batch, labels } of loader) {
      seen += batch.shape[0];
      batch.dispose();
      labels.dispose();
    }
  }
  return (seen * 1000) / (performance.now() - start);
}
