/**
 * The network of a run with its initial weights, and the optimizer.
 * @module
 */
import { listNames } from '../../dist/data/class-names.js';
import { ArgumentError, CheckpointError, models, optim, train } from '../../dist/index.js';
import { downloadBar } from './datasets.js';
import { printable } from './printable.js';

/** @import { nn } from '../../dist/index.js' */
/** @import { RunConfig } from '../../dist/train/index.js' */

/**
 * Loads the initial weights of a run. The last part of the network may have another number of classes: what was left out
 * is reported on stderr.
 * @param {nn.Module} model
 * @param {Pick<RunConfig, 'init' | 'model'>} config
 * @param {{ signal?: AbortSignal, quiet?: boolean }} [options] - `quiet`: no report.
 */
export async function loadInitialWeights(model, { init, model: name }, { signal, quiet = false } = {}) {
  if (!init) return;
  const bar = downloadBar(init);
  /** @type {Awaited<ReturnType<typeof models.loadPretrained>>} */
  let loaded;
  try {
    // Keys that differ are an error here, which knows the name of the network.
    const options = { strict: false, ignoreMismatched: true, signal, onProgress: bar.update };
    loaded = await models.loadPretrained(model, init, options);
  } finally {
    bar.stop();
  }
  const { missing, unexpected, mismatched, file, prefix } = loaded;
  if (missing.length + unexpected.length > 0)
    throw new CheckpointError(
      `${file} has the weights of another network than ${name}: missing ${listNames(missing)}; unexpected ${listNames(unexpected)}`,
    );
  const head = `${train.headOf(model)}.`;
  const others = mismatched.filter((key) => !key.startsWith(head));
  if (others.length > 0) {
    throw new CheckpointError(
      `Expected weights of ${name} in ${file} but the shapes of ${others.slice(0, 6).join(', ')} differ`,
    );
  }
  if (quiet) return;
  const count = Object.keys(model.stateDict()).length;
  const parts = [
    `initial weights: ${count - mismatched.length} of ${count} tensors from ${printable(init)}`,
    mismatched.length > 0 && `not ${mismatched.join(', ')}, because the classes differ`,
    prefix !== '' && `without the prefix ${prefix}`,
  ];
  console.error(parts.filter(Boolean).join('; '));
}

/**
 * Freezes the parts of `--freeze`.
 * @param {nn.Module} model
 * @param {Pick<RunConfig, 'freeze'>} config
 * @returns {nn.Module[]} The frozen modules.
 * @throws {ArgumentError} if the network has no such part, or if nothing would be trained.
 */
export function freezeParts(model, { freeze }) {
  if (!freeze) return [];
  const { modules } = train.freeze(model, freeze);
  if (trainedParameters(model).length === 0)
    throw new ArgumentError(
      `Expected parts for --freeze that leave parameters to train but received ${freeze}`,
    );
  return modules;
}

/** @param {nn.Module} model */
const trainedParameters = (model) => [...model.parameters()].filter(({ requiresGrad }) => requiresGrad);

/**
 * The optimizer of the parameters that are trained.
 * @param {nn.Module} model
 * @param {Pick<RunConfig, 'optimizer' | 'lr' | 'momentum' | 'weightDecay'>} config
 */
export function createOptimizer(model, { optimizer = 'sgd', lr, momentum, weightDecay }) {
  const parameters = trainedParameters(model);
  switch (optimizer) {
    case 'adam':
      return new optim.Adam(parameters, { lr, weightDecay });
    case 'adamw':
      return new optim.AdamW(parameters, { lr, weightDecay });
    case 'rmsprop':
      return new optim.RMSprop(parameters, { lr, momentum, weightDecay });
    default:
      return new optim.SGD(parameters, { lr, momentum, weightDecay });
  }
}
