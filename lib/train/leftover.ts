/**
 * A last batch of one image, which batch normalization cannot use.
 * @module
 */
import type { Module } from '../nn/module.js';
import type { Batch } from './types.js';

/**
 * Whether to skip a batch of a training epoch: the last of several batches, with a single image, for a model that normalizes
 * over the batch. If a channel has one value per batch, batch norm rejects it; if it has more, its statistics would be
 * those of one image.
 * @param index - 0-based index of the batch in the epoch.
 */
export function isLeftover({ labels }: Batch, index: number, batches: number, model: Module): boolean {
  return index > 0 && index === batches - 1 && labels.shape[0] === 1 && normalizesOverBatch(model);
}

/** Whether a module in training mode is a batch norm, by the name of its class, because this folder does not import modules. */
function normalizesOverBatch(model: Module): boolean {
  for (const [, module] of model.namedModules()) {
    for (let at: object | null = module; at !== null; at = Object.getPrototypeOf(at)) {
      if (at.constructor?.name === 'BatchNorm') {
        if (module.training) return true;
        break;
      }
    }
  }
  return false;
}

/** Warns once that images are left out, with a suggestion. */
export function warnOfLeftover(): void {
  process.emitWarning(
    'The last batch of every epoch has one image, which batch normalization cannot use: it is dropped. Set the option ' +
      'dropLast: true of the loader to drop it without this warning, or use another batch size',
    { type: 'DyconvWarning', code: 'DYCONV_LAST_BATCH' },
  );
}
