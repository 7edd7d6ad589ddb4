/**
 * Quantized values. The operators between them compute with dequantized floats here, which runtimes replace with integers; the
 * results are the same except for rounding.
 * @module
 */
import { type DType, isFloatingPoint } from '../../../tensor/dtype.js';
import type { Tensor } from '../../../tensor/tensor.js';
import { type Call, fromStart, NodeProblem, type NodeSpec, type Operators } from '../node.js';
import { dtypeAttribute } from './elementwise.js';

const LIMITS: Partial<Record<DType, readonly [number, number]>> = {
  uint8: [0, 255],
  int8: [-128, 127],
  int16: [-(2 ** 15), 2 ** 15 - 1],
};

/** The axis of several scales, from the attributes. */
function axisOf(node: NodeSpec): number {
  if (node.int('block_size', 0) !== 0) node.fail('has a scale for each block, which is not supported');
  return node.int('axis', 1);
}

/** A scale or zero point, one for all elements or one for each index of an axis, in a shape that broadcasts to `x`. */
function along(call: Call, i: number, axis: number): Tensor {
  const [x, values] = [call.tensor(0), call.tensor(i)];
  if (values.numel === 1) return values.reshape([]);
  const place = fromStart(axis, x.ndim);
  if (values.ndim !== 1 || values.numel !== x.shape[place])
    throw new NodeProblem(
      `has scales [${values.shape.join(', ')}] for the dimension ${place} of [${x.shape.join(', ')}]`,
    );
  return values.reshape(x.shape.map((_, j) => (j === place ? -1 : 1)));
}

/** round(x / scale) + zero point, clamped to the range of the dtype. */
function quantize(node: NodeSpec) {
  const axis = axisOf(node);
  const stated = node.int('output_dtype', 0) === 0 ? 'uint8' : dtypeAttribute(node, 'output_dtype');
  return (call: Call): Tensor => {
    const dtype = call.has(2) ? call.tensor(2).dtype : stated;
    const limits = LIMITS[dtype];
    if (limits === undefined) throw new NodeProblem(`quantizes to ${dtype}, which is not supported`);
    const steps = call
      .tensor(0)
      .div(along(call, 1, axis))
      .round();
    const shifted = call.has(2) ? steps.add(along(call, 2, axis)) : steps;
    return shifted.clamp({ min: limits[0], max: limits[1] }).to({ dtype });
  };
}

/** (x - zero point) * scale. */
function dequantize(node: NodeSpec) {
  const axis = axisOf(node);
  return (call: Call): Tensor => {
    const scale = along(call, 1, axis);
    if (!isFloatingPoint(scale.dtype))
      throw new NodeProblem(`has a scale of ${scale.dtype}, which is not supported`);
    const x = call.tensor(0).to({ dtype: scale.dtype });
    return (call.has(2) ? x.sub(along(call, 2, axis).to({ dtype: scale.dtype })) : x).mul(scale);
  };
}

export const QUANTIZATION: Operators = { QuantizeLinear: quantize, DequantizeLinear: dequantize };
