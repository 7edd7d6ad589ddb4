/**
 * Merges batch norms into the layers before them: a runtime uses an int8 kernel only if a QuantizeLinear follows the convolution.
 * @module
 */
import { noGrad, tidy } from '../../tensor/context.js';
import type { Tensor } from '../../tensor/tensor.js';
import type { Graph, Value } from '../graph.js';
import type { Initializer, Node } from '../message.js';
import { elementsOf, type Layer, layerOf, makersOf, readersOf } from './weights.js';

/**
 * Merges every batch norm that follows a layer with constant weights and is the only reader of its result.
 * @param outputs - Outputs of the graph.
 */
export function foldBatchNorms(graph: Graph, outputs: ReadonlySet<Value>): void {
  const makers = makersOf(graph.nodes);
  const readers = readersOf(graph.nodes);
  const merged = new Set<Node>();
  for (const norm of graph.nodes) {
    const [x = ''] = norm.inputs;
    const maker = makers.get(x);
    if (norm.operator !== 'BatchNormalization' || maker === undefined) continue;
    if (outputs.has(x) || readers.get(x)?.length !== 1) continue;
    const layer = maker.operator === 'MatMul' ? undefined : layerOf(graph, makers, maker);
    if (layer === undefined || !fold(graph, readers, layer, norm)) continue;
    maker.outputs[0] = norm.outputs[0]!;
    makers.set(maker.outputs[0], maker);
    merged.add(norm);
  }
  const kept = graph.nodes.filter((node) => !merged.has(node));
  graph.nodes.splice(0, graph.nodes.length, ...kept);
  graph.prune([...outputs]);
}

/** Changes the weight and bias of a layer. @returns False if the batch norm has parameters that are computed. */
function fold(
  graph: Graph,
  readers: ReadonlyMap<Value, readonly Node[]>,
  { node, weight, bias }: Layer,
  norm: Node,
): boolean {
  const statistics = norm.inputs.slice(1).map((name) => graph.initializers.get(name));
  if (!statistics.every((one): one is Initializer => one?.dtype === 'float32')) return false;
  const { epsilon } = norm.attributes;
  const eps = typeof epsilon === 'object' && 'float' in epsilon ? epsilon.float : 1e-5;
  const [newWeight, newBias] = tidy(() =>
    noGrad((): [Tensor, Tensor] => {
      const double = (one: Initializer) => elementsOf(one).to({ dtype: 'float64' });
      const [gamma, beta, mean, variance] = statistics.map(double) as [Tensor, Tensor, Tensor, Tensor];
      const factor = gamma.div(variance.add(eps).sqrt());
      const shape = weight.dims.map((size, axis) => (axis === 0 ? size : 1));
      const shifted = bias === undefined ? mean.neg() : double(bias).sub(mean);
      return [
        double(weight).mul(factor.reshape(shape)).to({ dtype: 'float32' }),
        shifted.mul(factor).add(beta).to({ dtype: 'float32' }),
      ];
    }),
  );
  const put = (name: Value, elements: Tensor): Value => {
    graph.own(elements);
    // Others may read the same tensor.
    if (readers.get(name)?.length !== 1) return graph.initializer(name, elements);
    graph.initializers.set(name, { name, dtype: 'float32', dims: elements.shape, elements });
    return name;
  };
  node.inputs[1] = put(weight.name, newWeight);
  node.inputs[2] = put(bias?.name ?? `${node.name}_bias`, newBias);
  return true;
}
