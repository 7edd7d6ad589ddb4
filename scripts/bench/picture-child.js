/**
 * Measures one source of images, and prints the result as JSON. The argument is the request of picture-source.js.
 * @module
 */
import { data, manualSeed, models, optim, setNumThreads, train } from '../../dist/index.js';
import { CLASSES, picturePath } from './picture-sets.js';
import { median, memoryOfProcess } from './turns.js';

/** @import { SourceRequest } from './picture-source.js' */

/** Most images that are decoded in a turn. */
const DECODED = 2048;
/** Images that are decoded at a time, as by a loader. */
const CONCURRENCY = 8;

/** @param {SourceRequest} request */
async function openSet({ source, paths, size }) {
  if (source === 'shards') return data.webDataset(paths, { size, classes: CLASSES });
  if (source === 'parquet') return data.parquet(paths, { size, classes: CLASSES });
  const [root = ''] = paths;
  return data.imageFolder({ root, split: 'train', size, memoryLimit: 0 });
}

/**
 * A loader of the set as in training.
 * @param {Awaited<ReturnType<typeof openSet>>} set @param {SourceRequest} request @param {{ shuffle: boolean, limit: number }} options
 */
function loaderOf(set, { batch, size, imageSize }, { shuffle, limit }) {
  const transform = data.transforms.train({ resize: size, size: imageSize });
  const options = { batchSize: batch, shuffle, dropLast: shuffle, seed: 1, limit, transform };
  return 'read' in set ? data.loader(set, options) : data.loader(set, options);
}

/** One epoch. @param {Awaited<ReturnType<typeof openSet>>} set @param {SourceRequest} request */
async function trainEpoch(set, request) {
  manualSeed(1);
  const model = models.create(request.model, { numClasses: CLASSES.length });
  const optimizer = new optim.SGD(model.parameters(), { lr: 0.01, momentum: 0.9 });
  const trainLoader = loaderOf(set, request, { shuffle: true, limit: request.images });
  const trainer = new train.Trainer({ model, optimizer, trainLoader, epochs: 1 });
  let waiting = Number.NaN;
  let perSecond = Number.NaN;
  trainer.on('epoch', ({ seconds, dataSeconds, imagesPerSecond }) => {
    waiting = dataSeconds / seconds;
    perSecond = imagesPerSecond;
  });
  await trainer.fit();
  return { train_images_per_second: perSecond, waiting, peak_mb: memoryOfProcess().peak / 1024 };
}

/** Images per second of some work. @param {number} images @param {() => Promise<void>} work */
async function rate(images, work) {
  const start = performance.now();
  await work();
  return (images * 1000) / (performance.now() - start);
}

/** sharp alone, with the steps of `data.decodeImage`. @param {SourceRequest} request @param {number} count */
async function decodeBySharp({ folder, size }, count) {
  const { default: sharp } = await import('sharp');
  let next = 0;
  const work = async () => {
    for (let i = next++; i < count; i = next++)
      await sharp(picturePath(folder, i), { failOn: 'truncated' })
        .rotate()
        .resize(size, size, { fit: 'cover', kernel: 'linear' })
        .flatten()
        .toColourspace('srgb')
        .removeAlpha()
        .raw()
        .toBuffer();
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, work));
}

/** In turns with sharp; the first turn warms up. @param {Awaited<ReturnType<typeof openSet>>} set @param {SourceRequest} request */
async function measureDecoding(set, request) {
  const count = Math.min(request.images, DECODED);
  /** @type {number[]} */
  const own = [];
  /** @type {number[]} */
  const sharps = [];
  for (let turn = 0; turn <= request.turns; turn++) {
    const bySharp = await rate(count, () => decodeBySharp(request, count));
    const byLoader = await rate(count, async () => {
      for await (const { images, labels } of loaderOf(set, request, { shuffle: false, limit: count })) {
        images.dispose();
        labels.dispose();
      }
    });
    if (turn === 0) continue;
    own.push(byLoader);
    sharps.push(bySharp);
  }
  return {
    images_per_second: median(own),
    sharp_images_per_second: median(sharps),
    of_sharp: median(own.map((value, i) => value / (sharps[i] ?? Number.NaN))),
  };
}

/** @type {SourceRequest} */
const request = JSON.parse(process.argv[2] ?? '');
setNumThreads(request.threads);
const set = await openSet(request);
// First, so that the peak memory is that of training.
const trained = await trainEpoch(set, request);
console.log(JSON.stringify({ ...trained, ...(await measureDecoding(set, request)) }));
