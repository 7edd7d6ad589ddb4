/**
 * `predict`: classifies images with the model of a run.
 * @module
 */
import { defineCommand, formatError } from '../cli/command.js';
import { isOutputLost } from '../cli/output.js';
import { printable, printableJson } from '../cli/printable.js';
import { CHECKPOINT, RUN } from '../cli/run-options.js';
import { device, positiveInteger } from '../cli/value-types.js';

/** @import { OptionTable } from '../cli/types.js' */

const OPTIONS = /** @satisfies {OptionTable} */ ({
  run: RUN,
  checkpoint: CHECKPOINT,
  top: { value: 'n', type: positiveInteger, default: 5, help: 'number of classes to print' },
  device: { value: 'name', type: device, default: 'auto', help: 'auto, cpu, cuda or cuda:<n>' },
  json: { flag: 'plain', help: 'print one JSON object per line' },
});

export const command = defineCommand({
  name: 'predict',
  description: 'Classifies images: PNG, JPEG, WebP, GIF, TIFF and AVIF.',
  examples: ['--run runs/dy photo.jpg', '--run runs/dy --top 3 --json *.png'],
  argument: { name: '<files...>', description: 'image files' },
  options: OPTIONS,
  async run({ run, checkpoint, top, device, json }, { args: files }) {
    const { serve } = await import('../../dist/index.js');
    const { resolveDevice } = await import('../cli/config.js');
    const classifier = await serve.loadClassifier(run, { checkpoint, device: resolveDevice(device) });
    let failed = 0;
    for (const file of files) {
      if (isOutputLost()) break; // The reader has closed the pipe.
      try {
        print(file, (await classifier.predict(file)).slice(0, top), json);
      } catch (error) {
        failed += 1;
        console.error(formatError(error));
      }
    }
    if (failed > 0 && files.length > 1)
      console.error(`error: ${failed} of ${files.length} images could not be classified`);
    return failed > 0 ? 1 : 0;
  },
});

/** @param {string} file @param {{ name: string, probability: number }[]} top @param {boolean} json */
function print(file, top, json) {
  if (json) {
    console.log(printableJson({ file, predictions: top }));
    return;
  }
  console.log(printable(file));
  for (const { name, probability } of top) {
    console.log(`  ${(100 * probability).toFixed(1).padStart(5)} %  ${printable(name)}`);
  }
}
