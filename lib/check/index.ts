/**
 * Checks of arguments for all layers. An invalid one is an ArgumentError that names it.
 * @module
 */
import { types } from 'node:util';
import { ArgumentError, invalidArgument } from '../errors.js';

export {
  checkKeys,
  checkObject,
  checkOptions,
  dropUndefined,
  type OptionKeys,
  optionKeys,
  type PartialOptions,
  probablyMeant,
  type RequiredOptions,
  unknownKey,
  withDefaults,
} from './options.js';

/** The types of fields for {@link checkRecord}. */
export type FieldKind = 'string' | 'number' | 'boolean' | 'function' | 'object' | 'array' | 'bytes';

const FIELD_KINDS: Record<FieldKind, [expected: string, is: (value: unknown) => boolean]> = {
  string: ['a string', (value) => typeof value === 'string'],
  number: ['a number', (value) => typeof value === 'number'],
  boolean: ['a boolean', (value) => typeof value === 'boolean'],
  function: ['a function', (value) => typeof value === 'function'],
  object: ['an object', (value) => typeof value === 'object' && value !== null],
  array: ['an array', Array.isArray],
  bytes: ['a Uint8Array', types.isUint8Array],
};

/**
 * Checks that an argument has certain fields: records, and objects of classes that the caller's layer does not
 * import, by their methods.
 * @param expected - A description, such as `'a Module'`; used in the message unless only a data field is wrong.
 */
export function checkRecord<T>(
  value: T,
  name: string,
  expected: string,
  fields: Readonly<Record<string, FieldKind>>,
): T & object {
  if (typeof value !== 'object' || value === null) throw invalidArgument(name, expected, value);
  for (const [field, kind] of Object.entries(fields)) {
    const found = (value as Record<string, unknown>)[field];
    const [wanted, is] = FIELD_KINDS[kind];
    if (is(found)) continue;
    if (kind === 'function') throw invalidArgument(name, expected, value);
    throw invalidArgument(`${name}.${field}`, wanted, found);
  }
  return value;
}

/** Checks a callback function. */
export function checkFunction<T>(fn: T, name = 'fn'): T & ((...args: never[]) => unknown) {
  if (typeof fn !== 'function') throw invalidArgument(name, 'a function', fn);
  return fn as T & ((...args: never[]) => unknown);
}

const MAX_LENGTH = 2 ** 24;

/** Checks an iterable and converts it to an array. */
export function checkIterable<T>(values: Iterable<T>, name: string, expected = 'an iterable'): T[] {
  // Typed arrays are never valid, and cannot be iterated once their buffer is detached.
  if (
    ArrayBuffer.isView(values) ||
    typeof values?.[Symbol.iterator] !== 'function' ||
    typeof values === 'string' ||
    // A tensor is iterable by rows, but is not a list.
    'numel' in values
  )
    throw invalidArgument(name, expected, values);
  // Iterating a sparse array of such a length would take minutes.
  if (Array.isArray(values) && values.length > MAX_LENGTH)
    throw new ArgumentError(
      `Expected ${expected}, at most ${MAX_LENGTH} of them, for ${name} but received ${values.length}`,
    );
  return [...values];
}

/** Checks a string. */
export function checkString(value: unknown, name: string, expected = 'a string'): string {
  if (typeof value !== 'string') throw invalidArgument(name, expected, value);
  return value;
}

/** Checks an object whose values are strings, such as metadata. */
export function checkTexts(values: Readonly<Record<string, string>>, name: string): void {
  if (typeof values !== 'object' || values === null || Array.isArray(values))
    throw invalidArgument(name, 'an object with strings', values);
  for (const [key, value] of Object.entries(values)) checkString(value, `${name}['${key}']`);
}

/** Checks a list of strings and copies it to an array. */
export function checkStrings(values: readonly string[], name: string, expected: string): string[] {
  const list = checkIterable(values, name, expected);
  for (const [i, value] of list.entries()) checkString(value, `${name}[${i}]`);
  return list;
}
