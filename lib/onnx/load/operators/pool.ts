/**
 * Pooling.
 * @module
 */
import {
  adaptiveAvgPool2d,
  avgPool1d,
  avgPool2d,
  avgPool3d,
  maxPool1d,
  maxPool2d,
  maxPool3d,
} from '../../../ops/pool.js';
import { onesLike } from '../../../tensor/create.js';
import { isFloatingPoint } from '../../../tensor/dtype.js';
import type { Tensor } from '../../../tensor/tensor.js';
import { type Call, NodeProblem, type NodeSpec, type Operators } from '../node.js';
import { isEven, type Placed, padSpatial, place, type Windows, windowsOf } from './windows.js';

const MAX = [maxPool1d, maxPool2d, maxPool3d] as const;
const AVERAGE = [avgPool1d, avgPool2d, avgPool3d] as const;

/** The windows of a pool, whose kernel is an attribute. */
function poolWindows(
  node: NodeSpec,
): Windows & { readonly kernel: readonly number[]; readonly ceil: boolean } {
  const windows = windowsOf(node);
  const kernel = windows.kernel ?? node.fail('lacks the attribute kernel_shape');
  if (kernel.length < 1 || kernel.length > 3) node.fail(`has windows of ${kernel.length} dimensions`);
  return { ...windows, kernel, ceil: node.flag('ceil_mode') };
}

/** libtorch's pools pad both sides alike, and by half a window at most. */
function fits(placed: Placed): boolean {
  return isEven(placed) && placed.begin.every((size, i) => 2 * size <= placed.kernel[i]!);
}

function maxPool(node: NodeSpec) {
  const windows = poolWindows(node);
  if (node.hasOutput(1)) node.fail('returns the indices of the maxima, which ONNX numbers differently');
  return (call: Call): Tensor => {
    const x = call.tensor(0);
    const placed = place(x, windows, windows.kernel);
    const { stride, dilation, begin, end } = placed;
    const own = fits(placed);
    const least = isFloatingPoint(x.dtype) ? Number.NEGATIVE_INFINITY : undefined;
    if (!own && least === undefined) throw new NodeProblem(`has padding of ${x.dtype}`);
    const run = MAX[windows.kernel.length - 1] as typeof maxPool3d;
    return run(own ? x : padSpatial(x, begin, end, least), [...windows.kernel], {
      ...{ stride, dilation, ceilMode: windows.ceil },
      padding: own ? begin : 0,
    });
  };
}

function averagePool(node: NodeSpec) {
  const windows = poolWindows(node);
  const includePad = node.flag('count_include_pad');
  if (windows.dilations?.some((size) => size !== 1)) node.fail('has dilated windows');
  return (call: Call): Tensor => {
    const x = call.tensor(0);
    const placed = place(x, windows, windows.kernel);
    const { stride, begin, end } = placed;
    const run = AVERAGE[windows.kernel.length - 1] as typeof avgPool3d;
    const kernel = [...windows.kernel];
    const common = { stride, ceilMode: windows.ceil };
    if (fits(placed)) return run(x, kernel, { ...common, padding: begin, countIncludePad: includePad });
    const mean = run(padSpatial(x, begin, end), kernel, common);
    if (includePad) return mean;
    // The part of each window that is on the input.
    return mean.div(run(padSpatial(onesLike(x), begin, end), kernel, common));
  };
}

function globalAverage(call: Call): Tensor {
  const x = call.tensor(0);
  return x.ndim === 4 ? adaptiveAvgPool2d(x, 1) : x.mean({ dim: spatial(x), keepdim: true });
}

function spatial(x: Tensor): number[] {
  if (x.ndim < 3) throw new NodeProblem(`has an input without spatial dimensions: [${x.shape.join(', ')}]`);
  return x.shape.slice(2).map((_, i) => i + 2);
}

export const POOL: Operators = {
  MaxPool: maxPool,
  AveragePool: averagePool,
  GlobalAveragePool: () => globalAverage,
  GlobalMaxPool: () => (call) => {
    const x = call.tensor(0);
    return x.amax({ dim: spatial(x), keepdim: true });
  },
};
