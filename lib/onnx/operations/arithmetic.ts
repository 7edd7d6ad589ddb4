/**
 * Arithmetic, comparisons and functions of single elements.
 * @module
 */
import type { DType } from '../../tensor/dtype.js';
import type { Value } from '../graph.js';
import type { Step, Translation, Translations } from '../step.js';
import { unary } from './activation.js';

const isFloat = (dtype: DType): boolean => dtype.startsWith('float') || dtype === 'bfloat16';

/** An operator of two tensors or numbers in the dtype of the result. */
const binary =
  (operator: string): Translation =>
  (step) => {
    const dtype = step.resultDType();
    return step.node(operator, [step.term(0, dtype), step.term(1, dtype)]);
  };

/** An operator of two tensors or numbers with a boolean result. */
const comparison =
  (operator: string, negated = false): Translation =>
  (step) => {
    const dtype = step.promoted(0, 1);
    const result = step.node(operator, [step.operand(0, dtype), step.operand(1, dtype)]);
    return negated ? step.node('Not', [result]) : result;
  };

const logical =
  (operator: string, bitwise?: string): Translation =>
  (step) => {
    const dtype = bitwise === undefined ? 'bool' : step.resultDType();
    return step.node(dtype === 'bool' ? operator : bitwise!, [
      step.operand(0, dtype),
      step.operand(1, dtype),
    ]);
  };

/** input ± alpha * other. */
const sum =
  (operator: string): Translation =>
  (step) => {
    const dtype = step.resultDType();
    const other = step.term(1, dtype);
    const alpha = step.number(2);
    const scaled = alpha === 1 ? other : step.node('Mul', [other, step.graph.term(alpha, dtype)]);
    return step.node(operator, [step.term(0, dtype), scaled]);
  };

/** The integer next to a quotient toward zero. */
function truncated(step: Step, value: Value): Value {
  return step.node('Mul', [step.node('Sign', [value]), step.node('Floor', [step.node('Abs', [value])])]);
}

/** The quotient rounded. Integers are divided in float64, which is exact up to 2^53. */
const divided =
  (mode: (step: Step) => string): Translation =>
  (step) => {
    const dtype = step.resultDType();
    const computed = isFloat(dtype) ? dtype : 'float64';
    const quotient = step.node('Div', [step.term(0, computed), step.term(1, computed)]);
    const rounded = mode(step) === 'floor' ? step.node('Floor', [quotient]) : truncated(step, quotient);
    return step.graph.cast(rounded, computed, dtype);
  };

/** The remainder with the sign of the divisor. */
function remainder(step: Step): Value {
  const dtype = step.resultDType();
  const [a, b] = [step.operand(0, dtype), step.operand(1, dtype)];
  if (!isFloat(dtype)) return step.node('Mod', [a, b]);
  const whole = step.node('Floor', [step.node('Div', [a, b])]);
  return step.node('Sub', [a, step.node('Mul', [whole, b])]);
}

function fmod(step: Step): Value {
  const dtype = step.resultDType();
  return step.node('Mod', [step.operand(0, dtype), step.operand(1, dtype)], { fmod: 1 });
}

/** Both bounds may be absent. */
function clamp(step: Step): Value {
  const dtype = step.resultDType();
  const bound = (i: number) => (step.isNull(i) ? '' : step.graph.scalar(step.number(i), dtype));
  return step.node('Clip', [step.operand(0, dtype), bound(1), bound(2)]);
}

function clampTensor(step: Step): Value {
  const dtype = step.resultDType();
  const low = step.isNull(1)
    ? step.operand(0, dtype)
    : step.node('Max', [step.operand(0, dtype), step.operand(1, dtype)]);
  return step.isNull(2) ? low : step.node('Min', [low, step.operand(2, dtype)]);
}

function lerp(step: Step): Value {
  const dtype = step.resultDType();
  const difference = step.node('Sub', [step.value(1), step.value(0)]);
  return step.node('Add', [step.value(0), step.node('Mul', [difference, step.operand(2, dtype)])]);
}

/** input + value * (tensor1 operator tensor2). */
const fused =
  (operator: string): Translation =>
  (step) => {
    const dtype = step.resultDType();
    const inner = step.node(operator, [step.operand(1, dtype), step.operand(2, dtype)]);
    const value = step.number(3);
    const scaled = value === 1 ? inner : step.node('Mul', [inner, step.graph.term(value, dtype)]);
    return step.node('Add', [step.operand(0, dtype), scaled]);
  };

function where(step: Step): Value {
  const dtype = step.resultDType();
  return step.node('Where', [step.operand(0, 'bool'), step.operand(1, dtype), step.operand(2, dtype)]);
}

/** The input in the dtype of the result, which is a float for integers. */
const floating = (step: Step): Value => step.operand(0, step.resultDType());

/** An operator on floats. */
const smooth =
  (operator: string): Translation =>
  (step) =>
    step.node(operator, [floating(step)]);

const scaled = (step: Step, value: Value, factor: number): Value =>
  step.node('Mul', [value, step.graph.scalar(factor, step.resultDType())]);

const plus = (step: Step, value: Value, term: number): Value =>
  step.node('Add', [value, step.graph.scalar(term, step.resultDType())]);

/** log(exp(a) + exp(b)), computed from the larger one. */
function logaddexp(step: Step): Value {
  const dtype = step.resultDType();
  const [a, b] = [step.operand(0, dtype), step.operand(1, dtype)];
  const distance = step.node('Abs', [step.node('Sub', [a, b])]);
  const rest = step.node('Log', [plus(step, step.node('Exp', [step.node('Neg', [distance])]), 1)]);
  return step.node('Add', [step.node('Max', [a, b]), rest]);
}

function hypot(step: Step): Value {
  const dtype = step.resultDType();
  const [a, b] = [step.operand(0, dtype), step.operand(1, dtype)];
  return step.node('Sqrt', [step.node('Add', [step.node('Mul', [a, a]), step.node('Mul', [b, b])])]);
}

const SMOOTH: Readonly<Record<string, string>> = {
  ...{ exp: 'Exp', log: 'Log', sqrt: 'Sqrt', erf: 'Erf', sin: 'Sin', cos: 'Cos', tan: 'Tan' },
  ...{ asin: 'Asin', acos: 'Acos', atan: 'Atan', sinh: 'Sinh', cosh: 'Cosh' },
  ...{ asinh: 'Asinh', acosh: 'Acosh', atanh: 'Atanh', reciprocal: 'Reciprocal' },
};

export const ARITHMETIC: Translations = {
  add: sum('Add'),
  sub: sum('Sub'),
  mul: binary('Mul'),
  div: binary('Div'),
  divRounded: divided((step) => step.text(2)),
  floorDivide: divided(() => 'floor'),
  remainder,
  fmod,
  pow: binary('Pow'),
  floatPower: binary('Pow'),
  maximum: binary('Max'),
  minimum: binary('Min'),
  neg: unary('Neg'),
  abs: unary('Abs'),
  sign: unary('Sign'),
  square: (step) => step.node('Mul', [step.value(0), step.value(0)]),
  floor: unary('Floor'),
  ceil: unary('Ceil'),
  round: unary('Round'),
  trunc: (step) => truncated(step, step.value(0)),
  frac: (step) => step.node('Sub', [step.value(0), truncated(step, step.value(0))]),
  clamp,
  clampTensor,
  lerp,
  addcmul: fused('Mul'),
  addcdiv: fused('Div'),
  where,
  ...Object.fromEntries(Object.entries(SMOOTH).map(([name, operator]) => [name, smooth(operator)])),
  expm1: (step) => plus(step, step.node('Exp', [floating(step)]), -1),
  exp2: (step) => step.node('Pow', [step.graph.scalar(2, step.resultDType()), floating(step)]),
  log1p: (step) => step.node('Log', [plus(step, floating(step), 1)]),
  log2: (step) => scaled(step, step.node('Log', [floating(step)]), Math.LOG2E),
  log10: (step) => scaled(step, step.node('Log', [floating(step)]), Math.LOG10E),
  logaddexp,
  rsqrt: (step) => step.node('Reciprocal', [step.node('Sqrt', [floating(step)])]),
  erfc: (step) => plus(step, step.node('Neg', [step.node('Erf', [floating(step)])]), 1),
  deg2rad: (step) => scaled(step, floating(step), Math.PI / 180),
  rad2deg: (step) => scaled(step, floating(step), 180 / Math.PI),
  hypot,
};

export const COMPARISON: Translations = {
  eq: comparison('Equal'),
  ne: comparison('Equal', true),
  lt: comparison('Less'),
  le: comparison('LessOrEqual'),
  gt: comparison('Greater'),
  ge: comparison('GreaterOrEqual'),
  logicalAnd: logical('And'),
  logicalOr: logical('Or'),
  logicalXor: logical('Xor'),
  logicalNot: (step) => step.node('Not', [step.operand(0, 'bool')]),
  bitwiseAnd: logical('And', 'BitwiseAnd'),
  bitwiseOr: logical('Or', 'BitwiseOr'),
  bitwiseXor: logical('Xor', 'BitwiseXor'),
  bitwiseNot: (step) => step.node(step.resultDType() === 'bool' ? 'Not' : 'BitwiseNot', [step.value(0)]),
  isnan: unary('IsNaN'),
  isinf: unary('IsInf'),
  isfinite: (step) =>
    step.node('Not', [
      step.node('Or', [step.node('IsNaN', [step.value(0)]), step.node('IsInf', [step.value(0)])]),
    ]),
};
