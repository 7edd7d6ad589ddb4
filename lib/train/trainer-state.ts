/**
 * Checks the contents of `last.state`, which come from a file.
 * @module
 */
import { checkRecord, type FieldKind } from '../check/index.js';
import { ArgumentError, CheckpointError, invalidArgument } from '../errors.js';
import { isTensor } from '../tensor/tensor.js';
import type { TrainerState } from './events.js';

const STATE: Record<string, FieldKind> = { meter: 'object', optimizer: 'object' };
const METER: Record<string, FieldKind> = {
  loss: 'number',
  correct: 'number',
  images: 'number',
  seconds: 'number',
  dataSeconds: 'number',
};
const BEST: Record<string, FieldKind> = { epoch: 'number', accuracy: 'number', loss: 'number' };

/**
 * Checks the parts of a training state that the restored objects do not check themselves.
 * @param file - For messages.
 * @throws {CheckpointError} naming the file and the field.
 */
export function checkTrainerState(value: unknown, file: string): TrainerState {
  try {
    const state = checkRecord(value as TrainerState, 'it', 'an object', STATE);
    for (const key of ['epoch', 'batch', 'step'] as const) {
      const count = state[key];
      if (!Number.isSafeInteger(count) || count < 0)
        throw invalidArgument(key, 'an integer of at least 0', count);
    }
    checkRecord(state.meter, 'meter', 'an object', METER);
    if (state.best !== null) checkRecord(state.best, 'best', 'an object or null', BEST);
    for (const key of ['scheduler', 'scaler', 'ema', 'earlyStopping'] as const) {
      const part = state[key];
      if (part !== null && part !== undefined) checkRecord(part, key, 'an object', {});
    }
    if (state.earlyStopping)
      checkRecord(state.earlyStopping, 'earlyStopping', 'an object', { stale: 'number' });
    if (state.ema) checkRecord(state.ema, 'ema', 'an object', { averages: 'array', updates: 'number' });
    for (const key of ['generator', 'deviceGenerator'] as const) {
      const part = state[key];
      if ((key === 'generator' || part !== undefined) && !isTensor(part))
        throw invalidArgument(key, 'a tensor', part);
    }
    return state;
  } catch (error) {
    if (!(error instanceof ArgumentError)) throw error;
    throw new CheckpointError(`${file} contains damaged training state: ${error.message}`, { cause: error });
  }
}

/**
 * Runs a function that restores saved state. Errors name the file.
 * @throws {CheckpointError} for any error.
 */
export function fitting(file: string, load: () => void): void {
  try {
    load();
  } catch (error) {
    throw new CheckpointError(`${file} does not fit this training: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
