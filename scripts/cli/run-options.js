/**
 * Options that several commands share: of a trained model, and of data sets.
 * @module
 */
import { address, path, text } from './value-types.js';

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

export const DATA_MIRROR = /** @type {const} */ ({
  value: 'url',
  type: address,
  list: true,
  help: 'URL of a folder with the files of the data set, tried before the publisher and other known hosts; repeatable',
});

/** Memory for the images of a folder or a manifest, in MiB: the images of larger sets are decoded when they are read. */
export const DATA_MEMORY = 1024;
