/**
 * The interface of optimizers for schedulers, and common checks.
 * @module
 */

import { number } from '../check/arguments.js';
import { invalidArgument } from '../errors.js';
import type { Optimizer } from './optimizer.js';

/** The parts of an optimizer that schedulers use. */
export type Scheduled = Pick<Optimizer, 'paramGroups'>;

/** Checks the optimizer of a scheduler. */
export function checkScheduled(optimizer: Scheduled): Scheduled {
  const groups: unknown = (optimizer as Scheduled | null | undefined)?.paramGroups;
  const isGroup = (group: unknown) => typeof (group as { lr?: unknown } | null)?.lr === 'number';
  if (!Array.isArray(groups) || !groups.every(isGroup))
    throw invalidArgument('optimizer', 'an Optimizer', optimizer);
  return optimizer;
}

/** One value for all groups of an optimizer, or a list with one each. */
export type PerGroup<T = number> = T | readonly T[];

/** Checks a {@link PerGroup} and returns a function that gives the value of a group. */
export function perGroup<T>(
  name: string,
  value: PerGroup<T>,
  optimizer: Scheduled,
  check: (value: T) => T,
): (group: number) => T {
  if (!Array.isArray(value)) {
    const one = check(value as T);
    return () => one;
  }
  const { length } = checkScheduled(optimizer).paramGroups;
  const expected = `one value, or one for each of ${length} parameter groups,`;
  if (value.length !== length) throw invalidArgument(name, expected, value);
  const all: readonly T[] = value.map((one) => check(one));
  return (group) => {
    // A group that was added later.
    if (group >= all.length) throw invalidArgument(name, `a value for parameter group ${group}`, value);
    return all[group]!;
  };
}

/** {@link perGroup} of finite numbers from `min` to `max`. */
export function numberPerGroup(
  name: string,
  value: PerGroup,
  optimizer: Scheduled,
  range: { min?: number | undefined; max?: number | undefined } = {},
): (group: number) => number {
  return perGroup(name, value, optimizer, (one) => number(name, one, range));
}
