/**
 * An ONNX graph under construction: nodes in order, constants once each, names, and what the version of the operators allows.
 * @module
 */
import { ArgumentError } from '../errors.js';
import type { StoredSize } from '../native/compile.js';
import { ExportTarget } from '../program/export-step.js';
import { pathOf } from '../program/source.js';
import { noGrad, tidy } from '../tensor/context.js';
import { full, tensor } from '../tensor/create.js';
import type { DType } from '../tensor/dtype.js';
import type { Tensor } from '../tensor/tensor.js';
import { type Attribute, DATA_TYPES, type Initializer, type Node } from './message.js';

/** The name of a tensor in the graph. */
export type Value = string;

/** The options of the user. */
export interface GraphSettings {
  readonly opset: number;
  readonly precision: 'float32' | 'float16';
  /** Sizes of images may vary: shapes are computed by nodes where they cannot be left out. */
  readonly dynamicSize: boolean;
  /** The graph will be quantized: layers stay whole nodes. */
  readonly forInt8: boolean;
}

/** First opset of the operators that came after the lowest one that is written. */
const SINCE: Readonly<Record<string, number>> = {
  HardSwish: 14,
  Trilu: 14,
  GridSample: 16,
  LayerNormalization: 17,
  BitwiseAnd: 18,
  BitwiseNot: 18,
  BitwiseOr: 18,
  BitwiseXor: 18,
  AffineGrid: 20,
};

/** Largest finite number and smallest positive one of float16. */
const HALF_MAX = 65504;
const HALF_MIN = 2 ** -24;

/** A graph that grows. */
export class Graph extends ExportTarget {
  readonly format = 'ONNX';
  readonly settings: GraphSettings;
  readonly nodes: Node[] = [];
  readonly initializers = new Map<string, Initializer>();
  /** Tensors that were made for the graph: to be disposed once it is written. */
  readonly owned: Tensor[] = [];
  /** The weights of the experts of dynamic convolutions. */
  readonly attentions = new Set<Value>();
  readonly #taken = new Map<string, number>();
  readonly #constants = new Map<string, Value>();
  readonly #made = new Map<string, Value>();
  readonly #batch = new Map<string, Value>();
  /** Initializers with elements beyond the precision: the largest magnitude. */
  readonly #beyond = new Map<Value, number>();
  /** Input whose first dimension is the batch size. */
  #batched: Value | undefined;

  constructor(settings: GraphSettings) {
    super();
    this.settings = settings;
  }

  /** The dtype in the file of what is `dtype` in the program. */
  typeOf(dtype: DType): DType {
    return dtype === 'float32' ? this.settings.precision : dtype;
  }

  /** A name that nothing has yet. */
  unique(name: string): string {
    const count = this.#taken.get(name) ?? 0;
    this.#taken.set(name, count + 1);
    return count === 0 ? name : this.unique(`${name}_${count}`);
  }

  /** Adds a node. @returns Its output. */
  node(operator: string, inputs: Value[], attributes: Record<string, Attribute> = {}): Value {
    return this.nodeOf(operator, inputs, 1, attributes)[0]!;
  }

  /** Adds a node of several outputs. An empty name at the end of the inputs is left out. */
  nodeOf(
    operator: string,
    inputs: Value[],
    count: number,
    attributes: Record<string, Attribute> = {},
  ): Value[] {
    const since = SINCE[operator] ?? 0;
    if (this.settings.opset < since)
      this.fail(
        `needs the operator ${operator}, which opset ${this.settings.opset} lacks: use opset ${since} or later`,
      );
    const name = this.unique(`${pathOf(this.place.layer, '/')}${operator}`);
    const outputs = Array.from({ length: count }, (_, i) =>
      this.unique(count === 1 ? `${name}_output` : `${name}_output_${i}`),
    );
    const given = [...inputs];
    while (given.at(-1) === '') given.pop();
    this.nodes.push({ name, operator, inputs: given, outputs, attributes });
    return outputs;
  }

  /** The operator of the node that makes a value; undefined for inputs and constants. */
  operatorOf(value: Value): string | undefined {
    return this.nodes.findLast(({ outputs }) => outputs.includes(value))?.operator;
  }

  /** Adds the elements of a tensor, which must not change until the graph is written. Its dtype follows the precision. */
  initializer(name: string, elements: Tensor, dims: readonly number[] = elements.shape): Value {
    const unique = this.unique(name);
    const dtype = this.typeOf(elements.dtype);
    const stored = dtype === elements.dtype ? elements : this.own(elements.detach().to({ dtype }));
    if (dtype === 'float16' && stored !== elements) {
      const largest = largestBeyond(elements.detach(), stored);
      if (largest !== undefined) this.#beyond.set(unique, largest);
    }
    this.initializers.set(unique, { name: unique, dtype, dims, elements: stored });
    return unique;
  }

  /** @throws ArgumentError for elements of the initializers that the precision cannot hold. */
  checkRange(): void {
    for (const [name, largest] of this.#beyond) {
      if (!this.initializers.has(name)) continue;
      throw new ArgumentError(
        `Expected weights of at most ${HALF_MAX} in magnitude for precision 'float16' but ${name} has ${largest}`,
      );
    }
  }

  /** What `make` adds, once for each key. */
  once(key: string, make: () => Value): Value {
    const value = this.#made.get(key) ?? make();
    this.#made.set(key, value);
    return value;
  }

  /** A tensor that is disposed with the graph. */
  own(made: Tensor): Tensor {
    this.owned.push(made);
    return made;
  }

  /** A constant of numbers, once for all uses. Its dtype follows the precision. @param dims - Default: one dimension. */
  constant(values: readonly number[], dtype: DType, dims?: readonly number[]): Value {
    return this.exactly(values, this.typeOf(dtype), dims);
  }

  /** A constant of a dtype that does not follow the precision. */
  exactly(values: readonly number[], stored: DType, dims: readonly number[] = [values.length]): Value {
    const numbers = stored === 'float16' ? values.map(asHalf) : values;
    const key = `${stored} ${dims.join()} ${numbers.join()}`;
    const known = this.#constants.get(key);
    if (known !== undefined) return known;
    const flat =
      numbers.length === 0 ? full([0], 0, { dtype: stored }) : tensor([...numbers], { dtype: stored });
    const name = this.unique('constant');
    this.initializers.set(name, { name, dtype: stored, dims, elements: this.own(flat) });
    this.#constants.set(key, name);
    return name;
  }

  /** A constant without dimensions. */
  scalar(value: number, dtype: DType): Value {
    return this.constant([value], dtype, []);
  }

  /** A number for arithmetic. @throws ArgumentError for one that the precision cannot hold: the nearest one would give other results. */
  term(value: number, dtype: DType): Value {
    const isHalf = dtype !== 'float16' && this.typeOf(dtype) === 'float16';
    if (isHalf && Number.isFinite(value) && Math.abs(value) > HALF_MAX)
      this.fail(`has the number ${value}, beyond the ${HALF_MAX} that float16 holds`);
    return this.scalar(value, dtype);
  }

  /** Integers, int64 [n]. */
  ints(values: readonly number[]): Value {
    return this.constant(values, 'int64');
  }

  /** Says which input has the batch size as its first dimension. */
  setBatched(input: Value): void {
    this.#batched ??= input;
  }

  /** Integers that may depend on the batch size, int64 [n]. */
  sizes(values: readonly StoredSize[]): Value {
    if (values.every((size) => typeof size === 'number')) return this.ints(values);
    const parts: Value[] = [];
    let fixed: number[] = [];
    const close = () => {
      if (fixed.length > 0) parts.push(this.ints(fixed));
      fixed = [];
    };
    for (const size of values) {
      if (typeof size === 'number') fixed.push(size);
      else {
        close();
        parts.push(this.#batchSize(size));
      }
    }
    close();
    return parts.length === 1 ? parts[0]! : this.node('Concat', parts, { axis: 0 });
  }

  /** factor * B + offset, int64 [1]. */
  #batchSize([factor, offset]: readonly [number, number]): Value {
    const key = `${factor},${offset}`;
    let value = this.#batch.get(key);
    if (value !== undefined) return value;
    if (this.#batched === undefined)
      this.fail('depends on the batch size, but no input has it as its first dimension');
    value =
      this.#batch.get('1,0') ??
      this.node('Slice', [this.node('Shape', [this.#batched]), this.ints([0]), this.ints([1])]);
    this.#batch.set('1,0', value);
    if (factor !== 1) value = this.node('Mul', [value, this.ints([factor])]);
    if (offset !== 0) value = this.node('Add', [value, this.ints([offset])]);
    this.#batch.set(key, value);
    return value;
  }

  /** A conversion, where one is needed. Both dtypes are those of the program. */
  cast(value: Value, from: DType, to: DType): Value {
    if (from === to || this.typeOf(from) === this.typeOf(to)) return value;
    return this.node('Cast', [value], { to: DATA_TYPES[this.typeOf(to)] });
  }

  /** A reduction over some axes, or all. */
  reduce(operator: string, value: Value, axes: readonly number[] | undefined, keep: boolean): Value {
    const keepdims = keep ? 1 : 0;
    if (axes === undefined) return this.node(operator, [value], { keepdims });
    // The axes became an input, of the sum before that of the others.
    return operator === 'ReduceSum' || this.settings.opset >= 18
      ? this.node(operator, [value, this.ints(axes)], { keepdims })
      : this.node(operator, [value], { keepdims, axes });
  }

  /** Removes nodes and initializers that no output depends on. */
  prune(outputs: readonly Value[]): void {
    const needed = new Set(outputs);
    const kept = this.nodes.toReversed().filter((node) => {
      if (!node.outputs.some((output) => needed.has(output))) return false;
      for (const input of node.inputs) needed.add(input);
      return true;
    });
    this.nodes.splice(0, this.nodes.length, ...kept.reverse());
    for (const name of this.initializers.keys()) if (!needed.has(name)) this.initializers.delete(name);
  }

  /** Gives a value another name everywhere. */
  rename(from: Value, to: Value): void {
    for (const { inputs, outputs } of this.nodes)
      for (const names of [inputs, outputs])
        for (const [i, name] of names.entries()) if (name === from) names[i] = to;
  }
}

/** The nearest number that float16 has and that is not 0 or infinite without need: for limits, fills, masks and small additions. */
function asHalf(value: number): number {
  if (!Number.isFinite(value) || value === 0) return value;
  const size = Math.min(HALF_MAX, Math.max(HALF_MIN, Math.abs(value)));
  return Math.sign(value) * size;
}

/** The largest magnitude of the finite elements if one of them is infinite in float16. */
function largestBeyond(elements: Tensor, stored: Tensor): number | undefined {
  return tidy(() =>
    noGrad(() => {
      const beyond = stored.isinf().logicalAnd(elements.isfinite());
      if (!beyond.any().item()) return undefined;
      return Number(elements.abs().mul(beyond).nanToNum({ nan: 0 }).max().item());
    }),
  );
}
