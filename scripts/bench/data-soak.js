import { data, memory } from '../../dist/index.js';
import { noiseSet } from './data-contestants.js';
import { memoryOfProcess, printRows } from './turns.js';

/** Resident memory may move by this much: the collector's timing, and thread stacks. */
const SLACK_MB = 48;

/**
 * Many epochs with everything that the loader does; every tenth is left early, as an interrupted one is. Resident memory
 * and live tensors must be flat: the last quarter of the epochs may not need more than the second.
 * @param {{ epochs: number, images: number, batch: number, json?: boolean }} options
 */
export async function soakData({ epochs, images, batch, json }) {
  const set = noiseSet(images);
  const { train, compose, colorJitter, randomErasing, randomResizedCrop, mixup, cutmix } = data.transforms;
  const everything = compose([
    randomResizedCrop({ size: 64 }),
    colorJitter({ brightness: 0.2, contrast: 0.2, saturation: 0.2, hue: 0.1 }),
    randomErasing(),
  ]);
  const loaders = [
    data.loader(set, { batchSize: batch, shuffle: true, transform: train({ resize: 66, size: 64 }) }),
    data.loader(set, {
      batchSize: batch,
      shuffle: true,
      transform: everything,
      mix: [mixup(), cutmix()],
      dtype: 'bfloat16',
      memoryFormat: 'channelsLast',
      prefetch: 4,
    }),
    data.loader(set, { batchSize: batch, transform: everything, augmentOn: 'device' }),
  ];
  /** @type {number[]} */
  const resident = [];
  const tensors = memory().numTensors;
  const start = performance.now();
  for (let epoch = 0; epoch < epochs; epoch++) {
    for (const loader of loaders) {
      let seen = 0;
      for await (const { images: x, labels } of loader) {
        x.dispose();
        labels.dispose();
        if (epoch % 10 === 9 && ++seen === 2) break;
      }
    }
    resident.push(memoryOfProcess().resident / 1024);
  }
  for (const loader of loaders) loader.dispose();
  const highest = (/** @type {number} */ from, /** @type {number} */ to) =>
    Math.max(...resident.slice(Math.floor(from * epochs), Math.ceil(to * epochs)));
  const result = {
    epochs,
    seconds: (performance.now() - start) / 1000,
    second_quarter_mb: highest(0.25, 0.5),
    last_quarter_mb: highest(0.75, 1),
    tensors_left: memory().numTensors - tensors,
  };
  if (json) console.log(JSON.stringify({ what: 'data-soak', ...result }));
  else {
    printRows([
      {
        soak: `${epochs} epochs, ${result.seconds.toFixed(0)} s`,
        'MB, 2nd quarter': result.second_quarter_mb.toFixed(0),
        'MB, last quarter': result.last_quarter_mb.toFixed(0),
        'tensors left': String(result.tensors_left),
      },
    ]);
  }
  if (result.tensors_left !== 0 || result.last_quarter_mb > result.second_quarter_mb + SLACK_MB) {
    throw new Error(
      `Expected flat memory over ${epochs} epochs but it grew from ${result.second_quarter_mb.toFixed(0)} to ` +
        `${result.last_quarter_mb.toFixed(0)} MB, with ${result.tensors_left} tensors left`,
    );
  }
}
