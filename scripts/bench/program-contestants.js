/**
 * Who takes part in the benchmark of programs.
 * @module
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ArgumentError, getNumThreads, models, nn, noGrad, randn, tidy } from '../../dist/index.js';
import { IMAGE_SIZES } from '../../dist/models/names.js';
import { feedOf, requireOnnxruntime } from '../cli/onnxruntime.js';

/** @import { ModelName } from '../../dist/models/names.js' */

/**
 * Runs of one contestant on one batch.
 * @typedef {() => unknown} Run
 */

/** Images of the calibration: its ranges do not matter for the time. */
const CALIBRATION = 8;

/**
 * @param {ModelName} name @param {number} batch
 * @param {string} [folder] - With onnxruntime-node and <name>.onnx. AlexNet-DY is compared with AlexNet.
 * @param {{ bfloat16?: boolean, int8?: boolean }} [also] - Programs in other dtypes.
 * @returns {Promise<Record<string, Run>>}
 */
export async function programContestants(name, batch, folder, also = {}) {
  const model = models.create(name).eval();
  const size = IMAGE_SIZES[name];
  const input = randn([batch, 3, size, size]);
  const program = nn.compile(model, input);
  /** @type {Record<string, Run>} */
  const runs = {
    // Without `tidy`, it would allocate fresh memory until garbage is collected.
    eager: () => tidy(() => noGrad(() => model.forward(input)).dispose()),
    compiled: () => program.runSync(input).dispose(),
  };
  if (also.bfloat16) {
    const narrow = nn.compile(model, input, { dtype: 'bfloat16' });
    runs.bfloat16 = () => narrow.runSync(input).dispose();
  }
  if (also.int8) {
    const quantized = await program.quantize({ calibration: [randn([CALIBRATION, 3, size, size])] });
    runs.int8 = () => quantized.runSync(input).dispose();
  }
  if (folder === undefined) return runs;
  const file = join(folder, `${name.replace('-dy', '')}.onnx`);
  if (!existsSync(file)) throw new ArgumentError(`Expected ${file} for --onnxruntime: there is no such file`);
  const ort = requireOnnxruntime(folder);
  const session = await ort.InferenceSession.create(file, { intraOpNumThreads: getNumThreads() });
  const feeds = { [session.inputNames[0] ?? '']: feedOf(ort, input) };
  return { ...runs, onnxruntime: () => session.run(feeds) };
}
