/**
 * Convolutions.
 * @module
 */
import type { StoredSize } from '../../native/compile.js';
import type { Value } from '../graph.js';
import { reshape, squeeze, transpose, unsqueeze } from '../shapes.js';
import type { Step, Translation, Translations } from '../step.js';

/** What the operators call padding: before every dimension, then behind. */
export const padsOf = (padding: readonly number[]): number[] => [...padding, ...padding];

/** The sizes of a kernel: those of the weight behind its channels. */
function kernelOf(step: Step, skipped: number): number[] {
  const sizes = step.sizes(1);
  return sizes.slice(skipped).map((_, i) => step.size(1, i + skipped));
}

/** Runs `body` on a batch: an input without one gets it, and the result loses it. */
export function batched(step: Step, dims: number, body: (value: Value) => Value): Value {
  if (step.rank(0) > dims) return body(step.value(0));
  return squeeze(step, body(unsqueeze(step, step.value(0), [0])), [0]);
}

const conv =
  (dims: number): Translation =>
  (step) =>
    batched(step, dims + 1, (x) =>
      step.node('Conv', [x, step.value(1), step.optional(2)], {
        kernel_shape: kernelOf(step, 2),
        strides: step.integers(3),
        pads: padsOf(step.integers(4)),
        dilations: step.integers(5),
        group: step.number(6),
      }),
    );

const transposed =
  (dims: number): Translation =>
  (step) =>
    batched(step, dims + 1, (x) =>
      step.node('ConvTranspose', [x, step.value(1), step.optional(2)], {
        kernel_shape: kernelOf(step, 2),
        strides: step.integers(3),
        pads: padsOf(step.integers(4)),
        output_padding: step.integers(5),
        group: step.number(6),
        dilations: step.integers(7),
      }),
    );

/** A weight [K, O, ...] or bias [K, O] with the experts of each group side by side: [groups * K * O / groups, ...]. */
function joinExperts(step: Step, i: number, groups: number): Value {
  const sizes = step.sizes(i).map((_, axis) => step.size(i, axis));
  const [experts = 1, outputs = 1, ...rest] = sizes;
  const joined = [experts * outputs, ...rest];
  const parts = [experts, groups, outputs / groups, ...rest];
  const perm = [1, 0, ...parts.slice(2).map((_, axis) => axis + 2)];
  const constant = step.arranged(
    i,
    joined,
    groups === 1 ? undefined : (elements) => elements.reshape(parts).permute(perm).contiguous(),
  );
  if (constant !== undefined) return constant;
  const split = reshape(step, step.value(i), sizes, parts);
  const ordered = transpose(step, split, groups === 1 ? parts.map((_, axis) => axis) : perm);
  return step.node('Reshape', [ordered, step.graph.ints(joined)]);
}

/**
 * A convolution is linear in its kernel: the sum of the experts' results, weighted by the attention, is the result of the weighted
 * kernel. So one convolution has the outputs of all experts, and a product with the attention mixes them. No size of a kernel
 * depends on the batch.
 */
function dynamicConv2d(step: Step): Value {
  const groups = step.number(7);
  const [experts, outputs] = [step.size(1, 0), step.size(1, 1)];
  const all = step.node(
    'Conv',
    [step.value(0), joinExperts(step, 1, groups), step.isNull(3) ? '' : joinExperts(step, 3, groups)],
    {
      kernel_shape: kernelOf(step, 3),
      strides: step.integers(4),
      pads: padsOf(step.integers(5)),
      dilations: step.integers(6),
      group: groups,
    },
  );
  return mix(step, all, { experts, outputs, groups });
}

/** [B, groups * K * O / groups, H, W] -> [B, O, H, W], by the attention [B, K]. */
function mix(
  step: Step,
  all: Value,
  { experts, outputs, groups }: { experts: number; outputs: number; groups: number },
): Value {
  const { graph } = step;
  const split = groups === 1 ? [0, experts, -1] : [0, groups, experts, -1];
  const rows = step.node('Reshape', [all, graph.ints(split)]);
  const weights = unsqueeze(step, step.value(2), groups === 1 ? [1] : [1, 2]);
  graph.attentions.add(weights);
  const mixed = step.node('MatMul', [weights, rows]);
  const places = step.resultSizes().slice(2);
  const sizes = graph.settings.dynamicSize
    ? step.node(
        'Concat',
        [
          graph.ints([0, outputs]),
          step.node('Slice', [step.node('Shape', [all]), graph.ints([2]), graph.ints([4])]),
        ],
        { axis: 0 },
      )
    : graph.sizes([0, outputs, ...(places as StoredSize[])]);
  return step.node('Reshape', [mixed, sizes]);
}

/** Pooling, two linear maps, and a softmax with temperature or a sigmoid: [B, C, H, W] -> [B, K]. */
function routing(step: Step): Value {
  const dtype = step.dtype(0);
  const pooled = step.node('Flatten', [step.node('GlobalAveragePool', [step.value(0)])], { axis: 1 });
  const flat = (i: number): Value => {
    const sizes = step.sizes(i);
    return (
      step.arranged(i, [step.size(i, 0), step.size(i, 1)]) ??
      reshape(step, step.value(i), sizes, sizes.slice(0, 2))
    );
  };
  const hidden = step.node('Relu', [step.node('Gemm', [pooled, flat(1), step.optional(2)], { transB: 1 })]);
  const logits = step.node('Gemm', [hidden, flat(3), step.optional(4)], { transB: 1 });
  const cooled = step.node('Div', [logits, step.operand(5, dtype)]);
  return step.text(6) === 'softmax'
    ? step.node('Softmax', [cooled], { axis: 1 })
    : step.node('Sigmoid', [cooled]);
}

export const CONV: Translations = {
  conv1d: conv(1),
  conv2d: conv(2),
  conv3d: conv(3),
  convTranspose1d: transposed(1),
  convTranspose2d: transposed(2),
  convTranspose3d: transposed(3),
  dynamicConv2d,
  routing,
};
