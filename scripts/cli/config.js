/**
 * Converts the options of train.js to the configuration of a run.
 * @module
 */
import { resolve } from 'node:path';
import { ArgumentError, cuda, DeviceError, train } from '../../dist/index.js';
import { IMAGE_SIZES } from '../../dist/models/names.js';
import { ownOptions, REGISTRY } from '../../dist/models/registry.js';
import { DEFAULT_PADDING } from './augment-options.js';
import { checkDataDir } from './option-checks.js';
import { configFields, flagOf, optionsOfConfig } from './option-table.js';
import { TRAIN_OPTIONS } from './train-options.js';

/** @import { Device, nn } from '../../dist/index.js' */
/** @import { RunConfig } from '../../dist/train/index.js' */
/** @import { TrainOptions } from './train-options.js' */
/** @import { OptionSpec } from './types.js' */

/** A configuration before there is a model. @typedef {Omit<RunConfig, 'parameters'>} Draft */
/** What a configuration has of data sets. @typedef {{ length: number, classes: readonly string[], shape: readonly number[], labels: ArrayLike<number>, images?: Uint8Array }} SetFacts */
/** @typedef {ReadonlySet<keyof TrainOptions>} Given */

/** Kernels per dynamic layer: the article's number, and the paper's for all other networks. */
const EXPERTS = { article: 2, paper: 4 };

/**
 * `auto` is CUDA if there is a usable device.
 * @param {'auto' | Device} device - A value of --device.
 * @returns {Device}
 * @throws {DeviceError} if there is no such device.
 */
export function resolveDevice(device) {
  const count = cuda.deviceCount();
  if (device === 'auto') return count > 0 ? 'cuda' : 'cpu';
  const index = device === 'cpu' ? -1 : Number(device.slice('cuda:'.length));
  if (index >= count) {
    const found = count === 0 ? `no CUDA device (${cuda.whyUnavailable()})` : `${count} CUDA device(s)`;
    throw new DeviceError(
      `Expected an available device for --device but received ${device}: there is ${found}`,
    );
  }
  return device;
}

/**
 * The configuration of a new run.
 * @param {TrainOptions} options
 * @param {{ trainSet: SetFacts, valSet: SetFacts, valSplit?: RunConfig['valSplit'] | undefined, digests?: Pick<RunConfig, 'imageDigests' | 'contentDigests'> }} sets - `valSplit`: default, that of the options.
 * @returns {Draft}
 */
export function configOf(options, { trainSet, valSet, valSplit = options.valSplit, digests }) {
  const { dataset, dataDir, batchSize, limitTrain, limitTest, crop, padding } = options;
  const trainImages = Math.min(trainSet.length, limitTrain ?? trainSet.length);
  if (batchSize > trainImages) {
    throw new ArgumentError(
      `Expected at most ${trainImages}, the number of training images, for --batch-size but received ${batchSize}`,
    );
  }
  const device = resolveDevice(options.device);
  return {
    ...configFields(TRAIN_OPTIONS, options),
    modelOptions: { numClasses: trainSet.classes.length, ...modelOptionsOf(options) },
    // Later commands may run in another folder.
    dataDir: dataset === 'bundled' ? null : resolve(dataDir),
    classes: [...trainSet.classes],
    ...digests,
    trainImages,
    valImages: valSplit ? valSet.length : Math.min(valSet.length, limitTest ?? valSet.length),
    imageShape: [...trainSet.shape],
    imageSize: imageSizeOf(options),
    valSplit: valSplit ?? null,
    classWeights: classWeightsOf(options, trainSet),
    device,
    padding: crop === 'padded' ? (padding ?? DEFAULT_PADDING) : null,
    augmentOn: augmentOn(options, { device, isInMemory: 'images' in trainSet }),
  };
}

/**
 * The options of the network but the number of classes. Defaults are left out: a configuration is then equal to those of
 * older runs.
 * @param {Pick<TrainOptions, 'model' | 'modelOptions' | 'numExperts' | 'initGain' | 'classifierGain' | 'initialWeights' | 'imageSize'>} options
 * @returns {RunConfig['modelOptions']}
 * @throws {ArgumentError} for an option that the network does not have.
 */
export function modelOptionsOf(options) {
  const { model, modelOptions, numExperts, initGain, classifierGain, initialWeights, imageSize } = options;
  const experts = numExperts ?? (model === 'alexnet-dy' ? EXPERTS.article : EXPERTS.paper);
  const own = ownOptions(model, {
    numExperts: experts,
    ...(initGain !== 1 && { initGain }),
    ...(classifierGain !== 1 && { classifierGain }),
    ...(initialWeights !== 'kaiming' && { initialWeights }),
    // A network whose weights are for one size.
    ...(REGISTRY[model].keys.has('imageSize') && { imageSize: imageSizeOf({ model, imageSize }) }),
    ...modelOptions,
  });
  return /** @type {RunConfig['modelOptions']} */ (own);
}

/**
 * Height and width of the images that a network is trained with, in pixels.
 * @param {Pick<TrainOptions, 'model' | 'imageSize'>} options
 */
export function imageSizeOf({ model, imageSize }) {
  return imageSize ?? IMAGE_SIZES[model];
}

/**
 * Weights of the classes in the loss. Balanced ones are the inverse of the numbers of images, with a mean of 1 over the images.
 * @param {Pick<TrainOptions, 'classWeights' | 'limitTrain'>} options
 * @param {SetFacts} set
 */
function classWeightsOf({ classWeights, limitTrain }, { classes, labels, length }) {
  if (classWeights === undefined) return null;
  checkClassWeights(classWeights, classes.length);
  if (classWeights !== 'balanced') return classWeights;
  const used = Math.min(length, limitTrain ?? length);
  const counts = new Array(classes.length).fill(0);
  // The images that the loader takes with a limit.
  for (let i = 0; i < used; i++) counts[labels[Math.floor((i * length) / used)] ?? 0] += 1;
  const empty = classes.filter((_, label) => counts[label] === 0);
  if (empty.length > 0)
    throw new ArgumentError(
      `Expected training images of every class for --class-weights balanced but found none of ${empty.slice(0, 10).join(', ')}`,
    );
  return counts.map((count) => used / (classes.length * count));
}

/**
 * @param {TrainOptions['classWeights']} classWeights @param {number} count - Number of classes.
 * @throws {ArgumentError} for another number of weights.
 */
export function checkClassWeights(classWeights, count) {
  if (classWeights === undefined || classWeights === 'balanced' || classWeights.length === count) return;
  throw new ArgumentError(
    `Expected ${count} numbers, one for each class, for --class-weights but received ${classWeights.length}`,
  );
}

/**
 * Where images are transformed. The images of a set beyond memory are not copied to the device.
 * @param {Pick<TrainOptions, 'augmentOn'>} options @param {{ device: Device, isInMemory: boolean }} run
 * @returns {'cpu' | 'device'}
 */
function augmentOn({ augmentOn: where }, { device, isInMemory }) {
  if (where !== 'auto') return where;
  return device.startsWith('cuda') && isInMemory ? 'device' : 'cpu';
}

/**
 * The configuration after the model is created: with its size, and without a temperature if it has no dynamic layers.
 * @param {Draft} draft
 * @param {nn.Module} model
 * @returns {RunConfig}
 */
export function completeConfig(draft, model) {
  const config = { ...draft, parameters: train.countParameters(model) };
  return train.getTemperature(model) === null ? { ...config, temperature: null } : config;
}

/**
 * The configuration of a resumed run: the original one, except for options that may be replaced.
 * @param {RunConfig} config
 * @param {TrainOptions} options
 * @param {Given} given - Options on the command line.
 * @param {number} [finished] - Number of epochs that the run has finished.
 * @returns {RunConfig}
 * @throws {ArgumentError} for an option that contradicts the run.
 */
export function resumedConfig(config, options, given, finished = 0) {
  checkDataDir(config.dataset, given.has('dataDir'));
  const kept = {
    ...options,
    ...optionsOfConfig(TRAIN_OPTIONS, config),
    modelOptions: sameMembers(options.modelOptions, config.modelOptions),
  };
  const specs = /** @type {[name: keyof TrainOptions, spec: OptionSpec][]} */ (Object.entries(TRAIN_OPTIONS));
  for (const [name, spec] of specs)
    if (given.has(name)) checkResumed(flagOf(name, spec), spec, kept[name], options[name]);
  if (given.has('epochs') && options.epochs !== config.epochs) checkMayGrow(config, options.epochs, finished);
  const replaced = specs.filter(([name, { resume }]) => resume === 'replace' && given.has(name));
  const values = { ...kept, ...Object.fromEntries(replaced.map(([name]) => [name, options[name]])) };
  const { epochs, keepCheckpoints } = configFields(TRAIN_OPTIONS, values);
  return {
    ...config,
    epochs,
    keepCheckpoints,
    ...(given.has('device') && { device: resolveDevice(options.device) }),
    ...(given.has('dataDir') && { dataDir: resolve(options.dataDir) }),
  };
}

/**
 * What a run has of the options of the network that are on the command line.
 * @param {TrainOptions['modelOptions']} given
 * @param {RunConfig['modelOptions']} kept
 * @returns {TrainOptions['modelOptions']}
 */
function sameMembers(given, kept) {
  if (given === undefined) return undefined;
  /** @type {RunConfig['modelOptions']} */
  const same = {};
  for (const name of Object.keys(given)) {
    const value = kept[name];
    if (value !== undefined) same[name] = value;
  }
  return same;
}

/**
 * @param {string} flag
 * @param {OptionSpec} spec
 * @param {unknown} kept - Of the run.
 * @param {unknown} value - On the command line.
 */
function checkResumed(flag, { resume }, kept, value) {
  // Automatic choices are those of the run.
  const isAutomatic = value === 'auto' || (value === 'balanced' && Array.isArray(kept));
  if (resume !== undefined || isAutomatic || JSON.stringify(value) === JSON.stringify(kept)) return;
  const shown = (/** @type {unknown} */ one) =>
    typeof one === 'object' && !Array.isArray(one) ? JSON.stringify(one) : one;
  const expected = kept === undefined ? `no ${flag}` : `${shown(kept)} for ${flag}`;
  throw new ArgumentError(
    `Expected ${expected}, as the run to be resumed was started, but received ${shown(value)}`,
  );
}

/** Some schedules are laid out for the number of epochs: another number is another run. @param {RunConfig} config @param {number} epochs @param {number} finished */
function checkMayGrow({ schedule, epochs: before }, epochs, finished) {
  if (epochs < finished)
    throw new ArgumentError(
      `Expected at least ${finished}, the finished epochs, for --epochs but received ${epochs}`,
    );
  if (schedule !== 'cosine' && schedule !== 'one-cycle') return;
  throw new ArgumentError(
    `Expected ${before} for --epochs, as the schedule ${schedule} of the run to be resumed depends on it, but received ${epochs}`,
  );
}
