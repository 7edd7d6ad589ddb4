/**
 * Pooling.
 * @module
 */
import type { Value } from '../graph.js';
import { isOnePlace } from '../shapes.js';
import type { Step, Translation, Translations } from '../step.js';
import { batched } from './conv.js';
import { padsOf } from './conv-sizes.js';

/** The windows of a pool. */
interface Windows {
  readonly kernel: number[];
  readonly stride: number[];
  readonly padding: number[];
  readonly dilation: number[];
  readonly ceil: boolean;
}

/** Attributes of the windows, so that the result has the sizes of libtorch's. */
function windowsOf(
  step: Step,
  { kernel, stride, padding, dilation, ceil }: Windows,
): Record<string, number | number[]> {
  const common = { kernel_shape: kernel, strides: stride };
  const outputs = step.resultSizes().slice(-kernel.length);
  const inputs = step.sizes(0).slice(-kernel.length);
  const span = kernel.map((size, i) => dilation[i]! * (size - 1) + 1);
  const fits = (round: (x: number) => number) =>
    outputs.every(
      (size, i) => size === round((Number(inputs[i]) + 2 * padding[i]! - span[i]!) / stride[i]!) + 1,
    );
  if (!ceil || (!step.graph.settings.dynamicSize && fits(Math.floor)))
    return { ...common, pads: padsOf(padding) };
  if (fits(Math.ceil)) return { ...common, pads: padsOf(padding), ceil_mode: 1 };
  // libtorch leaves out a last window that would begin behind the input: with this padding, the others remain.
  const behind = outputs.map((size, i) =>
    Math.max(0, (Number(size) - 1) * stride[i]! + span[i]! - Number(inputs[i]) - padding[i]!),
  );
  return { ...common, pads: [...padding, ...behind] };
}

/** An empty stride is that of the kernel. */
function strideOf(step: Step, i: number, kernel: number[]): number[] {
  const stride = step.integers(i);
  return stride.length === 0 ? kernel : stride;
}

/**
 * The input of a pool. onnxruntime merges a `Pad` with zeros into the pool behind it (seen in 1.30): a max pool then pads with minus infinity, and a file
 * with as much padding as the kernel has is refused. A node between them that changes nothing keeps them apart.
 */
function apart(step: Step, x: Value): Value {
  if (step.graph.operatorOf(x) !== 'Pad') return x;
  return step.node('Max', [x, step.graph.scalar(Number.NEGATIVE_INFINITY, step.dtype(0))]);
}

function maxPool(step: Step, dims = step.integers(1).length): Value {
  const kernel = step.integers(1);
  const dilation = step.integers(4);
  const windows = {
    kernel,
    stride: strideOf(step, 2, kernel),
    padding: step.integers(3),
    dilation,
    ceil: step.flag(5),
  };
  return batched(step, dims + 1, (x) =>
    step.node('MaxPool', [apart(step, x)], { ...windowsOf(step, windows), dilations: dilation }),
  );
}

/** Places are counted in the plane by libtorch, and in the whole tensor by ONNX. */
function maxPoolWithIndices(step: Step): Value[] {
  if (step.isUsed(1)) step.fail('returns the indices of the maxima, which ONNX numbers differently');
  return [maxPool(step), ''];
}

const avgPool =
  (dims: number): Translation =>
  (step) => {
    const kernel = step.integers(1);
    const [padding, ceil, includePad] = [step.integers(3), step.flag(4), step.flag(5)];
    const divisor = step.isNull(6) ? undefined : step.number(6);
    const padded = padding.some((size) => size > 0);
    const windows = {
      kernel,
      stride: strideOf(step, 2, kernel),
      padding,
      dilation: kernel.map(() => 1),
      ceil,
    };
    const attributes = windowsOf(step, windows);
    const isCeil = 'ceil_mode' in attributes || String(attributes.pads) !== String(padsOf(padding));
    if (isCeil && ((padded && includePad) || divisor !== undefined))
      step.fail('has padding or a divisor together with ceilMode, for which versions of ONNX differ');
    const counted = divisor !== undefined || (includePad && padded) ? 1 : 0;
    return batched(step, dims + 1, (x) => {
      const mean = step.node('AveragePool', [apart(step, x)], { ...attributes, count_include_pad: counted });
      if (divisor === undefined) return mean;
      const area = kernel.reduce((product, size) => product * size, 1);
      return step.node('Mul', [mean, step.graph.scalar(area / divisor, step.resultDType())]);
    });
  };

/** The matrix [outputs, inputs] of the means over the windows of an adaptive pool, whose sizes differ. */
function meansOf(inputs: number, outputs: number): number[][] {
  return Array.from({ length: outputs }, (_, row) => {
    const [begin, end] = [Math.floor((row * inputs) / outputs), Math.ceil(((row + 1) * inputs) / outputs)];
    return Array.from({ length: inputs }, (_, i) => (i >= begin && i < end ? 1 / (end - begin) : 0));
  });
}

/** Windows of unequal sizes are two products with matrices, for the rows and the columns. */
function unevenMeans(step: Step, x: Value, inputs: number[], outputs: number[]): Value {
  if (inputs.length > 2) step.fail('has windows of different sizes in three dimensions');
  const matrix = (i: number, transposed: boolean): Value => {
    const [rows, columns] = [outputs[i]!, inputs[i]!];
    const means = meansOf(columns, rows);
    const values = transposed
      ? Array.from({ length: columns }, (_, column) => means.map((row) => row[column]!))
      : means;
    return step.graph.constant(values.flat(), step.dtype(0), transposed ? [columns, rows] : [rows, columns]);
  };
  const columns = step.node('MatMul', [x, matrix(inputs.length - 1, true)]);
  return inputs.length === 1 ? columns : step.node('MatMul', [matrix(0, false), columns]);
}

/** @param operator - `'Average'` or `'Max'`. */
const adaptive =
  (dims: number, operator: 'Average' | 'Max'): Translation =>
  (step) =>
    batched(step, dims + 1, (x) => {
      const results = step.resultSizes();
      if (isOnePlace(results.length > dims + 1 ? results : [1, ...results]))
        return step.node(`Global${operator}Pool`, [x]);
      const sizeOf = (sizes: readonly unknown[]) => sizes.slice(-dims).map(Number);
      const [inputs, outputs] = [sizeOf(step.sizes(0)), sizeOf(results)];
      if (inputs.every((size, i) => size % outputs[i]! === 0)) {
        const kernel = inputs.map((size, i) => size / outputs[i]!);
        return step.node(`${operator}Pool`, [apart(step, x)], { kernel_shape: kernel, strides: kernel });
      }
      if (operator === 'Max') step.fail('has windows of different sizes');
      return unevenMeans(step, x, inputs, outputs);
    });

export const POOL: Translations = {
  maxPool1d: (step) => maxPool(step),
  maxPool2d: (step) => maxPool(step),
  maxPool3d: (step) => maxPool(step),
  maxPoolWithIndices,
  avgPool1d: avgPool(1),
  avgPool2d: avgPool(2),
  avgPool3d: avgPool(3),
  adaptiveAvgPool1d: adaptive(1, 'Average'),
  adaptiveAvgPool2d: adaptive(2, 'Average'),
  adaptiveAvgPool3d: adaptive(3, 'Average'),
  adaptiveMaxPool1d: adaptive(1, 'Max'),
  adaptiveMaxPool2d: adaptive(2, 'Max'),
  adaptiveMaxPool3d: adaptive(3, 'Max'),
};
