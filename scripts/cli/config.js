/**
 * Converts the options of train.js to the configuration of a run.
 * @module
 */
import { ArgumentError, cuda, DeviceError, train } from '../../dist/index.js';
import { DEFAULT_PADDING } from './augment-options.js';
import { checkDataDir } from './option-checks.js';
import { configFields, flagOf, optionsOfConfig } from './option-table.js';
import { TRAIN_OPTIONS } from './train-options.js';

/** @import { Device, nn } from '../../dist/index.js' */
/** @import { RunConfig } from '../../dist/train/index.js' */
/** @import { TrainOptions } from './train-options.js' */
/** @import { OptionSpec } from './types.js' */

/** A configuration before there is a model. @typedef {Omit<RunConfig, 'parameters'>} Draft */
/** What a configuration has of data sets. @typedef {{ length: number, classes: readonly string[], shape: readonly number[] }} SetFacts */
/** @typedef {ReadonlySet<keyof TrainOptions>} Given */

/** Side of the square input images of the article's networks in pixels. */
const IMAGE_SIZE = 128;

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
 * @param {{ trainSet: SetFacts, valSet: SetFacts }} sets
 * @returns {Draft}
 */
export function configOf(options, { trainSet, valSet }) {
  const { dataset, dataDir, batchSize, limitTrain, limitTest, valSplit, crop, padding } = options;
  const trainImages = Math.min(trainSet.length, limitTrain ?? trainSet.length);
  if (batchSize > trainImages) {
    throw new ArgumentError(
      `Expected at most ${trainImages}, the number of training images, for --batch-size but received ${batchSize}`,
    );
  }
  const device = resolveDevice(options.device);
  return {
    ...configFields(TRAIN_OPTIONS, options),
    modelOptions: { numClasses: trainSet.classes.length, ...modelOptions(options) },
    dataDir: dataset === 'bundled' ? null : dataDir,
    classes: [...trainSet.classes],
    trainImages,
    valImages: valSplit ? valSet.length : Math.min(valSet.length, limitTest ?? valSet.length),
    imageShape: [...trainSet.shape],
    imageSize: IMAGE_SIZE,
    device,
    padding: crop === 'padded' ? (padding ?? DEFAULT_PADDING) : null,
    augmentOn: augmentOn(options, device),
  };
}

/**
 * Gains of 1 are left out: a configuration is then equal to those of older runs.
 * @param {Pick<TrainOptions, 'numExperts' | 'initGain' | 'classifierGain'>} options
 */
function modelOptions({ numExperts, initGain, classifierGain }) {
  return { numExperts, ...(initGain !== 1 && { initGain }), ...(classifierGain !== 1 && { classifierGain }) };
}

/** @param {Pick<TrainOptions, 'augmentOn'>} options @param {Device} device @returns {'cpu' | 'device'} */
function augmentOn({ augmentOn: where }, device) {
  if (where !== 'auto') return where;
  return device.startsWith('cuda') ? 'device' : 'cpu';
}

/**
 * The configuration after the model is created: with its size, and without fields for dynamic layers if it has none.
 * @param {Draft} draft
 * @param {nn.Module} model
 * @returns {RunConfig}
 */
export function completeConfig(draft, model) {
  const config = { ...draft, parameters: train.countParameters(model) };
  if (train.getTemperature(model) !== null) return config;
  const { numExperts: _, initGain: __, ...modelOptions } = draft.modelOptions;
  return { ...config, modelOptions, temperature: null };
}

/**
 * The configuration of a resumed run: the original one, except for options that may be replaced.
 * @param {RunConfig} config
 * @param {TrainOptions} options
 * @param {Given} given - Options on the command line.
 * @returns {RunConfig}
 * @throws {ArgumentError} for an option that contradicts the run.
 */
export function resumedConfig(config, options, given) {
  checkDataDir(config.dataset, given.has('dataDir'));
  const kept = { ...options, ...optionsOfConfig(TRAIN_OPTIONS, config) };
  const specs = /** @type {[name: keyof TrainOptions, spec: OptionSpec][]} */ (Object.entries(TRAIN_OPTIONS));
  for (const [name, spec] of specs)
    if (given.has(name)) checkResumed(flagOf(name, spec), spec, kept[name], options[name]);
  if (given.has('epochs') && options.epochs !== config.epochs) checkMayGrow(config, options.epochs);
  const replaced = specs.filter(([name, { resume }]) => resume === 'replace' && given.has(name));
  const values = { ...kept, ...Object.fromEntries(replaced.map(([name]) => [name, options[name]])) };
  const { epochs, keepCheckpoints } = configFields(TRAIN_OPTIONS, values);
  return {
    ...config,
    epochs,
    keepCheckpoints,
    ...(given.has('device') && { device: resolveDevice(options.device) }),
    ...(given.has('dataDir') && { dataDir: options.dataDir }),
  };
}

/**
 * @param {string} flag
 * @param {OptionSpec} spec
 * @param {unknown} kept - Of the run.
 * @param {unknown} value - On the command line.
 */
function checkResumed(flag, { resume }, kept, value) {
  // Automatic choices are those of the run.
  if (resume !== undefined || value === 'auto' || JSON.stringify(value) === JSON.stringify(kept)) return;
  const expected = kept === undefined ? `no ${flag}` : `${kept} for ${flag}`;
  throw new ArgumentError(
    `Expected ${expected}, as the run to be resumed was started, but received ${value}`,
  );
}

/** Some schedules are laid out for the number of epochs: another number is another run. @param {RunConfig} config @param {number} epochs */
function checkMayGrow({ schedule, epochs: before }, epochs) {
  if (schedule !== 'cosine' && schedule !== 'one-cycle') return;
  throw new ArgumentError(
    `Expected ${before} for --epochs, as the schedule ${schedule} of the run to be resumed depends on it, but received ${epochs}`,
  );
}
