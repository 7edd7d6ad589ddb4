/**
 * A setup file of Vitest: `setupFiles: ['dyconv/vitest']`. `toEqual`, `toStrictEqual`, `toMatchObject` and the other matchers
 * that compare deeply then compare tensors by {@link equalTensors}, and the errors of those three say where tensors differ.
 * @module
 */
import { chai, expect } from 'vitest';
import { isTensor, type Tensor } from './tensor/tensor.js';
import { differenceOf, equalTensors } from './testing.js';

/** Tensors with more elements are summarized in errors, as when they are printed. */
const SHOWN = 64;

/** The text of a tensor in an error. */
class ShownTensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly values: unknown;
  constructor(tensor: Tensor) {
    this.dtype = tensor.dtype;
    this.shape = tensor.shape;
    this.values = tensor.numel <= SHOWN ? tensor.arraySync() : tensor.detach().toString();
  }
}
Object.defineProperty(ShownTensor, 'name', { value: 'Tensor' });

expect.addEqualityTesters([equalTensors]);
for (const matcher of ['toEqual', 'toStrictEqual', 'toMatchObject']) explainDifferences(matcher);

/** Has the errors of a matcher say where tensors differ. */
function explainDifferences(matcher: string): void {
  chai.Assertion.overwriteMethod(
    matcher,
    (original: (...args: unknown[]) => unknown) =>
      function (this: object, ...args: unknown[]) {
        try {
          return original.apply(this, args);
        } catch (error) {
          if (error instanceof Error && 'actual' in error && 'expected' in error) explain(error);
          throw error;
        }
      },
  );
}

function explain(error: Error & { actual?: unknown; expected?: unknown }): void {
  const lines = differences(error.actual, error.expected, '');
  if (lines.length > 0) error.message += `\n${lines.join('\n')}`;
  error.actual = shown(error.actual);
  error.expected = shown(error.expected);
}

/** A line for every two tensors in the same place that differ. */
function differences(received: unknown, expected: unknown, path: string): string[] {
  if (isTensor(received) && isTensor(expected)) {
    const difference = differenceOf(received, expected);
    return difference === undefined ? [] : [`${path === '' ? '' : `${path}: `}${difference}`];
  }
  if (!isPlain(received) || !isPlain(expected)) return [];
  return Object.keys(expected).flatMap((key) =>
    differences(
      (received as Record<string, unknown>)[key],
      (expected as Record<string, unknown>)[key],
      path === '' ? key : `${path}.${key}`,
    ),
  );
}

/** The value with what is shown of tensors in their places. */
function shown(value: unknown): unknown {
  if (isTensor(value)) return value.isDisposed ? value : new ShownTensor(value);
  if (!isPlain(value)) return value;
  if (Array.isArray(value)) return value.map(shown);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, shown(item)]));
}

/** Arrays and objects without a class. */
function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  return Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype;
}
