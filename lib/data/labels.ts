/**
 * Labels that are numbers or names in a file.
 * @module
 */
import { describe } from '../errors.js';
import { listNames } from './class-names.js';

/**
 * A label as an index: an integer, the text of one, or the name of a class.
 * @throws Error that says what was expected, without the name of the file.
 */
export function labelFrom(value: unknown, classes: readonly string[] | undefined): number {
  if (typeof value === 'string' && classes?.includes(value)) return classes.indexOf(value);
  const text = typeof value === 'string' && /^\d+$/.test(value);
  const label = typeof value === 'bigint' || text ? Number(value) : value;
  if (
    typeof label === 'number' &&
    Number.isSafeInteger(label) &&
    label >= 0 &&
    label < (classes?.length ?? Infinity)
  )
    return label;
  const numbers = classes ? `from 0 to ${classes.length - 1}` : 'from 0';
  const names = classes ? ` or one of the classes ${listNames(classes)}` : ', or the option classes,';
  throw new Error(`expected an integer ${numbers}${names} for its label but found ${describe(value)}`);
}
