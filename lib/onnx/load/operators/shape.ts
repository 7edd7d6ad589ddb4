/**
 * Views, rearrangements, joining and splitting.
 * @module
 */
import { pad as padOf } from '../../../ops/conv.js';
import { pixelShuffle } from '../../../ops/resize.js';
import { arange, full } from '../../../tensor/create.js';
import { broadcastShapes, cat } from '../../../tensor/join.js';
import { slice as sliceOf } from '../../../tensor/slice.js';
import type { Tensor } from '../../../tensor/tensor.js';
import { listHost, MAX_HOST, product, scalarHost } from '../host.js';
import { type Call, fromStart, NodeProblem, type NodeSpec, type Operators, type Result } from '../node.js';
import { Value } from '../value.js';

/** The sizes of a Reshape: 0 copies a size unless `allowZero`; -1 is what remains. */
export function reshaped(from: readonly number[], sizes: readonly number[], allowZero: boolean): number[] {
  const copied = sizes.map((size, i) => (size === 0 && !allowZero ? (from[i] ?? 0) : size));
  const rest = copied.indexOf(-1);
  if (rest < 0) return copied;
  const others = copied.reduce((result, size, i) => (i === rest ? result : result * size), 1);
  return copied.map((size, i) => (i === rest ? (others === 0 ? 0 : product(from) / others) : size));
}

function reshape(node: NodeSpec) {
  const allowZero = node.flag('allowzero');
  return (call: Call): Tensor => {
    const x = call.tensor(0);
    return x.reshape(reshaped(x.shape, call.numbers(1), allowZero));
  };
}

function flatten(node: NodeSpec) {
  const axis = node.int('axis', 1);
  return (call: Call): Tensor => {
    const x = call.tensor(0);
    const first = axis < 0 ? axis + x.ndim : axis;
    return x.reshape([product(x.shape.slice(0, first)), product(x.shape.slice(first))]);
  };
}

function transpose(node: NodeSpec) {
  const perm = node.ints('perm');
  return (call: Call): Tensor => {
    const x = call.tensor(0);
    return x.permute(perm === undefined ? x.shape.map((_, i) => x.ndim - 1 - i) : [...perm]);
  };
}

/** The shape with dimensions of size 1 at places of the result. */
export function unsqueezedDims(dims: readonly number[], axes: readonly number[]): number[] {
  const rank = dims.length + axes.length;
  const added = new Set(axes.map((axis) => fromStart(axis, rank)));
  const rest = [...dims];
  return Array.from({ length: rank }, (_, i) => (added.has(i) ? 1 : rest.shift()!));
}

/** The shape without some dimensions, or all, of size 1. */
export function squeezedDims(dims: readonly number[], axes: readonly number[] | undefined): number[] {
  const removed = new Set(axes?.map((axis) => fromStart(axis, dims.length)));
  return dims.filter((size, i) => {
    const leaves = axes === undefined ? size === 1 : removed.has(i);
    if (leaves && size !== 1) throw new NodeProblem(`removes a dimension of size ${size}`);
    return !leaves;
  });
}

function unsqueeze(node: NodeSpec) {
  const attribute = node.ints('axes');
  return (call: Call): Tensor => {
    const x = call.tensor(0);
    return x.reshape(unsqueezedDims(x.shape, call.listOr(1, attribute) ?? []));
  };
}

function squeeze(node: NodeSpec) {
  const attribute = node.ints('axes');
  return (call: Call): Tensor => {
    const x = call.tensor(0);
    return x.reshape(squeezedDims(x.shape, call.listOr(1, attribute)));
  };
}

/** The range of a slice along a dimension of a size, as the operator clamps it. */
export function clampRange(
  size: number,
  start: number,
  end: number,
  step: number,
): [start: number, count: number] {
  if (step === 0) throw new NodeProblem('has steps of 0');
  const [low, high] = step > 0 ? [0, size] : [-1, size - 1];
  const clamp = (value: number, least: number) =>
    Math.min(high, Math.max(least, value < 0 ? value + size : value));
  const first = clamp(start, step > 0 ? low : 0);
  const last = clamp(end, low);
  return [first, Math.max(0, Math.ceil((last - first) / step))];
}

/** Part of one dimension. */
function sliced(x: Tensor, axis: number, start: number, end: number, step: number): Tensor {
  const size = x.shape[axis]!;
  const [first, count] = clampRange(size, start, end, step);
  if (step === 1) return count === size ? x : x.narrow(axis, Math.min(first, size), count);
  if (count === 0) return x.narrow(axis, 0, 0);
  const reach = (count - 1) * step;
  const low = Math.min(first, first + reach);
  const part = x.narrow(axis, low, Math.abs(reach) + 1);
  const ordered = step < 0 ? part.flip([axis]) : part;
  if (Math.abs(step) === 1) return ordered;
  const before = Array.from({ length: axis }, () => sliceOf());
  return ordered.index(...before, sliceOf(null, null, Math.abs(step)));
}

function slice(call: Call): Tensor {
  const x = call.tensor(0);
  const [starts, ends] = [call.numbers(1), call.numbers(2)];
  const axes = call.has(3) ? call.numbers(3) : starts.map((_, i) => i);
  const steps = call.has(4) ? call.numbers(4) : starts.map(() => 1);
  return axes.reduce(
    (result, axis, i) => sliced(result, fromStart(axis, x.ndim), starts[i]!, ends[i]!, steps[i]!),
    x,
  );
}

function concat(node: NodeSpec) {
  const axis = node.int('axis', 0);
  return (call: Call): Tensor => {
    const parts = call.tensors();
    return parts.length === 1 ? parts[0]! : cat(parts, { dim: fromStart(axis, parts[0]!.ndim) });
  };
}

/** Sizes are an input, an attribute before opset 13, or follow from the number of outputs: the last part may then be smaller. */
function split(node: NodeSpec) {
  const axis = node.int('axis', 0);
  const attribute = node.ints('split');
  const count = node.int('num_outputs', node.outputs);
  if (count !== node.outputs) node.fail(`has num_outputs=${count} but ${node.outputs} outputs`);
  return (call: Call): Tensor[] => {
    const x = call.tensor(0);
    const dim = fromStart(axis, x.ndim);
    const given = call.listOr(1, attribute);
    if (given !== undefined) return x.split([...given], dim);
    const size = Math.ceil(x.shape[dim]! / count);
    const sizes = Array.from({ length: count }, (_, i) =>
      Math.max(0, Math.min(size, x.shape[dim]! - i * size)),
    );
    return x.split(sizes, dim);
  };
}

const MODES = { constant: 'constant', reflect: 'reflect', edge: 'replicate', wrap: 'circular' } as const;

/** ONNX lists the beginnings of all dimensions, then the ends; libtorch the last dimension first. */
function pad(node: NodeSpec) {
  const mode = MODES[node.choice('mode', 'constant', ['constant', 'reflect', 'edge', 'wrap'])];
  return (call: Call): Tensor => {
    const x = call.tensor(0);
    const pads = call.numbers(1);
    const axes = (call.has(3) ? call.numbers(3) : x.shape.map((_, i) => i)).map((axis) =>
      fromStart(axis, x.ndim),
    );
    const count = pads.length / 2;
    if (count !== axes.length) throw new NodeProblem(`has ${pads.length} pads for ${axes.length} dimensions`);
    const padding = new Array<number>(2 * x.ndim).fill(0);
    for (const [i, axis] of axes.entries()) {
      padding[2 * (x.ndim - 1 - axis)] = pads[i]!;
      padding[2 * (x.ndim - 1 - axis) + 1] = pads[count + i]!;
    }
    while (padding.length > 0 && padding.at(-1) === 0 && padding.at(-2) === 0) padding.splice(-2);
    if (padding.length === 0) return x;
    return padOf(x, padding, {
      mode,
      value: mode === 'constant' && call.has(2) ? call.number(2) : undefined,
    });
  };
}

/** The pixels of a block come from its channels; `CRD` as pixelShuffle, `DCR` with the block before the channel. */
function depthToSpace(node: NodeSpec) {
  const block = node.int('blocksize', 1);
  const mode = node.choice('mode', 'DCR', ['DCR', 'CRD']);
  return (call: Call): Tensor => {
    const x = call.tensor(0);
    if (mode === 'CRD') return pixelShuffle(x, block);
    const [batch, channels, height, width] = x.shape as [number, number, number, number];
    const depth = channels / block ** 2;
    return x
      .reshape([batch, block, block, depth, height, width])
      .permute([0, 3, 4, 1, 5, 2])
      .reshape([batch, depth, height * block, width * block]);
  };
}

/** The inverse, always with the block before the channel. */
function spaceToDepth(node: NodeSpec) {
  const block = node.int('blocksize', 1);
  node.choice('mode', 'DCR', ['DCR']);
  return (call: Call): Tensor => {
    const x = call.tensor(0);
    const [batch, channels, height, width] = x.shape as [number, number, number, number];
    return x
      .reshape([batch, channels, height / block, block, width / block, block])
      .permute([0, 3, 5, 1, 2, 4])
      .reshape([batch, channels * block ** 2, height / block, width / block]);
  };
}

function shape(node: NodeSpec) {
  const [start, end] = [node.int('start', 0), node.has('end') ? node.int('end', 0) : undefined];
  return (call: Call): Value => {
    const held = call.value(0);
    const sizes = held.held?.shape ?? held.known!.dims;
    return Value.ofHost(listHost(sizes.slice(start, end)));
  };
}

function size(call: Call): Value {
  const held = call.value(0);
  return Value.ofHost(scalarHost(product(held.held?.shape ?? held.known!.dims), 'int64'));
}

function constantOfShape(node: NodeSpec) {
  const fill = node.tensor('value') ?? scalarHost(0, 'float32');
  if (fill.data.length !== 1) node.fail(`has a value of ${fill.data.length} elements instead of 1`);
  const value = fill.data[0]!;
  return (call: Call): Result => {
    const dims = [...call.numbers(0)];
    const dtype = call.dtypeOf(fill.dtype);
    const number = dtype === 'bool' ? value !== 0 : value;
    const make = () => full(dims, number, { dtype, device: call.device });
    const count = product(dims);
    if (count > MAX_HOST || dims.length > 1) return make();
    return Value.ofHost({ dtype, dims, data: new Array<number>(count).fill(value) }, make);
  };
}

function range(call: Call): Result {
  const [start, limit, delta] = [call.number(0), call.number(1), call.number(2)];
  const dtype = call.dtypeOf((call.value(0).known ?? call.tensor(0)).dtype);
  if (delta === 0) throw new NodeProblem('has steps of 0');
  const count = Math.max(0, Math.ceil((limit - start) / delta));
  // From the number of elements: the end of libtorch's arange is rounded in another way.
  const make = (): Tensor => {
    const steps = arange(count, { dtype, device: call.device });
    return delta === 1 && start === 0 ? steps : steps.mul(delta).add(start);
  };
  if (count > MAX_HOST) return make();
  return Value.ofHost(
    { dtype, dims: [count], data: Array.from({ length: count }, (_, i) => start + i * delta) },
    make,
  );
}

export const SHAPE: Operators = {
  Identity: () => (call) => call.value(0),
  Reshape: reshape,
  Flatten: flatten,
  Transpose: transpose,
  Unsqueeze: unsqueeze,
  Squeeze: squeeze,
  Slice: () => slice,
  Concat: concat,
  Split: split,
  Expand: () => (call) => {
    const x = call.tensor(0);
    return x.expand(broadcastShapes(x.shape, call.numbers(1)));
  },
  Tile: () => (call) => call.tensor(0).repeat([...call.numbers(1)]),
  Pad: pad,
  DepthToSpace: depthToSpace,
  SpaceToDepth: spaceToDepth,
  Shape: shape,
  Size: () => size,
  ConstantOfShape: constantOfShape,
  Range: () => range,
};
