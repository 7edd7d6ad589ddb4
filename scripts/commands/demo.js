/**
 * `demo`, what `npm run demo` does: trains AlexNet and AlexNet-DY on the images of the package and compares them.
 * @module
 */
import { join } from 'node:path';
import { defineCommand, wordsOf } from '../cli/command.js';
import { firstFree } from '../cli/free-path.js';
import { interruptible } from '../cli/interrupt.js';
import { defaultsOf } from '../cli/option-table.js';
import { formatSeconds } from '../cli/progress.js';
import { TRAIN_OPTIONS } from '../cli/train-options.js';
import { path, positiveInteger } from '../cli/value-types.js';
import { trainWhole } from '../cli/whole-run.js';

/** @import { TrainOptions } from '../cli/train-options.js' */
/** @import { OptionTable } from '../cli/types.js' */

/**
 * The article's recipe scaled down to 2,000 images and about a minute per network: small batches, few epochs, and a
 * learning rate with momentum that learns enough in this time.
 * @satisfies {Partial<TrainOptions>}
 */
const RECIPE = {
  dataset: /** @type {const} */ ('bundled'),
  batchSize: 32,
  lr: 0.01,
  momentum: 0.9,
  milestones: [6],
  temperatureEpochs: 6,
};

/** @type {ReadonlySet<keyof TrainOptions>} */
const NONE = new Set();

const OPTIONS = /** @satisfies {OptionTable} */ ({
  epochs: { value: 'n', type: positiveInteger, default: 8, help: 'number of epochs' },
  out: {
    value: 'folder',
    type: path,
    help: 'folder of both runs (default: the first of runs/demo, runs/demo-2 ... that does not exist)',
  },
});

export const command = defineCommand({
  name: 'demo',
  description: 'Trains AlexNet and AlexNet-DY on 2,000 bundled images, in a few minutes, and compares them.',
  examples: ['npm run demo', '--epochs 2 --out runs/look'],
  options: OPTIONS,
  async run(options, invocation) {
    const start = performance.now();
    const out = options.out ?? firstFree('runs/demo');
    const interrupt = interruptible({ message: 'Stopping after this step.' });
    const words = wordsOf(invocation.command);
    const runs = [];
    for (const model of /** @type {const} */ (['alexnet', 'alexnet-dy'])) {
      const chosen = { ...defaultsOf(TRAIN_OPTIONS), ...RECIPE, model, epochs: options.epochs };
      const run = join(out, model);
      const request = { options: chosen, given: NONE, words, signal: interrupt.signal };
      if (!(await trainWhole(run, request))) return interrupt.exitCode();
      runs.push(run);
    }
    interrupt.release();
    const page = join(out, 'report.html');
    const { report } = await import('../../dist/index.js');
    console.log(`\n${await report.compare(runs, { out: page })}\n`);
    const seconds = (performance.now() - start) / 1000;
    console.log(`Both learning curves: ${page}  (${formatSeconds(seconds)} in all)`);
    return 0;
  },
});
