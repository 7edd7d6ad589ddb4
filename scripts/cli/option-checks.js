/**
 * Combinations of options of train.js that are errors. Checked before anything is loaded or downloaded.
 * @module
 */
import { ArgumentError } from '../../dist/errors.js';

/** @import { TrainOptions } from './train-options.js' */
/** @typedef {ReadonlySet<keyof TrainOptions>} Given */

/**
 * @param {TrainOptions} options - For a new run.
 * @param {Given} given - Options on the command line.
 * @throws {ArgumentError} naming the options.
 */
export function checkTogether(options, given) {
  checkDataDir(options.dataset, given.has('dataDir'));
  checkManifest(options.dataset, given.has('dataDir'));
  checkModelOptions(options.modelOptions);
  checkOptimizer(options);
  if (options.findLr && given.has('lr'))
    throw new ArgumentError('Expected no --lr with --find-lr, which finds it');
  checkSchedule(options, given);
  checkCapture(options);
  checkAugmentation(options);
  if (given.has('minDelta') && options.earlyStopping === undefined)
    throw needs('--min-delta', '--early-stopping');
  if (given.has('keepLast') && options.checkpointEvery === undefined)
    throw needs('--keep-last', '--checkpoint-every');
}

/**
 * @param {string} dataset
 * @param {boolean} isGiven - Whether `--data-dir` is on the command line.
 * @throws {ArgumentError} for the bundled set, which is part of the package.
 */
export function checkDataDir(dataset, isGiven) {
  if (isGiven && dataset === 'bundled')
    throw new ArgumentError('Expected no --data-dir with the data set bundled, which is part of the package');
}

/**
 * @param {string} dataset
 * @param {boolean} isGiven - Whether `--data-dir` is on the command line.
 * @throws {ArgumentError} for a manifest without its path.
 */
export function checkManifest(dataset, isGiven) {
  if (dataset === 'manifest' && !isGiven)
    throw new ArgumentError(
      'Expected --data-dir with the data set manifest: the path of a .csv, .tsv or .jsonl file',
    );
}

/** Options of networks that come from elsewhere, and from where. */
const NOT_MODEL_OPTIONS = {
  numClasses: 'which is the number of classes of the data set',
  inChannels: 'as images have 3 channels',
  numExperts: 'but --num-experts',
  temperature: 'but --temperature',
  initGain: 'but --init-gain',
  classifierGain: 'but --classifier-gain',
  initialWeights: 'but --initial-weights',
};

/** @param {TrainOptions['modelOptions']} modelOptions */
function checkModelOptions(modelOptions = {}) {
  for (const [name, reason] of Object.entries(NOT_MODEL_OPTIONS)) {
    if (name in modelOptions)
      throw new ArgumentError(
        `Expected no ${name} in --model-options, ${reason}, but received ${modelOptions[name]}`,
      );
  }
}

/** @param {TrainOptions} options */
function checkOptimizer({ optimizer, momentum, capture }) {
  if (momentum > 0 && (optimizer === 'adam' || optimizer === 'adamw'))
    throw new ArgumentError(
      `Expected --optimizer sgd or rmsprop with --momentum ${momentum} but received ${optimizer}`,
    );
  if (capture && optimizer === 'rmsprop')
    throw new ArgumentError('Expected --optimizer sgd, adam or adamw with --capture but received rmsprop');
}

/** @param {string} option @param {string} other */
function needs(option, other) {
  return new ArgumentError(`Expected ${other} with ${option}, which has no effect without it`);
}

/** @param {TrainOptions} options @param {Given} given */
function checkSchedule({ schedule, warmupEpochs, epochs }, given) {
  for (const [name, flag] of /** @type {const} */ ([
    ['milestones', '--milestones'],
    ['gamma', '--gamma'],
  ])) {
    if (given.has(name) && schedule !== 'milestones')
      throw new ArgumentError(`Expected --schedule milestones with ${flag} but received ${schedule}`);
  }
  if (schedule === 'one-cycle' && warmupEpochs > 0) {
    throw new ArgumentError(
      `Expected no --warmup-epochs with --schedule one-cycle, which includes a warm-up, but received ${warmupEpochs}`,
    );
  }
  if (warmupEpochs >= epochs) {
    throw new ArgumentError(
      `Expected less than ${epochs}, the number of epochs, for --warmup-epochs but received ${warmupEpochs}`,
    );
  }
}

/** A captured step is one batch, its gradient and the step of the optimizer. @param {TrainOptions} options */
function checkCapture({ capture, accumulate, clipGradNorm, clipGradValue }) {
  if (!capture) return;
  if (accumulate > 1)
    throw new ArgumentError(`Expected --accumulate 1 with --capture but received ${accumulate}`);
  if (clipGradNorm !== undefined || clipGradValue !== undefined)
    throw new ArgumentError('Expected no --clip-grad-norm and no --clip-grad-value with --capture');
}

/** @param {TrainOptions} options */
function checkAugmentation({ crop, padding, mixup, cutmix, mixProb, batchDtype, autocast }) {
  if (padding !== undefined && crop !== 'padded')
    throw new ArgumentError(`Expected --crop padded with --padding ${padding} but received ${crop}`);
  if (mixProb !== undefined && mixup === undefined && cutmix === undefined)
    throw needs('--mix-prob', '--mixup or --cutmix');
  if (batchDtype === 'bfloat16' && autocast !== 'bfloat16') {
    throw new ArgumentError(
      'Expected --autocast bfloat16 with --batch-dtype bfloat16, as the weights are float32',
    );
  }
}
