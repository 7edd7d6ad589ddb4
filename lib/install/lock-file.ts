/**
 * The project's lock file, where it keeps npm from installing the prebuilt add-on.
 * @module
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { packageRoot, prebuiltPackage } from '../native/load.js';

/** Why the prebuilt add-on is not installed, and what to do. */
export interface LockFileProblem {
  /** A sentence. */
  problem: string;
  fix: string;
}

/**
 * npm can write a lock file with the optional packages of one platform only: where `node_modules` exists without a lock file.
 * On another platform, `npm ci` of npm 10 (of Node.js 20 and 22) then leaves the prebuilt add-on out without a message; that of
 * npm 11 refuses the lock file.
 *
 * @param folder - Of the installed package.
 * @param target - `<platform>-<arch>`.
 * @returns undefined unless the lock file has the prebuilt add-on of other platforms, but not that of this one.
 * @see https://github.com/npm/cli/issues/4828
 */
export function lockFileProblem(folder = packageRoot, target?: string): LockFileProblem | undefined {
  const own = prebuiltPackage(target);
  const { version, optionalDependencies = {} } = readJson(join(folder, 'package.json')) ?? {};
  const lock = findLockFile(folder);
  if (!(own in optionalDependencies) || lock === undefined) return undefined;
  const { packages = {} } = readJson(lock) ?? {};
  const locked = Object.keys(packages).flatMap(
    (path) => /node_modules\/(@dyconv\/[^/]+)$/.exec(path)?.[1] ?? [],
  );
  if (locked.length === 0 || locked.includes(own)) return undefined;
  return {
    problem: `${lock} was made on another platform: it has ${locked.join(', ')}, but not ${own}`,
    fix: `npm install --save-optional ${own}@${version}, or delete node_modules and the lock file and run npm install`,
  };
}

/** The nearest lock file of npm above a package in `node_modules`. */
function findLockFile(folder: string): string | undefined {
  for (let at = folder, above = dirname(at); above !== at; at = above, above = dirname(at)) {
    for (const name of ['npm-shrinkwrap.json', 'package-lock.json']) {
      if (existsSync(join(above, name))) return join(above, name);
    }
  }
  return undefined;
}

interface Json {
  version?: string;
  optionalDependencies?: Record<string, string>;
  packages?: Record<string, unknown>;
}

function readJson(file: string): Json | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Json;
  } catch {
    return undefined;
  }
}
