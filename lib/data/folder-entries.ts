/**
 * Reads folders of images: their entries without those of the system, and the types of the entries.
 * @module
 */
import type { Dirent } from 'node:fs';
import { access, readdir, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { reasonOf } from '../files/error.js';
import { datasetError } from './dataset.js';

/** Files and folders that macOS, Windows and network storage add to folders of images: resource forks and previews. */
const SYSTEM_NAMES = new Set(['__MACOSX', '@eaDir', 'Thumbs.db', 'desktop.ini']);

/** The entries of a folder by name, without hidden ones and those of the system. @throws DatasetError when it cannot be read. */
export async function entriesOf(path: string): Promise<Dirent[]> {
  try {
    const entries = await readdir(path, { withFileTypes: true });
    return entries
      .filter(({ name }) => !name.startsWith('.') && !SYSTEM_NAMES.has(name))
      .sort((a, b) => (a.name < b.name ? -1 : Number(a.name > b.name)));
  } catch (error) {
    throw folderError(path, error);
  }
}

/** What a folder contains, by name. */
export interface FolderContents {
  /** Without those of trainings. */
  folders: string[];
  /** The output folders of trainings, whose images are not part of a data set. */
  runs: string[];
  files: string[];
}

/** The folders and files in a folder; links count as what they lead to. @throws DatasetError when it cannot be read. */
export async function contentsOf(path: string): Promise<FolderContents> {
  const contents: FolderContents = { folders: [], runs: [], files: [] };
  for (const entry of await entriesOf(path)) {
    if ((await entryKind(path, entry)) !== 'folder') contents.files.push(entry.name);
    else if (await isRunFolder(join(path, entry.name))) contents.runs.push(entry.name);
    else contents.folders.push(entry.name);
  }
  return contents;
}

/** The type of an entry, or of the target of a link; a dangling link is treated as a file, which then cannot be read. */
export async function entryKind(folder: string, entry: Dirent): Promise<'folder' | 'file' | 'special'> {
  const target = entry.isSymbolicLink()
    ? await stat(join(folder, entry.name)).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT' || error.code === 'ELOOP') return undefined;
        throw folderError(join(folder, entry.name), error);
      })
    : entry;
  if (target === undefined) return 'file';
  if (target.isDirectory()) return 'folder';
  return target.isFile() ? 'file' : 'special';
}

/** The path without links; of a dangling link, the path itself. */
export async function realPath(path: string): Promise<string> {
  return realpath(path).catch(() => path);
}

/** Files that every run directory has from its first epoch on. */
const RUN_FILES = ['config.json', 'metrics.jsonl'];

/** Whether a folder is the output of a training: the images of its report are not part of a data set. */
export async function isRunFolder(path: string): Promise<boolean> {
  try {
    await Promise.all(RUN_FILES.map((name) => access(join(path, name))));
    return true;
  } catch {
    return false;
  }
}

function folderError(path: string, error: unknown): Error {
  const cause = error as NodeJS.ErrnoException;
  const found = { ENOENT: 'no such folder', ENOTDIR: 'a file' }[cause.code ?? ''];
  if (found === undefined) return datasetError(path, `cannot be read: ${reasonOf(cause)}`, error);
  return datasetError(path, `expected a folder of images but found ${found}`, error);
}
