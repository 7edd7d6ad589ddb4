/**
 * Reductions, orders, running sums.
 * @module
 */
import type { DType } from '../../tensor/dtype.js';
import type { Value } from '../graph.js';
import { reshape } from '../shapes.js';
import type { Step, Translation, Translations } from '../step.js';
import { vectorNorm } from './norm.js';

/** Dimensions of a reduction; a scalar has none. */
const axesOf = (step: Step, i = 1) => (step.rank(0) === 0 ? undefined : step.axes(i, step.rank(0)));

const float = (step: Step): Value => step.operand(0, step.resultDType());

/** Over `dim`, `keepdim`, in the dtype of the result. */
const reduction =
  (operator: string): Translation =>
  (step) =>
    step.graph.reduce(operator, float(step), axesOf(step), step.flag(2));

/** The number of elements that are reduced to one; it must not depend on the batch size. */
function countOf(step: Step, axes: readonly number[] | undefined): number {
  const sizes = step.sizes(0);
  return (axes ?? sizes.map((_, i) => i)).reduce((count, axis) => count * step.size(0, axis), 1);
}

/** The mean of squared distances, with divisor n - correction. */
function varianceOf(step: Step): { mean: Value; variance: Value } {
  const { graph } = step;
  const dtype = step.resultDType();
  const axes = axesOf(step);
  const [x, keep] = [step.value(0), step.flag(3)];
  const distance = step.node('Sub', [x, graph.reduce('ReduceMean', x, axes, true)]);
  const squares = graph.reduce('ReduceMean', step.node('Mul', [distance, distance]), axes, keep);
  const correction = step.number(2);
  const count = correction === 0 ? 1 : countOf(step, axes);
  const factor = correction === 0 ? 1 : count / Math.max(0, count - correction);
  const variance = factor === 1 ? squares : step.node('Mul', [squares, graph.scalar(factor, dtype)]);
  return { variance, mean: graph.reduce('ReduceMean', x, axes, keep) };
}

/** Whether any or all elements differ from 0. */
const quantifier =
  (operator: string): Translation =>
  (step) => {
    const { graph } = step;
    const numbers = graph.cast(step.operand(0, 'bool'), 'bool', 'int32');
    return graph.cast(
      graph.reduce(operator, numbers, axesOf(step), step.flag(2)),
      'int32',
      step.resultDType(),
    );
  };

/** The place of the first extreme; without a dimension, among all elements. */
const place =
  (operator: string): Translation =>
  (step) => {
    if (!step.isNull(1))
      return step.node(operator, [step.value(0)], {
        axis: step.axis(1, step.rank(0)),
        keepdims: step.flag(2) ? 1 : 0,
      });
    const all = step.node('Reshape', [step.value(0), step.graph.ints([-1])]);
    const found = step.node(operator, [all], { axis: 0, keepdims: 0 });
    return reshape(step, found, [], step.resultSizes());
  };

/** Extremes along a dimension with their places. */
const extremes =
  (values: string, places: string): Translation =>
  (step) => {
    const axis = step.axis(1, step.rank(0));
    const keepdims = step.flag(2) ? 1 : 0;
    return [
      step.graph.reduce(values, step.value(0), [axis], step.flag(2)),
      step.isUsed(1) ? step.node(places, [step.value(0)], { axis, keepdims }) : '',
    ];
  };

/** Values and places in order. */
function ordered(step: Step, axis: number, count: number, largest: boolean): [Value, Value] {
  const [values, places] = step.graph.nodeOf('TopK', [step.value(0), step.graph.ints([count])], 2, {
    axis,
    largest: largest ? 1 : 0,
    sorted: 1,
  });
  return [values!, places!];
}

function topk(step: Step): Value[] {
  return ordered(step, step.axis(2, step.rank(0)), step.number(1), step.flag(3));
}

function sort(step: Step): [Value, Value] {
  const axis = step.axis(1, step.rank(0));
  return ordered(step, axis, step.size(0, axis), step.flag(2));
}

function sumOfFlags(step: Step): Value {
  const { graph } = step;
  const one: DType = 'int64';
  return graph.reduce('ReduceSum', graph.cast(step.operand(0, 'bool'), 'bool', one), axesOf(step), false);
}

export const REDUCE: Translations = {
  sum: reduction('ReduceSum'),
  mean: reduction('ReduceMean'),
  prod: reduction('ReduceProd'),
  amax: reduction('ReduceMax'),
  amin: reduction('ReduceMin'),
  logsumexp: reduction('ReduceLogSumExp'),
  max: (step) => step.graph.reduce('ReduceMax', step.value(0), undefined, false),
  min: (step) => step.graph.reduce('ReduceMin', step.value(0), undefined, false),
  maxDim: extremes('ReduceMax', 'ArgMax'),
  minDim: extremes('ReduceMin', 'ArgMin'),
  argmax: place('ArgMax'),
  argmin: place('ArgMin'),
  all: quantifier('ReduceMin'),
  any: quantifier('ReduceMax'),
  countNonzero: sumOfFlags,
  norm: (step) => vectorNorm(step, float(step), step.number(1), axesOf(step, 2), step.flag(3)),
  variance: (step) => varianceOf(step).variance,
  std: (step) => step.node('Sqrt', [varianceOf(step).variance]),
  varMean: (step) => {
    const { variance, mean } = varianceOf(step);
    return [variance, mean];
  },
  stdMean: (step) => {
    const { variance, mean } = varianceOf(step);
    return [step.node('Sqrt', [variance]), mean];
  },
  topk,
  sort,
  argsort: (step) => sort(step)[1],
  cumsum: (step) =>
    step.node('CumSum', [float(step), step.graph.scalar(step.axis(1, step.rank(0)), 'int64')]),
};
