/**
 * Unused paths.
 * @module
 */
import { existsSync } from 'node:fs';
import { join, parse } from 'node:path';

/** The path itself if it does not exist, otherwise the first of `name-2`, `name-3` ... with the same extension that does not. @param {string} path */
export function firstFree(path) {
  const { dir, name, ext } = parse(path);
  let free = path;
  for (let number = 2; existsSync(free); number++) free = join(dir, `${name}-${number}${ext}`);
  return free;
}
