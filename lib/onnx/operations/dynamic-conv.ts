/**
 * The dynamic convolution, in three forms with a free batch size. The usual form, a convolution whose groups are the samples, fixes it.
 * @module
 */
import type { StoredSize } from '../../native/compile.js';
import type { Value } from '../graph.js';
import { reshape, reshaped, split, transpose, unsqueeze } from '../shapes.js';
import { product, type Step } from '../step.js';
import { kernelOf, padsOf } from './conv-sizes.js';

/** The largest int32: every runtime takes it for the end of a dimension. */
const TO_THE_END = 2 ** 31 - 1;

/** [B, I, H, W] and attention [B, K] -> [B, O, H', W']. */
export function dynamicConv2d(step: Step): Value {
  if (isCheaperMixed(step)) return mixKernels(step);
  return isDepthwise(step) && !step.graph.settings.forInt8 ? mixDepthwise(step) : mixOutputs(step);
}

/** Whether every channel has its own kernel. */
function isDepthwise(step: Step): boolean {
  const groups = step.number(7);
  return groups > 1 && groups === step.size(1, 1) && step.size(1, 2) === 1;
}

/**
 * Whether mixed kernels are cheaper than mixed outputs. The first save K - 1 convolutions, and cost the kernels of each sample, which are
 * written to memory and read again, and for kernels larger than 1x1 the copies of the input. Measured with onnxruntime: docs/onnx.md.
 */
function isCheaperMixed(step: Step): boolean {
  const { graph } = step;
  // Only a Conv node can compute in int8 with a scale for each channel of each kernel.
  if (graph.settings.forInt8 || step.number(7) !== 1) return false;
  // With free sizes, the file must not depend on those of the example, and usual images are large enough.
  const known = graph.settings.dynamicSize ? undefined : product(step.resultSizes().slice(2));
  const pixels = known ?? Number.POSITIVE_INFINITY;
  const experts = step.size(1, 0);
  const saved = (experts - 1) * pixels;
  return tapsOf(step) === 1 ? saved >= 49 : experts > 2 && saved >= 98;
}

/** The number of elements of a kernel [k, k]. */
const tapsOf = (step: Step): number => kernelOf(step, 3).reduce((count, size) => count * size, 1);

/** The sizes [B, O, H', W'] of the result. @param like - Has the same batch size, height and width. */
function outputSizes(step: Step, outputs: number, like: Value): Value {
  const { graph } = step;
  if (!graph.settings.dynamicSize)
    return graph.sizes([0, outputs, ...(step.resultSizes().slice(2) as StoredSize[])]);
  const places = step.node('Slice', [step.node('Shape', [like]), graph.ints([-2]), graph.ints([TO_THE_END])]);
  return step.node('Concat', [graph.ints([0, outputs]), places], { axis: 0 });
}

// ---- Mixed outputs ----

/** The attributes of a convolution with the kernels of an expert. */
const convOf = (step: Step) => ({
  kernel_shape: kernelOf(step, 3),
  strides: step.integers(4),
  pads: padsOf(step.integers(5)),
  dilations: step.integers(6),
  group: step.number(7),
});

/** A weight [K, O, ...] or bias [K, O] with the experts of each group side by side: [groups * K * O / groups, ...]. */
function joinExperts(step: Step, i: number, groups: number): Value {
  const sizes = step.sizes(i).map((_, axis) => step.size(i, axis));
  const [experts = 1, outputs = 1, ...rest] = sizes;
  const joined = [experts * outputs, ...rest];
  if (groups === 1) return reshaped(step, i, joined);
  const parts = [experts, groups, outputs / groups, ...rest];
  const perm = [1, 0, ...parts.slice(2).map((_, axis) => axis + 2)];
  const constant = step.arranged(i, joined, (elements) => elements.reshape(parts).permute(perm).contiguous());
  if (constant !== undefined) return constant;
  const ordered = transpose(step, reshape(step, step.value(i), sizes, parts), perm);
  return step.node('Reshape', [ordered, step.graph.ints(joined)]);
}

/**
 * A convolution is linear in its kernel: the sum of the experts' results, weighted by the attention, is the result of the weighted
 * kernel. So one convolution has the outputs of all experts, and a product with the attention mixes them.
 */
function mixOutputs(step: Step): Value {
  const groups = step.number(7);
  const [experts, outputs] = [step.size(1, 0), step.size(1, 1)];
  const all = step.node(
    'Conv',
    [step.value(0), joinExperts(step, 1, groups), step.isNull(3) ? '' : joinExperts(step, 3, groups)],
    convOf(step),
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
  const places = groups === 1 ? [0, experts, -1] : [0, groups, experts, -1];
  const rows = step.node('Reshape', [all, graph.ints(places)]);
  const weights = unsqueeze(step, step.value(2), groups === 1 ? [1] : [1, 2]);
  graph.attentions.add(weights);
  const mixed = step.node('MatMul', [weights, rows]);
  return step.node('Reshape', [mixed, outputSizes(step, outputs, all)]);
}

/**
 * A depthwise convolution for each expert, as runtimes have fast kernels for these, and not for several outputs of a channel. Their
 * results are multiplied by the attention and added.
 */
function mixDepthwise(step: Step): Value {
  const [experts, channels] = [step.size(1, 0), step.size(1, 1)];
  const perExpert = (value: Value, axis: number, size: number) =>
    split(step, value, axis, new Array<number>(experts).fill(size));
  // Expert by expert: groups only order the outputs of one convolution for all.
  const joined = (i: number) => perExpert(joinExperts(step, i, 1), 0, channels);
  const kernels = joined(1);
  const biases = step.isNull(3) ? [] : joined(3);
  const attention = unsqueeze(step, step.value(2), [2, 3]);
  const parts = perExpert(attention, 1, 1).map((weight, k) =>
    step.node('Mul', [
      step.node('Conv', [step.value(0), kernels[k]!, biases[k] ?? ''], convOf(step)),
      weight,
    ]),
  );
  return parts.length === 1 ? parts[0]! : step.node('Sum', parts);
}

// ---- Mixed kernels ----

/**
 * The attention [B, K] times the kernels [K, O I k k] gives the kernel of each sample, and its product with the columns of the input
 * [B, I k k, H' W'] the convolution.
 */
function mixKernels(step: Step): Value {
  const { graph } = step;
  const [outputs, inputs, taps] = [step.size(1, 1), step.size(1, 2), tapsOf(step)];
  const kernels = reshaped(step, 1, [step.size(1, 0), outputs * inputs * taps]);
  const attention = step.value(2);
  const shifted = shiftedInputs(step);
  const columns = shifted.length === 1 ? shifted[0]! : step.node('Concat', shifted, { axis: 2 });
  const sum = step.node('MatMul', [
    step.node('Reshape', [
      step.node('MatMul', [attention, kernels]),
      graph.ints([0, outputs, inputs * taps]),
    ]),
    step.node('Reshape', [columns, graph.ints([0, inputs * taps, -1])]),
  ]);
  const biased = step.isNull(3)
    ? sum
    : step.node('Add', [sum, unsqueeze(step, step.node('MatMul', [attention, step.value(3)]), [2])]);
  return step.node('Reshape', [biased, outputSizes(step, outputs, shifted[0]!)]);
}

/** The pixels of the input that each element of the kernel reads: k k tensors [B, I, 1, H', W']. */
function shiftedInputs(step: Step): Value[] {
  const { graph } = step;
  const kernel = kernelOf(step, 3);
  const [strides, padding, dilation] = [4, 5, 6].map((i) => step.integers(i)) as [
    number[],
    number[],
    number[],
  ];
  const pads = graph.ints(padsOf([0, 0, ...padding]));
  const isPadded = padding.some((size) => size > 0);
  const padded = isPadded ? step.node('Pad', [step.value(0), pads], { mode: 'constant' }) : step.value(0);
  const image = unsqueeze(step, padded, [2]);
  if ([...kernel, ...strides].every((size) => size === 1)) return [image];
  const [height, width] = kernel as [number, number];
  return Array.from({ length: height * width }, (_, tap) => {
    const at = [Math.floor(tap / width), tap % width];
    const start = at.map((place, axis) => place * dilation[axis]!);
    // Counted from the end, so that no size of the image is in the file.
    const end = at.map((place, axis) => (place + 1 - kernel[axis]!) * dilation[axis]! || TO_THE_END);
    return step.node('Slice', [image, ...[start, end, [3, 4], strides].map((list) => graph.ints(list))]);
  });
}
