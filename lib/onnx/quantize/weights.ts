/**
 * The layers of a graph whose weights are the same in every run, and their weights.
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
  /** The node reads the weight with its two dimensions exchanged. */
  readonly isTransposed: boolean;
  /** The dimension of the output channels, in the weight as the node reads it. */
  readonly axis: number;
  /** float32 [output channels]. */
  readonly bias: Initializer | undefined;
}

/** Of every value, the node that makes it. */
export function makersOf(nodes: readonly Node[]): Map<Value, Node> {
  return new Map(nodes.flatMap((node) => node.outputs.map((output) => [output, node] as const)));
}

/** Of every value, the nodes that read it; one that reads it twice is there twice. */
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

/** A node as a layer; undefined for other nodes, and where the weight or bias is computed or has another dtype than float32. */
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

/** The elements of an initializer in its dimensions, float32 on the CPU. Only for those that the graph made from tensors. */
export function elementsOf({ elements, dims }: Initializer): Tensor {
  return (elements as Tensor)
    .detach()
    .to({ device: 'cpu' })
    .reshape([...dims]);
}
