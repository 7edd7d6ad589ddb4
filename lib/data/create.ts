/**
 * Data sets by name, for commands.
 * @module
 */
import { checkOptions, optionKeys } from '../check/index.js';
import { invalidArgument } from '../errors.js';
import { type Cifar10Options, cifar10, cifar100 } from './cifar.js';
import { checkSameClasses } from './class-names.js';
import { checkSplit, type ImageDataset, type InMemoryDataset, type Split } from './dataset.js';
import { imageFolder } from './image-folder.js';
import { manifest } from './manifest.js';
import { bundled, fashionMnist, type MnistOptions, mnist } from './mnist.js';
import { DATASET_NAMES, type DatasetName } from './names.js';
import type { FolderSplit } from './picture-files.js';
import type { PictureSetOptions } from './picture-set.js';
import { SOURCE_KEYS, type SourceOptions } from './sources.js';

export type { DatasetName } from './names.js';

/** Options of {@link create}. Options that a set does not use are ignored: the bundled set needs no root. */
export interface CreateOptions extends SourceOptions {
  /** Images for training or for testing; of folders and manifests also `val`, for choosing the best epoch. */
  split: FolderSplit;
  /** For CIFAR: see {@link Cifar10Options}. */
  cache?: Cifar10Options['cache'] | undefined;
  /** For folders and manifests: see {@link PictureSetOptions}. */
  unreadable?: PictureSetOptions['unreadable'] | undefined;
  /** For folders and manifests: called for every file that is left out, see {@link PictureSetOptions}. */
  onSkip?: PictureSetOptions['onSkip'] | undefined;
  /** For folders and manifests: height and width of the images, in pixels. Default: 130. */
  size?: number | undefined;
  /** For folders and manifests: bytes of memory for the images, see {@link PictureSetOptions}. Default: no limit. */
  memoryLimit?: number | undefined;
  /**
   * Class names in label order that the set must have, such as those stored with a run. They determine the labels of image
   * folders and manifests. Default: the set's own.
   */
  classes?: readonly string[] | undefined;
}

const CREATE_KEYS = optionKeys(
  ...SOURCE_KEYS,
  'split',
  'classes',
  'cache',
  'unreadable',
  'onSkip',
  'size',
  'memoryLimit',
);

const MAKERS: Readonly<Record<DatasetName, (options: CreateOptions) => Promise<ImageDataset>>> = {
  cifar10: (options) => cifar10(forArchive(options)),
  cifar100: (options) => cifar100(forArchive(options)),
  mnist: (options) => mnist(forIdx(options)),
  'fashion-mnist': (options) => fashionMnist(forIdx(options)),
  bundled: ({ split }) => bundled({ split: archiveSplit(split) }),
  folder: ({ root = 'data', split, ...options }) =>
    imageFolder({ root, split, ...forPictures(root, options) }),
  manifest: ({ root = 'data', split, ...options }) =>
    manifest({ file: root, split, ...forPictures(root, options) }),
};

type PictureKey = 'classes' | 'unreadable' | 'onSkip' | 'size' | 'memoryLimit';

/** Options without those of sets of image files. */
function withoutPictures({
  classes: _,
  unreadable: __,
  onSkip: ___,
  size: ____,
  memoryLimit: _____,
  ...options
}: CreateOptions): Omit<CreateOptions, PictureKey> {
  return options;
}

function forPictures(
  root: string,
  { classes, unreadable, onSkip, size, memoryLimit, signal, onProgress }: Omit<CreateOptions, 'split'>,
): PictureSetOptions {
  return {
    ...{ classes, unreadable, onSkip, size, memoryLimit, signal },
    onProgress: onProgress && ((done, total) => onProgress(root, done, total, 'parse')),
  };
}

function forArchive(options: CreateOptions): Cifar10Options {
  return { ...withoutPictures(options), split: archiveSplit(options.split) };
}

function forIdx(options: CreateOptions): MnistOptions {
  const { cache: _, ...rest } = withoutPictures(options);
  return { ...rest, split: archiveSplit(options.split) };
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
export function create(
  name: DatasetName | (string & {}),
  options: CreateOptions & { memoryLimit?: undefined },
): Promise<InMemoryDataset>;
export function create(name: DatasetName | (string & {}), options: CreateOptions): Promise<ImageDataset>;
export async function create(
  name: DatasetName | (string & {}),
  options: CreateOptions,
): Promise<ImageDataset> {
  if (typeof name !== 'string' || !Object.hasOwn(MAKERS, name))
    throw invalidArgument('dataset', `one of ${list().join(', ')}`, name);
  const { classes, split } = checkOptions(options, CREATE_KEYS);
  const set = await MAKERS[name as DatasetName](options);
  if (classes !== undefined) checkSameClasses(`${name} (${split})`, classes, set.classes);
  return set;
}
