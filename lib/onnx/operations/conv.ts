/**
 * Convolutions.
 * @module
 */
import type { Value } from '../graph.js';
import { reshaped, squeeze, unsqueeze } from '../shapes.js';
import type { Step, Translation, Translations } from '../step.js';
import { kernelOf, padsOf } from './conv-sizes.js';
import { dynamicConv2d } from './dynamic-conv.js';

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

/** Pooling, two linear maps, and a softmax with temperature or a sigmoid: [B, C, H, W] -> [B, K]. */
function routing(step: Step): Value {
  const dtype = step.dtype(0);
  const pooled = step.node('Flatten', [step.node('GlobalAveragePool', [step.value(0)])], { axis: 1 });
  const flat = (i: number): Value => reshaped(step, i, [step.size(i, 0), step.size(i, 1)]);
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
