/**
 * Arithmetic, comparisons and functions of single elements.
 * @module
 */
import { where } from '../../../tensor/comparison.js';
import { type DType, isFloatingPoint } from '../../../tensor/dtype.js';
import type { Tensor } from '../../../tensor/tensor.js';
import { dtypeOf } from '../model.js';
import type { Call, NodeSpec, Operator, Operators } from '../node.js';

type Operand = Tensor | number;

/** An operator of one input. */
export const unary =
  (fn: (x: Tensor) => Tensor): Operator =>
  () =>
  (call) =>
    fn(call.tensor(0));

/** An operator of two inputs, whose shapes are broadcast. */
const binary =
  (fn: (a: Tensor, b: Operand) => Tensor): Operator =>
  () =>
  (call) => {
    const a = call.tensor(0);
    return fn(a, call.operand(1, a));
  };

/** The same, for which the order of the inputs does not matter: a known number becomes the second one. */
const commutative =
  (fn: (a: Tensor, b: Operand) => Tensor): Operator =>
  () =>
  (call) => {
    const [first, second] = call.known(0) !== undefined && call.known(1) === undefined ? [1, 0] : [0, 1];
    const a = call.tensor(first);
    return fn(a, call.operand(second, a));
  };

/** An operator of any number of inputs. */
const variadic =
  (
    fn: (a: Tensor, b: Tensor) => Tensor,
    finish: (sum: Tensor, count: number) => Tensor = (sum) => sum,
  ): Operator =>
  () =>
  (call) => {
    const inputs = call.tensors();
    return finish(inputs.slice(1).reduce(fn, inputs[0]!), inputs.length);
  };

/** The quotient of integers is rounded toward zero. */
function div(a: Tensor, b: Operand): Tensor {
  return isFloatingPoint(a.dtype) ? a.div(b) : a.div(b, { roundingMode: 'trunc' });
}

function mod(node: NodeSpec) {
  const fmod = node.flag('fmod');
  return (call: Call) => {
    const [a, b] = [call.tensor(0), call.tensor(1)];
    return fmod ? a.fmod(b) : a.remainder(b);
  };
}

/** The result has the dtype of the base. */
function pow(a: Tensor, b: Operand): Tensor {
  const result = a.pow(b);
  return result.dtype === a.dtype ? result : result.to({ dtype: a.dtype });
}

function shift(node: NodeSpec) {
  const left = node.choice('direction', 'LEFT', ['LEFT', 'RIGHT']) === 'LEFT';
  return (call: Call) => {
    const [a, b] = [call.tensor(0), call.tensor(1)];
    return left ? a.bitwiseLeftShift(b) : a.bitwiseRightShift(b);
  };
}

function isInf(node: NodeSpec) {
  const [negative, positive] = [node.flag('detect_negative', true), node.flag('detect_positive', true)];
  return (call: Call) => {
    const x = call.tensor(0);
    if (negative && positive) return x.isinf();
    if (!negative && !positive) return x.isinf().logicalAnd(x.ne(x));
    return positive ? x.isposinf() : x.isneginf();
  };
}

/** The dtype of an attribute. */
export function dtypeAttribute(node: NodeSpec, name: string): DType {
  const type = node.int(name, 0);
  return dtypeOf(type) ?? node.fail(`has ${name}=${type}, an element type that no dtype can represent`);
}

function cast(node: NodeSpec) {
  const dtype = dtypeAttribute(node, 'to');
  return (call: Call) => call.tensor(0).to({ dtype: call.dtypeOf(dtype) });
}

const FUNCTIONS: Readonly<Record<string, (x: Tensor) => Tensor>> = {
  Neg: (x) => x.neg(),
  Abs: (x) => x.abs(),
  Sign: (x) => x.sign(),
  Floor: (x) => x.floor(),
  Ceil: (x) => x.ceil(),
  Round: (x) => x.round(),
  Sqrt: (x) => x.sqrt(),
  Exp: (x) => x.exp(),
  Log: (x) => x.log(),
  Reciprocal: (x) => x.reciprocal(),
  Erf: (x) => x.erf(),
  Sin: (x) => x.sin(),
  Cos: (x) => x.cos(),
  Tan: (x) => x.tan(),
  Asin: (x) => x.asin(),
  Acos: (x) => x.acos(),
  Atan: (x) => x.atan(),
  Sinh: (x) => x.sinh(),
  Cosh: (x) => x.cosh(),
  Asinh: (x) => x.asinh(),
  Acosh: (x) => x.acosh(),
  Atanh: (x) => x.atanh(),
  Not: (x) => x.logicalNot(),
  BitwiseNot: (x) => x.bitwiseNot(),
  IsNaN: (x) => x.isnan(),
};

export const ELEMENTWISE: Operators = {
  ...Object.fromEntries(Object.entries(FUNCTIONS).map(([name, fn]) => [name, unary(fn)])),
  Add: commutative((a, b) => a.add(b)),
  Sub: binary((a, b) => a.sub(b)),
  Mul: commutative((a, b) => a.mul(b)),
  Div: binary(div),
  Mod: mod,
  Pow: binary(pow),
  Min: variadic((a, b) => a.minimum(b)),
  Max: variadic((a, b) => a.maximum(b)),
  Sum: variadic((a, b) => a.add(b)),
  Mean: variadic(
    (a, b) => a.add(b),
    (sum, count) => sum.div(count),
  ),
  Equal: binary((a, b) => a.eq(b)),
  Greater: binary((a, b) => a.gt(b)),
  Less: binary((a, b) => a.lt(b)),
  GreaterOrEqual: binary((a, b) => a.ge(b)),
  LessOrEqual: binary((a, b) => a.le(b)),
  And: binary((a, b) => a.logicalAnd(b)),
  Or: binary((a, b) => a.logicalOr(b)),
  Xor: binary((a, b) => a.logicalXor(b)),
  BitwiseAnd: binary((a, b) => a.bitwiseAnd(b)),
  BitwiseOr: binary((a, b) => a.bitwiseOr(b)),
  BitwiseXor: binary((a, b) => a.bitwiseXor(b)),
  BitShift: shift,
  IsInf: isInf,
  Where: () => (call) => where(call.tensor(0), call.tensor(1), call.tensor(2)),
  Cast: cast,
  CastLike: () => (call) => call.tensor(0).to({ dtype: call.tensor(1).dtype }),
};
