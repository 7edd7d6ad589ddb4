/**
 * The layers of a graph with constant weights.
 * @module
 */
import type { Tensor } from '../../tensor/tensor.js';
import type { Graph, Value } from '../graph.js';
import type { Initializer, Node } from '../message.js';

/** A convolution, or a product with a matrix. */
export interface Layer {
  /** Conv, Gemm or MatMul. */
  readonly node: Node;
  /** float32. */
  readonly weight: Initializer;
  /** Whether a Transpose node exchanges the two dimensions of the weight. */
  readonly isTransposed: boolean;
  /** The dimension of the output channels, after the Transpose node. */
  readonly axis: number;
  /** float32 [output channels]. */
  readonly bias: Initializer | undefined;
}

/** The node that makes each value. */
export function makersOf(nodes: readonly Node[]): Map<Value, Node> {
  return new Map(nodes.flatMap((node) => node.outputs.map((output) => [output, node] as const)));
}

/** The nodes that read each value; one that reads it twice is listed twice. */
export function readersOf(nodes: readonly Node[]): Map<Value, Node[]> {
  const readers = new Map<Value, Node[]>();
  for (const node of nodes)
    for (const input of node.inputs) {
      const known = readers.get(input);
      if (known === undefined) readers.set(input, [node]);
      else known.push(node);
    }
  return readers;
}

/** A node as a layer; undefined for other nodes, and if the weight or bias is computed or not float32. */
export function layerOf(graph: Graph, makers: ReadonlyMap<Value, Node>, node: Node): Layer | undefined {
  const { operator, inputs, attributes } = node;
  const stored = (name: Value | undefined): Initializer | undefined => {
    const found = graph.initializers.get(name ?? '');
    return found?.dtype === 'float32' ? found : undefined;
  };
  const [x = '', weightName = '', biasName = ''] = inputs;
  if (graph.initializers.has(x)) return undefined;
  const bias = stored(biasName);
  if (biasName !== '' && bias === undefined) return undefined;
  if (operator === 'MatMul') {
    const maker = makers.get(weightName);
    const isTransposed = maker?.operator === 'Transpose' && String(maker.attributes.perm) === '1,0';
    const weight = stored(isTransposed ? maker.inputs[0] : weightName);
    if (weight?.dims.length !== 2) return undefined;
    return { node, weight, isTransposed, axis: 1, bias: undefined };
  }
  const isPlainGemm = operator === 'Gemm' && attributes.transB === 1 && Object.keys(attributes).length === 1;
  const weight = stored(weightName);
  if (weight === undefined || !(operator === 'Conv' || isPlainGemm)) return undefined;
  return { node, weight, isTransposed: false, axis: 0, bias };
}

/** The elements of an initializer in its dimensions, on the CPU. */
export function elementsOf({ elements, dims }: Initializer): Tensor {
  return (elements as Tensor)
    .detach()
    .to({ device: 'cpu' })
    .reshape([...dims]);
}
