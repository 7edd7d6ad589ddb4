/**
 * Floating-point operations of steps, by the names of their operations.
 * @module
 */

/**
 * Sizes of a step: of its arguments by position (a tensor's sizes, or a list of integers; undefined for other arguments), and of
 * its first result.
 */
type Rule = (sizes: readonly (readonly number[] | undefined)[], result: readonly number[]) => number;

const product = (sizes: readonly number[]) => sizes.reduce((result, size) => result * size, 1);

/** Every output scalar is a dot product over a kernel's inputs: `weight` is [O, I / groups, ...kernel]. */
const convolution: Rule = ([, weight], result) => 2 * product(result) * product(weight?.slice(1) ?? []);
const transposed: Rule = ([input, weight]) => 2 * product(input ?? []) * product(weight?.slice(1) ?? []);
const linear: Rule = ([, weight], result) => 2 * product(result) * (weight?.at(-1) ?? 0);
const matmul: Rule = ([input], result) => 2 * product(result) * (input?.at(-1) ?? 0);

/** For every sample: the weighted sum of the K kernels, then the convolution with it. */
const dynamic: Rule = ([input, weight], result) =>
  2 * (input?.[0] ?? 0) * product(weight ?? []) + 2 * product(result) * product(weight?.slice(2) ?? []);

const RULES: Readonly<Record<string, Rule>> = {
  conv1d: convolution,
  conv2d: convolution,
  conv3d: convolution,
  convTranspose1d: transposed,
  convTranspose2d: transposed,
  convTranspose3d: transposed,
  // Their second argument is the size of the weight.
  fusedConv2d: convolution,
  fusedDepthwiseConv2d: convolution,
  linear,
  fusedLinear: linear,
  matmul,
  mm: matmul,
  bmm: matmul,
  dynamicConv2d: dynamic,
  fusedDynamicConv2d: dynamic,
  // The pooling (one addition per input), then two linear maps of its result.
  routing: ([input, w1, , w2]) =>
    product(input ?? []) + 2 * (input?.[0] ?? 0) * (product(w1 ?? []) + product(w2 ?? [])),
};

/** Operations of a step, a multiply-add as two; 0 for operations that are not counted, as in `report.summary`. */
export function flopsOf(
  operation: string,
  sizes: readonly (readonly number[] | undefined)[],
  result: readonly number[] | undefined,
): number {
  const rule = Object.hasOwn(RULES, operation) ? RULES[operation] : undefined;
  return rule && result ? rule(sizes, result) : 0;
}
