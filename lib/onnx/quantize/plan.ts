/**
 * What of a graph is computed in int8: convolutions and linear layers, and what stands between two of them and can stay in int8.
 * @module
 */
import { ArgumentError } from '../../errors.js';
import type { Tensor } from '../../tensor/tensor.js';
import type { Graph, Value } from '../graph.js';
import type { Node } from '../message.js';
import { type Layer, layerOf, makersOf, readersOf } from './weights.js';

/** What is computed in int8. */
export interface QuantizationPlan {
  readonly layers: ReadonlyMap<Node, Layer>;
  /** Values that are rounded to 8 bits, and the value whose range each of them has. */
  readonly ranges: ReadonlyMap<Value, Value>;
  /** Of them, those that come from int8: whoever reads them reads the rounded value. The others are rounded for layers alone. */
  readonly made: ReadonlySet<Value>;
  /** Activations that the limits of the 8 bits compute, by the node before. */
  readonly absorbed: ReadonlyMap<Node, Node>;
}

/** Operators whose results are elements of the first input. */
const SAME_RANGE = new Set([
  ...['MaxPool', 'Reshape', 'Flatten', 'Transpose', 'Squeeze', 'Unsqueeze', 'Slice', 'Identity'],
]);
/** Other operators with kernels for int8 in runtimes. */
const OWN_RANGE = new Set(['Add', 'Concat', 'AveragePool', 'GlobalAveragePool']);

/** The outputs of a graph, and those of them that are attentions. */
export interface GraphOutputs {
  readonly all: ReadonlySet<Value>;
  readonly attentions: ReadonlySet<Value>;
}

/**
 * Chooses what is computed in int8.
 * @param floatLayers - Paths of layers that stay float32; undefined for the first and the last ones.
 * @throws ArgumentError if no layer is left, or a path has none.
 */
export function planQuantization(
  graph: Graph,
  outputs: GraphOutputs,
  floatLayers: readonly string[] | undefined,
): QuantizationPlan {
  const found = layersOf(graph, outputs);
  const isFloat =
    floatLayers === undefined ? atTheEnds(graph.nodes, found) : withPaths([...found.keys()], floatLayers);
  const layers = new Map([...found].filter(([node]) => !isFloat.has(node)));
  if (layers.size === 0) {
    const rest = floatLayers === undefined ? 'besides the first and the last one' : 'besides floatLayers';
    throw new ArgumentError(
      `Expected a network with convolutions or linear layers in float32 ${rest} for precision 'int8' but it has none`,
    );
  }
  return new Planner(graph, outputs.all, layers).run();
}

/** The path of the layer that a node belongs to; the name of the node where it is not known. */
export function layerPath({ name }: Node): string {
  const end = name.lastIndexOf('/');
  return end < 0 ? name : name.slice(0, end);
}

/** All layers with weights, without those that only compute attentions. */
function layersOf(graph: Graph, { all, attentions }: GraphOutputs): Map<Node, Layer> {
  const makers = makersOf(graph.nodes);
  const needed = new Set([...all].filter((name) => !attentions.has(name)));
  const found: [Node, Layer][] = [];
  for (const node of graph.nodes.toReversed()) {
    if (!node.outputs.some((output) => needed.has(output))) continue;
    for (const input of node.inputs) if (!graph.attentions.has(input)) needed.add(input);
    const layer = layerOf(graph, makers, node);
    if (layer !== undefined) found.push([node, layer]);
  }
  return new Map(found.reverse());
}

/** The layers that no other one stands before, and those that none stands behind. */
function atTheEnds(nodes: readonly Node[], layers: ReadonlyMap<Node, Layer>): Set<Node> {
  const ends = new Set<Node>();
  const behind = new Set<Value>();
  for (const node of nodes) {
    const isLayer = layers.has(node);
    const isBehind = (isLayer ? node.inputs.slice(0, 1) : node.inputs).some((input) => behind.has(input));
    if (isLayer && !isBehind) ends.add(node);
    if (isLayer || isBehind) for (const output of node.outputs) behind.add(output);
  }
  const before = new Set<Value>();
  for (const node of nodes.toReversed()) {
    const isLayer = layers.has(node);
    const isBefore = node.outputs.some((output) => before.has(output));
    if (isLayer && !isBefore) ends.add(node);
    if (isLayer || isBefore) for (const input of node.inputs) before.add(input);
  }
  return ends;
}

/** The layers at the paths and below them. */
function withPaths(layers: readonly Node[], paths: readonly string[]): Set<Node> {
  const chosen = new Set<Node>();
  for (const path of paths) {
    const below = layers.filter((node) => `${layerPath(node)}.`.startsWith(`${path}.`));
    if (below.length === 0) {
      const known = [...new Set(layers.map(layerPath))];
      throw new ArgumentError(
        `Expected paths of convolutions and linear layers for floatLayers but received ${path}; the network has ${known.join(', ') || 'none'}`,
      );
    }
    for (const node of below) chosen.add(node);
  }
  return chosen;
}

class Planner {
  readonly #graph: Graph;
  readonly #outputs: ReadonlySet<Value>;
  readonly #layers: ReadonlyMap<Node, Layer>;
  readonly #readers: ReadonlyMap<Value, readonly Node[]>;
  /** Values that are of use in 8 bits. */
  readonly #wanted = new Set<Value>();

  constructor(graph: Graph, outputs: ReadonlySet<Value>, layers: ReadonlyMap<Node, Layer>) {
    this.#graph = graph;
    this.#outputs = outputs;
    this.#layers = layers;
    this.#readers = readersOf(graph.nodes);
  }

  run(): QuantizationPlan {
    const { nodes } = this.#graph;
    for (const node of nodes.toReversed()) {
      if (this.#layers.has(node)) this.#wanted.add(node.inputs[0]!);
      else if (this.#wanted.has(this.#resultOf(node)))
        for (const input of this.#int8Inputs(node)) this.#wanted.add(input);
    }
    const ranges = new Map<Value, Value>();
    const made = new Set<Value>();
    const absorbed = new Map<Node, Node>();
    for (const node of nodes) {
      const isLayer = this.#layers.has(node);
      const inputs = isLayer ? [node.inputs[0]!] : this.#int8Inputs(node);
      const result = this.#resultOf(node);
      if (isLayer) ranges.set(inputs[0]!, ranges.get(inputs[0]!) ?? inputs[0]!);
      else if (inputs.length === 0 || !inputs.every((input) => made.has(input))) continue;
      const activation = this.#activationOf(node);
      // Kernels of convolutions in int8 have results in int8. Those of products of matrices may have results in float32, but onnxruntime
      // does not find them before an activation.
      const isNeeded = isLayer && (node.operator === 'Conv' || activation !== undefined);
      if (!this.#wanted.has(result) && !isNeeded) continue;
      made.add(result);
      ranges.set(result, SAME_RANGE.has(node.operator) ? ranges.get(inputs[0]!)! : result);
      if (activation !== undefined) absorbed.set(node, activation);
    }
    return { layers: this.#layers, ranges, made, absorbed };
  }

  /** The values that a node between layers reads in int8; none for a node that cannot. */
  #int8Inputs({ operator, inputs }: Node): Value[] {
    if (SAME_RANGE.has(operator)) return inputs.slice(0, 1).filter((name) => this.#isComputed(name));
    return OWN_RANGE.has(operator) && inputs.every((name) => this.#isComputed(name)) ? inputs : [];
  }

  #isComputed(name: Value): boolean {
    return !this.#graph.initializers.has(name);
  }

  /** The value that is rounded after a node: the result of the activation behind it, if that can be left out. */
  #resultOf(node: Node): Value {
    return (this.#activationOf(node) ?? node).outputs[0]!;
  }

  /** An activation behind a node that only limits the result to a range: the rounded numbers have no others. */
  #activationOf(node: Node): Node | undefined {
    const [result = ''] = node.outputs;
    if (!this.#layers.has(node) && !OWN_RANGE.has(node.operator)) return undefined;
    const readers = this.#readers.get(result) ?? [];
    const [reader] = readers;
    if (reader === undefined || readers.length > 1 || this.#outputs.has(result)) return undefined;
    if (reader.operator === 'Relu') return reader;
    if (reader.operator !== 'Clip' || reader.inputs[0] !== result) return undefined;
    const [low, high] = [1, 2].map((i) => this.#limit(reader.inputs[i]));
    // A range of 8 bits always contains 0.
    return low !== undefined && high !== undefined && low <= 0 && high >= 0 ? reader : undefined;
  }

  #limit(name: Value | undefined): number | undefined {
    const stored = this.#graph.initializers.get(name ?? '');
    return stored === undefined ? undefined : Number((stored.elements as Tensor).item());
  }
}
