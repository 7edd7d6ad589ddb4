/**
 * The options of the commands that use a trained model.
 * @module
 */
import { path, text } from './value-types.js';

/** @import { ValueSpec } from './types.js' */

export const RUN = /** @satisfies {ValueSpec<string>} */ ({
  value: 'folder',
  type: path,
  required: true,
  help: 'run directory (required)',
});

export const CHECKPOINT = {
  value: 'name',
  type: text,
  default: 'best',
  help: 'weights: best, last, epoch-<n>, or a .safetensors, .pt or .pth file',
};
