/**
 * Checks of numbers among the arguments.
 * @module
 */
import { invalidArgument } from '../errors.js';

/** One number for both directions, or [height, width]. */
export type Pair = number | readonly [number, number];

/** Checks a {@link Pair} of integers of at least `min` and spreads it to [height, width]. */
export function pair(name: string, value: Pair, min: number): [number, number] {
  const both: readonly unknown[] = Array.isArray(value) ? value : [value, value];
  if (both.length !== 2 || both.some((n) => !Number.isInteger(n) || (n as number) < min)) {
    throw invalidArgument(name, `an integer of at least ${min} or a pair [height, width] of them`, value);
  }
  return [both[0] as number, both[1] as number];
}

/** One number for all spatial dimensions, or one each. */
export type Sizes = number | readonly number[];

/** Checks {@link Sizes} of integers of at least `min` and spreads them to `count` dimensions. */
export function sizes(name: string, value: unknown, count: number, min: number): number[] {
  const all: readonly unknown[] = Array.isArray(value) ? value : new Array(count).fill(value);
  if (all.length !== count || all.some((n) => !Number.isInteger(n) || (n as number) < min))
    throw invalidArgument(name, `an integer of at least ${min} or ${count} of them`, value);
  return [...all] as number[];
}

/** Checks that a value is one of a set of names. */
export function oneOf<const T extends string>(name: string, choices: readonly T[], value: unknown): T {
  if (choices.includes(value as T)) return value as T;
  throw invalidArgument(name, `one of ${choices.map((c) => `'${c}'`).join(', ')}`, value);
}

/** Checks a boolean. */
export function boolean(name: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  throw invalidArgument(name, 'a boolean', value);
}

/** Checks an integer of at least `min`, and of at most `max` if it is given. */
export function integer(
  name: string,
  value: unknown,
  min: number,
  max: number = Number.POSITIVE_INFINITY,
): number {
  if (Number.isInteger(value) && (value as number) >= min && (value as number) <= max) return value as number;
  const range = max === Number.POSITIVE_INFINITY ? `of at least ${min}` : `from ${min} to ${max}`;
  throw invalidArgument(name, `an integer ${range}`, value);
}

/** Most threads of an operation, as for `setNumThreads`. */
export const MAX_THREADS = 1024;

/** Checks a finite number from `min` to `max`. */
export function number(
  name: string,
  value: unknown,
  {
    min = Number.NEGATIVE_INFINITY,
    max = Number.POSITIVE_INFINITY,
  }: { min?: number | undefined; max?: number | undefined } = {},
): number {
  if (typeof value === 'number' && Number.isFinite(value) && value >= min && value <= max) return value;
  const range =
    max === Number.POSITIVE_INFINITY
      ? min === Number.NEGATIVE_INFINITY
        ? 'a finite number'
        : min === Number.MIN_VALUE
          ? 'a number above 0'
          : `a number of at least ${min}`
      : `a number from ${min} to ${max}`;
  throw invalidArgument(name, range, value);
}

/** Checks an index of one of `rows` rows; a negative one counts from the end. */
export function row(name: string, value: unknown, rows: number): number {
  if (!Number.isInteger(value) || (value as number) < -rows || (value as number) >= rows)
    throw invalidArgument(name, `an integer from ${-rows} to ${rows - 1}, a row of the table`, value);
  return (value as number) < 0 ? (value as number) + rows : (value as number);
}

/** The output size of an adaptive pool: one number for all spatial dimensions, or one each; null keeps that of the input. */
export type OutputSize = number | null | readonly (number | null)[];

/** Checks an {@link OutputSize} and spreads it to `count` dimensions. */
export function outputSizes(value: OutputSize, count: number): (number | null)[] {
  const all = Array.isArray(value) ? value : new Array(count).fill(value);
  if (all.length !== count || !all.every((n) => n === null || (Number.isInteger(n) && n >= 1)))
    throw invalidArgument('outputSize', `an integer of at least 1, null, or ${count} of them`, value);
  return [...all];
}
