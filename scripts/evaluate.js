#!/usr/bin/env node
/**
 * Measures the model of a run on its test images: `node scripts/evaluate.js --help`.
 * @module
 */
import { Option } from 'commander';
import { report, setNumThreads, train } from '../dist/index.js';
import { createCommand, runCommand } from './cli/command.js';
import { loadDataset } from './cli/datasets.js';
import { positiveInteger } from './cli/options.js';
import { loadRunModel } from './cli/run-model.js';
import { lossOf, testLoader } from './cli/training.js';

const command = createCommand(
  'node scripts/evaluate.js',
  'Measures the model of a run on its test images: accuracy, loss, images/s, confusion matrix, 18 predictions.',
  [
    'node scripts/evaluate.js --run runs/dy',
    'node scripts/evaluate.js --run runs/dy --checkpoint last --json',
  ],
)
  .requiredOption('--run <folder>', 'run directory')
  .addOption(new Option('--checkpoint <name>', 'which weights').choices(['best', 'last']).default('best'))
  .option('--data-dir <folder>', 'where the data set is (default: as in training)')
  .option('--limit-test <n>', 'use only so many test images', positiveInteger)
  .option('--device <name>', 'auto, cpu, cuda or cuda:<n>', 'auto')
  .option('--threads <n>', 'CPU threads (default: one per core)', positiveInteger)
  .option('--no-download', 'do not download a data set that is missing')
  .option('--no-verify', 'accept an archive whose checksum is not the published one')
  .option('--json', 'print the result as JSON', false);

await runCommand(command, async (options) => {
  if (options.threads) setNumThreads(options.threads);
  const { run, config, model } = await loadRunModel(options.run, options);
  const set = await loadDataset(config.dataset, {
    root: options.dataDir ?? config.dataDir ?? 'data',
    split: 'test',
    limit: options.limitTest ?? config.limitTest,
    download: options.download,
    verify: options.verify,
  });
  const evaluation = await train.evaluate(model, testLoader(config, set), {
    loss: lossOf(config),
    device: config.device,
    predictions: true,
  });
  const { predictions = [], ...result } = evaluation;
  const picture = run.file('predictions.png');
  await report.writePredictions(picture, { set, predictions });
  if (options.json) {
    console.log(JSON.stringify({ model: config.model, checkpoint: options.checkpoint, ...result }));
    return;
  }
  console.log(
    `${config.model} (${options.checkpoint}) on ${result.images} test images: ` +
      `accuracy ${result.accuracy.toFixed(4)}, loss ${result.loss.toFixed(4)}, ` +
      `${Math.round(result.imagesPerSecond)} images/s\n`,
  );
  console.log(report.formatConfusion(result.confusion, config.classes));
  console.log(`\n18 predictions are in ${picture}`);
});
