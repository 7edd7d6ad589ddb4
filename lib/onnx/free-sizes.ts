/**
 * Height and width as free sizes of a graph.
 * @module
 */
import { atTwoSizes, isImage } from '../program/free-sizes.js';
import { native, type Tensor } from '../tensor/tensor.js';
import type { Graph } from './graph.js';
import type { Dimension, ValueInfo } from './message.js';
import type { Translated } from './translate.js';

const AXES = ['height', 'width'] as const;

/**
 * Builds the graph at the size of the example and at a larger one.
 * @throws ArgumentError for a network whose nodes depend on the size, naming the first of them.
 */
export function withFreeSizes(
  examples: readonly Tensor[],
  build: (examples: readonly Tensor[]) => Translated,
): Translated {
  const [first, second] = atTwoSizes(examples, build, (a, b) => firstDifference(a.graph, b.graph));
  return {
    ...first,
    inputs: first.inputs.map((input, i) => (isImage(examples[i]!) ? withAxes(input) : input)),
    outputs: first.outputs.map((output, i) => withDifferences(output, second.outputs[i]!)),
  };
}

function withAxes(input: ValueInfo): ValueInfo {
  return { ...input, shape: input.shape.map((size, axis): Dimension => AXES[axis - 2] ?? size) };
}

/** A size that differs gets a name. */
function withDifferences(output: ValueInfo, other: ValueInfo): ValueInfo {
  const shape = output.shape.map((size, axis) =>
    size === other.shape[axis] ? size : `${output.name}_${axis}`,
  );
  return { ...output, shape };
}

/** The first node with another operator, attribute or constant. */
function firstDifference(a: Graph, b: Graph): string | undefined {
  const count = Math.max(a.nodes.length, b.nodes.length);
  for (let i = 0; i < count; i++) {
    const [one, other] = [a.nodes[i], b.nodes[i]];
    const same =
      JSON.stringify(one) === JSON.stringify(other) &&
      one!.inputs.every((input) => sameConstant(a, b, input));
    if (!same) return `the node ${(one ?? other)!.name}`;
  }
  return undefined;
}

function sameConstant(a: Graph, b: Graph, name: string): boolean {
  const [one, other] = [a.initializers.get(name), b.initializers.get(name)];
  if (one === undefined || other === undefined) return one === other;
  const [x, y] = [one.elements, other.elements];
  if (x === y) return true;
  if (x instanceof Uint8Array || y instanceof Uint8Array || String(one.dims) !== String(other.dims))
    return false;
  return one.dtype === other.dtype && String(x.shape) === String(y.shape) && native.equal(x, y);
}
