/**
 * Recognizes a place of images where a data set to be downloaded is meant to be.
 * @module
 */
import { extname, join } from 'node:path';
import { contentsOf } from '../../dist/data/folder-entries.js';
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
export async function checkDatasetGiven({ dataDir }, given) {
  if (given.has('dataset') || !given.has('dataDir')) return;
  if (MANIFEST_ENDINGS.includes(extname(dataDir).toLowerCase()))
    throw new ArgumentError(`${printable(dataDir)} is a list of images: add --dataset manifest`);
  if (await hasClassFolders(dataDir))
    throw new ArgumentError(`${printable(dataDir)} has folders of images: add --dataset folder`);
}

/** Whether a folder, or `train/` in it, has at least two folders with images. @param {string} root */
async function hasClassFolders(root) {
  const top = await foldersAndFiles(root);
  const train = top.folders.find((name) => name.toLowerCase() === 'train');
  const at = train === undefined ? root : join(root, train);
  const { folders } = train === undefined ? top : await foldersAndFiles(at);
  let withImages = 0;
  for (const name of folders) {
    const { files } = await foldersAndFiles(join(at, name));
    if (files.some((file) => PICTURE_ENDINGS.includes(extname(file).toLowerCase()))) withImages++;
    if (withImages === 2) return true;
  }
  return false;
}

/** The contents of a folder; none if it cannot be read, which is an error later. @param {string} path */
function foldersAndFiles(path) {
  return contentsOf(path).catch(() => ({ folders: [], files: [] }));
}
