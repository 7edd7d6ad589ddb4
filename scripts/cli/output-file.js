/**
 * Checks the path of an output file before the work for it begins.
 * @module
 */
import { realpath, stat } from 'node:fs/promises';
import { dirname, extname, join, relative, resolve, sep } from 'node:path';
import { ArgumentError, CheckpointError } from '../../dist/errors.js';

/**
 * @param {string} file
 * @param {{ option: string, ending: string, force: boolean, dataDir?: string | undefined }} checks - `option`: that names the file;
 *   `ending`: with the dot; `force`: an existing file may be overwritten; `dataDir`: a folder of images that must not contain it.
 * @throws {ArgumentError} naming the option.
 * @throws {CheckpointError} if the folder of the file does not exist.
 */
export async function checkOutputFile(file, { option, ending, force, dataDir }) {
  const found = await stat(file).catch(() => undefined);
  // Pipes and devices are written to.
  if (found && !found.isFile() && !found.isDirectory()) return;
  if (found?.isDirectory())
    throw new ArgumentError(`Expected a file for ${option} but received the folder ${file}`);
  if (extname(file).toLowerCase() !== ending)
    throw new ArgumentError(`Expected the name of a ${ending} file for ${option} but received ${file}`);
  if (dataDir !== undefined && (await isInside(file, dataDir)))
    throw new ArgumentError(
      `Expected a file outside of the folder of the images, ${dataDir}, for ${option} but received ${file}`,
    );
  if (found && !force) throw existsError(option, file);
  const folder = await stat(dirname(resolve(file))).catch(() => undefined);
  if (!folder?.isDirectory()) throw new CheckpointError(`Cannot write ${file}: no such folder`);
}

/** The error for an existing file without `--force`. @param {string} option @param {string} file */
export const existsError = (option, file) =>
  new ArgumentError(
    `Expected a file that does not exist for ${option} but received ${file}. Use --force to overwrite it.`,
  );

/**
 * Whether a path is in a folder, or the folder itself; links are resolved.
 * @param {string} path - It need not exist. @param {string} folder
 */
export async function isInside(path, folder) {
  const way = relative(await existing(folder), await existing(path));
  return way === '' || (way !== '..' && !way.startsWith(`..${sep}`) && resolve(way) !== way);
}

/** A path without links, as far as it exists. @param {string} path @returns {Promise<string>} */
async function existing(path) {
  const full = resolve(path);
  try {
    return await realpath(full);
  } catch {
    const parent = dirname(full);
    return parent === full ? full : join(await existing(parent), relative(parent, full));
  }
}
