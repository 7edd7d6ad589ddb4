/**
 * Finds the images in a folder of class folders, and the class of each.
 * @module
 */
import { extname, join, posix } from 'node:path';
import { classesError, listNames } from './class-names.js';
import { datasetError } from './dataset.js';
import { contentsOf, entriesOf, entryKind, isRunFolder, realPath } from './folder-entries.js';
import {
  checkClassFolders,
  type FolderLayout,
  type FolderSplit,
  layoutOf,
  outsideOfClasses,
  splitFolder,
} from './folder-splits.js';
import { andLeftOut, type LeftOut, OF_TRAINING, reasonByEnding } from './left-out.js';
import { PICTURE_ENDINGS } from './picture.js';

export { type FolderSplit, folderSplits, SPLIT_NAMES, SPLIT_SOURCES } from './folder-splits.js';
export { countOf, type LeftOut, reasonFor } from './left-out.js';

/** An image file. */
export interface PictureFile {
  path: string;
  /** Path relative to the folder of the set. */
  name: string;
  /** Index into the classes. */
  label: number;
  /** The place where it is listed, for messages. Default: the path. */
  source?: string | undefined;
  /** The path without links, if it has some. */
  target?: string | undefined;
}

/** The images of a split. */
export interface FoundPictures {
  /** The folder of the split, or the manifest. */
  folder: string;
  /** Names in label order. */
  classes: readonly string[];
  /** For a folder, sorted by class, then by path; for a manifest, in its order. */
  files: PictureFile[];
  leftOut: LeftOut[];
}

export const MAX_CLASSES = 65_536;

/**
 * The classes of a folder and the images of a split. Links are followed; names that begin with a dot, and those of files and folders
 * that systems add, are ignored.
 * @param known - Names in label order. Default: the folders of `root/train` for all splits, if it exists; otherwise those
 *   of the folder itself.
 * @throws DatasetError when a folder cannot be read or has a class that is not in the list, when a class has no
 * training images, and when links put an image into two classes.
 */
export async function findPictures(
  root: string,
  split: FolderSplit,
  known?: readonly string[],
): Promise<FoundPictures> {
  const layout = await layoutOf(root);
  // If the requested split is missing, the folder is incomplete: reading it is an error.
  const name = splitFolder(layout, split);
  const folder = name === undefined ? root : join(root, name);
  const own = name === undefined ? layout : await classFolders(folder);
  const classes = known ?? (await classesOf(root, layout, { name, split, own: own.folders }));
  if (classes.length > MAX_CLASSES)
    throw datasetError(
      folder,
      `expected at most ${MAX_CLASSES} class folders but found ${classes.length.toLocaleString('en')}`,
    );
  if (own.folders.some((name) => !classes.includes(name))) throw classesError(folder, classes, own.folders);
  const files: PictureFile[] = [];
  // What belongs to no split is reported once.
  const isFirst = split === 'train' || !layout.splits?.has('train');
  const leftOut = name === undefined || !isFirst ? [...own.leftOut] : [...layout.leftOut, ...own.leftOut];
  const realFolder = await realPath(folder);
  for (const [label, name] of classes.entries()) {
    if (own.folders.includes(name)) await walk({ folder, realFolder, name, label, files, leftOut }, name, []);
  }
  if (files.length === 0)
    throw datasetError(
      folder,
      `expected images (${PICTURE_ENDINGS.join(', ')}) but found none${andLeftOut(leftOut)}`,
    );
  checkEmptyClasses({ folder, classes, files, leftOut }, split);
  checkOneClass(classes, files, realFolder);
  return { folder, classes, files, leftOut };
}

/** The class folders of a split, and what is left out. */
async function classFolders(folder: string): Promise<Pick<FolderLayout, 'folders' | 'leftOut'>> {
  const contents = await contentsOf(folder);
  return { folders: contents.folders, leftOut: outsideOfClasses(folder, contents) };
}

/** The names of the class folders: those of the training images, if there are some. */
async function classesOf(
  root: string,
  layout: FolderLayout,
  { name, split, own }: { name: string | undefined; split: FolderSplit; own: readonly string[] },
): Promise<readonly string[]> {
  const training = name === undefined ? undefined : layout.splits?.get('train');
  if (training === undefined || split === 'train') {
    await checkClassFolders(root, layout, name, own);
    return own;
  }
  const { folders } = await contentsOf(join(root, training));
  await checkClassFolders(root, layout, training, folders);
  return folders;
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

/** An image that links put into two classes has two labels. @throws DatasetError naming both places. */
function checkOneClass(classes: readonly string[], files: readonly PictureFile[], realFolder: string): void {
  const linked = new Map<string, PictureFile>();
  for (const file of files) {
    if (file.target === undefined) continue;
    const other = linked.get(file.target);
    if (other && other.label !== file.label) throw twoClasses(file, other, classes);
    linked.set(file.target, file);
  }
  if (linked.size === 0) return;
  for (const file of files) {
    const other = file.target === undefined ? linked.get(join(realFolder, file.name)) : undefined;
    if (other && other.label !== file.label) throw twoClasses(other, file, classes);
  }
}

function twoClasses(link: PictureFile, other: PictureFile, classes: readonly string[]): Error {
  return datasetError(
    link.path,
    `expected every image in one class, but this link of ${classes[link.label]} leads to the same file as ${other.path} of ${classes[other.label]}`,
  );
}

interface Walk {
  /** The folder of the split. */
  folder: string;
  /** Its path without links. */
  realFolder: string;
  /** The class. */
  name: string;
  label: number;
  files: PictureFile[];
  leftOut: LeftOut[];
}

/** Reads a folder and its subfolders. `parents`: paths of the folders above, without links, to detect links that form a cycle. */
async function walk(into: Walk, below: string, parents: readonly string[]): Promise<void> {
  const folder = join(into.folder, below);
  const real = await realPath(folder);
  if (parents.includes(real)) return;
  if (await isRunFolder(folder)) {
    into.leftOut.push({ path: folder, reason: OF_TRAINING });
    return;
  }
  for (const entry of await entriesOf(folder)) {
    const name = posix.join(below, entry.name);
    const path = join(folder, entry.name);
    const kind = await entryKind(folder, entry);
    const reason = reasonByEnding(extname(entry.name).toLowerCase());
    if (kind === 'folder') await walk(into, name, [...parents, real]);
    else if (kind === 'special') into.leftOut.push({ path, reason: 'not a regular file' });
    else if (reason !== undefined) into.leftOut.push({ path, reason });
    else {
      const target = entry.isSymbolicLink() ? await realPath(path) : join(real, entry.name);
      const isLinked = target !== join(into.realFolder, name);
      into.files.push({ path, name, label: into.label, ...(isLinked && { target }) });
    }
  }
}
