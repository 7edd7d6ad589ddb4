/**
 * The names of the data sets, in a separate file so that a command line can be checked without loading libtorch.
 * @module
 */

/** The names for {@link create} and `--dataset`. */
export const DATASET_NAMES = [
  'cifar10',
  'cifar100',
  'mnist',
  'fashion-mnist',
  'bundled',
  'folder',
  'manifest',
] as const;

/** The name of a data set. */
export type DatasetName = (typeof DATASET_NAMES)[number];
