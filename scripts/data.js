#!/usr/bin/env node
/**
 * Shows what is in a data set: `node scripts/data.js --help`.
 * @module
 */
import { Option } from 'commander';
import { DATASET_NAMES } from '../dist/data/names.js';
import { writeFileAtomic } from '../dist/files/atomic.js';
import { createCommand, runCommand } from './cli/command.js';
import { nonNegativeInteger, positiveInteger } from './cli/options.js';
import { printable, printableJson } from './cli/printable.js';

/** `--transform` by name: a function of `data.transforms`, or nothing. */
const TRANSFORMS = /** @type {const} */ ({ train: 'train', test: 'test', 'pad-crop': 'padCrop', none: null });

const command = createCommand(
  'node scripts/data.js',
  'Counts the images of a data set by class, with mean and deviation, and draws a grid of augmented ones.',
  [
    'node scripts/data.js --dataset bundled',
    'node scripts/data.js --dataset cifar10 --data-dir data --download --json',
    'node scripts/data.js --dataset folder --data-dir pictures --grid grid.png --transform train',
  ],
)
  .addOption(new Option('--dataset <name>', 'data set').choices([...DATASET_NAMES]).default('bundled'))
  .option('--data-dir <folder>', 'folder of the data set', 'data')
  .addOption(new Option('--split <split>', 'part of the set').choices(['train', 'test']).default('train'))
  .option('--download', 'fetch the files that are not there', false)
  .option('--no-verify', 'take an archive of your own, without comparing checksums')
  .option('--skip-unreadable', 'leave out the pictures of a folder that cannot be read', false)
  .option('--grid <file>', 'write a PNG: each row an image, then what the transform makes of it')
  .addOption(
    new Option('--transform <name>', 'transform of the grid')
      .choices(Object.keys(TRANSFORMS))
      .default('train'),
  )
  .option('--rows <n>', 'images of the grid', positiveInteger, 8)
  .option('--columns <n>', 'versions of each image', positiveInteger, 8)
  .option('--seed <n>', 'chooses the images and their augmentation', nonNegativeInteger, 0)
  .option('--json', 'print JSON', false);

await runCommand(command, async (options) => {
  const { dataset, dataDir: root, split, download, verify, grid, rows, columns, seed, json } = options;
  const { data } = await import('../dist/index.js');
  const { loadDataset } = await import('./cli/datasets.js');
  const unreadable = options.skipUnreadable ? 'skip' : 'error';
  const set = await loadDataset(dataset, { root, split, download, verify, unreadable });
  const description = data.describe(set);
  if (json) console.log(printableJson(description));
  else {
    const list = (/** @type {number[]} */ values) => values.map((value) => value.toFixed(4)).join(', ');
    console.log(`${set.name}, ${split}: ${set.length} images of ${set.shape.join(' x ')}`);
    console.log(`mean ${list(description.mean)}, standard deviation ${list(description.std)}`);
    const { printRows } = await import('./bench/turns.js');
    printRows(
      description.counts.map(({ class: name, count }) => ({ class: printable(name), images: String(count) })),
    );
  }
  if (grid === undefined) return;
  const make = TRANSFORMS[/** @type {keyof typeof TRANSFORMS} */ (options.transform)];
  const transform = make === null ? undefined : data.transforms[make]();
  await writeFileAtomic(grid, await data.grid(set, { transform, rows, columns, seed }));
  if (!json) console.log(`\nWrote ${grid}`);
});
