/**
 * The confusion matrix of an evaluation, and what it says about every class.
 * @module
 */
import { checkRecord, checkStrings } from '../check/index.js';
import { invalidArgument, ShapeError } from '../errors.js';

/** Images per true class (row) and predicted class (column), with the names of the classes. */
export interface ConfusionInput {
  /** Class names in label order. */
  classes: readonly string[];
  /** Counts, by true class (rows) and predicted class. */
  confusion: readonly (readonly number[])[];
}

/** How one class fares. */
export interface ClassAccuracy {
  /** Name of the class. */
  class: string;
  /** Test images of the class. */
  images: number;
  /** Share of them that were recognised (recall); null for a class without images. */
  accuracy: number | null;
  /** Share of right ones among what was taken for this class; null where nothing was. */
  precision: number | null;
  /** The class it is most often taken for, and how often; null where every image was recognised. */
  mistakenFor: { class: string; images: number } | null;
}

/**
 * Checks class names and a confusion matrix of that many rows and columns.
 * @param name - As in {@link checkConfusion}.
 */
export function checkSquare(input: ConfusionInput, name: string): void {
  checkConfusion(input, name);
  const { classes, confusion } = input;
  const columns = confusion.map((row) => row.length);
  if (confusion.length !== classes.length || columns.some((length) => length !== classes.length))
    throw new ShapeError(
      `Expected a ${classes.length} x ${classes.length} matrix for confusion but received rows of [${columns.join(', ')}]`,
    );
}

const total = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0);

/**
 * Accuracy of every class, in label order.
 * @param input - class names and confusion matrix, [true][predicted]
 * @throws ArgumentError for anything but names and numbers; ShapeError unless the matrix is square with one row a class
 */
export function classAccuracies(input: ConfusionInput): ClassAccuracy[] {
  checkSquare(input, 'input');
  const { classes, confusion } = input;
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

/**
 * Checks class names and the rows of a confusion matrix; whether the two fit together is another question.
 * @param name - what leads to the fields; empty where they are arguments themselves
 */
export function checkConfusion(input: ConfusionInput, name: string): void {
  checkRecord(input, name, 'an object with classes and confusion', {});
  const prefix = name === '' ? '' : `${name}.`;
  const { classes, confusion } = input;
  if (!Array.isArray(classes)) throw invalidArgument(`${prefix}classes`, 'an array of class names', classes);
  if (!Array.isArray(confusion)) throw invalidArgument(`${prefix}confusion`, 'an array of rows', confusion);
  checkStrings(classes, `${prefix}classes`, 'an array of class names');
  for (const [i, row] of confusion.entries()) {
    // Not every(), which would pass over the holes of a sparse array.
    if (!Array.isArray(row) || row.findIndex((count) => typeof count !== 'number') >= 0)
      throw invalidArgument(`${prefix}confusion[${i}]`, 'an array of numbers', row);
  }
}
