/**
 * Measuring a checkpoint of a run and keeping the result in its directory.
 * @module
 */
import { CheckpointError, loadSafetensors, models, report, train } from '../../dist/index.js';
import { resolveDevice } from './config.js';
import { lossOf, testLoader } from './training.js';

/** @typedef {import('../../dist/train/index.js').RunConfig} RunConfig */
/** @typedef {import('../../dist/train/index.js').RunDirectory} RunDirectory */

/**
 * Builds the model of a run and loads its weights.
 * @param {RunDirectory} run
 * @param {{ checkpoint: 'best' | 'last', device?: string }} options - Default device: that of the training.
 * @throws {CheckpointError} if the weights are missing, damaged, or of another architecture.
 */
export async function loadModel(run, { checkpoint, device: name }) {
  const config = await run.readConfig();
  const device = resolveDevice(name ?? config.device);
  const model = models.create(config.model, config.modelOptions);
  const file = run.file(`${checkpoint}.safetensors`);
  const state = await loadSafetensors(file);
  try {
    model.loadStateDict(state, { strict: true });
  } catch (error) {
    if (!(error instanceof CheckpointError)) throw error;
    throw new CheckpointError(`${file} does not fit ${config.model}: ${error.message}`, { cause: error });
  } finally {
    for (const tensor of Object.values(state)) tensor.dispose();
  }
  return { config: { ...config, device }, model: model.to({ device }).eval() };
}

/**
 * Measures a checkpoint on test images; leaves `evaluation.json` and `predictions.png` in the run directory.
 * @param {RunDirectory} run
 * @param {import('../../dist/data/dataset.js').Dataset} set
 * @param {{ checkpoint: 'best' | 'last', device?: string }} options
 */
export async function evaluateRun(run, set, options) {
  const { config, model } = await loadModel(run, options);
  try {
    const { predictions = [], ...result } = await train.evaluate(model, testLoader(config, set), {
      loss: lossOf(config),
      predictions: true,
    });
    const { loss, accuracy, images, imagesPerSecond, confusion } = result;
    const { checkpoint } = options;
    const { classes } = config;
    await run.writeEvaluation({ checkpoint, loss, accuracy, images, imagesPerSecond, classes, confusion });
    await report.writePredictions(run.file('predictions.png'), { set, predictions });
    return { config, result };
  } finally {
    for (const parameter of model.parameters()) parameter.dispose();
    for (const [, buffer] of model.namedBuffers()) buffer.dispose();
  }
}
