/**
 * Error messages for errors of the file system.
 * @module
 */
import { CheckpointError, invalidArgument } from '../errors.js';

/** Checks the path or the name of a file or folder. */
export function checkPath(path: unknown, expected = 'the path of a file', name = 'path'): void {
  if (typeof path !== 'string' || path.length === 0 || path.includes('\0'))
    throw invalidArgument(name, expected, path);
}

/** Messages for error codes of the operating system. */
const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EISDIR: 'it is a folder',
  // The code of mkdir.
  EEXIST: 'a file is in the place of a folder',
  ENOTDIR: 'a file is in the place of a folder',
  ENAMETOOLONG: 'the name is too long',
  ELOOP: 'its symbolic links lead in a circle',
};

/** The reason of a file system error. */
export function reasonOf(error: NodeJS.ErrnoException): string {
  return REASONS[error.code ?? ''] ?? error.message;
}

/** Converts a file system error to a CheckpointError that names the action and the file; other errors are returned unchanged. */
export function fileError(verb: 'read' | 'write', path: string, error: unknown): Error {
  if (!(error instanceof Error) || !('syscall' in error)) return error as Error;
  const missing = verb === 'read' ? 'no such file' : 'no such folder';
  const { code } = error as NodeJS.ErrnoException;
  const reason = code === 'ENOENT' ? missing : reasonOf(error as NodeJS.ErrnoException);
  return new CheckpointError(`Cannot ${verb} ${path}: ${reason}`, { cause: error });
}
