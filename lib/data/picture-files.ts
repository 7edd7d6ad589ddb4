/**
 * Finds the images in a folder of class folders, and the class of each.
 * @module
 */
import type { Dirent } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { extname, join, posix } from 'node:path';
import { classesError, listNames } from './class-names.js';
import { datasetError, type Split } from './dataset.js';
import { PICTURE_ENDINGS } from './picture.js';

/** An image file. */
export interface PictureFile {
  path: string;
  /** Path relative to the folder of the set. */
  name: string;
  /** Index into the classes. */
  label: number;
  /** The place where it is listed, for messages. Default: the path. */
  source?: string | undefined;
}

/** A file that is not read. */
export interface LeftOut {
  path: string;
  /** The reason. Files are counted by reason. */
  reason: string;
}

/** The images of a split. */
export interface FoundPictures {
  /** The folder of the split, or the manifest. */
  folder: string;
  /** Names in label order. */
  classes: readonly string[];
  /** Of a folder by class, then by path; of a manifest in its order. */
  files: PictureFile[];
  leftOut: LeftOut[];
}

export const MAX_CLASSES = 65_536;

/** The split of a folder: `val` is for choosing the best epoch. */
export type FolderSplit = Split | 'val';

/** The names that a split may have in folders and manifests, the preferred one first. */
export const SPLIT_NAMES: Readonly<Record<FolderSplit, readonly [string, ...string[]]>> = {
  train: ['train'],
  val: ['val', 'valid', 'validation'],
  test: ['test'],
};

/** The splits whose images are used for a split: the first one that the set has. */
export const SPLIT_SOURCES: Readonly<Record<FolderSplit, readonly FolderSplit[]>> = {
  train: ['train'],
  val: ['val'],
  // Many sets have no other images to test with.
  test: ['test', 'val'],
};

/** Files and folders that macOS, Windows and network storage add to folders of images: resource forks and previews. */
const SYSTEM_NAMES = new Set(['__MACOSX', '@eaDir', 'Thumbs.db', 'desktop.ini']);

/** Formats of images that sharp does not decode. */
const UNREAD_ENDINGS = new Set([
  '.arw',
  '.bmp',
  '.cr2',
  '.dng',
  '.heic',
  '.heif',
  '.ico',
  '.jp2',
  '.jxl',
  '.nef',
  '.pgm',
  '.ppm',
  '.psd',
]);

/**
 * The folder of a split.
 * @param top - Names of the folders in the folder of the set.
 * @returns Undefined for a folder without `train` and `test`, which has no splits; the preferred name if the split is missing.
 */
function splitFolder(top: readonly string[], split: FolderSplit): string | undefined {
  if (!isSplit(top)) return undefined;
  const names = SPLIT_SOURCES[split].flatMap((source) => SPLIT_NAMES[source]);
  return names.find((name) => top.includes(name)) ?? SPLIT_NAMES[split][0];
}

/** Whether a folder with these folders has splits. */
function isSplit(top: readonly string[]): boolean {
  return top.includes('train') || top.includes('test');
}

/** The splits that a folder has; null for a folder of class folders. @throws DatasetError when it cannot be read. */
export async function folderSplits(root: string): Promise<ReadonlySet<FolderSplit> | null> {
  const top = await subfolders(root);
  if (!isSplit(top)) return null;
  const splits = Object.keys(SPLIT_NAMES) as FolderSplit[];
  return new Set(splits.filter((split) => SPLIT_NAMES[split].some((name) => top.includes(name))));
}

/**
 * The classes of a folder and the images of a split. Links are followed; names that begin with a dot, and those of files and folders
 * that systems add, are ignored.
 * @param known - Names in label order. Default: the folders of `root/train` for all splits, if it exists; otherwise those
 *   of the folder itself.
 * @throws DatasetError when a folder cannot be read or has a class that is not in the list, and when a class has no
 * training images.
 */
export async function findPictures(
  root: string,
  split: FolderSplit,
  known?: readonly string[],
): Promise<FoundPictures> {
  const top = await subfolders(root);
  // If the requested split is missing, the folder is incomplete: reading it is an error.
  const name = splitFolder(top, split);
  const folder = name === undefined ? root : join(root, name);
  const own = name === undefined ? top : await subfolders(folder);
  const fromTraining = name !== undefined && split !== 'train' && top.includes('train');
  const classes = known ?? (fromTraining ? await subfolders(join(root, 'train')) : own);
  if (classes.length < 2 || classes.length > MAX_CLASSES)
    throw datasetError(folder, `expected a folder per class but found ${classes.length} folder(s)`);
  if (own.some((name) => !classes.includes(name))) throw classesError(folder, classes, own);
  const files: PictureFile[] = [];
  const leftOut: LeftOut[] = [];
  for (const entry of await entriesOf(folder)) {
    if ((await kindOf(folder, entry)) !== 'folder')
      leftOut.push({ path: join(folder, entry.name), reason: 'outside of a class folder' });
  }
  for (const [label, name] of classes.entries()) {
    if (own.includes(name)) await walk({ folder, name, label, files, leftOut }, name, []);
  }
  if (files.length === 0)
    throw datasetError(
      folder,
      `expected images (${PICTURE_ENDINGS.join(', ')}) but found none${andLeftOut(leftOut)}`,
    );
  checkEmptyClasses({ folder, classes, files, leftOut }, split);
  return { folder, classes, files, leftOut };
}

/** A class without images is an error in a training set; a test set need not have all classes. */
export function checkEmptyClasses(
  { folder, classes, files, leftOut }: FoundPictures,
  split: FolderSplit,
): void {
  if (split !== 'train') return;
  const seen = new Set(files.map(({ label }) => label));
  const empty = classes.filter((_, label) => !seen.has(label));
  if (empty.length === 0) return;
  throw datasetError(
    folder,
    `expected images of every class but found none of ${listNames(empty)}${andLeftOut(leftOut)}`,
  );
}

/** Numbers of files that were left out of a set, by reason; empty if there are none. */
export function countOf(leftOut: readonly LeftOut[]): string {
  if (leftOut.length === 0) return '';
  const counts = new Map<string, number>();
  for (const { reason } of leftOut) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  const list = [...counts].sort(([, a], [, b]) => b - a).map(([reason, count]) => `${count} ${reason}`);
  const unread = [...counts.keys()].filter((reason) => UNREAD_ENDINGS.has(reason)).sort();
  const advice = unread.length > 0 ? ` (${unread.join(', ')}: not decoded, convert to PNG or JPEG)` : '';
  return `left out ${leftOut.length} file(s): ${list.join(', ')}${advice}`;
}

/** Why a file is not read, as a sentence. */
export function reasonFor({ reason }: LeftOut): string {
  if (UNREAD_ENDINGS.has(reason)) return `images ${reason} are not decoded: convert to PNG or JPEG`;
  return `not read: ${reason}`;
}

const andLeftOut = (leftOut: readonly LeftOut[]) => (leftOut.length > 0 ? `; ${countOf(leftOut)}` : '');

interface Walk {
  /** The folder of the split. */
  folder: string;
  /** The class. */
  name: string;
  label: number;
  files: PictureFile[];
  leftOut: LeftOut[];
}

/** Reads a folder and its subfolders. `parents`: identities of the folders above, to detect links that form a cycle. */
async function walk(into: Walk, below: string, parents: readonly string[]): Promise<void> {
  const folder = join(into.folder, below);
  const identity = await identityOf(folder);
  if (parents.includes(identity)) return;
  for (const entry of await entriesOf(folder)) {
    const name = posix.join(below, entry.name);
    const path = join(folder, entry.name);
    const kind = await kindOf(folder, entry);
    const ending = extname(entry.name).toLowerCase();
    if (kind === 'folder') await walk(into, name, [...parents, identity]);
    else if (kind === 'special') into.leftOut.push({ path, reason: 'not a regular file' });
    else if (PICTURE_ENDINGS.includes(ending)) into.files.push({ path, name, label: into.label });
    else into.leftOut.push({ path, reason: ending === '' ? 'without a file extension' : ending });
  }
}

/** The entries of a folder by name, without hidden ones and those of the system. */
async function entriesOf(path: string): Promise<Dirent[]> {
  try {
    const entries = await readdir(path, { withFileTypes: true });
    return entries
      .filter(({ name }) => !name.startsWith('.') && !SYSTEM_NAMES.has(name))
      .sort((a, b) => (a.name < b.name ? -1 : Number(a.name > b.name)));
  } catch (error) {
    throw folderError(path, error);
  }
}

async function subfolders(path: string): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await entriesOf(path)) {
    if ((await kindOf(path, entry)) === 'folder') found.push(entry.name);
  }
  return found;
}

/** The type of an entry, or of the target of a link; a dangling link counts as a file, whose reading then fails. */
async function kindOf(folder: string, entry: Dirent): Promise<'folder' | 'file' | 'special'> {
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

async function identityOf(folder: string): Promise<string> {
  const { dev, ino } = await stat(folder, { bigint: true });
  return `${dev}:${ino}`;
}

function folderError(path: string, error: unknown): Error {
  const { code, message } = error as NodeJS.ErrnoException;
  const found = { ENOENT: 'no such folder', ENOTDIR: 'a file' }[code ?? ''] ?? message;
  return datasetError(path, `expected a folder of images but found ${found}`, error);
}
