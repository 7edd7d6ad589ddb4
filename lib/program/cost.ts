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
/** Their fourth argument is the size of the weight, or of one expert. */
const quantized: Rule = ([input, , , size], result) => convolution([input, size], result);
const quantizedDynamic: Rule = ([input, , , size, attention], result) =>
  dynamic([input, [attention?.[1] ?? 0, ...(size ?? [])]], result);
const linear: Rule = ([, weight], result) => 2 * product(result) * (weight?.at(-1) ?? 0);
const matmul: Rule = ([input], result) => 2 * product(result) * (input?.at(-1) ?? 0);

/** For every sample: the weighted sum of the K kernels, then the convolution with it. */
const dynamic: Rule = ([input, weight], result) =>
  2 * (input?.[0] ?? 0) * product(weight ?? []) + 2 * product(result) * product(weight?.slice(2) ?? []);

/** The same with the size of one expert, [C, 1, kh, kw], in the place of the weight. */
const dynamicDepthwise: Rule = ([input, size, attention], result) =>
  dynamic([input, [attention?.[1] ?? 0, ...(size ?? [])]], result);

/** Scores and weighted sums: query [..., L, E], key [..., S, E], value [..., S, V]. */
const attention: Rule = ([query, key, value]) =>
  2 * product(query?.slice(0, -1) ?? []) * (key?.at(-2) ?? 0) * ((query?.at(-1) ?? 0) + (value?.at(-1) ?? 0));

/** Every vector of the input and the state before it are multiplied by the weights of all layers and directions. */
function recurrent(
  gates: number,
  input: readonly number[],
  states: readonly (readonly number[])[],
  features: number,
): number {
  const [count = 0, , outputs = 0] = states[0] ?? [];
  const hidden = states.at(-1)?.at(-1) ?? 0;
  const directions = outputs === 0 ? 1 : features / outputs;
  const inputs = directions * (input.at(-1) ?? 0) + (count - directions) * features;
  const projections = outputs < hidden ? count * outputs * hidden : 0;
  return 2 * product(input.slice(0, -1)) * (gates * hidden * (inputs + count * outputs) + projections);
}

const cell =
  (firstWeight: number): Rule =>
  (sizes) =>
    2 * (sizes[0]?.[0] ?? 0) * (product(sizes[firstWeight] ?? []) + product(sizes[firstWeight + 1] ?? []));

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
  fusedDynamicDepthwiseConv2d: dynamicDepthwise,
  int8Conv2d: quantized,
  int8Linear: quantized,
  int8DynamicConv2d: quantizedDynamic,
  // The pooling (one addition per input), then two linear maps of its result.
  routing: ([input, w1, , w2]) =>
    product(input ?? []) + 2 * (input?.[0] ?? 0) * (product(w1 ?? []) + product(w2 ?? [])),
  scaledDotProductAttention: attention,
  lstm: ([input, h0, c0], result) => recurrent(4, input ?? [], [h0 ?? [], c0 ?? []], result.at(-1) ?? 0),
  gru: ([input, h0], result) => recurrent(3, input ?? [], [h0 ?? []], result.at(-1) ?? 0),
  rnn: ([input, h0], result) => recurrent(1, input ?? [], [h0 ?? []], result.at(-1) ?? 0),
  lstmCell: cell(3),
  gruCell: cell(2),
  rnnCell: cell(2),
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
