/**
 * The splits of a folder of images, by the names of its folders.
 * @module
 */
import { join } from 'node:path';
import type { Split } from './dataset.js';
import { datasetError } from './dataset.js';
import { contentsOf, type FolderContents } from './folder-entries.js';
import { type LeftOut, OF_TRAINING } from './left-out.js';

/** The split of a folder: `val` is for choosing the best epoch. */
export type FolderSplit = Split | 'val';

/** The names that a split may have in folders and manifests, the preferred one first. In folders upper case may be used. */
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

const SPLITS = Object.keys(SPLIT_NAMES) as FolderSplit[];

/** Names that are in use for splits, such as `training_set`, beginning with the name of the split. */
const LIKE_SPLIT = /^(train|test|val)(id|ing|idation)?([_-]?(set|data|images))?$/i;

/** What the folder of a set contains. */
export interface FolderLayout {
  /** The names of the folders of the splits; null for a folder of class folders, without `train` and `test`. */
  splits: ReadonlyMap<FolderSplit, string> | null;
  /** All folders, without those of trainings. */
  folders: readonly string[];
  /** Files that belong to no class or split, and folders that belong to no split or were written by a training. */
  leftOut: readonly LeftOut[];
}

/**
 * The splits or class folders of a folder.
 * @throws DatasetError when it cannot be read, and for folders that look like splits but have other names.
 */
export async function layoutOf(root: string): Promise<FolderLayout> {
  const contents = await contentsOf(root);
  const { folders, files, runs } = contents;
  const splits = splitsOf(folders);
  await checkNames(root, folders, splits);
  if (!splits) return { splits, folders, leftOut: outsideOfClasses(root, contents) };
  const names = [...splits.values()];
  const reason = `outside of ${listed(names.map((name) => `${name}/`))}`;
  const outside = [...others(folders, names), ...files].map((name) => ({ path: join(root, name), reason }));
  return { splits, folders, leftOut: [...outside, ...ofTrainings(root, runs)] };
}

/** What is in a folder of class folders besides them. */
export function outsideOfClasses(folder: string, { files, runs }: FolderContents): LeftOut[] {
  const outside = files.map((name) => ({ path: join(folder, name), reason: 'outside of a class folder' }));
  return [...outside, ...ofTrainings(folder, runs)];
}

const ofTrainings = (folder: string, runs: readonly string[]) =>
  runs.map((name) => ({ path: join(folder, name), reason: OF_TRAINING }));

/** The splits that a folder has; null for a folder of class folders. @throws DatasetError as {@link layoutOf}. */
export async function folderSplits(root: string): Promise<ReadonlySet<FolderSplit> | null> {
  const { splits } = await layoutOf(root);
  return splits && new Set(splits.keys());
}

/**
 * The folder of a split.
 * @returns Undefined for a folder without splits; the preferred name if the split is missing.
 */
export function splitFolder({ splits }: FolderLayout, split: FolderSplit): string | undefined {
  if (!splits) return undefined;
  const source = SPLIT_SOURCES[split].find((one) => splits.has(one));
  return source === undefined ? SPLIT_NAMES[split][0] : splits.get(source);
}

/** The folders of splits; a name in lower case comes before the same one in upper case. */
function splitsOf(folders: readonly string[]): ReadonlyMap<FolderSplit, string> | null {
  const found = new Map<FolderSplit, string>();
  for (const split of SPLITS) {
    for (const name of SPLIT_NAMES[split].toReversed()) {
      const folder = folders.includes(name) ? name : folders.find((one) => one.toLowerCase() === name);
      if (folder !== undefined) found.set(split, folder);
    }
  }
  return found.has('train') || found.has('test') ? found : null;
}

/**
 * Names such as `training_set` would become classes, or be left out.
 * @throws DatasetError for folders that look like splits, if no folder is one: a class may have such a name.
 */
async function checkNames(
  root: string,
  folders: readonly string[],
  splits: FolderLayout['splits'],
): Promise<void> {
  const alike: { name: string; split: FolderSplit }[] = [];
  for (const name of others(folders, [...(splits?.values() ?? [])])) {
    const split = LIKE_SPLIT.exec(name)?.[1]?.toLowerCase() as FolderSplit | undefined;
    // Next to splits, only those that are missing are of interest.
    if (split === undefined ? splits : splits?.has(split)) continue;
    if (split === undefined || (await contentsOf(join(root, name))).folders.length === 0) return;
    alike.push({ name, split });
  }
  const isNamed = ({ name, split }: (typeof alike)[number]) =>
    SPLIT_NAMES[split].includes(name.toLowerCase());
  if (alike.every(isNamed)) return;
  const names = listed(alike.map(({ name }) => name));
  const [look, them] = alike.length === 1 ? ['looks like a split', 'it'] : ['look like splits', 'them'];
  const better = listed(alike.map(({ split }) => split));
  throw datasetError(root, `${names} ${look}: name ${them} ${better}`);
}

const others = (folders: readonly string[], names: readonly string[]) =>
  folders.filter((name) => !names.includes(name));

function listed(names: readonly string[]): string {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}

/**
 * Why a folder has too few class folders.
 * @param folder - The folder that should have class folders, `name` in `root`; undefined for the root itself.
 * @throws DatasetError
 */
export async function checkClassFolders(
  root: string,
  { splits, folders }: FolderLayout,
  name: string | undefined,
  found: readonly string[],
): Promise<void> {
  if (found.length >= 2) return;
  const outside = splits ? others(folders, [...splits.values()]) : [];
  if (name !== undefined && outside.length > 0)
    throw datasetError(
      root,
      `it has a folder ${name}, so its folders are read as splits. To use ${name} as a class, put the class folders into ` +
        `${join(root, SPLIT_NAMES.train[0])}/`,
    );
  const folder = name === undefined ? root : join(root, name);
  const [only] = found;
  const list = only === undefined ? '' : `: ${only}`;
  const inner = only === undefined ? null : join(folder, only);
  const advice =
    inner !== null && (await contentsOf(inner)).folders.length >= 2 ? `. Did you mean ${inner}?` : '';
  throw datasetError(folder, `expected at least 2 class folders but found ${found.length}${list}${advice}`);
}
