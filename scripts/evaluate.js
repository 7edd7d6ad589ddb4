#!/usr/bin/env node
/**
 * Measures the model of a run on its test images: `node scripts/evaluate.js --help`.
 * @module
 */
import { createCommand, requireOption, runCommand } from './cli/command.js';
import { CHECKPOINTS, device, positiveInteger } from './cli/options.js';

const command = createCommand(
  'node scripts/evaluate.js',
  'Measures the model of a run on its test images: accuracy, loss, images/s, confusion matrix, 18 predictions.',
  [
    'node scripts/evaluate.js --run runs/dy',
    'node scripts/evaluate.js --run runs/dy --checkpoint last --json',
    'node scripts/evaluate.js --run runs/dy --checkpoint weights.pt',
  ],
)
  .option('--run <folder>', 'run directory (required)')
  .option('--checkpoint <name>', CHECKPOINTS, 'best')
  .option('--data-dir <folder>', 'where the data set is (default: as in training)')
  .option('--limit-test <n>', 'use only so many test images', positiveInteger)
  .option('--device <name>', 'auto, cpu, cuda or cuda:<n>', device, 'auto')
  .option('--threads <n>', 'CPU threads (default: one per core)', positiveInteger)
  .option('--no-download', 'do not download a data set that is missing')
  .option('--no-verify', 'accept an archive whose checksum is not the published one')
  .option('--skip-unreadable', 'leave out the pictures of a folder that cannot be read', false)
  .option('--json', 'print the result as JSON', false);

await runCommand(command, async (options) => {
  requireOption(command, '--run <folder>');
  const { report, setNumThreads, train } = await import('../dist/index.js');
  const { loadDataset } = await import('./cli/datasets.js');
  const { evaluateRun } = await import('./cli/evaluation.js');
  if (options.threads) setNumThreads(options.threads);
  const run = await train.RunDirectory.open(options.run);
  const config = train.checkRunConfig(await run.readConfig(), run.file('config.json'));
  const { classes, dataset, dataDir, model } = config;
  const set = await loadDataset(dataset, {
    root: options.dataDir ?? dataDir ?? 'data',
    split: 'test',
    classes,
    download: options.download,
    verify: options.verify,
    unreadable: options.skipUnreadable ? 'skip' : 'error',
  });
  const { result } = await evaluateRun(run, set, options);
  if (options.json) {
    console.log(JSON.stringify({ model, checkpoint: options.checkpoint, ...result }));
    return;
  }
  console.log(
    `${model} (${options.checkpoint}) on ${result.images} test images: accuracy ${result.accuracy.toFixed(4)}, ` +
      `loss ${result.loss.toFixed(4)}, ${Math.round(result.imagesPerSecond)} images/s\n`,
  );
  console.log(report.formatConfusion(result.confusion, config.classes));
  console.log(`\nSome predictions are in ${run.file('predictions.png')}`);
});
