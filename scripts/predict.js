#!/usr/bin/env node
/**
 * Classifies pictures with the model of a run: `node scripts/predict.js --help`.
 * @module
 */
import { createCommand, formatError, requireOption, runCommand } from './cli/command.js';
import { CHECKPOINTS, device, positiveInteger } from './cli/options.js';
import { isOutputLost } from './cli/output.js';
import { printable, printableJson } from './cli/printable.js';

const command = createCommand(
  'node scripts/predict.js',
  'Classifies pictures: PNG, JPEG, WebP, GIF, TIFF and AVIF.',
  [
    'node scripts/predict.js --run runs/dy photo.jpg',
    'node scripts/predict.js --run runs/dy --top 3 --json *.png',
  ],
)
  .argument('<files...>', 'pictures')
  .option('--run <folder>', 'run directory (required)')
  .option('--checkpoint <name>', CHECKPOINTS, 'best')
  .option('--top <n>', 'how many classes to print', positiveInteger, 5)
  .option('--device <name>', 'auto, cpu, cuda or cuda:<n>', device, 'auto')
  .option('--json', 'print one JSON object a line', false);

await runCommand(command, async (options) => {
  requireOption(command, '--run <folder>');
  const { serve } = await import('../dist/index.js');
  const { resolveDevice } = await import('./cli/config.js');
  const { run, checkpoint } = options;
  const classifier = await serve.loadClassifier(run, { checkpoint, device: resolveDevice(options.device) });
  let failed = 0;
  for (const file of command.args) {
    if (isOutputLost()) break; // nobody reads the rest
    try {
      print(file, (await classifier.predict(file)).slice(0, options.top), options);
    } catch (error) {
      failed += 1;
      console.error(formatError(error));
    }
  }
  if (failed > 0 && command.args.length > 1)
    console.error(`error: ${failed} of ${command.args.length} pictures could not be classified`);
  return failed > 0 ? 1 : 0;
});

/** @param {string} file @param {{ name: string, probability: number }[]} top @param {{ json: boolean }} options */
function print(file, top, { json }) {
  if (json) {
    console.log(printableJson({ file, predictions: top }));
    return;
  }
  console.log(printable(file));
  for (const { name, probability } of top) {
    console.log(`  ${(100 * probability).toFixed(1).padStart(5)} %  ${printable(name)}`);
  }
}
