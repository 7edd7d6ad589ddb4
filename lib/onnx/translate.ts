/**
 * From the steps of a program to the nodes of an ONNX graph.
 * @module
 */
import { ArgumentError } from '../errors.js';
import type { StoredSize, StoredStep, StoredValue } from '../native/compile.js';
import { attentionsOf, placeOf, type Source } from '../program/source.js';
import { slotsIn } from '../program/stored-value.js';
import type { DType } from '../tensor/dtype.js';
import { Graph, type GraphSettings, type Value } from './graph.js';
import { DATA_TYPES, type Dimension, type ValueInfo } from './message.js';
import { translationOf } from './operations/index.js';
import { VIEWS } from './operations/shape.js';
import { Step, type Surroundings } from './step.js';

/** The user's options for inputs and outputs. */
export interface Ends {
  /** Names; undefined for the default ones. */
  readonly inputs: readonly string[] | undefined;
  readonly outputs: readonly string[] | undefined;
  /** Whether the attention of every dynamic convolution is an output too, behind those of the network. */
  readonly attention: boolean;
}

/** An output: its tensor and its name. */
interface Leaf {
  readonly slot: number;
  readonly name: string;
}

/** A graph with its inputs and outputs. */
export interface Translated {
  readonly graph: Graph;
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  /** Names of the outputs that are attentions. */
  readonly attentions: readonly string[];
}

/**
 * Translates all steps.
 * @throws ArgumentError for a step that ONNX cannot express, with its layer and operation.
 */
export function translate(source: Source, settings: GraphSettings, ends: Ends): Translated {
  const graph = new Graph(settings);
  try {
    return new Translator(graph, source).run(ends);
  } catch (error) {
    for (const tensor of graph.owned) tensor.dispose();
    throw error;
  }
}

class Translator implements Surroundings {
  readonly #graph: Graph;
  readonly #source: Source;
  readonly #values = new Map<number, Value>();
  /** For every slot, the last step that reads it; Infinity for outputs. */
  readonly #lastUse = new Map<number, number>();
  /** Slots that may share memory with a slot that is changed in place. */
  readonly #shared = new Map<number, Set<number>>();

  constructor(graph: Graph, source: Source) {
    this.#graph = graph;
    this.#source = source;
    for (const [i, step] of source.graph.steps.entries())
      for (const slot of step.arguments.flatMap(slotsIn)) this.#lastUse.set(slot, i);
    for (const slot of slotsIn(source.graph.output)) this.#lastUse.set(slot, Number.POSITIVE_INFINITY);
  }

  get slots() {
    return this.#source.graph.slots;
  }

  constantOf(slot: number) {
    return this.#source.constants.get(slot);
  }

  isUsed(slot: number): boolean {
    return this.#lastUse.has(slot);
  }

  nameOf(slot: number): string {
    return this.slots[slot]!.name || 'constant';
  }

  valueOf(slot: number): Value {
    const known = this.#values.get(slot);
    if (known !== undefined) return known;
    const constant = this.constantOf(slot);
    if (constant === undefined) return this.#graph.fail('reads a result that was left out');
    const value = this.#graph.initializer(this.nameOf(slot), constant);
    this.#values.set(slot, value);
    return value;
  }

  run(ends: Ends): Translated {
    const { graph } = this.#source;
    const leaves = outputsOf(graph.output);
    const inputNames = checkNames('inputNames', ends.inputs, numbered('input', graph.inputs.length));
    const outputNames = checkNames(
      'outputNames',
      ends.outputs,
      leaves.map(({ name }, i) => name || (leaves.length === 1 ? 'output' : `output_${i}`)),
    );
    const twice = [...inputNames, ...outputNames].find((name, i, all) => all.indexOf(name) !== i);
    if (twice !== undefined)
      throw new ArgumentError(`Expected different names for inputs and outputs but received ${twice} twice`);
    // The weight would get another name than its key.
    const keys = new Set([...this.#source.constants.keys()].map((slot) => this.slots[slot]!.name));
    const taken = [...(ends.inputs ?? []), ...(ends.outputs ?? [])].find((name) => keys.has(name));
    if (taken !== undefined)
      throw new ArgumentError(
        `Expected names that no weight has for inputs and outputs but received ${taken}`,
      );
    const inputs = graph.inputs.map((slot, i) => this.#input(slot, inputNames[i]!));
    for (const name of outputNames) this.#graph.unique(name);
    const attentions = ends.attention ? this.#attentions() : [];
    for (const [i, step] of graph.steps.entries()) this.#translate(step, i);
    this.#graph.at({ layer: '', operation: 'the output' });
    const named = leaves.map(({ slot }, i) => ({ slot, name: outputNames[i]! }));
    const outputs = [...named, ...attentions].map(({ slot, name }) => this.#output(slot, name));
    this.#graph.prune(outputs.map(({ name }) => name));
    this.#graph.checkRange();
    return { graph: this.#graph, inputs, outputs, attentions: attentions.map(({ name }) => name) };
  }

  /** The attentions [B, K] of the dynamic convolutions. @see attentionsOf */
  #attentions(): Leaf[] {
    return attentionsOf(this.#source).map(({ slot, name }) => {
      this.#lastUse.set(slot, Number.POSITIVE_INFINITY);
      return { slot, name: this.#graph.unique(name) };
    });
  }

  /** Inputs keep their dtype regardless of the precision. */
  #input(slot: number, given: string): ValueInfo {
    const { dtype, sizes } = this.slots[slot]!;
    const name = this.#graph.unique(given);
    if (String(sizes?.[0]) === '1,0') this.#graph.setBatched(name);
    const stored = this.#graph.typeOf(dtype);
    this.#values.set(
      slot,
      stored === dtype ? name : this.#graph.node('Cast', [name], { to: DATA_TYPES[stored] }),
    );
    return { name, dtype, shape: (sizes ?? []).map(dimensionOf) };
  }

  #output(slot: number, name: string): ValueInfo {
    const { dtype, sizes } = this.slots[slot]!;
    const graph = this.#graph;
    if (sizes === null) return graph.fail('has a shape that depends on the values of the input');
    let value = this.valueOf(slot);
    if (graph.typeOf(dtype) !== dtype)
      value = graph.node('Cast', [value], { to: DATA_TYPES[dtype as DType] });
    const made = graph.nodes.some(({ outputs }) => outputs.includes(value));
    // An input, a constant, or the same tensor again: an output needs a node that makes it.
    if (!made || this.#outputs.has(value))
      graph.nodes.push({
        name: graph.unique('Identity'),
        operator: 'Identity',
        inputs: [value],
        outputs: [name],
        attributes: {},
      });
    else {
      graph.rename(value, name);
      for (const [key, known] of this.#values) if (known === value) this.#values.set(key, name);
    }
    this.#outputs.add(name);
    return { name, dtype, shape: sizes.map(dimensionOf) };
  }

  readonly #outputs = new Set<Value>();

  #translate(stored: StoredStep, i: number): void {
    const graph = this.#graph;
    graph.at(placeOf(this.#source, i));
    const translation = translationOf(stored.operation) ?? graph.fail('has no equivalent in ONNX');
    const made = translation(new Step(graph, stored, this));
    const values = typeof made === 'string' ? [made] : made;
    this.#checkSharing(stored, i);
    for (const [j, slot] of stored.results.entries()) {
      const value = values[j];
      if (slot !== null && value !== undefined && value !== '') this.#values.set(slot, value);
    }
  }

  /** Nodes change nothing in place. So a tensor that shares memory with a changed one must not be read later. */
  #checkSharing({ operation, arguments: args, results, pinned }: StoredStep, i: number): void {
    if (!pinned) return;
    const read = args.flatMap(slotsIn);
    for (const slot of results) {
      if (slot === null) continue;
      const changed = read.includes(slot);
      const group = changed
        ? this.#groupOf(slot)
        : VIEWS.has(operation)
          ? this.#groupOf(read[0]!)
          : undefined;
      if (group === undefined) continue;
      if (!changed) {
        group.add(slot);
        this.#shared.set(slot, group);
      } else if ([...group].some((other) => other !== slot && (this.#lastUse.get(other) ?? -1) > i))
        this.#graph.fail('changes a tensor in place while a view of it is still used');
    }
  }

  #groupOf(slot: number): Set<number> {
    const group = this.#shared.get(slot) ?? new Set([slot]);
    this.#shared.set(slot, group);
    return group;
  }
}

/** The tensors of an output with their keys, joined by dots. */
function outputsOf(value: StoredValue, name = ''): Leaf[] {
  if (typeof value === 'object' && value !== null) {
    if (Array.isArray(value))
      return (value as readonly StoredValue[]).flatMap((item, i) =>
        outputsOf(item, name === '' ? '' : `${name}.${i}`),
      );
    if ('slot' in value) return [{ slot: value.slot as number, name }];
    if ('record' in value)
      return Object.entries(value.record).flatMap(([key, item]) =>
        outputsOf(item, name === '' ? key : `${name}.${key}`),
      );
  }
  throw new ArgumentError(
    'Expected a network whose outputs are tensors for exportOnnx but one is a number or text',
  );
}

const numbered = (name: string, count: number): string[] =>
  count === 1 ? [name] : Array.from({ length: count }, (_, i) => `${name}_${i}`);

function checkNames(
  option: string,
  given: readonly string[] | undefined,
  usual: readonly string[],
): readonly string[] {
  if (given === undefined) return usual;
  // An empty name stands for a value that is left out.
  if (given.includes('')) throw new ArgumentError(`Expected names for ${option} but received an empty one`);
  if (given.length === usual.length) return given;
  throw new ArgumentError(
    `Expected ${usual.length} ${usual.length === 1 ? 'name' : 'names'} for ${option} but received ${given.length}`,
  );
}

/** `batch` and, where a size is not the batch size itself, such as `2*batch+1`. */
function dimensionOf(size: StoredSize): Dimension {
  if (typeof size === 'number') return size;
  const [factor, offset] = size;
  const rows = factor === 1 ? 'batch' : `${factor}*batch`;
  return offset === 0 ? rows : `${rows}${offset > 0 ? '+' : ''}${offset}`;
}
