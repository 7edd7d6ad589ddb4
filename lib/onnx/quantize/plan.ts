/**
 * Which nodes compute in int8: convolutions and linear layers, and nodes between two of them that can.
 * @module
 */
import { layersAt, noLayers } from '../../program/calibrate.js';
import type { Tensor } from '../../tensor/tensor.js';
import type { Graph, Value } from '../graph.js';
import type { Node } from '../message.js';
import { type Layer, layerOf, makersOf, readersOf } from './weights.js';

/** Which nodes compute in int8, and which values are quantized. */
export interface QuantizationPlan {
  readonly layers: ReadonlyMap<Node, Layer>;
  /** The quantized values, each with the value whose range it has. */
  readonly ranges: ReadonlyMap<Value, Value>;
  /** The quantized values that int8 nodes compute: all their readers get the quantized value. Others are quantized for layers only. */
  readonly made: ReadonlySet<Value>;
  /** Activation functions that are left out, by the node before: the clamping of quantized values has the same result. */
  readonly absorbed: ReadonlyMap<Node, Node>;
}

/** Operators whose results are elements of the first input, and have its range. */
const SAME_RANGE = new Set([
  ...['MaxPool', 'Reshape', 'Flatten', 'Transpose', 'Squeeze', 'Unsqueeze', 'Slice', 'Identity'],
]);
/** Other operators with int8 kernels in runtimes. */
const OWN_RANGE = new Set(['Add', 'Concat', 'AveragePool', 'GlobalAveragePool']);

/** The outputs of a graph, and which of them are attentions. */
export interface GraphOutputs {
  readonly all: ReadonlySet<Value>;
  readonly attentions: ReadonlySet<Value>;
}

/**
 * Chooses the nodes that compute in int8.
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
  if (layers.size === 0) throw noLayers("precision 'int8'", found.size, floatLayers);
  return new Planner(graph, outputs.all, layers).run();
}

/** The path of the layer that a node belongs to; the name of the node if there is none. */
export function layerPath({ name }: Node): string {
  const end = name.lastIndexOf('/');
  return end < 0 ? name : name.slice(0, end);
}

/** All layers with constant weights, except those that only attentions depend on. */
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

/** The layers with no other layer before them, and those with none after them. */
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

/** The layers at the paths, and those in modules at the paths. */
function withPaths(layers: readonly Node[], paths: readonly string[]): Set<Node> {
  return new Set([...layersAt(layers.map(layerPath), paths)].map((i) => layers[i]!));
}

class Planner {
  readonly #graph: Graph;
  readonly #outputs: ReadonlySet<Value>;
  readonly #layers: ReadonlyMap<Node, Layer>;
  readonly #readers: ReadonlyMap<Value, readonly Node[]>;
  /** Values that an int8 node reads, if they are quantized. */
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
      // An int8 convolution needs a quantized result. A matrix product can have a result in float32, but onnxruntime does not
      // use its int8 kernel if an activation function follows.
      const isNeeded = isLayer && (node.operator === 'Conv' || activation !== undefined);
      if (!this.#wanted.has(result) && !isNeeded) continue;
      made.add(result);
      ranges.set(result, SAME_RANGE.has(node.operator) ? ranges.get(inputs[0]!)! : result);
      if (activation !== undefined) absorbed.set(node, activation);
    }
    return { layers: this.#layers, ranges, made, absorbed };
  }

  /** The quantized inputs of a node between layers; none for a node without an int8 form. */
  #int8Inputs({ operator, inputs }: Node): Value[] {
    if (SAME_RANGE.has(operator)) return inputs.slice(0, 1).filter((name) => this.#isComputed(name));
    return OWN_RANGE.has(operator) && inputs.every((name) => this.#isComputed(name)) ? inputs : [];
  }

  #isComputed(name: Value): boolean {
    return !this.#graph.initializers.has(name);
  }

  /** The value that is quantized after a node: the result of the activation function, if that can be left out. */
  #resultOf(node: Node): Value {
    return (this.#activationOf(node) ?? node).outputs[0]!;
  }

  /** An activation function after a node that only clamps the result, as quantization to its range does. */
  #activationOf(node: Node): Node | undefined {
    const [result = ''] = node.outputs;
    if (!this.#layers.has(node) && !OWN_RANGE.has(node.operator)) return undefined;
    const readers = this.#readers.get(result) ?? [];
    const [reader] = readers;
    if (reader === undefined || readers.length > 1 || this.#outputs.has(result)) return undefined;
    if (reader.operator === 'Relu') return reader;
    if (reader.operator !== 'Clip' || reader.inputs[0] !== result) return undefined;
    const [low, high] = [1, 2].map((i) => this.#limit(reader.inputs[i]));
    // Every range contains 0.
    return low !== undefined && high !== undefined && low <= 0 && high >= 0 ? reader : undefined;
  }

  #limit(name: Value | undefined): number | undefined {
    const stored = this.#graph.initializers.get(name ?? '');
    return stored === undefined ? undefined : Number((stored.elements as Tensor).item());
  }
}
