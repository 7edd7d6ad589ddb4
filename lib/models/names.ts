/**
 * The names of the networks, in a separate file so that a command line can be checked without loading libtorch.
 * @module
 */

/** Names for {@link create} and `--model`. */
export const MODEL_NAMES = ['alexnet', 'alexnet-dy'] as const;
