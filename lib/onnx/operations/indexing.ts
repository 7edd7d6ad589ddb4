/**
 * Reading and writing elements by index or mask, new tensors, conversions.
 * @module
 */
import type { StoredSize, StoredValue } from '../../native/compile.js';
import { numberOf, slotOf } from '../../program/stored-value.js';
import type { Value } from '../graph.js';
import { expand, sliced, unsqueeze } from '../shapes.js';
import type { Step, Translation, Translations } from '../step.js';
import { selected } from './shape.js';

const LAST = 2 ** 31 - 1;

/** An integer of an index, which may depend on the batch size. */
function boundOf(step: Step, value: StoredValue | undefined, absent: number): StoredSize {
  if (value === null || value === undefined) return absent;
  if (typeof value === 'object' && 'batch' in value) return value.batch as readonly [number, number];
  return numberOf(value) ?? step.fail('has a bound that is not an integer');
}

/** Each part of the index takes dimensions of the input and produces dimensions of the result. */
function index(step: Step): Value {
  const parts = step.argument(1) as readonly StoredValue[];
  const takes = (part: StoredValue) => part !== null && part !== '...';
  const missing = step.rank(0) - parts.filter(takes).length;
  let value = step.value(0);
  let axis = 0;
  let tensors = 0;
  for (const part of parts) {
    const slot = slotOf(part);
    if (part === null) value = unsqueeze(step, value, [axis++]);
    else if (part === '...') axis += missing;
    else if (typeof part === 'boolean') step.fail('is indexed by a boolean');
    else if (slot !== undefined) {
      const { dtype, sizes } = step.infoOf(slot);
      if (dtype === 'bool' || dtype === 'uint8')
        step.fail('selects elements by a mask: the shape depends on its values');
      if (++tensors > 1) step.fail('is indexed by several tensors');
      value = step.node('Gather', [value, step.valueOf(slot)], { axis });
      axis += sizes?.length ?? 0;
    } else if (Array.isArray(part)) {
      const [start, stop, stride] = part as readonly StoredValue[];
      const by = numberOf(stride) ?? 1;
      if ((start !== null && start !== 0) || stop !== null || by !== 1)
        value = sliced(step, value, axis, boundOf(step, start, 0), boundOf(step, stop, LAST), by);
      axis++;
    } else {
      // An integer removes its dimension; a tensor behind it would be moved to the front by libtorch.
      value = selected(step, value, axis, boundOf(step, part, 0));
    }
  }
  if (tensors > 0 && parts.some((part) => typeof part === 'number'))
    step.fail('is indexed by integers and a tensor');
  return value;
}

const gatherElements =
  (dim: number, places: number): Translation =>
  (step) => {
    if (step.isNull(dim)) step.fail('takes elements of the flattened tensor');
    return step.node('GatherElements', [step.value(0), step.value(places)], {
      axis: step.axis(dim, step.rank(0)),
    });
  };

/** Of another shape than the index, only a part of the source is written. */
function scatter(step: Step): Value {
  if (String(step.sizes(2)) !== String(step.sizes(3)))
    step.fail('has a source of another shape than the index');
  return step.node('ScatterElements', [step.value(0), step.value(2), step.value(3)], {
    axis: step.axis(1, step.rank(0)),
  });
}

function scatterAdd(step: Step): Value {
  if (step.graph.settings.opset < 16)
    step.fail('needs the reductions of ScatterElements: use opset 16 or later');
  if (String(step.sizes(2)) !== String(step.sizes(3)))
    step.fail('has a source of another shape than the index');
  return step.node('ScatterElements', [step.value(0), step.value(2), step.value(3)], {
    axis: step.axis(1, step.rank(0)),
    reduction: 'add',
  });
}

function scatterValue(step: Step): Value {
  const dtype = step.dtype(0);
  const source = expand(step, step.graph.scalar(step.number(3), dtype), [], step.sizes(2));
  return step.node('ScatterElements', [step.value(0), step.value(2), source], {
    axis: step.axis(1, step.rank(0)),
  });
}

/** The value, or a tensor of one element, where the mask is set. */
function maskedFill(step: Step): Value {
  const dtype = step.dtype(0);
  return step.node('Where', [step.operand(1, 'bool'), step.operand(2, dtype), step.value(0)]);
}

/** A tensor of one number. */
function filled(step: Step, value: number, sizes: readonly StoredSize[]): Value {
  return expand(step, step.graph.scalar(value, step.resultDType()), [], sizes);
}

/** The integers from start on; bounds may depend on the batch size. */
function arange(step: Step): Value {
  const { graph } = step;
  const dtype = step.resultDType();
  const part = (i: number): Value => {
    const value = step.argument(i);
    if (numberOf(value) !== undefined) return graph.scalar(step.number(i), dtype);
    const size = step.node('Squeeze', [graph.sizes([step.integer(i)]), graph.ints([0])]);
    return graph.cast(size, 'int64', dtype);
  };
  return step.node('Range', [part(0), part(1), part(2)]);
}

/** In the place of all elements of the input, those of another tensor. */
function copy(step: Step): Value {
  const dtype = step.dtype(0);
  return expand(step, step.graph.cast(step.value(1), step.dtype(1), dtype), step.sizes(1), step.sizes(0));
}

const same: Translation = (step) => step.value(0);
const byValues: Translation = (step) =>
  step.fail('has a result whose shape depends on the values of the input');

export const INDEXING: Translations = {
  index,
  indexSelect: (step) =>
    step.node('Gather', [step.value(0), step.value(2)], { axis: step.axis(1, step.rank(0)) }),
  take: (step) =>
    step.node('Gather', [step.node('Reshape', [step.value(0), step.graph.ints([-1])]), step.value(1)], {
      axis: 0,
    }),
  gather: gatherElements(1, 2),
  takeAlongDim: gatherElements(2, 1),
  scatter,
  scatterAdd,
  scatterValue,
  maskedFill,
  maskedFillTensor: maskedFill,
  full: (step) => filled(step, step.number(1), step.resultSizes()),
  empty: (step) => filled(step, 0, step.resultSizes()),
  fill: (step) => filled(step, step.number(1), step.sizes(0)),
  arange,
  copy,
  to: (step) => step.graph.cast(step.value(0), step.dtype(0), step.resultDType()),
  clone: same,
  detach: same,
  contiguous: same,
  channelsLast: same,
  ...Object.fromEntries(
    [
      'maskedSelect',
      'nonzero',
      'argwhere',
      'unique',
      'uniqueDim',
      'uniqueConsecutive',
      'repeatInterleave',
      'bincount',
    ].map((name) => [name, byValues]),
  ),
};
