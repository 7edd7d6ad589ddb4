import { data, getNumThreads } from '../../dist/index.js';
import { measureArchive } from './archive.js';
import { noiseSet, sharpPipeline } from './data-contestants.js';
import { MALLOC_KEEP, startPyTorch } from './pytorch.js';
import { machine, median, printRows, record } from './turns.js';

/**
 * A pass over images: what it is called, and one turn of it. `cpuSeconds` is that of the process which does the work.
 * @typedef {{ name: string, run: (images: number) => Promise<{ seconds: number, cpuSeconds: number }> }} Pass
 */

/**
 * The input pipeline: images per second into 128 x 128 batches of the loader, compared with sharp and PyTorch in interleaved turns;
 * and a whole CIFAR-10 archive to its first batch. Nothing is done with the batches.
 * @param {{ batch: number, images: number, turns: number, pytorch?: string | undefined, archive: boolean, json?: boolean }} options
 */
export async function measureData({ batch, images, turns, pytorch, archive, json }) {
  const set = noiseSet(images);
  const others = pytorch ? await pytorchPasses(pytorch, batch) : [];
  const passes = [...ownPasses(set, batch), sharpPass(set, batch), ...others];
  /** @type {Record<string, number[]>} */
  const wall = {};
  /** @type {Record<string, number[]>} */
  const cpu = {};
  for (let turn = 0; turn <= turns; turn++) {
    for (const { name, run } of passes) {
      // The slow ones get fewer images: a turn of theirs lasts as long.
      const count = name.includes('sharp') || name.includes('PyTorch') ? Math.ceil(images / 8) : images;
      const { seconds, cpuSeconds } = await run(count);
      if (turn === 0) continue;
      record(wall, name, count / seconds);
      record(cpu, name, count / cpuSeconds);
    }
  }
  for (const { end } of others) await end();
  const results = Object.fromEntries(
    Object.keys(wall).map((name) => [
      name,
      {
        images_per_second: Math.round(median(wall[name])),
        images_per_cpu_second: Math.round(median(cpu[name])),
      },
    ]),
  );
  const archives = archive ? await measureArchive() : undefined;
  if (json) {
    console.log(
      JSON.stringify({ what: 'data', batch, machine: machine(), results, ...(archives && { archives }) }),
    );
    return;
  }
  printRows(
    Object.entries(results).map(([name, r]) => ({
      pipeline: name,
      'images/s': String(r.images_per_second),
      'images/CPU s': String(r.images_per_cpu_second),
    })),
  );
  if (archives) {
    printRows(
      Object.entries(archives).map(([name, r]) => ({
        archive: name,
        seconds: r.seconds.toFixed(2),
        'CPU s': r.cpu_seconds.toFixed(2),
        'peak extra memory / set': r.peak_extra_over_set.toFixed(2),
      })),
    );
  }
}

/** @param {import('../../dist/data/dataset.js').InMemoryDataset} set @param {number} batch @returns {Pass[]} */
function ownPasses(set, batch) {
  const { train, test } = data.transforms;
  const jitter = data.transforms.compose([
    data.transforms.resize({ size: 130 }),
    data.transforms.randomResizedCrop({ size: 128 }),
    data.transforms.randomHorizontalFlip(),
    data.transforms.colorJitter({ brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1 }),
    data.transforms.normalize(),
    data.transforms.randomErasing(),
  ]);
  /** @type {[string, Partial<import('../../dist/data/loader-options.js').LoaderOptions>][]} */
  const cases = [
    ['train, 1 thread', { transform: train(), threads: 1 }],
    ['train, 2 threads', { transform: train(), threads: 2 }],
    ['test, 1 thread', { transform: test(), threads: 1 }],
    ['test, 2 threads', { transform: test(), threads: 2 }],
    [
      'train, bfloat16, channels last, 2 threads',
      { transform: train(), threads: 2, dtype: 'bfloat16', memoryFormat: 'channelsLast' },
    ],
    ['train, color jitter, erasing, 2 threads', { transform: jitter, threads: 2 }],
    ['train, mixup, 2 threads', { transform: train(), threads: 2, mix: data.transforms.mixup() }],
  ];
  return cases.map(([name, options]) => {
    const loader = data.loader(set, { batchSize: batch, shuffle: true, dropLast: true, ...options });
    return {
      name,
      run: (images) =>
        timed(async () => {
          let seen = 0;
          while (seen < images) {
            for await (const { images: x, labels } of loader) {
              seen += x.shape[0] ?? 0;
              x.dispose();
              labels.dispose();
              if (seen >= images) break;
            }
          }
        }),
    };
  });
}

/** @param {import('../../dist/data/dataset.js').InMemoryDataset} set @param {number} batch @returns {Pass} */
function sharpPass(set, batch) {
  const pipeline = sharpPipeline(set);
  return {
    name: 'train, sharp',
    run: (images) =>
      timed(async () => {
        for (let start = 0; start < images; start += batch)
          await pipeline(start, Math.min(batch, images - start));
      }),
  };
}

/**
 * PyTorch with one thread and with all of ours, each in the memory settings that suit it best: on images this small its
 * threads mostly wait for each other.
 * @param {string} python @param {number} batch
 * @returns {Promise<(Pass & { end: () => Promise<unknown> })[]>}
 */
function pytorchPasses(python, batch) {
  return Promise.all(
    [...new Set([1, getNumThreads()])].map(async (threads) => {
      const args = ['--modes', '', '--batch', String(batch), '--threads', String(threads)];
      const ask = await startPyTorch(python, args, MALLOC_KEEP);
      return {
        name: `train, PyTorch (F.interpolate), ${threads} thread${threads > 1 ? 's' : ''}`,
        run: async (/** @type {number} */ images) => {
          const before = await ask('cpu');
          const seconds = (await ask(`data ${images}`)) / 1000;
          return { seconds, cpuSeconds: ((await ask('cpu')) - before) / 1000 };
        },
        end: () => ask('quit'),
      };
    }),
  );
}

/** @param {() => Promise<void>} work */
async function timed(work) {
  const before = process.cpuUsage();
  const start = performance.now();
  await work();
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(before);
  return { seconds, cpuSeconds: (user + system) / 1e6 };
}
