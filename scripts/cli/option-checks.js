/**
 * Options of train.js that only make sense with others, or without them. Checked before anything is loaded or downloaded.
 * @module
 */
import { ArgumentError } from '../../dist/errors.js';

/**
 * @param {Record<string, any>} options - As commander gives them, for a new run.
 * @throws {ArgumentError} naming the options.
 */
export function checkTogether(options) {
  checkSchedule(options);
  checkAugmentation(options);
}

/** @param {Record<string, any>} options */
function checkSchedule({ schedule, warmupEpochs, epochs, minDelta, earlyStopping }) {
  if (schedule === 'one-cycle' && warmupEpochs > 0) {
    throw new ArgumentError(
      `Expected no --warmup-epochs with --schedule one-cycle, which rises by itself, but received ${warmupEpochs}`,
    );
  }
  if (warmupEpochs >= epochs) {
    throw new ArgumentError(
      `Expected less than ${epochs}, the number of epochs, for --warmup-epochs but received ${warmupEpochs}`,
    );
  }
  if (minDelta > 0 && !earlyStopping) {
    throw new ArgumentError(`Expected --early-stopping beside --min-delta ${minDelta}`);
  }
}

/** @param {Record<string, any>} options */
function checkAugmentation({ crop, padding, mixup, cutmix, mixProb, batchDtype, autocast }) {
  if (padding !== undefined && crop !== 'padded') {
    throw new ArgumentError(`Expected --crop padded beside --padding ${padding} but received ${crop}`);
  }
  if (mixProb !== undefined && mixup === undefined && cutmix === undefined) {
    throw new ArgumentError(`Expected --mixup or --cutmix beside --mix-prob ${mixProb}`);
  }
  if (batchDtype === 'bfloat16' && autocast !== 'bfloat16') {
    throw new ArgumentError(
      'Expected --autocast bfloat16 beside --batch-dtype bfloat16, as the weights are float32',
    );
  }
}
