/**
 * Files that are either there completely or not at all: written under a temporary name in the same folder, flushed to
 * the disk, then renamed over the final name. What stood under that name before stays until the rename.
 * @module
 */
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** A file that is complete on disk but does not carry its final name yet. */
export interface StagedFile {
  /** Where the bytes are now. */
  readonly temporary: string;
  /** Gives the file its final name. */
  commit(): Promise<void>;
  /** Removes it. */
  discard(): Promise<void>;
}

/** Options of {@link stageFile} and {@link writeFileAtomic}. */
export interface StageOptions {
  /** Distinguishes temporary names; default: the process id, so that two processes never share one. */
  tag?: string;
}

/** The temporary name {@link stageFile} uses for `path`. */
export function temporaryName(path: string, tag: string = String(process.pid)): string {
  return join(dirname(path), `.${basename(path)}.${tag}.tmp`);
}

/**
 * Writes a file under a temporary name and flushes it to the disk.
 * @param path - The final path; its folder must exist.
 * @param write - Writes the contents through the open handle.
 * @throws Whatever `write` or the file system throws; the temporary file is removed before.
 */
export async function stageFile(
  path: string,
  write: (file: FileHandle) => Promise<void>,
  options: StageOptions = {},
): Promise<StagedFile> {
  const temporary = temporaryName(path, options.tag);
  const file = await open(temporary, 'w');
  try {
    await write(file);
    await file.sync();
    await file.close();
  } catch (error) {
    await file.close().catch(() => {});
    await rm(temporary, { force: true });
    throw error;
  }
  return {
    temporary,
    commit: () => commitFile(temporary, path),
    discard: () => rm(temporary, { force: true }),
  };
}

/** Renames a complete temporary file to its final name and flushes the folder, so that the rename survives a power cut. */
export async function commitFile(temporary: string, path: string): Promise<void> {
  await rename(temporary, path);
  const folder = await open(dirname(path), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Writes a whole file atomically: see {@link stageFile}. */
export async function writeFileAtomic(path: string, contents: string | Uint8Array): Promise<void> {
  const staged = await stageFile(path, (file) => file.writeFile(contents));
  await commitOrDiscard(staged);
}

/** Commits a staged file; if even the rename fails, nothing is left behind. */
export async function commitOrDiscard(staged: StagedFile): Promise<void> {
  try {
    await staged.commit();
  } catch (error) {
    await staged.discard();
    throw error;
  }
}
