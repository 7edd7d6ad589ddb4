/**
 * Values checked by a schema of valibot, with the errors of this package. The only place that converts an issue of valibot to
 * such an error.
 * @module
 */
import * as v from 'valibot';
import { ArgumentError, CheckpointError, invalidArgument } from '../errors.js';

/** A schema whose output is a T. */
export type Schema<T> = v.GenericSchema<unknown, T>;

/** A schema for every field of T, which the compiler compares: a missing or additional field does not compile. */
export type Entries<T> = { [Key in keyof T]-?: Schema<T[Key]> };

/**
 * A schema of an object. Other keys than those of the entries are kept unchanged: a later version may write them.
 * @param what - What is expected, for the message where there is no object: `'the record of an epoch'`.
 */
export function object<T extends object>(what: string, entries: Entries<T>): Schema<T> {
  return v.looseObject(entries, what) as unknown as Schema<T>;
}

/** Any number, NaN included. */
export const number: Schema<number> = v.custom<number>((value) => typeof value === 'number', 'a number');

/** A whole number within bounds, both included. */
export function integer(min: number, max = Number.MAX_SAFE_INTEGER): Schema<number> {
  const range = max < Number.MAX_SAFE_INTEGER ? `from ${min} to ${max}` : `of at least ${min}`;
  return v.custom<number>(
    (value) => Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max,
    `an integer ${range}`,
  );
}

/**
 * A check of fields that have to fit each other, for `v.pipe` behind an object.
 * @param problem - The path to the field that is reported and what is expected of it; undefined where all fits.
 */
export function fitting<T extends object>(
  problem: (value: T) => { path: readonly string[]; expected: string } | undefined,
): v.RawCheckAction<T> {
  return v.rawCheck(({ dataset, addIssue }) => {
    const found = dataset.typed ? problem(dataset.value) : undefined;
    if (found === undefined) return;
    let input: unknown = dataset.value;
    const path = found.path.map((key) => {
      const parent = input as Record<string, unknown>;
      input = parent[key];
      return { type: 'object', origin: 'value', input: parent, key, value: input } as const;
    });
    addIssue({ message: found.expected, input, path: path as [v.IssuePathItem, ...v.IssuePathItem[]] });
  });
}

/**
 * Checks an argument by a schema.
 * @param name - How messages call it; empty where its fields are arguments themselves.
 * @returns What the schema makes of it.
 * @throws {ArgumentError} `Expected <what> for <name>.<key> but received <value>`, for the first value that does not fit.
 */
export function parseArgument<T>(schema: Schema<T>, value: unknown, name: string): T {
  const result = v.safeParse(schema, value, { abortEarly: true });
  if (result.success) return result.output;
  const [issue] = result.issues;
  const path = (issue.path ?? []).map(({ key }) => key);
  throw invalidArgument(nameOf(name, path), expectedOf(issue, schema, path), issue.input);
}

/**
 * Checks what a file holds by a schema.
 * @param where - The file, with the line where there are several.
 * @throws {CheckpointError} `<where> is damaged: Expected <what> for <key> but received <value>`.
 */
export function parseStored<T>(schema: Schema<T>, value: unknown, where: string): T {
  try {
    return parseArgument(schema, value, '');
  } catch (error) {
    if (!(error instanceof ArgumentError)) throw error;
    throw new CheckpointError(`${where} is damaged: ${error.message}`, { cause: error });
  }
}

/** `runs[0].train.loss` of the name `runs[0]` and the path to the value. */
function nameOf(name: string, path: readonly unknown[]): string {
  return path.reduce<string>((sum, key) => {
    if (typeof key === 'number') return `${sum}[${key}]`;
    return sum === '' ? String(key) : `${sum}.${String(key)}`;
  }, name);
}

/** The parts of any valibot schema that this module reads. */
interface Node {
  readonly type: string;
  readonly message?: unknown;
  readonly wrapped?: Node;
  readonly entries?: Readonly<Record<string, Node>>;
  /** Of the keys that an object has besides. */
  readonly rest?: Node;
  readonly item?: Node;
  readonly items?: readonly Node[];
  readonly value?: Node;
  readonly options?: readonly unknown[];
  readonly literal?: unknown;
}

/** The expected value. The text of an issue does not describe a missing key, so it is taken from the schema at its path. */
function expectedOf(issue: v.BaseIssue<unknown>, schema: Schema<unknown>, path: readonly unknown[]): string {
  if (issue.kind !== 'schema') return issue.message;
  return phrase(path.reduce<Node | undefined>(child, schema as unknown as Node));
}

function child(schema: Node | undefined, key: unknown): Node | undefined {
  if (schema?.wrapped) return child(schema.wrapped, key);
  const { entries, rest, item, items, value } = schema ?? {};
  return entries?.[key as string] ?? items?.[key as number] ?? item ?? value ?? rest;
}

const PHRASES: Readonly<Record<string, string>> = {
  string: 'a string',
  boolean: 'true or false',
  array: 'an array',
};

function phrase(schema: Node | undefined): string {
  const { type = '', message, wrapped, options, literal } = schema ?? {};
  if (wrapped) return `${phrase(wrapped)}${type.startsWith('null') ? ' or null' : ''}`;
  if (typeof message === 'string') return message;
  if (literal !== undefined) return `'${literal}'`;
  if (type === 'picklist') return options!.map((option) => `'${option}'`).join(' or ');
  return PHRASES[type] ?? 'an object';
}
