/**
 * Height and width as free sizes: a network is recorded at two sizes, and has to give the same nodes.
 * @module
 */
import { ArgumentError, DyconvError } from '../errors.js';
import { zeros } from '../tensor/create.js';
import type { Device } from '../tensor/dtype.js';
import { native, type Tensor } from '../tensor/tensor.js';
import type { Graph } from './graph.js';
import type { Dimension, ValueInfo } from './message.js';
import type { Translated } from './translate.js';

/** More rows and columns of the second size. Multiples of 32, the usual total stride of networks for images. */
const MORE = [32, 64] as const;
const AXES = ['height', 'width'] as const;

const isImage = ({ shape }: Tensor): boolean => shape.length === 4;

const sizeOf = (examples: readonly Tensor[]): string => examples.find(isImage)!.shape.slice(2).join('x');

/**
 * Builds the graph at the size of the example and at a larger one.
 * @throws ArgumentError for a network whose nodes depend on the size, naming the first of them.
 */
export function withFreeSizes(
  examples: readonly Tensor[],
  build: (examples: readonly Tensor[]) => Translated,
): Translated {
  if (!examples.some(isImage))
    throw new ArgumentError('Expected images [B, C, H, W] as an example for dynamicSize');
  const first = build(examples);
  const larger = examples.map((one) => {
    const { shape, dtype, device } = one;
    const grown = isImage(one) ? shape.map((size, axis) => size + (MORE[axis - 2] ?? 0)) : shape;
    return zeros(grown, { dtype, device: device as Device });
  });
  try {
    const problem = (detail: string) =>
      `Expected a network that works for all sizes of images for dynamicSize but ${detail}`;
    let second: Translated;
    try {
      second = build(larger);
    } catch (cause) {
      if (!(cause instanceof DyconvError)) throw cause;
      throw new ArgumentError(problem(`for ${sizeOf(larger)}: ${cause.message}`), { cause });
    }
    const different = firstDifference(first.graph, second.graph);
    if (different !== undefined)
      throw new ArgumentError(
        problem(`the node ${different} differs between ${sizeOf(examples)} and ${sizeOf(larger)}`),
      );
    return {
      ...first,
      inputs: first.inputs.map((input, i) => (isImage(examples[i]!) ? withAxes(input) : input)),
      outputs: first.outputs.map((output, i) => withDifferences(output, second.outputs[i]!)),
    };
  } finally {
    for (const tensor of larger) tensor.dispose();
  }
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

/** The name of the first node with another operator, attribute or constant. */
function firstDifference(a: Graph, b: Graph): string | undefined {
  const count = Math.max(a.nodes.length, b.nodes.length);
  for (let i = 0; i < count; i++) {
    const [one, other] = [a.nodes[i], b.nodes[i]];
    const same =
      JSON.stringify(one) === JSON.stringify(other) &&
      one!.inputs.every((input) => sameConstant(a, b, input));
    if (!same) return (one ?? other)!.name;
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
