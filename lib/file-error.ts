import { CheckpointError } from './errors.js';

/** Checks the path of a file. */
export function isPath(path: unknown): path is string {
  return typeof path === 'string' && path.length > 0 && !path.includes('\0');
}

/** A file system error as a CheckpointError that says what could not be done with which file; others pass through. */
export function fileError(verb: 'read' | 'write', path: string, error: unknown): Error {
  if (!(error instanceof Error) || !('syscall' in error)) return error as Error;
  const reasons: Record<string, string> = {
    ENOENT: verb === 'read' ? 'no such file' : 'no such folder',
    EACCES: 'permission denied',
    EROFS: 'the file system is read-only',
    ENOSPC: 'the disk is full',
    EISDIR: 'it is a folder',
    ENAMETOOLONG: 'the name is too long',
  };
  const { code = '' } = error as NodeJS.ErrnoException;
  return new CheckpointError(`Cannot ${verb} ${path}: ${reasons[code] ?? error.message}`, { cause: error });
}
