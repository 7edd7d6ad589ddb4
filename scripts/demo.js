#!/usr/bin/env node
/**
 * What `npm run demo` does: trains AlexNet and AlexNet-DY on the images that come with the package and compares them.
 * @module
 */
import { join } from 'node:path';
import { createCommand, runCommand } from './cli/command.js';
import { firstFree } from './cli/free-path.js';
import { interruptible } from './cli/interrupt.js';
import { positiveInteger } from './cli/options.js';
import { formatSeconds } from './cli/progress.js';
import { trainCommand } from './cli/train-options.js';

/**
 * The article's recipe scaled down to 2,000 images and about a minute a network: small batches, few epochs, and a
 * learning rate with momentum that gets somewhere in them.
 */
const RECIPE = {
  dataset: 'bundled',
  batchSize: 32,
  lr: 0.01,
  momentum: 0.9,
  milestones: [6],
  temperatureEpochs: 6,
};

const command = createCommand(
  'node scripts/demo.js',
  'Trains AlexNet and AlexNet-DY on 2,000 bundled images, in a few minutes, and compares them.',
  ['npm run demo', 'node scripts/demo.js --epochs 2 --out runs/look'],
)
  .option('--epochs <n>', 'passes over the images', positiveInteger, 8)
  .option('--out <folder>', 'where the runs go (default: the first free of runs/demo, runs/demo-2 ...)');

await runCommand(command, async (options) => {
  const start = performance.now();
  const out = options.out ?? firstFree('runs/demo');
  const interrupt = interruptible({ message: 'Stopping after this step.' });
  const runs = [];
  for (const model of ['alexnet', 'alexnet-dy']) {
    const run = await trainOne(model, join(out, model), options.epochs, interrupt.signal);
    if (run === null) return interrupt.exitCode();
    runs.push(run);
  }
  interrupt.release();
  const page = join(out, 'report.html');
  const { report } = await import('../dist/index.js');
  console.log(`\n${await report.compare(runs, { out: page })}\n`);
  console.log(`Both learning curves: ${page}  (${formatSeconds((performance.now() - start) / 1000)} in all)`);
  return 0;
});

/**
 * @param {string} model
 * @param {string} out
 * @param {number} epochs
 * @param {AbortSignal} signal
 * @returns {Promise<string | null>} The run directory; null if the signal stopped it.
 */
async function trainOne(model, out, epochs, signal) {
  const { report, train } = await import('../dist/index.js');
  const { runTraining, startRun } = await import('./cli/training.js');
  const { evaluateRun } = await import('./cli/evaluation.js');
  await train.RunDirectory.assertFree(out);
  const options = { ...trainCommand().opts(), ...RECIPE, model, epochs };
  const training = await startRun(out, options, signal);
  try {
    const { stopped } = await runTraining(training, { signal });
    if (stopped) return null;
    await evaluateRun(training.run, training.testSet, { checkpoint: 'best' });
    await report.writeRunReport(out);
    return out;
  } finally {
    await training.run.close();
  }
}
