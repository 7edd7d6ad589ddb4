/**
 * Recognizes a place of images where a data set to be downloaded is meant to be.
 * @module
 */
import { readdirSync } from 'node:fs';
import { extname, join } from 'node:path';
import { MANIFEST_ENDINGS } from '../../dist/data/manifest-file.js';
import { PICTURE_ENDINGS } from '../../dist/data/picture.js';
import { ArgumentError } from '../../dist/errors.js';
import { printable } from './printable.js';

/** @import { TrainOptions } from './train-options.js' */

/**
 * Without `--dataset` the data set is CIFAR-10, which would be downloaded into the folder of a user's images.
 * @param {Pick<TrainOptions, 'dataDir'>} options
 * @param {ReadonlySet<keyof TrainOptions>} given - Options on the command line.
 * @throws {ArgumentError} if `--data-dir` names a folder of images or a manifest, and there is no `--dataset`.
 */
export function checkDatasetGiven({ dataDir }, given) {
  if (given.has('dataset') || !given.has('dataDir')) return;
  if (MANIFEST_ENDINGS.includes(extname(dataDir).toLowerCase()))
    throw new ArgumentError(`${printable(dataDir)} is a list of images: add --dataset manifest`);
  if (hasClassFolders(dataDir))
    throw new ArgumentError(`${printable(dataDir)} has folders of images: add --dataset folder`);
}

/** Whether a folder, or `train/` in it, has at least two folders with images. @param {string} root */
function hasClassFolders(root) {
  const top = foldersIn(root);
  const train = top.find((name) => name.toLowerCase() === 'train');
  const at = train === undefined ? root : join(root, train);
  const withImages = foldersIn(at).filter((name) =>
    entriesOf(join(at, name)).some((entry) => PICTURE_ENDINGS.includes(extname(entry.name).toLowerCase())),
  );
  return withImages.length >= 2;
}

/** @param {string} path */
function foldersIn(path) {
  return entriesOf(path).flatMap((entry) =>
    entry.isDirectory() || entry.isSymbolicLink() ? [entry.name] : [],
  );
}

/** The entries of a folder; none if it cannot be read, which is an error later. @param {string} path */
function entriesOf(path) {
  try {
    return readdirSync(path, { withFileTypes: true });
  } catch {
    return [];
  }
}
