/**
 * The table of measured algorithms, `cuda-tuning.json`: which algorithm of the dynamic convolution is fastest for which sizes on a GPU.
 * docs/cuda.md describes the format.
 * @module
 */
import { ArgumentError } from '../../dist/errors.js';

/** The sizes of a row. @type {readonly ['batch', 'in', 'out', 'size', 'kernel', 'stride', 'groups', 'experts']} */
export const SIZES = ['batch', 'in', 'out', 'size', 'kernel', 'stride', 'groups', 'experts'];
/** @type {readonly ['infer', 'train']} */
export const STEPS = ['infer', 'train'];
const DTYPES = ['float32', 'bfloat16', 'float16'];

/** @typedef {import('./problems.js').Problem} Problem */
/** Milliseconds of an inference and of a training step. @typedef {{ infer: number, train: number }} Milliseconds */
/** @typedef {{ dtype: string, problem: Problem, auto: string, ms: Record<string, Milliseconds> }} Row */
/** @typedef {{ gpu: string, capability: string, driver: string, libtorch: string, dyconv: string }} About */
/** @typedef {{ format: 1, about: About, rows: Row[] }} Table */

/** @param {About} about @param {Row[]} rows @returns {Table} */
export const tableOf = (about, rows) => ({ format: 1, about, rows });

/**
 * Checks a table that was read from a file.
 * @param {unknown} value @param {string} name - Of the file, for errors.
 * @returns {Table}
 * @throws {ArgumentError} that names the field.
 */
export function checkTable(value, name) {
  const table = /** @type {Partial<Table>} */ (value ?? {});
  /** @param {boolean} isValid @param {string} what @param {string} field */
  const expect = (isValid, what, field) => {
    if (!isValid) throw new ArgumentError(`Expected ${what} for ${field} of ${name}`);
  };
  expect(table.format === 1, '1', 'format');
  expect(typeof table.about?.gpu === 'string', 'a string', 'about.gpu');
  expect(Array.isArray(table.rows) && table.rows.length > 0, 'at least one row', 'rows');
  for (const [i, row] of (table.rows ?? []).entries()) {
    expect(DTYPES.includes(row.dtype), DTYPES.join(', '), `rows[${i}].dtype`);
    for (const key of SIZES) {
      const size = row.problem?.[key];
      expect(Number.isSafeInteger(size) && size > 0, 'a positive integer', `rows[${i}].problem.${key}`);
    }
    const times = Object.entries(row.ms ?? {});
    expect(times.length > 0, 'times of at least one algorithm', `rows[${i}].ms`);
    for (const [algorithm, ms] of times)
      for (const step of STEPS)
        expect(ms?.[step] > 0, 'a positive number', `rows[${i}].ms.${algorithm}.${step}`);
  }
  return /** @type {Table} */ (table);
}

/** The fastest algorithm of a row. @param {Row} row @param {'infer' | 'train'} step */
export function fastest({ ms }, step) {
  const all = Object.entries(ms).sort(([, one], [, other]) => one[step] - other[step]);
  return /** @type {[string, Milliseconds]} */ (all[0])[0];
}

/**
 * The algorithm that the table has for a problem: that of the nearest row of the same dtype, kernel, stride and groups, where distance is
 * the sum of the logarithms of the ratios of the other sizes. undefined if there is no such row.
 * @param {Table} table @param {string} dtype @param {Problem} problem @param {'infer' | 'train'} step
 */
export function lookUp(table, dtype, problem, step) {
  const equal = /** @type {const} */ (['kernel', 'stride', 'groups']);
  const near = /** @type {const} */ (['batch', 'in', 'out', 'size', 'experts']);
  const rows = table.rows.filter(
    (row) => row.dtype === dtype && equal.every((key) => row.problem[key] === problem[key]),
  );
  const distance = (/** @type {Row} */ row) =>
    near.reduce((sum, key) => sum + Math.abs(Math.log(row.problem[key] / problem[key])), 0);
  const [first, ...others] = rows;
  if (!first) return undefined;
  return fastest(
    others.reduce((best, row) => (distance(row) < distance(best) ? row : best), first),
    step,
  );
}

/** By how much the fastest algorithm must be faster than the chosen one to be reported. */
const MARGIN = 1.05;

/** The rows in which `auto` does not choose the fastest algorithm. @param {readonly Row[]} rows */
export function disagreements(rows) {
  return rows.flatMap((row) =>
    STEPS.flatMap((step) => {
      const best = fastest(row, step);
      const chosen = row.ms[row.auto]?.[step];
      const factor = (chosen ?? Number.NaN) / /** @type {Milliseconds} */ (row.ms[best])[step];
      if (!(factor > MARGIN)) return [];
      const { batch, in: channels, out, size, experts } = row.problem;
      const problem = [batch, channels, out, size, experts].join(' x ');
      return [
        { dtype: row.dtype, what: step, problem, auto: row.auto, fastest: best, factor: factor.toFixed(2) },
      ];
    }),
  );
}
