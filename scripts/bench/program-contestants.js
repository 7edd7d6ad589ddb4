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

/**
 * @param {ModelName} name @param {number} batch
 * @param {string} [folder] - With onnxruntime-node and <name>.onnx. AlexNet-DY is compared with AlexNet.
 * @returns {Promise<Record<string, Run>>}
 */
export async function programContestants(name, batch, folder) {
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
  if (folder === undefined) return runs;
  const file = join(folder, `${name.replace('-dy', '')}.onnx`);
  if (!existsSync(file)) throw new ArgumentError(`Expected ${file} for --onnxruntime: there is no such file`);
  const ort = requireOnnxruntime(folder);
  const session = await ort.InferenceSession.create(file, { intraOpNumThreads: getNumThreads() });
  const feeds = { [session.inputNames[0] ?? '']: feedOf(ort, input) };
  return { ...runs, onnxruntime: () => session.run(feeds) };
}
