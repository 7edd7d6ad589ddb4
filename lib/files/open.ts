/**
 * Opens files whose names are not trusted.
 * @module
 */
import { constants, type Stats } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';

/** Flags with which a pipe without a writer is opened at once, and then rejected. */
export const READ_FLAGS = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

/**
 * Opens a regular file.
 * @throws Errors of the file system; an error with the code `ENOTREG` for a folder, a pipe, a socket or a device.
 */
export async function openFile(path: string): Promise<FileHandle> {
  const file = await open(path, READ_FLAGS);
  try {
    checkRegular(await file.stat(), path);
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Rejects a path that is not a regular file, with its type. */
export function checkRegular(found: Stats, path: string): void {
  if (!found.isFile()) throw notRegular(path, `it is ${kindOf(found)}, not a file`);
}

/** The type of a file. */
export function kindOf(found: Stats): string {
  if (found.isDirectory()) return 'a folder';
  if (found.isFIFO()) return 'a pipe';
  if (found.isSocket()) return 'a socket';
  return 'a device';
}

/** An error like those of the file system for a path that is not a regular file. */
export function notRegular(path: string, message: string): NodeJS.ErrnoException {
  return Object.assign(new Error(message), { code: 'ENOTREG', syscall: 'open', path });
}
