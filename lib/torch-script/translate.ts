/**
 * From the steps of a program to a TorchScript function.
 * @module
 */
import { ArgumentError } from '../errors.js';
import type { StoredSize, StoredStep, StoredValue } from '../native/compile.js';
import { type Attention, attentionsOf, placeOf, type Source } from '../program/source.js';
import { slotsIn } from '../program/stored-value.js';
import type { Tensor } from '../tensor/tensor.js';
import { LISTS, translationOf } from './operations/index.js';
import { type Code, floatLiteral, isName, quoted, Script } from './script.js';
import { Step, type Surroundings } from './step.js';

/** The options of the user. */
export interface ScriptSettings {
  /** Names of the arguments; undefined for the default ones. */
  readonly inputNames: readonly string[] | undefined;
  /** Height and width of images are free. */
  readonly dynamicSize: boolean;
  /** Whether the attention of every dynamic convolution is an output too. */
  readonly attention: boolean;
}

/** A function with its tensors. */
export interface Translated {
  /** The source of `forward`. */
  readonly source: string;
  /** The tensors that it reads, by the path of their attribute. */
  readonly tensors: ReadonlyMap<string, Tensor>;
  /** Names of the arguments. */
  readonly inputs: readonly string[];
  /** Number of steps. */
  readonly steps: number;
}

/**
 * Translates all steps.
 * @throws ArgumentError for a step that TorchScript cannot express, with its layer and operation.
 */
export function translate(source: Source, settings: ScriptSettings): Translated {
  return new Translator(source, settings).run();
}

class Translator implements Surroundings {
  readonly #source: Source;
  readonly #settings: ScriptSettings;
  readonly #script = new Script();
  readonly #codes = new Map<number, Code>();
  readonly #used: ReadonlySet<number>;
  #constants = 0;
  anyInput: Code = '';

  constructor(source: Source, settings: ScriptSettings) {
    this.#source = source;
    this.#settings = settings;
    const { steps, output } = source.graph;
    this.#used = new Set([...steps.flatMap((step) => step.arguments.flatMap(slotsIn)), ...slotsIn(output)]);
  }

  get slots() {
    return this.#source.graph.slots;
  }

  codeOf(slot: number): Code {
    const known = this.#codes.get(slot);
    if (known !== undefined) return known;
    const tensor = this.#source.constants.get(slot);
    if (tensor === undefined) return this.#script.fail('reads a result that was left out');
    const code = this.#script.attribute(this.slots[slot]!.name || this.#newPath(), tensor);
    this.#codes.set(slot, code);
    return code;
  }

  /** A path that no parameter or buffer begins with. */
  #newPath(): string {
    for (;;) {
      const path = `constant_${this.#constants++}`;
      if (!this.slots.some(({ name }) => name.split('.')[0] === path)) return path;
    }
  }

  run(): Translated {
    const { graph } = this.#source;
    const inputs = namesOf(this.#settings.inputNames, graph.inputs.length);
    this.anyInput = inputs[0]!;
    for (const [i, slot] of graph.inputs.entries()) this.#codes.set(slot, inputs[i]!);
    const isBatched = (slot: number) => String(this.slots[slot]!.sizes?.[0]) === '1,0';
    const first = graph.inputs.find(isBatched);
    if (first !== undefined) {
      this.#check(first);
      this.#script.readBatch(this.codeOf(first));
    }
    for (const slot of graph.inputs) if (slot !== first) this.#check(slot);
    const attentions = this.#settings.attention ? attentionsOf(this.#source) : [];
    for (const [i, step] of graph.steps.entries()) this.#translate(step, i);
    this.#script.at({ layer: '', operation: 'the output' });
    const output = this.#output(graph.output).code;
    this.#script.lines.push(
      `return ${attentions.length === 0 ? output : `(${output}, ${this.#attentions(attentions)})`}`,
    );
    const source = this.#script.source(inputs);
    return { source, tensors: this.#script.tensors, inputs, steps: graph.steps.length };
  }

  /**
   * A statement that rejects an input of another shape: the steps are those of the recorded shapes, and could compute wrong results for
   * others.
   */
  #check(slot: number): void {
    const script = this.#script;
    const name = this.codeOf(slot);
    const recorded = this.slots[slot]!.sizes ?? [];
    const free = this.#settings.dynamicSize && recorded.length === 4;
    const sizes = recorded.map((size, axis) => (free && axis > 1 ? ['height', 'width'][axis - 2]! : size));
    // The batch size is what the first batched input has.
    const begin = script.hasBatch || typeof recorded[0] === 'number' ? 0 : 1;
    const end = free ? 2 : sizes.length;
    const list = recorded.slice(begin, end).map((size) => script.size(size));
    const range = begin === 0 && !free ? '' : `[${begin}:${free ? end : ''}]`;
    const conditions = [
      ...(free || list.length === 0 ? [`torch.dim(${name}) == ${sizes.length}`] : []),
      ...(list.length > 0 ? [`torch.size(${name})${range} == [${list.join(', ')}]`] : []),
    ];
    const text = quoted(`Expected shape [${sizes.map(formatSize).join(', ')}] for ${name} but received {}`);
    script.lines.push(`assert ${conditions.join(' and ')}, ${text}.format(torch.size(${name}))`);
  }

  #translate(stored: StoredStep, i: number): void {
    const script = this.#script;
    script.at(placeOf(this.#source, i));
    const translation = translationOf(stored.operation) ?? script.fail('has no equivalent in TorchScript');
    const step = new Step(script, stored, this);
    const code = typeof translation === 'string' ? step.fill(translation) : translation(step);
    const names = stored.results.map((slot) => {
      if (slot === null || !(this.#used.has(slot) || stored.pinned)) return '_';
      const name = this.#codes.get(slot) ?? `_${slot}`;
      this.#codes.set(slot, name);
      return name;
    });
    if (names.length > 1) script.lines.push(`${names.join(', ')} = ${code}`);
    else if (names.length === 1)
      script.lines.push(`${names[0]} = ${code}${LISTS.has(stored.operation) ? '[0]' : ''}`);
  }

  #attentions(attentions: readonly Attention[]): Code {
    const seen = new Map<string, number>();
    const entries = attentions.map(({ slot, name }) => {
      const count = seen.get(name) ?? 0;
      seen.set(name, count + 1);
      return `${quoted(count === 0 ? name : `${name}_${count}`)}: ${this.codeOf(slot)}`;
    });
    return `{${entries.join(', ')}}`;
  }

  /** Arrays are tuples, objects are dictionaries. */
  #output(value: StoredValue): { code: Code; type: string } {
    if (value === null) return { code: 'None', type: 'None' };
    if (typeof value === 'boolean') return { code: value ? 'True' : 'False', type: 'bool' };
    if (typeof value === 'string') return { code: quoted(value), type: 'str' };
    if (typeof value === 'number') return { code: String(value), type: 'int' };
    if (Array.isArray(value)) {
      const items = (value as readonly StoredValue[]).map((item) => this.#output(item));
      const codes = items.map(({ code }) => code).join(', ');
      return {
        code: items.length === 1 ? `(${codes},)` : `(${codes})`,
        type: `Tuple[${items.map(({ type }) => type).join(', ')}]`,
      };
    }
    if ('slot' in value) return { code: this.codeOf(value.slot as number), type: 'Tensor' };
    if ('batch' in value)
      return { code: this.#script.size(value.batch as readonly [number, number]), type: 'int' };
    if ('integer' in value) return { code: String(value.integer), type: 'int' };
    if ('number' in value) return { code: floatLiteral(Number(value.number)), type: 'float' };
    return this.#dictionary(Object.entries((value as { record: Record<string, StoredValue> }).record));
  }

  #dictionary(entries: readonly (readonly [string, StoredValue])[]): { code: Code; type: string } {
    const items = entries.map(([key, item]) => ({ key, ...this.#output(item) }));
    const types = [...new Set(items.map(({ type }) => type))];
    if (types.length !== 1)
      throw new ArgumentError(
        `Expected an object with values of one type as an output, which is a dictionary in TorchScript, but received ${types.length === 0 ? 'none' : types.join(' and ')}`,
      );
    const code = `{${items.map(({ key, code }) => `${quoted(key)}: ${code}`).join(', ')}}`;
    return { code, type: `Dict[str, ${types[0]}]` };
  }
}

function formatSize(size: StoredSize | string): string {
  if (typeof size !== 'object') return String(size);
  const [factor, offset] = size;
  const rows = factor === 1 ? 'batch' : `${factor} * batch`;
  return offset === 0 ? rows : `${rows} + ${offset}`;
}

/** @throws ArgumentError for names that cannot be those of arguments. */
function namesOf(given: readonly string[] | undefined, count: number): readonly string[] {
  if (given === undefined)
    return count === 1 ? ['input'] : Array.from({ length: count }, (_, i) => `input_${i}`);
  if (given.length !== count)
    throw new ArgumentError(
      `Expected ${count} ${count === 1 ? 'name' : 'names'} for inputNames but received ${given.length}`,
    );
  for (const [i, name] of given.entries()) {
    // Names that begin with an underscore are those of values.
    if (
      !isName(name) ||
      name.startsWith('_') ||
      ['annotate', 'float', 'getattr', 'List', 'Tensor'].includes(name)
    )
      throw new ArgumentError(
        `Expected the name of a variable in Python for inputNames[${i}] but received '${name}'`,
      );
    if (given.indexOf(name) !== i)
      throw new ArgumentError(`Expected different names for inputNames but received ${name} twice`);
  }
  return given;
}
