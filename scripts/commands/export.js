/**
 * `export`: writes the network of a run for other programs.
 * @module
 */
import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { ArgumentError, CheckpointError } from '../../dist/errors.js';
import { defineCommand } from '../cli/command.js';
import { checkDataDir } from '../cli/option-checks.js';
import { flagOf } from '../cli/option-table.js';
import { existsError } from '../cli/output-file.js';
import { printable } from '../cli/printable.js';
import { CHECKPOINT, DATA_MIRROR, RUN } from '../cli/run-options.js';
import { number, oneOf, path, positiveInteger } from '../cli/value-types.js';

/** @import { OptionsOf, OptionTable } from '../cli/types.js' */
/** @import { Check } from '../cli/exporting.js' */

const OPTIONS = /** @satisfies {OptionTable} */ ({
  run: RUN,
  checkpoint: CHECKPOINT,
  format: {
    value: 'name',
    type: oneOf(['onnx', 'program', 'torchscript', 'safetensors']),
    default: /** @type {const} */ ('onnx'),
    help: 'onnx: the network, for onnxruntime and browsers; program: for loadProgram; torchscript: for PyTorch; safetensors: its weights',
  },
  out: { value: 'file', type: path, required: true, help: 'file to write (required)' },
  force: { flag: 'plain', help: 'overwrite an existing file (default: an error)' },
  opset: { value: 'n', type: positiveInteger, default: 17, help: 'ONNX opset version, 13 to 22' },
  precision: {
    value: 'dtype',
    type: oneOf(['float32', 'float16', 'int8']),
    default: /** @type {const} */ ('float32'),
    help: 'dtype of weights and computation in an ONNX file or a program; int8: of convolutions and linear layers except the first and the last',
  },
  calibration: {
    value: 'n',
    type: positiveInteger,
    default: 512,
    help: 'number of training images for the calibration of int8, selected by the seed of the run',
  },
  percentile: {
    value: 'p',
    type: number({ min: 50, max: 100 }),
    default: 100,
    help: 'percentage of the elements of an activation that its int8 range covers',
  },
  dynamicSize: { flag: 'plain', help: 'keep height and width of the images dynamic' },
  attention: {
    flag: 'plain',
    help: 'also output the attention of every dynamic convolution',
  },
  check: { flag: 'negated', help: 'do not check the file on test images' },
  checkImages: {
    value: 'n',
    type: positiveInteger,
    default: 100,
    help: 'number of test images to check the file on, spread over the set',
  },
  onnxruntime: {
    value: 'folder',
    type: path,
    default: '.',
    shownDefault: 'the current one',
    help: 'folder in which onnxruntime-node is installed, to check an ONNX file with it',
  },
  dataDir: {
    value: 'folder',
    type: path,
    help: 'folder of the data set, or the file of a manifest (default: as in training)',
  },
  download: { flag: 'negated', help: 'do not download a missing data set' },
  dataMirror: DATA_MIRROR,
  verify: { flag: 'negated', help: 'accept an archive whose checksum differs from the published one' },
  skipUnreadable: {
    flag: 'plain',
    help: 'skip images of a folder or manifest that cannot be read (default: an error)',
  },
  json: { flag: 'plain', help: 'print the result as JSON' },
});

/** @typedef {OptionsOf<typeof OPTIONS>} ExportOptions */

/**
 * The formats that some options are for; the others are for all.
 * @type {Record<'opset' | 'precision' | 'onnxruntime' | 'dynamicSize' | 'attention', readonly ExportOptions['format'][]>}
 */
const FORMATS_OF = {
  opset: ['onnx'],
  precision: ['onnx', 'program'],
  onnxruntime: ['onnx'],
  dynamicSize: ['onnx', 'torchscript'],
  attention: ['onnx', 'torchscript'],
};

/** Options of files in int8. */
const INT8_ONLY = /** @type {const} */ (['calibration', 'percentile']);

/** Options of the check. */
const CHECK_ONLY = /** @type {const} */ (['checkImages', 'onnxruntime']);

export const command = defineCommand({
  name: 'export',
  description:
    'Exports the network of a run, and checks on test images that the file predicts the same classes.',
  examples: [
    '--run runs/dy --out dy.onnx',
    '--run runs/dy --out dy-16.onnx --precision float16 --onnxruntime service',
    '--run runs/dy --out dy-8.onnx --precision int8 --check-images 1000',
    '--run runs/dy --format program --out dy.dyc --precision int8',
    '--run runs/dy --format torchscript --out dy.pt --attention',
    '--run runs/dy --format safetensors --out dy.safetensors',
  ],
  options: OPTIONS,
  async run(options, { given }) {
    checkFormat(options, given);
    checkOut(options);
    const { train } = await import('../../dist/index.js');
    const { exportRun, isGood, usedImages } = await import('../cli/exporting.js');
    if (given.has('onnxruntime'))
      (await import('../cli/onnxruntime.js')).requireOnnxruntime(options.onnxruntime);
    const { dataset } = await (await train.RunDirectory.open(options.run)).readConfig();
    checkDataDir(dataset, options.dataDir !== undefined);
    const { config, written, check } = await exportRun(options);
    const good = typeof check === 'string' || isGood(check, options.precision);
    if (options.json) {
      const { details: _, ...file } = written;
      const { model } = config;
      const result = typeof check === 'string' ? { check: null, notChecked: check } : { check };
      console.log(JSON.stringify({ model, checkpoint: options.checkpoint, ...file, ...result }));
    } else {
      const { file, bytes, seconds, details } = written;
      console.log(
        `${config.model} (${options.checkpoint}) in ${printable(file)}: ${(bytes / 1e6).toFixed(1)} MB in ${seconds.toFixed(1)} s`,
      );
      for (const line of details) console.log(line);
      console.log(
        typeof check === 'string'
          ? `not checked: ${check}`
          : checkLine(check, usedImages(check.images, options.checkImages, 'test')),
      );
    }
    if (!good) console.error('error: the file does not give the classes of the run');
    return good ? 0 : 1;
  },
});

/** @param {ExportOptions} options @param {ReadonlySet<string>} given */
function checkFormat({ format, precision, check }, given) {
  for (const [name, formats] of Object.entries(FORMATS_OF)) {
    if (!given.has(name) || formats.includes(format)) continue;
    const option = /** @type {keyof typeof FORMATS_OF} */ (name);
    throw new ArgumentError(
      `Expected --format ${formats.join(' or ')} with ${flagOf(option, OPTIONS[option])} but received ${format}`,
    );
  }
  if (format === 'program' && precision === 'float16')
    throw new ArgumentError(
      'Expected --precision float32 or int8 with --format program but received float16',
    );
  const only = precision === 'int8' ? undefined : INT8_ONLY.find((name) => given.has(name));
  if (only !== undefined)
    throw new ArgumentError(
      `Expected --precision int8 with ${flagOf(only, OPTIONS[only])} but received ${precision}`,
    );
  const unused = check ? undefined : CHECK_ONLY.find((name) => given.has(name));
  if (unused !== undefined)
    throw new ArgumentError(
      `Expected no ${flagOf(unused, OPTIONS[unused])} with --no-check, which leaves the check out`,
    );
}

/** Before anything is loaded or written. @param {ExportOptions} options */
function checkOut({ out, force }) {
  const found = statSync(out, { throwIfNoEntry: false });
  if (found?.isDirectory()) throw new CheckpointError(`Cannot write ${out}: it is a folder`);
  if (found?.isFile() && !force) throw existsError('--out', out);
  if (!statSync(dirname(out), { throwIfNoEntry: false })?.isDirectory())
    throw new CheckpointError(`Cannot write ${out}: no such folder`);
}

/** @param {Check} check @param {string} images */
function checkLine({ by, accuracy, runAccuracy, same, difference }, images) {
  return (
    `checked by ${by} on ${images}: accuracy ${accuracy.toFixed(4)}, of the run ${runAccuracy.toFixed(4)}; ` +
    `${same} with the same class; largest difference of a logit ${difference.toExponential(1)} of the largest logit`
  );
}
