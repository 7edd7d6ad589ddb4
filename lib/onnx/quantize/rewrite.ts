/**
 * Adds pairs of QuantizeLinear and DequantizeLinear around the layers of a graph, which runtimes replace with int8 kernels, and
 * stores the weights as int8.
 * @see https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html
 * @module
 */
import { ArgumentError } from '../../errors.js';
import { LEAST_SCALE, type QuantParams } from '../../program/range.js';
import { noGrad, tidy } from '../../tensor/context.js';
import { tensor } from '../../tensor/create.js';
import type { TypedArray } from '../../tensor/dtype.js';
import type { Tensor } from '../../tensor/tensor.js';
import type { Graph, Value } from '../graph.js';
import type { Attribute, Node } from '../message.js';
import type { QuantizationPlan } from './plan.js';
import { elementsOf, type Layer, makersOf } from './weights.js';

/** The largest weight as int8. */
const LIMIT = 127;
/**
 * The same with 7 bits. x86 processors without VNNI instructions add pairs of products in 16 bits: 2 * 255 * 64 fits, and
 * 2 * 255 * 127 does not.
 */
const REDUCED_LIMIT = 64;
/** Largest bias as int32, so that the sum with the products does not overflow; a smaller one for channels whose weights are all 0. */
const LARGEST_BIAS = 2 ** 30;
const LARGEST_LONE_BIAS = 2 ** 24;

/**
 * Changes the graph.
 * @param params - Of the values whose range was computed.
 * @param reduceRange - Weights have 7 bits.
 * @throws ArgumentError for weights that are not finite.
 */
export function rewrite(
  graph: Graph,
  plan: QuantizationPlan,
  params: ReadonlyMap<Value, QuantParams>,
  reduceRange: boolean,
): void {
  new Rewriter(graph, plan, params, reduceRange ? REDUCED_LIMIT : LIMIT).run();
}

/** The names of a scale and a zero point. */
type ScaleNames = readonly [scale: Value, zeroPoint: Value];

class Rewriter {
  readonly #graph: Graph;
  readonly #plan: QuantizationPlan;
  readonly #params: ReadonlyMap<Value, QuantParams>;
  readonly #limit: number;
  readonly #nodes: Node[] = [];
  readonly #scales = new Map<Value, ScaleNames>();
  /** The result of the DequantizeLinear node of each quantized value. */
  readonly #dequantized = new Map<Value, Value>();
  /** Weights as int8, which several layers may share. */
  readonly #weights = new Map<string, Value>();

  constructor(graph: Graph, plan: QuantizationPlan, params: ReadonlyMap<Value, QuantParams>, limit: number) {
    this.#graph = graph;
    this.#plan = plan;
    this.#params = params;
    this.#limit = limit;
  }

  run(): void {
    const { layers, ranges, made, absorbed } = this.#plan;
    const { nodes } = this.#graph;
    const makers = makersOf(nodes);
    // Inputs of the network.
    for (const value of ranges.keys()) if (!makers.has(value)) this.#quantize(value);
    const leftOut = new Set(absorbed.values());
    for (const node of nodes) {
      if (leftOut.has(node)) continue;
      const layer = layers.get(node);
      if (layer !== undefined) {
        const source = ranges.get(node.inputs[0]!)!;
        this.#replaceWeights(layer, this.#params.get(source)!.scale);
      }
      for (const [i, input] of node.inputs.entries())
        if (made.has(input) || (layer !== undefined && i === 0))
          node.inputs[i] = this.#dequantized.get(input)!;
      node.outputs[0] = (absorbed.get(node) ?? node).outputs[0]!;
      this.#nodes.push(node);
      for (const output of node.outputs) if (ranges.has(output)) this.#quantize(output);
    }
    nodes.splice(0, nodes.length, ...this.#nodes);
  }

  #node(operator: string, place: string, inputs: Value[], attributes: Record<string, Attribute>): Value {
    const output = this.#graph.unique(
      `${place}_${operator === 'QuantizeLinear' ? 'quantized' : 'dequantized'}`,
    );
    const name = this.#graph.unique(`${place}_${operator}`);
    this.#nodes.push({ name, operator, inputs, outputs: [output], attributes });
    return output;
  }

  #constant(name: string, elements: TypedArray, dims: readonly number[]): Value {
    return this.#graph.initializer(name, this.#graph.own(tensor(elements)), dims);
  }

  /** The scale of a value. Values with the same range share it. */
  #scaleOf(value: Value): ScaleNames {
    const source = this.#plan.ranges.get(value)!;
    const known = this.#scales.get(source);
    if (known !== undefined) return known;
    const { scale, zeroPoint } = this.#params.get(source)!;
    const names: ScaleNames = [
      this.#constant(`${source}_scale`, Float32Array.of(scale), []),
      this.#constant(`${source}_zero_point`, Uint8Array.of(zeroPoint), []),
    ];
    this.#scales.set(source, names);
    return names;
  }

  /** Adds the pair of nodes after a value. */
  #quantize(value: Value): void {
    const scale = this.#scaleOf(value);
    const quantized = this.#node('QuantizeLinear', value, [value, ...scale], {});
    this.#dequantized.set(value, this.#node('DequantizeLinear', value, [quantized, ...scale], {}));
  }

  /** @param scale - Of the input. */
  #replaceWeights(layer: Layer, scale: number): void {
    const { node, weight, bias } = layer;
    const biases = bias && tidy(() => elementsOf(bias).dataSync() as Float32Array);
    const scales = this.#weightScales(layer, scale, biases);
    const key = `${weight.name} ${layer.axis} ${layer.isTransposed} ${scales.join()}`;
    const known = this.#weights.get(key);
    node.inputs[1] = known ?? this.#weight(layer, scales);
    this.#weights.set(key, node.inputs[1]);
    if (bias !== undefined) node.inputs[2] = this.#bias(bias.name, biases!, scales, scale);
  }

  /** A scale for each output channel: the largest weight becomes the largest int8, and the bias fits into int32. */
  #weightScales(layer: Layer, scale: number, biases: Float32Array | undefined): Float32Array {
    const { weight, axis, isTransposed } = layer;
    const largest = tidy(() =>
      noGrad(() => {
        const channels = isTransposed ? 1 - axis : axis;
        const dim = weight.dims.map((_, i) => i).filter((i) => i !== channels);
        return elementsOf(weight).abs().amax({ dim }).dataSync() as Float32Array;
      }),
    );
    if (!largest.every(Number.isFinite))
      throw new ArgumentError(
        `Expected finite weights for precision 'int8' but ${weight.name} has ${largest.find((one) => !Number.isFinite(one))}`,
      );
    return largest.map((most, i) => {
      const bias = Math.abs(biases?.[i] ?? 0);
      if (most === 0 && bias === 0) return 1;
      const least = bias / (scale * (most === 0 ? LARGEST_LONE_BIAS : LARGEST_BIAS));
      return Math.max(most / this.#limit, least, LEAST_SCALE);
    });
  }

  #weight({ weight, axis, isTransposed }: Layer, scales: Float32Array): Value {
    const quantized = tidy(() =>
      noGrad(() => {
        const elements = isTransposed ? elementsOf(weight).t() : elementsOf(weight);
        const shape = elements.shape.map((_, i) => (i === axis ? scales.length : 1));
        const limits = { min: -this.#limit, max: this.#limit };
        const rounded = elements.div(tensor(scales).reshape(shape)).round().clamp(limits);
        return rounded.to({ dtype: 'int8' }).contiguous();
      }),
    );
    return this.#stored(weight.name, this.#graph.own(quantized), scales, new Int8Array(scales.length), {
      axis,
    });
  }

  /** A bias as int32, with the scale of the products. */
  #bias(name: string, biases: Float32Array, scales: Float32Array, scale: number): Value {
    if (!biases.every(Number.isFinite))
      throw new ArgumentError(
        `Expected finite weights for precision 'int8' but ${name} has ${biases.find((one) => !Number.isFinite(one))}`,
      );
    const own = scales.map((one) => one * scale);
    const numbers = Int32Array.from(biases, (bias, i) => Math.round(bias / own[i]!));
    return this.#stored(name, this.#graph.own(tensor(numbers)), own, new Int32Array(own.length), {
      axis: 0,
    });
  }

  #stored(
    name: string,
    elements: Tensor,
    scales: Float32Array,
    zeros: TypedArray,
    attributes: Record<string, Attribute>,
  ): Value {
    const dims = [scales.length];
    const inputs = [
      this.#graph.initializer(`${name}_quantized`, elements),
      this.#constant(`${name}_scale`, scales, dims),
      this.#constant(`${name}_zero_point`, zeros, dims),
    ];
    return this.#node('DequantizeLinear', name, inputs, attributes);
  }
}
