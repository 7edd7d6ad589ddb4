/**
 * The names of classes: a label is an index into them, so two sets are compatible only if their lists are equal.
 * @module
 */
import { printable } from '../text.js';
import { datasetError } from './dataset.js';

/** How many names of a long list are shown. */
const SHOWN = 10;

/** A list of names for a message. */
export function listNames(names: readonly string[]): string {
  const shown = names
    .slice(0, SHOWN)
    .map((name) => printable(name))
    .join(', ');
  return names.length > SHOWN ? `${shown} and ${names.length - SHOWN} more` : shown || 'none';
}

/**
 * Checks that the class names of a set are the expected ones.
 * @param expected - Names in label order, such as those of the training set.
 * @param found - Names that the set has.
 * @param source - File, folder or data set, for the message.
 * @throws DatasetError with the names of both sides.
 */
export function checkSameClasses(
  source: string,
  expected: readonly string[],
  found: readonly string[],
): void {
  if (expected.length === found.length && expected.every((name, label) => name === found[label])) return;
  throw classesError(source, expected, found);
}

/** The error for a set with other names than those expected. */
export function classesError(source: string, expected: readonly string[], found: readonly string[]) {
  const only = (names: readonly string[], others: readonly string[]) => {
    const there = new Set(others);
    return names.filter((name) => !there.has(name));
  };
  const [unknown, missing] = [only(found, expected), only(expected, found)];
  const details = [
    ...(unknown.length > 0 ? [`not expected: ${listNames(unknown)}`] : []),
    ...(missing.length > 0 ? [`missing: ${listNames(missing)}`] : []),
  ];
  return datasetError(
    source,
    `expected the ${expected.length} classes ${listNames(expected)} but found ${found.length}: ${listNames(found)} ` +
      `(${details.length > 0 ? details.join('; ') : 'the same names in another order'})`,
  );
}
