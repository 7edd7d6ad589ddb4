/**
 * Reductions, sorting, sums along a dimension.
 * @module
 */
import type { Tensor } from '../../../tensor/tensor.js';
import { type Call, fromStart, type NodeSpec, type Operator, type Operators, type Result } from '../node.js';

interface Along {
  readonly dim: number[];
  readonly keepdim: boolean;
}

/** Axes are an attribute, or an input since opset 18; of the sum since opset 13. None means all, or nothing. */
const reduction =
  (fn: (x: Tensor, along: Along) => Tensor): Operator =>
  (node) => {
    const attribute = node.ints('axes');
    const [keepdim, nothing] = [node.flag('keepdims', true), node.flag('noop_with_empty_axes')];
    return (call) => {
      const x = call.tensor(0);
      const axes = call.listOr(1, attribute) ?? [];
      if (axes.length === 0 && nothing) return x;
      const all = x.shape.map((_, i) => i);
      const dim = axes.length === 0 ? all : axes.map((axis) => fromStart(axis, x.ndim));
      return x.ndim === 0 ? fn(x.reshape([1]), { dim: [0], keepdim: false }) : fn(x, { dim, keepdim });
    };
  };

/** libtorch multiplies along one dimension. */
function prod(x: Tensor, { dim, keepdim }: Along): Tensor {
  return dim
    .toSorted((a, b) => b - a)
    .reduce((result, axis) => result.prod({ dim: axis, keepdim, dtype: x.dtype }), x);
}

const place =
  (operator: 'argmax' | 'argmin'): Operator =>
  (node) => {
    const [axis, keepdim, last] = [
      node.int('axis', 0),
      node.flag('keepdims', true),
      node.flag('select_last_index'),
    ];
    return (call) => {
      const x = call.tensor(0);
      const dim = fromStart(axis, x.ndim);
      if (!last) return x[operator]({ dim, keepdim });
      return x
        .flip([dim])
        [operator]({ dim, keepdim })
        .mul(-1)
        .add(x.shape[dim]! - 1);
    };
  };

/** Among equal elements the first ones are chosen, as by a stable sort. */
function topk(node: NodeSpec) {
  const [axis, largest] = [node.int('axis', -1), node.flag('largest', true)];
  return (call: Call): Result => {
    const x = call.tensor(0);
    const dim = fromStart(axis, x.ndim);
    const { values, indices } = x.sort({ dim, descending: largest, stable: true });
    const count = call.number(1);
    return [values.narrow(dim, 0, count), indices.narrow(dim, 0, count)];
  };
}

function cumsum(node: NodeSpec) {
  const [exclusive, reverse] = [node.flag('exclusive'), node.flag('reverse')];
  return (call: Call): Tensor => {
    const x = call.tensor(0);
    const dim = fromStart(call.number(1), x.ndim);
    const ordered = reverse ? x.flip([dim]) : x;
    const sums = ordered.cumsum({ dim, dtype: x.dtype });
    const result = exclusive ? sums.sub(ordered) : sums;
    return reverse ? result.flip([dim]) : result;
  };
}

export const REDUCE: Operators = {
  ReduceSum: reduction((x, along) => x.sum({ ...along, dtype: x.dtype })),
  ReduceMean: reduction((x, along) => x.mean(along)),
  ReduceMax: reduction((x, along) => x.amax(along)),
  ReduceMin: reduction((x, along) => x.amin(along)),
  ReduceProd: reduction(prod),
  ReduceL1: reduction((x, along) => x.abs().sum({ ...along, dtype: x.dtype })),
  ReduceL2: reduction((x, along) => x.norm({ ...along, p: 2 })),
  ReduceLogSum: reduction((x, along) => x.sum(along).log()),
  ReduceLogSumExp: reduction((x, along) => x.logsumexp(along)),
  ReduceSumSquare: reduction((x, along) => x.square().sum({ ...along, dtype: x.dtype })),
  ArgMax: place('argmax'),
  ArgMin: place('argmin'),
  TopK: topk,
  CumSum: cumsum,
};
