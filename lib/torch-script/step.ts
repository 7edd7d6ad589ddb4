/**
 * A recorded step as its translation reads it: its arguments as expressions.
 * @module
 */
import type { StoredSlot, StoredStep, StoredValue } from '../native/compile.js';
import { ExportStep } from '../program/export-step.js';
import { numberOf, promotedDType, slotOf } from '../program/stored-value.js';
import type { DType } from '../tensor/dtype.js';
import { type Code, DTYPE_CODES, floatLiteral, quoted, type Script } from './script.js';

/** What a step needs of its program. */
export interface Surroundings {
  readonly slots: readonly StoredSlot[];
  /** The variable or attribute of a slot. */
  codeOf(slot: number): Code;
  /** Any input: new tensors are made on its device. */
  readonly anyInput: Code;
}

/**
 * The result of an operation, as a template or computed. In a template `$0` is the unchanged first argument, `$0n` as a number (also a
 * boolean), `$0f` as a float, `$0d` as a dtype, `$0t` as a tensor (a number among tensors becomes one), `$0o` as a tensor or number, and `$$`
 * the device of a new tensor.
 */
export type Translation = string | ((step: Step) => Code);

/** The translations of a family of operations, by name. */
export type Translations = Readonly<Record<string, Translation>>;

const isFloat = (dtype: DType): boolean => dtype.startsWith('float') || dtype === 'bfloat16';

/** Whether a tensor of the dtype keeps it in an operation with a number. */
function absorbs(dtype: DType, value: StoredValue): boolean {
  if (isFloat(dtype)) return true;
  if (typeof value === 'boolean') return true;
  return typeof value === 'number' && dtype !== 'bool';
}

/** A list. Of an empty one the type has to be given: only lists of integers are ever empty. */
function listOf(values: readonly StoredValue[], code: (value: StoredValue) => Code): Code {
  return values.length === 0 ? 'annotate(List[int], [])' : `[${values.map(code).join(', ')}]`;
}

/** One step. */
export class Step extends ExportStep {
  readonly script: Script;
  readonly #around: Surroundings;

  constructor(script: Script, step: StoredStep, around: Surroundings) {
    super(script, step, around.slots);
    this.script = script;
    this.#around = around;
  }

  /** @see Script.let */
  let(template: string): Code {
    return this.script.let(this.fill(template));
  }

  /** Whether an argument is a number and not a tensor. */
  isNumber(i: number): boolean {
    return numberOf(this.argument(i)) !== undefined;
  }

  get resultDType(): DType {
    return this.#around.slots[this.stored.results[0]!]!.dtype;
  }

  /** Fills a template: see {@link Translation}. */
  fill(template: string): Code {
    return template
      .replaceAll('$$', `device=${this.#around.anyInput}.device`)
      .replace(/\$(\d)([nfdto]?)/g, (_, digit: string, form: string) => this.#form(Number(digit), form));
  }

  #form(i: number, form: string): Code {
    const value = this.argument(i);
    const isFlag = typeof value === 'boolean';
    if (form === 'n' && isFlag) return String(Number(value));
    if (form === 'f') return this.asFloat(value);
    if (form === 'd') return value === null ? 'None' : String(DTYPE_CODES[value as DType]);
    if (form === 't' || (form === 'o' && isFlag)) return this.asTensor(i);
    return this.code(value);
  }

  /** A value of any type, unchanged. */
  code(value: StoredValue): Code {
    if (value === null) return 'None';
    if (typeof value === 'boolean') return value ? 'True' : 'False';
    if (typeof value === 'number') return String(value);
    if (typeof value === 'string') return quoted(value);
    if (Array.isArray(value)) return listOf(value as readonly StoredValue[], (item) => this.code(item));
    if ('slot' in value) return this.#around.codeOf(value.slot as number);
    if ('batch' in value) return this.script.size(value.batch as readonly [number, number]);
    if ('integer' in value) return String(value.integer);
    const number = numberOf(value) ?? this.fail('has an argument that TorchScript cannot represent');
    return floatLiteral(number);
  }

  /** A number, or the numbers of a list, as floats. */
  asFloat(value: StoredValue): Code {
    if (Array.isArray(value)) return listOf(value as readonly StoredValue[], (item) => this.asFloat(item));
    const number = value === null || typeof value === 'boolean' ? undefined : numberOf(value);
    return number === undefined ? this.code(value) : floatLiteral(number);
  }

  /** A tensor; a number becomes one of a dtype that gives the result the dtype that the number gives it. */
  asTensor(i: number): Code {
    const value = this.argument(i);
    if (slotOf(value) !== undefined) return this.code(value);
    const tensors = this.stored.arguments.filter(
      (other) => slotOf(other) !== undefined && this.infoOf(this.tensorSlot(other)).dtype !== 'bool',
    );
    const own = promotedDType([value], this.#around.slots);
    const dtype = tensors.length === 0 ? own : promotedDType(tensors, this.#around.slots);
    const code = DTYPE_CODES[absorbs(dtype, value) ? dtype : own];
    return this.fill(`torch.scalar_tensor(${this.code(value)}, dtype=${code}, $$)`);
  }
}
