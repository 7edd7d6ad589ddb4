/**
 * `evaluate`: measures the model of a run on its test images.
 * @module
 */
import { defineCommand } from '../cli/command.js';
import { checkDataDir } from '../cli/option-checks.js';
import { CHECKPOINT, DATA_MIRROR, RUN } from '../cli/run-options.js';
import { device, path, positiveInteger } from '../cli/value-types.js';

/** @import { OptionTable } from '../cli/types.js' */

const OPTIONS = /** @satisfies {OptionTable} */ ({
  run: RUN,
  checkpoint: CHECKPOINT,
  dataDir: {
    value: 'folder',
    type: path,
    help: 'folder of the data set, or the file of a manifest (default: as in training)',
  },
  limitTest: {
    value: 'n',
    type: positiveInteger,
    help: 'use this number of test images, spread over the set (default: as in training)',
  },
  device: { value: 'name', type: device, default: 'auto', help: 'auto, cpu, cuda or cuda:<n>' },
  threads: { value: 'n', type: positiveInteger, help: 'CPU threads (default: one per core)' },
  download: { flag: 'negated', help: 'do not download a missing data set' },
  dataMirror: DATA_MIRROR,
  verify: { flag: 'negated', help: 'accept an archive whose checksum differs from the published one' },
  skipUnreadable: {
    flag: 'plain',
    help: 'skip images of a folder or manifest that cannot be read (default: an error)',
  },
  collapseExperts: {
    flag: 'plain',
    help: 'also measure with the attention of every image replaced by the mean attention, as in an ordinary convolution',
  },
  json: { flag: 'plain', help: 'print the result as JSON' },
});

export const command = defineCommand({
  name: 'evaluate',
  description:
    'Measures the model of a run on its test images: accuracy, loss, images/s, confusion matrix, 18 predictions.',
  examples: [
    '--run runs/dy',
    '--run runs/dy --checkpoint last --json',
    '--run runs/dy --checkpoint weights.pt',
    '--run runs/dy --collapse-experts',
  ],
  options: OPTIONS,
  async run(options) {
    const { report, setNumThreads, train } = await import('../../dist/index.js');
    const { evaluateRun } = await import('../cli/evaluation.js');
    const { findTestImages } = await import('../cli/run-images.js');
    if (options.threads) setNumThreads(options.threads);
    const run = await train.RunDirectory.open(options.run);
    const config = await run.readConfig();
    const { model } = config;
    checkDataDir(config.dataset, options.dataDir !== undefined);
    const { set, isOwn, root } = await findTestImages(config, {
      ...(options.dataDir !== undefined && { root: options.dataDir }),
      download: options.download,
      mirrors: options.dataMirror,
      verify: options.verify,
      unreadable: options.skipUnreadable ? 'skip' : 'error',
    });
    const { result, collapsed } = await evaluateRun(run, set, { ...options, isOwn, root });
    if (options.json) {
      console.log(
        JSON.stringify({ model, checkpoint: options.checkpoint, ...result, ...(collapsed && { collapsed }) }),
      );
      return;
    }
    console.log(
      `${model} (${options.checkpoint}) on ${result.images} test images: accuracy ${result.accuracy.toFixed(4)}, ` +
        `loss ${result.loss.toFixed(4)}, ${Math.round(result.imagesPerSecond)} images/s\n`,
    );
    if (collapsed) {
      const { accuracy, loss, usage } = collapsed;
      console.log(`With the mean attention: accuracy ${accuracy.toFixed(4)}, loss ${loss.toFixed(4)}`);
      for (const { name, mean, entropy } of usage) {
        const shares = mean.map((share) => share.toFixed(3)).join(', ');
        const part = (mean.length > 1 ? (100 * entropy) / Math.log(mean.length) : 100).toFixed(1);
        console.log(`  ${name}: mean attention ${shares}; entropy ${part} % of that of equal shares`);
      }
      console.log('');
    }
    console.log(report.formatConfusion(result.confusion, config.classes));
    console.log(`\nSome predictions are in ${run.file('predictions.png')}`);
  },
});
