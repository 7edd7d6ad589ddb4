/**
 * Folders and files of a run directory.
 * @module
 */
import { stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { checkObject } from '../check/index.js';
import { ArgumentError, TrainingError } from '../errors.js';
import { reasonOf } from '../files/error.js';

/** The folder itself, or the nearest above it that exists. */
export async function nearestFolder(path: string): Promise<string> {
  for (let at = resolve(path); ; at = dirname(at)) {
    if ((await stat(at).catch(whenMissing(null))) !== null || at === dirname(at)) return at;
  }
}

/** Why a folder cannot hold a run. */
export function unusable(path: string, error: unknown): TrainingError {
  const cause = error as NodeJS.ErrnoException;
  const reason = cause.code === 'ENOTDIR' ? 'a file is in its place' : reasonOf(cause);
  return new TrainingError(`Cannot use ${path} as a run directory: ${reason}`, { cause });
}

/** A value as JSON, for a file or a line. */
export function toJson(name: string, value: unknown, space?: number): string {
  checkObject(value, name);
  try {
    return JSON.stringify(value, null, space);
  } catch (error) {
    throw new ArgumentError(
      `Expected a value that JSON can represent for ${name}: ${(error as Error).message}`,
      {
        cause: error,
      },
    );
  }
}

/** The same, indented. */
export function json(name: string, value: unknown): string {
  return `${toJson(name, value, 2)}\n`;
}

/** For a promise's `catch`: the value for a file that does not exist. */
export function whenMissing<T>(fallback: T): (error: NodeJS.ErrnoException) => T {
  return (error) => {
    if (error.code === 'ENOENT') return fallback;
    throw error;
  };
}
