/**
 * Nodes that change the shape of a value.
 * @module
 */
import type { StoredSize } from '../native/compile.js';
import type { Value } from './graph.js';
import { product, type Step, sameSize } from './step.js';

/**
 * Reshapes, without a size in the file that the batch size or the size of the images changes, where that is possible: sizes that
 * stay in their places are copied, and one that is left is computed from the others.
 */
export function reshape(
  step: Step,
  value: Value,
  from: readonly StoredSize[],
  to: readonly StoredSize[],
): Value {
  if (from.length === to.length && from.every((size, i) => sameSize(size, to[i]))) return value;
  // A size of 0 in the input could not be told from a copied one.
  if ([...from, ...to].includes(0))
    return step.node('Reshape', [value, step.graph.sizes(to)], { allowzero: 1 });
  let kept = 0;
  while (kept < to.length && sameSize(from[kept], to[kept])) kept++;
  const rest = to.slice(kept);
  const varying = rest.filter((size) => typeof size !== 'number').length;
  const shape: StoredSize[] = new Array<number>(kept).fill(0);
  if (rest.length === 1 || varying === 1)
    return step.node('Reshape', [
      value,
      step.graph.ints([
        ...(shape as number[]),
        ...rest.map((size) => (rest.length > 1 && typeof size === 'number' ? size : -1)),
      ]),
    ]);
  return step.node('Reshape', [value, step.graph.sizes([...shape, ...rest])]);
}

/** An argument in other dimensions: without a node where it is the same in every run. */
export function reshaped(step: Step, i: number, dims: readonly number[]): Value {
  return step.arranged(i, dims) ?? reshape(step, step.value(i), step.sizes(i), dims);
}

/** Inserts dimensions of size 1; `axes` are those of the result. */
export function unsqueeze(step: Step, value: Value, axes: readonly number[]): Value {
  return axes.length === 0 ? value : step.node('Unsqueeze', [value, step.graph.ints(axes)]);
}

/** Removes dimensions of size 1. */
export function squeeze(step: Step, value: Value, axes: readonly number[]): Value {
  return axes.length === 0 ? value : step.node('Squeeze', [value, step.graph.ints(axes)]);
}

/** Reorders dimensions. */
export function transpose(step: Step, value: Value, perm: readonly number[]): Value {
  return perm.every((axis, i) => axis === i) ? value : step.node('Transpose', [value], { perm });
}

/** Exchanges two dimensions. */
export function swap(step: Step, value: Value, rank: number, a: number, b: number): Value {
  const perm = Array.from({ length: rank }, (_, i) => (i === a ? b : i === b ? a : i));
  return transpose(step, value, perm);
}

/** A part of a dimension. Bounds may depend on the batch size. */
export function sliced(
  step: Step,
  value: Value,
  axis: number,
  start: StoredSize,
  end: StoredSize,
  stride = 1,
): Value {
  const { graph } = step;
  return step.node('Slice', [
    value,
    graph.sizes([start]),
    graph.sizes([end]),
    graph.ints([axis]),
    ...(stride === 1 ? [] : [graph.ints([stride])]),
  ]);
}

/** Parts of a dimension with the given sizes. */
export function split(step: Step, value: Value, axis: number, sizes: readonly StoredSize[]): Value[] {
  if (sizes.length === 1) return [value];
  return step.graph.nodeOf('Split', [value, step.graph.sizes(sizes)], sizes.length, { axis });
}

/** Repeats elements until the value has the sizes. */
export function expand(
  step: Step,
  value: Value,
  from: readonly StoredSize[],
  to: readonly StoredSize[],
): Value {
  const offset = to.length - from.length;
  const same = offset === 0 && to.every((size, i) => sameSize(size, from[i]));
  if (same) return value;
  // A size of 1 keeps the size of the input.
  const sizes = to.map((size, i) => (i >= offset && sameSize(size, from[i - offset]) ? 1 : size));
  return step.node('Expand', [value, step.graph.sizes(sizes)]);
}

/** The sizes of the places that a shape has after its first two dimensions. */
export function spatial(sizes: readonly StoredSize[]): readonly StoredSize[] {
  return sizes.slice(2);
}

/** Whether there is one element per channel and sample. */
export function isOnePlace(sizes: readonly StoredSize[]): boolean {
  return product(spatial(sizes)) === 1;
}
