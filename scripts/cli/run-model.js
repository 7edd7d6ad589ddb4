/**
 * The trained model of a run directory.
 * @module
 */
import { CheckpointError, loadSafetensors, models, train } from '../../dist/index.js';
import { resolveDevice } from './training.js';

/**
 * Builds the model of a run and loads its weights.
 * @param {string} path - Run directory.
 * @param {{ checkpoint: 'best' | 'last', device: string }} options
 * @throws {CheckpointError} if there is no such run, or its weights are of another architecture.
 */
export async function loadRunModel(path, { checkpoint, device: name }) {
  const run = await train.RunDirectory.open(path);
  const config = await run.readConfig();
  const device = resolveDevice(name);
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
  return { run, config: { ...config, device }, model: model.to({ device }).eval(), file };
}
