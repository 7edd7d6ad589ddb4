/**
 * The names of the networks, apart from the networks: a command line can be checked without loading libtorch.
 * @module
 */

/** What {@link create} and `--model` take. */
export const MODEL_NAMES = ['alexnet', 'alexnet-dy'] as const;
