/**
 * The confusion matrix of an evaluation, and statistics of every class.
 * @module
 */
import { parseArgument } from '../check/schema.js';
import { ShapeError } from '../errors.js';
import type { ConfusionInput } from './records.js';
import { CONFUSION, isSquare } from './schema.js';

/** Statistics of one class. */
export interface ClassAccuracy {
  /** Name of the class. */
  class: string;
  /** Test images of the class. */
  images: number;
  /** Recall; null for a class without images. */
  accuracy: number | null;
  /** Precision; null if no image was predicted as this class. */
  precision: number | null;
  /** The most frequent wrong prediction and its count; null if there is none. */
  mistakenFor: { class: string; images: number } | null;
}

/**
 * Checks class names and a confusion matrix of that many rows and columns.
 * @param name - How messages call the input; empty where its fields are arguments themselves.
 * @throws ArgumentError for anything but names and numbers; ShapeError unless the matrix is square with one row a class
 */
export function checkConfusion(input: ConfusionInput, name: string): void {
  const { classes, confusion } = parseArgument(CONFUSION, input, name);
  if (!isSquare(confusion, classes.length))
    throw new ShapeError(
      `Expected a ${classes.length} x ${classes.length} matrix for confusion but received rows of [${confusion.map((row) => row.length).join(', ')}]`,
    );
}

const total = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0);

/**
 * Accuracy of every class, in label order.
 * @param input - class names and confusion matrix, [true][predicted]
 * @throws ArgumentError for anything but names and numbers; ShapeError unless the matrix is square with one row a class
 */
export function classAccuracies(input: ConfusionInput): ClassAccuracy[] {
  checkConfusion(input, 'input');
  return accuraciesOf(input);
}

/** {@link classAccuracies} of a matrix that has been checked. */
export function accuraciesOf({ classes, confusion }: ConfusionInput): ClassAccuracy[] {
  return confusion.map((row, label) => {
    const images = total(row);
    const right = row[label]!;
    const taken = total(confusion.map((other) => other[label]!));
    const others = row.map((count, column) => (column === label ? 0 : count));
    const most = Math.max(0, ...others);
    return {
      class: classes[label]!,
      images,
      accuracy: images > 0 ? right / images : null,
      precision: taken > 0 ? right / taken : null,
      mistakenFor: most > 0 ? { class: classes[others.indexOf(most)]!, images: most } : null,
    };
  });
}
