/**
 * The names of the data sets, apart from the sets: a command line can be checked without loading libtorch.
 * @module
 */

/** What {@link create} and `--dataset` take. */
export const DATASET_NAMES = ['cifar10', 'cifar100', 'mnist', 'fashion-mnist', 'bundled', 'folder'] as const;

/** The name of a data set. */
export type DatasetName = (typeof DATASET_NAMES)[number];
