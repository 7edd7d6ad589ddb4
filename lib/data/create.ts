/**
 * Data sets by name, for commands.
 * @module
 */
import { checkOptions, optionKeys } from '../check/index.js';
import { invalidArgument } from '../errors.js';
import { type Cifar10Options, cifar10, cifar100 } from './cifar.js';
import { checkSameClasses } from './class-names.js';
import { checkSplit, type InMemoryDataset, type Split } from './dataset.js';
import { type ImageFolderOptions, imageFolder } from './image-folder.js';
import { bundled, fashionMnist, type MnistOptions, mnist } from './mnist.js';
import { DATASET_NAMES, type DatasetName } from './names.js';
import type { FolderSplit } from './picture-files.js';
import { SOURCE_KEYS, type SourceOptions } from './sources.js';

export type { DatasetName } from './names.js';

/** Options of {@link create}. Options that a set does not use are ignored: the bundled set needs no root. */
export interface CreateOptions extends SourceOptions {
  /** Images for training or for testing; of a folder also `val`, for choosing the best epoch: see {@link ImageFolderOptions}. */
  split: FolderSplit;
  /** For CIFAR: see {@link Cifar10Options}. */
  cache?: Cifar10Options['cache'] | undefined;
  /** For folders: see {@link ImageFolderOptions}. */
  unreadable?: ImageFolderOptions['unreadable'] | undefined;
  /** For folders: height and width of the images in memory, in pixels. Default: 130. */
  size?: number | undefined;
  /**
   * Class names in label order that the set must have, such as those stored with a run. They determine the labels of an
   * image folder. Default: the set's own.
   */
  classes?: readonly string[] | undefined;
}

const CREATE_KEYS = optionKeys(...SOURCE_KEYS, 'split', 'classes', 'cache', 'unreadable', 'size');

const MAKERS: Readonly<Record<DatasetName, (options: CreateOptions) => Promise<InMemoryDataset>>> = {
  cifar10: (options) => cifar10(forArchive(options)),
  cifar100: (options) => cifar100(forArchive(options)),
  mnist: (options) => mnist(forIdx(options)),
  'fashion-mnist': (options) => fashionMnist(forIdx(options)),
  bundled: ({ split }) => bundled({ split: archiveSplit(split) }),
  folder: ({ root = 'data', split, classes, unreadable, size, onProgress }) =>
    imageFolder({
      root,
      split,
      classes,
      unreadable,
      size,
      onProgress: onProgress && ((done, total) => onProgress(root, done, total, 'parse')),
    }),
};

function forArchive({ unreadable: _, classes: __, size: ___, ...options }: CreateOptions): Cifar10Options {
  return { ...options, split: archiveSplit(options.split) };
}

function forIdx({
  unreadable: _,
  cache: __,
  classes: ___,
  size: ____,
  ...options
}: CreateOptions): MnistOptions {
  return { ...options, split: archiveSplit(options.split) };
}

/** The split of a set that has no images for validation. */
function archiveSplit(split: FolderSplit): Split {
  checkSplit(split);
  return split;
}

/** The names of all data sets, for `--dataset`. */
export function list(): DatasetName[] {
  return [...DATASET_NAMES];
}

/**
 * A data set by its name.
 * @example
 * const train = await data.create('cifar10', { root: 'data', split: 'train', download: true })
 * @throws ArgumentError for an unknown name; DatasetError for other classes than those of `options.classes`, with both
 * lists; and what the set itself throws.
 */
export async function create(
  name: DatasetName | (string & {}),
  options: CreateOptions,
): Promise<InMemoryDataset> {
  if (typeof name !== 'string' || !Object.hasOwn(MAKERS, name))
    throw invalidArgument('dataset', `one of ${list().join(', ')}`, name);
  const { classes, split } = checkOptions(options, CREATE_KEYS);
  const set = await MAKERS[name as DatasetName](options);
  if (classes !== undefined) checkSameClasses(`${name} (${split})`, classes, set.classes);
  return set;
}
