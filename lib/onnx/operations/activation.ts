/**
 * Activation functions, and dropout, which does nothing in evaluation mode.
 * @module
 */
import type { Value } from '../graph.js';
import { split } from '../shapes.js';
import type { Step, Translation, Translations } from '../step.js';

/** An operator of one input, with the attributes that are given. */
export const unary =
  (operator: string): Translation =>
  (step) =>
    step.node(operator, [step.value(0)]);

const float = (value: number) => ({ float: value });

/** A number of the dtype of the input. */
const scalar = (step: Step, value: number): Value => step.graph.scalar(value, step.dtype(0));

const clip = (step: Step, low: number, high: number): Value =>
  step.node('Clip', [step.value(0), scalar(step, low), scalar(step, high)]);

/** log(1 + exp(beta x)) / beta. Above a threshold libtorch returns x, which differs from it by less than rounding for usual thresholds. */
function softplus(step: Step): Value {
  const [beta, threshold] = [step.number(1), step.number(2)];
  const x = step.value(0);
  const scaled = beta === 1 ? x : step.node('Mul', [x, scalar(step, beta)]);
  const soft = step.node('Softplus', [scaled]);
  const result = beta === 1 ? soft : step.node('Div', [soft, scalar(step, beta)]);
  if (threshold >= 20) return result;
  return step.node('Where', [step.node('Greater', [scaled, scalar(step, threshold)]), x, result]);
}

function gelu(step: Step): Value {
  const x = step.value(0);
  const half = step.node('Mul', [x, scalar(step, 0.5)]);
  if (step.text(1) === 'none') {
    const erf = step.node('Erf', [step.node('Div', [x, scalar(step, Math.SQRT2)])]);
    return step.node('Mul', [half, step.node('Add', [erf, scalar(step, 1)])]);
  }
  const cube = step.node('Mul', [step.node('Mul', [x, x]), x]);
  const inner = step.node('Add', [x, step.node('Mul', [cube, scalar(step, 0.044715)])]);
  const tanh = step.node('Tanh', [step.node('Mul', [inner, scalar(step, Math.sqrt(2 / Math.PI))])]);
  return step.node('Mul', [half, step.node('Add', [tanh, scalar(step, 1)])]);
}

function softmax(operator: string): Translation {
  return (step) => {
    const x = step.graph.cast(step.value(0), step.dtype(0), step.resultDType());
    return step.node(operator, [x], { axis: step.axis(1, step.rank(0)) });
  };
}

/** One slope for each channel: [C] has to be at the second dimension. */
function prelu(step: Step): Value {
  const [x, slope] = [step.value(0), step.value(1)];
  const places = step.rank(0) - 2;
  if (step.rank(1) !== 1 || places <= 0) return step.node('PRelu', [x, slope]);
  const axes = Array.from({ length: places }, (_, i) => i + 1);
  return step.node('PRelu', [x, step.node('Unsqueeze', [slope, step.graph.ints(axes)])]);
}

function glu(step: Step): Value {
  const axis = step.axis(1, step.rank(0));
  const half = step.size(0, axis) / 2;
  const [a, b] = split(step, step.value(0), axis, [half, half]);
  return step.node('Mul', [a!, step.node('Sigmoid', [b!])]);
}

/** x where x > threshold, else a number. */
function threshold(step: Step): Value {
  const above = step.node('Greater', [step.value(0), scalar(step, step.number(1))]);
  return step.node('Where', [above, step.value(0), scalar(step, step.number(2))]);
}

/** @param training - Position of the flag. */
const dropout =
  (training: number): Translation =>
  (step) =>
    step.flag(training) ? step.fail('draws random numbers') : step.value(0);

export const ACTIVATION: Translations = {
  relu: unary('Relu'),
  relu6: (step) => clip(step, 0, 6),
  leakyRelu: (step) => step.node('LeakyRelu', [step.value(0)], { alpha: float(step.number(1)) }),
  rrelu: (step) =>
    step.flag(3)
      ? step.fail('draws random numbers')
      : step.node('LeakyRelu', [step.value(0)], { alpha: float((step.number(1) + step.number(2)) / 2) }),
  prelu,
  elu: (step) => step.node('Elu', [step.value(0)], { alpha: float(step.number(1)) }),
  celu: (step) => step.node('Celu', [step.value(0)], { alpha: float(step.number(1)) }),
  selu: unary('Selu'),
  gelu,
  silu: (step) => step.node('Mul', [step.value(0), step.node('Sigmoid', [step.value(0)])]),
  mish: (step) =>
    step.node('Mul', [step.value(0), step.node('Tanh', [step.node('Softplus', [step.value(0)])])]),
  softplus,
  softsign: unary('Softsign'),
  softmax: softmax('Softmax'),
  logSoftmax: softmax('LogSoftmax'),
  logSigmoid: (step) => step.node('Neg', [step.node('Softplus', [step.node('Neg', [step.value(0)])])]),
  hardsigmoid: (step) => step.node('HardSigmoid', [step.value(0)], { alpha: float(1 / 6), beta: float(0.5) }),
  hardswish: unary('HardSwish'),
  hardtanh: (step) => clip(step, step.number(1), step.number(2)),
  hardshrink: (step) =>
    step.node('Shrink', [step.value(0)], { lambd: float(step.number(1)), bias: float(0) }),
  softshrink: (step) =>
    step.node('Shrink', [step.value(0)], { lambd: float(step.number(1)), bias: float(step.number(1)) }),
  tanhshrink: (step) => step.node('Sub', [step.value(0), step.node('Tanh', [step.value(0)])]),
  threshold,
  glu,
  dropout: dropout(2),
  featureDropout: dropout(2),
  alphaDropout: dropout(2),
  featureAlphaDropout: dropout(2),
  sigmoid: unary('Sigmoid'),
  tanh: unary('Tanh'),
};

/** The nonlinearity of recurrent cells by its name in libtorch. */
export function nonlinearity(name: string): string {
  return name === 'relu' ? 'Relu' : 'Tanh';
}

/** Splits gates [B, n * H] into n parts. */
export function gatesOf(step: Step, gates: Value, count: number, hidden: number): Value[] {
  return split(step, gates, 1, new Array<number>(count).fill(hidden));
}
