/**
 * Normalization, with the statistics of evaluation mode.
 * @module
 */
import type { Value } from '../graph.js';
import { reshaped } from '../shapes.js';
import { type Step, sameSize, type Translations } from '../step.js';

const float = (value: number) => ({ float: value });

/** One number per channel, where a layer has none. */
function perChannel(step: Step, i: number, value: number, channels: number): Value {
  if (!step.isNull(i)) return step.value(i);
  return step.graph.constant(new Array<number>(channels).fill(value), step.dtype(0));
}

/** @param weight - Position of the weight, which bias, mean and variance follow. */
function withStatistics(step: Step, weight: number, eps: number): Value {
  const channels = step.size(0, 1);
  const operands = [1, 0, 0, 1].map((value, i) => perChannel(step, weight + i, value, channels));
  return step.node('BatchNormalization', [step.value(0), ...operands], { epsilon: float(eps) });
}

function batchNorm(step: Step): Value {
  if (step.flag(5) || step.isNull(3) || step.isNull(4))
    step.fail('uses the statistics of the batch: a result would depend on the other samples');
  return withStatistics(step, 1, step.number(7));
}

/** Multiplies by a weight and adds a bias of the trailing dimensions, where a layer has them. */
function affine(step: Step, value: Value, weight: Value, bias: Value): Value {
  const product = weight === '' ? value : step.node('Mul', [value, weight]);
  return bias === '' ? product : step.node('Add', [product, bias]);
}

function layerNorm(step: Step): Value {
  const sizes = step.integers(1);
  const { graph } = step;
  const count = sizes.reduce((product, size) => product * size, 1);
  const weight = step.isNull(2)
    ? graph.constant(new Array<number>(count).fill(1), step.dtype(0), sizes)
    : step.value(2);
  return step.node('LayerNormalization', [step.value(0), weight, step.optional(3)], {
    axis: step.rank(0) - sizes.length,
    epsilon: float(step.number(4)),
  });
}

/** The channels of a group become one channel of an instance norm. */
function groupNorm(step: Step): Value {
  const { graph } = step;
  const sizes = step.sizes(0);
  const groups = step.number(1);
  const channels = step.size(0, 1);
  const dtype = step.dtype(0);
  const grouped = step.node('Reshape', [step.value(0), graph.ints([0, groups, -1])]);
  const one = (value: number) => graph.constant(new Array<number>(groups).fill(value), dtype);
  const normal = step.node('InstanceNormalization', [grouped, one(1), one(0)], {
    epsilon: float(step.number(4)),
  });
  const shape = graph.settings.dynamicSize
    ? step.node('Shape', [step.value(0)])
    : graph.sizes([0, ...sizes.slice(1)]);
  const whole = step.node('Reshape', [normal, shape]);
  const column = (i: number): Value => {
    if (step.isNull(i)) return '';
    const dims = [channels, ...sizes.slice(2).map(() => 1)];
    return reshaped(step, i, dims);
  };
  return affine(step, whole, column(2), column(3));
}

function instanceNorm(step: Step): Value {
  if (!step.flag(5)) return withStatistics(step, 1, step.number(7));
  const channels = step.size(0, 1);
  return step.node(
    'InstanceNormalization',
    [step.value(0), perChannel(step, 1, 1, channels), perChannel(step, 2, 0, channels)],
    { epsilon: float(step.number(7)) },
  );
}

/** The gap between 1 and the next number, which libtorch adds where no eps is given. */
const EPSILON: Readonly<Record<string, number>> = {
  float32: 2 ** -23,
  float64: 2 ** -52,
  float16: 2 ** -10,
  bfloat16: 2 ** -7,
};

function rmsNorm(step: Step): Value {
  const { graph } = step;
  const dtype = step.dtype(0);
  const count = step.integers(1).length;
  const axes = Array.from({ length: count }, (_, i) => step.rank(0) - count + i);
  const x = step.value(0);
  const mean = graph.reduce('ReduceMean', step.node('Mul', [x, x]), axes, true);
  const eps = step.isNull(3) ? EPSILON[dtype]! : step.number(3);
  const size = step.node('Sqrt', [step.node('Add', [mean, graph.scalar(eps, dtype)])]);
  return affine(step, step.node('Div', [x, size]), step.optional(2), '');
}

function localResponseNorm(step: Step): Value {
  const size = step.number(1);
  if (size % 2 === 0) step.fail('has an even number of neighboring channels');
  return step.node('LRN', [step.value(0)], {
    size,
    alpha: float(step.number(2)),
    beta: float(step.number(3)),
    bias: float(step.number(4)),
  });
}

/** The p-norm of a value over axes. */
export function vectorNorm(
  step: Step,
  value: Value,
  p: number,
  axes: readonly number[] | undefined,
  keep: boolean,
): Value {
  const { graph } = step;
  const dtype = step.resultDType();
  if (p === 2) return graph.reduce('ReduceL2', value, axes, keep);
  const size = step.node('Abs', [value]);
  if (p === 1) return graph.reduce('ReduceSum', size, axes, keep);
  if (p === Number.POSITIVE_INFINITY) return graph.reduce('ReduceMax', size, axes, keep);
  if (p === Number.NEGATIVE_INFINITY) return graph.reduce('ReduceMin', size, axes, keep);
  if (p === 0) return graph.reduce('ReduceSum', step.node('Sign', [size]), axes, keep);
  const sum = graph.reduce('ReduceSum', step.node('Pow', [size, graph.scalar(p, dtype)]), axes, keep);
  return step.node('Pow', [sum, graph.scalar(1 / p, dtype)]);
}

function normalize(step: Step): Value {
  const axes = step.axes(2, step.rank(0));
  const norm = vectorNorm(step, step.value(0), step.number(1), axes, true);
  const least = step.graph.scalar(step.number(3), step.dtype(0));
  return step.node('Div', [step.value(0), step.node('Max', [norm, least])]);
}

/** Products of unit vectors; a norm is at least eps. */
function cosineSimilarity(step: Step): Value {
  const { graph } = step;
  const dtype = step.resultDType();
  const rank = Math.max(step.rank(0), step.rank(1));
  const axes = [step.axis(2, rank)];
  if (step.rank(0) !== step.rank(1) || !step.sizes(0).every((size, i) => sameSize(size, step.sizes(1)[i])))
    step.fail('has inputs of different shapes');
  const least = graph.scalar(step.number(3), dtype);
  const unit = (i: number) =>
    step.node('Div', [
      step.value(i),
      step.node('Max', [graph.reduce('ReduceL2', step.value(i), axes, true), least]),
    ]);
  return graph.reduce('ReduceSum', step.node('Mul', [unit(0), unit(1)]), axes, false);
}

export const NORM: Translations = {
  batchNorm,
  layerNorm,
  groupNorm,
  instanceNorm,
  rmsNorm,
  localResponseNorm,
  normalize,
  cosineSimilarity,
};
