/**
 * Elements and rows by their indices.
 * @module
 */
import { embedding } from '../../../ops/norm.js';
import { where } from '../../../tensor/comparison.js';
import { arange } from '../../../tensor/create.js';
import { isFloatingPoint } from '../../../tensor/dtype.js';
import type { Tensor } from '../../../tensor/tensor.js';
import { product } from '../host.js';
import { type Call, fromStart, NodeProblem, type NodeSpec, type Operators } from '../node.js';

/** Indices as libtorch takes them: int64, counted from the beginning. */
function indicesOf(call: Call, i: number, size: number): Tensor {
  const known = call.known(i);
  const index = call.tensor(i);
  const wide = index.dtype === 'int64' ? index : index.to({ dtype: 'int64' });
  if (known?.data.every((value) => value >= 0)) return wide;
  return where(wide.lt(0), wide.add(size), wide);
}

/** Whole rows along a dimension: the indices' dimensions take its place. */
function gather(node: NodeSpec) {
  const axis = node.int('axis', 0);
  return (call: Call): Tensor => {
    const x = call.tensor(0);
    const dim = fromStart(axis, x.ndim);
    const known = call.known(1);
    if (known?.dims.length === 0) return x.select(dim, known.data[0]!);
    const index = indicesOf(call, 1, x.shape[dim]!);
    if (dim === 0 && x.ndim === 2 && isFloatingPoint(x.dtype)) return embedding(index, x);
    const rows = x.indexSelect(dim, index.reshape([-1]));
    return index.ndim === 1
      ? rows
      : rows.reshape([...x.shape.slice(0, dim), ...index.shape, ...x.shape.slice(dim + 1)]);
  };
}

function gatherElements(node: NodeSpec) {
  const axis = node.int('axis', 0);
  return (call: Call): Tensor => {
    const x = call.tensor(0);
    const dim = fromStart(axis, x.ndim);
    return x.gather(dim, indicesOf(call, 1, x.shape[dim]!));
  };
}

const REDUCTIONS = { none: undefined, add: 'sum', mul: 'prod', max: 'amax', min: 'amin' } as const;
const REDUCTION_NAMES = ['none', 'add', 'mul', 'max', 'min'] as const;

function scatterElements(node: NodeSpec) {
  const axis = node.int('axis', 0);
  const reduce = REDUCTIONS[node.choice('reduction', 'none', REDUCTION_NAMES)];
  return (call: Call): Tensor => {
    const [x, updates] = [call.tensor(0), call.tensor(2)];
    const dim = fromStart(axis, x.ndim);
    const index = indicesOf(call, 1, x.shape[dim]!);
    if (reduce === undefined) return x.scatter(dim, index, updates);
    return reduce === 'sum'
      ? x.scatterAdd(dim, index, updates)
      : x.scatterReduce(dim, index, updates, { reduce });
  };
}

/** Rows of the leading dimensions [N], by indices [..., k] of k dimensions each. */
function rowsOf(x: Tensor, index: Tensor): { rows: Tensor; places: Tensor; rest: number[]; outer: number[] } {
  const depth = index.shape.at(-1) ?? 0;
  if (index.ndim === 0 || depth > x.ndim || depth === 0)
    throw new NodeProblem(
      `has indices of shape [${index.shape.join(', ')}] for an input of shape [${x.shape.join(', ')}]`,
    );
  const leading = x.shape.slice(0, depth);
  const rest = x.shape.slice(depth);
  const wide = index.to({ dtype: 'int64' });
  let places: Tensor | undefined;
  for (const [i, size] of leading.entries()) {
    const column = wide.select(-1, i);
    const counted = where(column.lt(0), column.add(size), column);
    places = places === undefined ? counted : places.mul(size).add(counted);
  }
  return {
    rows: x.reshape([product(leading), ...rest]),
    places: places!.reshape([-1]),
    rest,
    outer: index.shape.slice(0, -1),
  };
}

function gatherND(node: NodeSpec) {
  if (node.int('batch_dims', 0) !== 0) node.fail('has batch_dims');
  return (call: Call): Tensor => {
    const { rows, places, rest, outer } = rowsOf(call.tensor(0), call.tensor(1));
    return rows.indexSelect(0, places).reshape([...outer, ...rest]);
  };
}

function scatterND(node: NodeSpec) {
  const reduce = REDUCTIONS[node.choice('reduction', 'none', REDUCTION_NAMES)];
  return (call: Call): Tensor => {
    const x = call.tensor(0);
    const { rows, places, rest } = rowsOf(x, call.tensor(1));
    const updates = call.tensor(2).reshape([places.numel, ...rest]);
    const changed =
      reduce === undefined
        ? rows.indexCopy(0, places, updates)
        : reduce === 'sum'
          ? rows.indexAdd(0, places, updates)
          : rows.indexReduce(0, places, updates, { reduce });
    return changed.reshape(x.shape);
  };
}

/** `values` are those off and on. */
function oneHot(node: NodeSpec) {
  const axis = node.int('axis', -1);
  return (call: Call): Tensor => {
    const depth = call.number(1);
    const index = indicesOf(call, 0, depth);
    const dim = fromStart(axis, index.ndim + 1);
    const places = index.shape.map(() => 1);
    const classes = arange(depth, { dtype: 'int64', device: call.device }).reshape(
      places.toSpliced(dim, 0, depth),
    );
    const values = call.tensor(2);
    return where(index.unsqueeze(dim).eq(classes), values.select(0, 1), values.select(0, 0));
  };
}

export const INDEXING: Operators = {
  Gather: gather,
  GatherElements: gatherElements,
  GatherND: gatherND,
  ScatterElements: scatterElements,
  ScatterND: scatterND,
  OneHot: oneHot,
  NonZero: () => (call) => call.tensor(0).nonzero().t(),
};
