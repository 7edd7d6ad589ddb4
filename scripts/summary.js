#!/usr/bin/env node
/**
 * Lists the layers of a model: `node scripts/summary.js --help`.
 * @module
 */
import { InvalidArgumentError, Option } from 'commander';
import { MODEL_NAMES } from '../dist/models/names.js';
import { createCommand, runCommand } from './cli/command.js';
import { positiveInteger } from './cli/options.js';

/** @param {string} text */
function shape(text) {
  const sizes = text.split(',').map((part) => (/^\s*\d+\s*$/.test(part) ? Number(part) : Number.NaN));
  if (sizes.length !== 4 || sizes.some((size) => !Number.isSafeInteger(size) || size < 1)) {
    throw new InvalidArgumentError('Expected four sizes separated by commas, such as 1,3,128,128.');
  }
  return sizes;
}

const command = createCommand(
  'node scripts/summary.js',
  'Lists the layers of a model with output shapes, parameters and FLOPs.',
  [
    'node scripts/summary.js --model alexnet-dy',
    'node scripts/summary.js --model alexnet-dy --num-experts 4 --input 8,3,128,128',
    'node scripts/summary.js --model alexnet --json',
  ],
)
  .addOption(new Option('--model <name>', 'network').choices([...MODEL_NAMES]).default('alexnet-dy'))
  .addOption(
    new Option('--input <sizes>', 'shape of the input: batch, channels, height, width')
      .argParser(shape)
      .default([1, 3, 128, 128], '1,3,128,128'),
  )
  .option('--num-classes <n>', 'outputs of the network', positiveInteger, 10)
  .option('--num-experts <n>', 'kernels per dynamic layer', positiveInteger, 2)
  .option('--json', 'print the summary as JSON', false);

await runCommand(command, async ({ model: name, input, numClasses, numExperts, json }) => {
  const { models, report } = await import('../dist/index.js');
  const model = models.create(name, { numClasses, numExperts });
  const summary = report.summary(model, input);
  console.log(json ? JSON.stringify({ model: name, ...summary }) : String(summary));
});
