/**
 * From the options of train.js to the configuration of a run.
 * @module
 */
import { ArgumentError, cuda, DeviceError, train } from '../../dist/index.js';
import { augmentationOf } from './augmentation.js';

/** @typedef {import('../../dist/train/index.js').RunConfig} RunConfig */
/** @typedef {import('../../dist/data/dataset.js').InMemoryDataset} Dataset */

/** Side of the square images the article's networks take, in pixels. */
const IMAGE_SIZE = 128;

/** Options that may be given together with --resume: they do not change what the run computed so far. */
const FREE_ON_RESUME = [
  'out',
  'resume',
  'json',
  'epochs',
  'dataDir',
  'device',
  'threads',
  'download',
  'verify',
  'skipUnreadable',
  'checkpointEvery',
  'keepLast',
];

/**
 * `auto` is CUDA where there is a usable device.
 * @param {string} device - A value of --device.
 * @returns {import('../../dist/index.js').Device}
 * @throws {DeviceError} if it is not there.
 */
export function resolveDevice(device) {
  const count = cuda.deviceCount();
  if (device === 'auto') return count > 0 ? 'cuda' : 'cpu';
  const index = device === 'cpu' ? -1 : Number(device.slice('cuda:'.length));
  if (index >= count) {
    const there = count === 0 ? `no CUDA device (${cuda.whyUnavailable()})` : `${count} of CUDA`;
    throw new DeviceError(
      `Expected a device that is there for --device but received ${device}: there is ${there}`,
    );
  }
  return /** @type {import('../../dist/index.js').Device} */ (device);
}

/**
 * The configuration a fresh run is started with.
 * @param {Record<string, any>} options - As commander gives them.
 * @param {{ trainSet: Dataset, valSet: Dataset }} sets
 * @returns {Omit<RunConfig, 'parameters'>}
 */
export function configOf(options, { trainSet, valSet }) {
  const { model, dataset, epochs, batchSize, lr, momentum, weightDecay, labelSmoothing, gamma, seed, dtype } =
    options;
  const trainImages = Math.min(trainSet.length, options.limitTrain ?? trainSet.length);
  if (batchSize > trainImages) {
    throw new ArgumentError(
      `Expected at most ${trainImages}, the number of training images, for --batch-size but received ${batchSize}`,
    );
  }
  const device = resolveDevice(options.device);
  return {
    recipe: options.recipe,
    model,
    modelOptions: { numClasses: trainSet.classes.length, numExperts: options.numExperts },
    dataset,
    dataDir: dataset === 'bundled' ? null : options.dataDir,
    classes: [...trainSet.classes],
    trainImages,
    valImages: options.valSplit ? valSet.length : Math.min(valSet.length, options.limitTest ?? valSet.length),
    valSplit: options.valSplit ?? null,
    imageShape: [...trainSet.shape],
    imageSize: IMAGE_SIZE,
    epochs,
    batchSize,
    lr,
    momentum,
    weightDecay,
    labelSmoothing,
    milestones: options.milestones,
    gamma,
    temperature: { start: options.temperature, epochs: options.temperatureEpochs },
    seed,
    device,
    dtype,
    limitTrain: options.limitTrain ?? null,
    limitTest: options.limitTest ?? null,
    ...augmentationOf(options, device),
    ...refinements(options),
  };
}

/**
 * What the article does without, as a configuration keeps it.
 * @param {Record<string, any>} options
 */
function refinements(options) {
  const { earlyStopping, minDelta, schedule, warmupEpochs, accumulate, monitor, validateEvery } = options;
  return {
    schedule,
    warmupEpochs,
    accumulate,
    clipGradNorm: options.clipGradNorm ?? null,
    clipGradValue: options.clipGradValue ?? null,
    ema: options.ema ?? null,
    autocast: options.autocast ?? null,
    capture: options.capture,
    monitor,
    earlyStopping: earlyStopping ? { patience: earlyStopping, minDelta } : null,
    validateEvery,
    keepCheckpoints: keptCheckpoints(options),
    init: options.init ?? null,
  };
}

/** @param {Record<string, any>} options */
function keptCheckpoints({ checkpointEvery, keepLast }) {
  return checkpointEvery ? { every: checkpointEvery, last: keepLast } : null;
}

/**
 * The configuration once the model is there: with its size, and without what only dynamic layers have a use for.
 * @param {Omit<RunConfig, 'parameters'>} draft
 * @param {import('../../dist/index.js').nn.Module} model
 * @returns {RunConfig}
 */
export function completeConfig(draft, model) {
  const config = { ...draft, parameters: train.countParameters(model) };
  if (train.getTemperature(model) !== null) return config;
  const { numExperts: _, ...modelOptions } = draft.modelOptions;
  return { ...config, modelOptions, temperature: null };
}

/**
 * The configuration a run is continued with: the one it was started with, with more epochs if asked for.
 * @param {RunConfig} config
 * @param {import('commander').Command} command - After parsing.
 * @returns {RunConfig}
 * @throws {ArgumentError} for an option that contradicts the run.
 */
export function resumedConfig(config, command) {
  const options = command.opts();
  const given = command.options
    .map((option) => option.attributeName())
    .filter((name) => command.getOptionValueSource(name) === 'cli');
  const kept = startedWith(config);
  for (const name of given.filter((name) => !FREE_ON_RESUME.includes(name))) {
    if (options[name] === 'auto') continue; // whatever the run chose
    if (JSON.stringify(options[name]) === JSON.stringify(kept[name])) continue;
    const flag = command.options.find((option) => option.attributeName() === name)?.long;
    throw new ArgumentError(
      `Expected ${flag} to be ${kept[name] ?? 'left out'}, as the run to be resumed was started, but received ${options[name]}`,
    );
  }
  if (given.includes('epochs') && options.epochs !== config.epochs) checkMayGrow(config, options.epochs);
  const keepCheckpoints = keptCheckpoints({
    checkpointEvery: options.checkpointEvery ?? config.keepCheckpoints?.every,
    keepLast: given.includes('keepLast')
      ? options.keepLast
      : (config.keepCheckpoints?.last ?? options.keepLast),
  });
  return {
    ...config,
    keepCheckpoints,
    ...(given.includes('epochs') && { epochs: options.epochs }),
    ...(given.includes('device') && { device: resolveDevice(options.device) }),
    ...(given.includes('dataDir') && config.dataDir !== null && { dataDir: options.dataDir }),
  };
}

/** Some schedules are laid out for the number of epochs: another number is another run. @param {RunConfig} config @param {number} epochs */
function checkMayGrow({ schedule, epochs: before }, epochs) {
  if (schedule !== 'cosine' && schedule !== 'one-cycle') return;
  throw new ArgumentError(
    `Expected --epochs to be ${before}, as the schedule ${schedule} of the run to be resumed is laid out for it, but received ${epochs}`,
  );
}

/** A run's configuration in the names of the options. @param {RunConfig} config @returns {Record<string, unknown>} */
function startedWith(config) {
  return {
    ...withoutNulls(config),
    numExperts: config.modelOptions.numExperts,
    temperature: config.temperature?.start,
    temperatureEpochs: config.temperature?.epochs,
    earlyStopping: config.earlyStopping?.patience,
    minDelta: config.earlyStopping?.minDelta ?? 0,
  };
}

/** An option that was left out is undefined, where a configuration has null. @param {object} config */
function withoutNulls(config) {
  return Object.fromEntries(Object.entries(config).filter(([, value]) => value !== null));
}
