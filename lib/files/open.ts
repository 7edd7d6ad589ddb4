/**
 * Opening files to read whose names come from outside.
 * @module
 */
import { constants, type Stats } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';

/** Flags for opening: a pipe without a writer is opened, and then refused, instead of waited for. */
export const READ_FLAGS = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

/**
 * Opens a regular file.
 * @throws Errors of the file system; one with the code `ENOTREG` for a folder, a pipe, a socket or a device.
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

/** Refuses what is there but no regular file, with what it is. */
export function checkRegular(found: Stats, path: string): void {
  if (!found.isFile()) throw notRegular(path, `it is ${kindOf(found)}, not a file`);
}

/** What stands under a name. */
export function kindOf(found: Stats): string {
  if (found.isDirectory()) return 'a folder';
  if (found.isFIFO()) return 'a pipe';
  if (found.isSocket()) return 'a socket';
  return 'a device';
}

/** An error of the file system's kind for what is no regular file. */
export function notRegular(path: string, message: string): NodeJS.ErrnoException {
  return Object.assign(new Error(message), { code: 'ENOTREG', syscall: 'open', path });
}
