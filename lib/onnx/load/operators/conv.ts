/**
 * Convolutions.
 * @module
 */
import { conv2d } from '../../../ops/conv.js';
import { conv1d, conv3d, convTranspose1d, convTranspose2d, convTranspose3d } from '../../../ops/conv-nd.js';
import type { Tensor } from '../../../tensor/tensor.js';
import { type Call, NodeProblem, type NodeSpec, type Operators } from '../node.js';
import { isEven, type Placed, padSpatial, place, type Windows, windowsOf } from './windows.js';

const CONVS = [conv1d, conv2d, conv3d] as const;
const TRANSPOSED = [convTranspose1d, convTranspose2d, convTranspose3d] as const;

function dimsOf(weight: Tensor): number {
  const dims = weight.ndim - 2;
  if (dims < 1 || dims > 3) throw new NodeProblem(`has a weight of shape [${weight.shape.join(', ')}]`);
  return dims;
}

function conv(node: NodeSpec) {
  const windows = windowsOf(node);
  const groups = node.int('group', 1);
  return (call: Call): Tensor => {
    const [x, weight] = [call.tensor(0), call.tensor(1)];
    const dims = dimsOf(weight);
    const placed = place(x, windows, weight.shape.slice(2));
    const { stride, dilation, begin, end } = placed;
    const even = isEven(placed);
    const run = CONVS[dims - 1] as typeof conv3d;
    return run(even ? x : padSpatial(x, begin, end), weight, call.optional(2), {
      ...{ stride, dilation, groups },
      padding: even ? begin : 0,
    });
  };
}

/** What a transposed convolution leaves out at both ends of each dimension, and adds at the end. */
interface Ends {
  readonly begin: number[];
  readonly end: number[];
  readonly outputPadding: number[];
}

/** The ends that produce the sizes in output_shape, or input * stride with auto_pad. */
function endsOf(
  x: Tensor,
  { stride, dilation, kernel, begin, end }: Placed,
  added: readonly number[],
  windows: Windows & { readonly outputShape: readonly number[] | undefined },
): Ends {
  const { autoPad, outputShape } = windows;
  if (outputShape === undefined && (autoPad === 'NOTSET' || autoPad === 'VALID'))
    return { begin, end, outputPadding: [...added] };
  const surplus = kernel.map((size, i) => {
    const input = x.shape[i + 2]!;
    const full = (input - 1) * stride[i]! + added[i]! + (size - 1) * dilation[i]! + 1;
    return full - (outputShape?.at(i - kernel.length) ?? input * stride[i]!);
  });
  const half = surplus.map((sum) => Math.floor(Math.max(0, sum) / 2));
  const rest = surplus.map((sum, i) => Math.max(0, sum) - half[i]!);
  const outputPadding = added.map((size, i) => size + Math.max(0, -surplus[i]!));
  return autoPad === 'SAME_UPPER'
    ? { begin: half, end: rest, outputPadding }
    : { begin: rest, end: half, outputPadding };
}

function convTranspose(node: NodeSpec) {
  const windows = { ...windowsOf(node), outputShape: node.ints('output_shape') };
  const groups = node.int('group', 1);
  const given = node.ints('output_padding');
  return (call: Call): Tensor => {
    const [x, weight] = [call.tensor(0), call.tensor(1)];
    const dims = dimsOf(weight);
    // The sizes of SAME are those of the output here.
    const placed = place(x, { ...windows, autoPad: 'NOTSET' }, weight.shape.slice(2));
    const { stride, dilation } = placed;
    const { begin, end, outputPadding } = endsOf(x, placed, given ?? stride.map(() => 0), windows);
    const even = isEven({ begin, end });
    const run = TRANSPOSED[dims - 1]!;
    const y = run(x, weight, call.optional(2), {
      ...{ stride, dilation, groups, outputPadding },
      padding: even ? begin : 0,
    });
    const negated = (sizes: readonly number[]) => sizes.map((size) => -size);
    return even ? y : padSpatial(y, negated(begin), negated(end));
  };
}

export const CONV: Operators = { Conv: conv, ConvTranspose: convTranspose };
