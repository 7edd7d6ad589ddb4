/**
 * Which state of this package is checked.
 * @module
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The file of a bundle with the source that it was made of. */
export const SOURCE_FILE = 'bundle.json';

/** The version, and the git commit; null outside of a clone and of a bundle. @typedef {{ version: string, commit: string | null }} Source */

/** @param {string} root - Folder of the package. @returns {Source} */
export function sourceOf(root) {
  const file = join(root, SOURCE_FILE);
  if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8'));
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const words = ['-C', root, 'describe', '--always', '--dirty', '--abbrev=40', '--exclude=*'];
  const { status, stdout } = spawnSync('git', words, { encoding: 'utf8' });
  return { version, commit: status === 0 && existsSync(join(root, '.git')) ? stdout.trim() : null };
}
