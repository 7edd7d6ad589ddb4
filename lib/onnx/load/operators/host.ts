/**
 * Operators on numbers that are known without a tensor: what networks compute from shapes.
 * @module
 */
import { asDType, combine, expanded, type Host, MAX_HOST, product } from '../host.js';
import { fromStart, type HostRun, NodeProblem, type NodeSpec } from '../node.js';
import { dtypeAttribute } from './elementwise.js';
import { clampRange, reshaped, squeezedDims, unsqueezedDims } from './shape.js';

type HostOperator = (node: NodeSpec) => HostRun;

const isWhole = ({ dtype }: Host): boolean => !dtype.startsWith('float') && dtype !== 'bfloat16';

/** The dtype is that of the inputs. */
const binary =
  (fn: (a: number, b: number) => number): HostOperator =>
  () =>
  ([a, b]) =>
    a && b && combine(a, b, a.dtype, fn);

const comparison =
  (fn: (a: number, b: number) => boolean): HostOperator =>
  () =>
  ([a, b]) =>
    a && b && combine(a, b, 'bool', (x, y) => Number(fn(x, y)));

const unary =
  (fn: (x: number) => number): HostOperator =>
  () =>
  ([x]) =>
    x && { ...x, data: x.data.map((value) => asDType(fn(value), x.dtype)) };

const div: HostOperator =
  () =>
  ([a, b]) => {
    // Division of integers by 0 is an error of the operation on tensors.
    if (!a || !b || (isWhole(a) && b.data.includes(0))) return undefined;
    return combine(a, b, a.dtype, (x, y) => x / y);
  };

const mod: HostOperator =
  (node) =>
  ([a, b]) => {
    if (!a || !b || b.data.includes(0)) return undefined;
    return combine(a, b, a.dtype, node.flag('fmod') ? (x, y) => x % y : (x, y) => x - Math.floor(x / y) * y);
  };

const variadic =
  (fn: (a: number, b: number) => number): HostOperator =>
  () =>
  (inputs) =>
    inputs.reduce((a, b) => a && b && combine(a, b, a.dtype, fn));

const cast: HostOperator = (node) => {
  const dtype = dtypeAttribute(node, 'to');
  return ([x]) => x && { dtype, dims: x.dims, data: x.data.map((value) => asDType(value, dtype)) };
};

const where: HostOperator =
  () =>
  ([condition, x, y]) => {
    const chosen = condition && x && y && combine(x, y, x.dtype, (a) => a);
    if (!chosen) return undefined;
    const first = combine(condition, chosen, 'bool', (a) => a);
    if (!first) return undefined;
    const [a, b] = [expanded(x, first.dims), expanded(y, first.dims)];
    return { dtype: x.dtype, dims: first.dims, data: first.data.map((is, i) => (is ? a[i]! : b[i]!)) };
  };

const gather: HostOperator =
  (node) =>
  ([x, index]) => {
    if (!x || !index || x.dims.length !== 1 || node.int('axis', 0) > 0) return undefined;
    const size = x.data.length;
    return { dtype: x.dtype, dims: index.dims, data: index.data.map((i) => x.data[fromStart(i, size)]!) };
  };

/** An array whose elements come from other places: the place of an element is the sum over its indices. */
function rearranged(x: Host, dims: readonly number[], place: (axis: number, index: number) => number): Host {
  const data = Array.from({ length: product(dims) }, (_, i) => {
    let [rest, sum] = [i, 0];
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      sum += place(axis, rest % dims[axis]!);
      rest = Math.floor(rest / dims[axis]!);
    }
    return x.data[sum]!;
  });
  return { dtype: x.dtype, dims, data };
}

/** The distance of neighbors along each dimension. */
const stridesOf = (dims: readonly number[]): number[] => dims.map((_, i) => product(dims.slice(i + 1)));

const slice: HostOperator =
  () =>
  ([x, starts, ends, axes, steps]) => {
    if (!x || !starts || !ends) return undefined;
    const ranges = x.dims.map((size) => [0, size, 1] as [first: number, count: number, step: number]);
    for (const [i, start] of starts.data.entries()) {
      const axis = fromStart(axes?.data[i] ?? i, x.dims.length);
      const step = steps?.data[i] ?? 1;
      ranges[axis] = [...clampRange(x.dims[axis]!, start, ends.data[i]!, step), step];
    }
    const strides = stridesOf(x.dims);
    return rearranged(
      x,
      ranges.map(([, count]) => count),
      (axis, index) => (ranges[axis]![0] + index * ranges[axis]![2]) * strides[axis]!,
    );
  };

const transpose: HostOperator = (node) => {
  const attribute = node.ints('perm');
  return ([x]) => {
    if (!x) return undefined;
    const perm = attribute ?? x.dims.map((_, i) => x.dims.length - 1 - i);
    const strides = stridesOf(x.dims);
    if (perm.length !== x.dims.length || perm.some((axis) => strides[axis] === undefined)) return undefined;
    return rearranged(
      x,
      perm.map((axis) => x.dims[axis]!),
      (axis, index) => index * strides[perm[axis]!]!,
    );
  };
};

const concat: HostOperator = () => (inputs) => {
  const first = inputs[0];
  if (!first || inputs.some((one) => one?.dims.length !== 1)) return undefined;
  const data = inputs.flatMap((one) => [...one!.data]);
  return data.length > MAX_HOST ? undefined : { dtype: first.dtype, dims: [data.length], data };
};

const withDims =
  (
    dimsOf: (node: NodeSpec) => (x: Host, list: readonly number[] | undefined) => readonly number[],
  ): HostOperator =>
  (node) => {
    const compute = dimsOf(node);
    const attribute = node.ints('axes');
    return ([x, list]) => {
      if (!x) return undefined;
      const dims = compute(x, list?.data ?? attribute);
      if (product(dims) !== x.data.length)
        throw new NodeProblem(`cannot give [${x.dims.join(', ')}] the shape [${dims.join(', ')}]`);
      return { ...x, dims };
    };
  };

/** Only to rows: larger results are for tensors. */
const expand: HostOperator =
  () =>
  ([x, shape]) => {
    if (!x || !shape || shape.data.length > 1 || x.dims.length > 1) return undefined;
    const size = Math.max(shape.data[0] ?? 1, x.data.length);
    return size > MAX_HOST || x.data.length === 0
      ? undefined
      : { dtype: x.dtype, dims: [size], data: expanded(x, [size]) };
  };

const reduce =
  (fn: (a: number, b: number) => number, start: number): HostOperator =>
  (node) => {
    const keep = node.flag('keepdims', true);
    return ([x]) => {
      if (x?.dims.length !== 1) return undefined;
      return {
        dtype: x.dtype,
        dims: keep ? [1] : [],
        data: [
          asDType(
            x.data.reduce((a, b) => fn(a, b), start),
            x.dtype,
          ),
        ],
      };
    };
  };

export const HOST: Readonly<Record<string, HostOperator>> = {
  Add: binary((a, b) => a + b),
  Sub: binary((a, b) => a - b),
  Mul: binary((a, b) => a * b),
  Div: div,
  Mod: mod,
  Pow: binary((a, b) => a ** b),
  Min: variadic((a, b) => Math.min(a, b)),
  Max: variadic((a, b) => Math.max(a, b)),
  Equal: comparison((a, b) => a === b),
  Greater: comparison((a, b) => a > b),
  Less: comparison((a, b) => a < b),
  GreaterOrEqual: comparison((a, b) => a >= b),
  LessOrEqual: comparison((a, b) => a <= b),
  And: comparison((a, b) => a !== 0 && b !== 0),
  Or: comparison((a, b) => a !== 0 || b !== 0),
  Xor: comparison((a, b) => (a !== 0) !== (b !== 0)),
  Not: unary((x) => Number(x === 0)),
  Neg: unary((x) => -x),
  Abs: unary(Math.abs),
  Floor: unary(Math.floor),
  Ceil: unary(Math.ceil),
  Sqrt: unary(Math.sqrt),
  Reciprocal: unary((x) => 1 / x),
  Sign: unary(Math.sign),
  Cast: cast,
  Where: where,
  Gather: gather,
  Slice: slice,
  Transpose: transpose,
  Concat: concat,
  Unsqueeze: withDims(() => (x, axes) => unsqueezedDims(x.dims, axes ?? [])),
  Squeeze: withDims(() => (x, axes) => squeezedDims(x.dims, axes)),
  Reshape: withDims((node) => {
    const allowZero = node.flag('allowzero');
    return (x, sizes) => reshaped(x.dims, sizes ?? [], allowZero);
  }),
  Expand: expand,
  ReduceProd: reduce((a, b) => a * b, 1),
  ReduceSum: reduce((a, b) => a + b, 0),
  ReduceMax: reduce(Math.max, Number.NEGATIVE_INFINITY),
  ReduceMin: reduce(Math.min, Number.POSITIVE_INFINITY),
};
