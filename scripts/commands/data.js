/**
 * `data`: counts and shows the images of a data set.
 * @module
 */
import { DATASET_NAMES } from '../../dist/data/names.js';
import { saveFile } from '../../dist/files/atomic.js';
import { defineCommand } from '../cli/command.js';
import { checkDataDir, checkManifest } from '../cli/option-checks.js';
import { printable, printableJson } from '../cli/printable.js';
import { DATA_MIRROR } from '../cli/run-options.js';
import { nonNegativeInteger, oneOf, path, positiveInteger } from '../cli/value-types.js';

/** @import { SamplesDescription } from '../../dist/data/describe.js' */
/** @import { OptionTable } from '../cli/types.js' */

/** `--transform` by name: a function of `data.transforms`, or nothing. */
const TRANSFORMS = /** @type {const} */ ({ train: 'train', test: 'test', 'pad-crop': 'padCrop', none: null });
const TRANSFORM_NAMES = /** @type {(keyof typeof TRANSFORMS)[]} */ (Object.keys(TRANSFORMS));

const OPTIONS = /** @satisfies {OptionTable} */ ({
  dataset: { value: 'name', type: oneOf(DATASET_NAMES), default: 'bundled', help: 'data set' },
  dataDir: {
    value: 'folder',
    type: path,
    default: 'data',
    help: 'folder of the data set, or the file of a manifest',
  },
  split: { value: 'split', type: oneOf(['train', 'val', 'test']), default: 'train', help: 'part of the set' },
  download: { flag: 'plain', help: 'download missing files' },
  dataMirror: DATA_MIRROR,
  verify: { flag: 'negated', help: 'accept an archive whose checksum differs from the published one' },
  skipUnreadable: {
    flag: 'plain',
    help: 'skip images of a folder or manifest that cannot be read (default: an error)',
  },
  grid: {
    value: 'file',
    type: path,
    help: 'write a PNG with an image per row, followed by transformed versions of it',
  },
  force: { flag: 'plain', help: 'overwrite an existing file of --grid (default: an error)' },
  transform: { value: 'name', type: oneOf(TRANSFORM_NAMES), default: 'train', help: 'transform of --grid' },
  rows: { value: 'n', type: positiveInteger, default: 8, help: 'images of --grid' },
  columns: { value: 'n', type: positiveInteger, default: 8, help: 'versions of each image of --grid' },
  seed: {
    value: 'n',
    type: nonNegativeInteger,
    default: 0,
    help: 'seed of the images of --grid and their augmentation',
  },
  json: { flag: 'plain', help: 'print JSON' },
});

export const command = defineCommand({
  name: 'data',
  description:
    'Counts the images of a data set by class, computes their mean and standard deviation, and draws augmented images.',
  examples: [
    '--dataset bundled',
    '--dataset cifar10 --data-dir data --download --json',
    '--dataset folder --data-dir pictures --grid grid.png --transform train',
  ],
  options: OPTIONS,
  async run(options, invocation) {
    const hasDataDir = invocation.given.has('dataDir');
    checkDataDir(options.dataset, hasDataDir);
    checkManifest(options.dataset, hasDataDir);
    const { dataset, dataDir: root, split, download, dataMirror: mirrors, verify, json } = options;
    const { grid, force, rows, columns, seed } = options;
    // Before any image is read.
    if (grid !== undefined) {
      const { checkOutputFile } = await import('../cli/output-file.js');
      const dataDir = dataset === 'folder' ? root : undefined;
      await checkOutputFile(grid, { option: '--grid', ending: '.png', force, dataDir });
    }
    const { data } = await import('../../dist/index.js');
    const { classCounts, loadWithSplits } = await import('../cli/data-splits.js');
    const { isPictures } = await import('../cli/datasets.js');
    const { skippedFiles } = await import('../cli/warnings.js');
    const unreadable = /** @type {'skip' | 'error'} */ (options.skipUnreadable ? 'skip' : 'error');
    const hints = {
      download: 'Add --download',
      verify: 'add --no-verify for an archive from another source',
    };
    const skipped = skippedFiles({ all: true });
    const { onSkip } = skipped;
    const given = { root, split, download, mirrors, verify, unreadable, hints, onSkip };
    const { set, splits } = await loadWithSplits(dataset, given).finally(() => {
      if (!json) skipped.print();
    });
    const { name } = set;
    const description = await data.describe(set);
    const classes = classCounts(splits);
    const { sameImages } = await import('../cli/same-images.js');
    const same = isPictures(dataset) ? await sameImages(splits) : [];
    const pictures = isPictures(dataset) ? { splits: classes, leftOut: skipped.files, same } : {};
    if (json) console.log(printableJson({ name, ...description, split, ...pictures }));
    else {
      console.log(`${name}, ${split}: ${set.length} images of ${set.shape.join(' x ')}`);
      await print(description, classes);
      for (const { images, problem } of same)
        console.error(
          `warning: the same image in ${problem}: ${images.map((one) => printable(one)).join(' and ')}`,
        );
    }
    if (grid === undefined) return;
    const make = TRANSFORMS[options.transform];
    const transform = make === null ? undefined : data.transforms[make]();
    const image = await data.grid(set, { transform, rows, columns, seed });
    await saveFile(grid, image);
    if (!json) console.log(`\nWrote ${grid}`);
  },
});

/** @param {SamplesDescription} description @param {ReturnType<typeof import('../cli/data-splits.js').classCounts>} classes */
async function print({ mean, std }, classes) {
  const { printRows } = await import('../bench/turns.js');
  const list = (/** @type {readonly number[]} */ values) =>
    values.map((value) => value.toFixed(4)).join(', ');
  console.log(`mean ${list(mean)}, standard deviation ${list(std)}`);
  printRows(
    classes.map(({ class: name, counts }) => {
      const [only, ...others] = Object.values(counts);
      const columns = others.length === 0 ? { images: only } : counts;
      return {
        class: printable(name),
        ...Object.fromEntries(Object.entries(columns).map(([split, count]) => [split, String(count)])),
      };
    }),
  );
}
