/**
 * Sizes of the problems that the checks on a GPU compute.
 * @module
 */

/**
 * A problem with a square input and kernel. Padding is half of the kernel.
 * @typedef {{ batch: number, in: number, out: number, size: number, kernel: number, stride: number, groups: number, experts: number }} Problem
 */

/** A small problem whose sizes end within the tiles and vectors of the kernels. @type {Problem} */
export const PLAIN = { batch: 3, in: 20, out: 33, size: 7, kernel: 3, stride: 1, groups: 1, experts: 3 };

/**
 * Small problems that together run every kernel of dynamic convolution in every form: for each dtype and layout, each number of elements
 * per thread and each number of experts at a time (`Width` and `BackwardChunked` of cpp/kernels/cuda/mix.cu), and weights that are
 * read 16 bytes at a time or one by one (`wide` of dynamic_conv.cu).
 * @type {Problem[]}
 */
export const ONCE = [2, 3].flatMap((experts) => [
  { ...PLAIN, experts },
  ...[66, 128].map((out) => ({ ...PLAIN, batch: 2, in: 16, out, size: 8, experts })),
]);
