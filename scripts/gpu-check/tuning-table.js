/**
 * The table that `tune.js` writes, `cuda-tuning.json`, and where it differs from the choices of the rules. lib/ops/cuda-tuning.ts checks
 * and loads such tables; docs/cuda.md describes the format.
 * @module
 */

/** @import { functional } from '../../dist/index.js' */

/** @typedef {functional.CudaTuningRow} Row */
/** @typedef {{ infer: number, train: number }} Milliseconds */

/** @type {readonly ['infer', 'train']} */
const STEPS = ['infer', 'train'];

/** @param {functional.CudaTuningAbout} about @param {functional.CudaTuningSplits} splits @param {Row[]} rows @returns {functional.CudaTuning} */
export const tableOf = (about, splits, rows) => ({ format: 1, about, splits, rows });

/** The fastest algorithm of a row. @param {Row} row @param {'infer' | 'train'} step @returns {[name: string, ms: number]} */
function fastest({ ms }, step) {
  const all = /** @type {[string, Milliseconds][]} */ (Object.entries(ms));
  const [[name, times]] = /** @type {[[string, Milliseconds]]} */ (
    all.sort(([, one], [, other]) => one[step] - other[step])
  );
  return [name, times[step]];
}

/** By how much the fastest algorithm must be faster than the chosen one to be reported. */
const MARGIN = 1.05;

/** The rows in which `auto` does not choose the fastest algorithm. @param {readonly Row[]} rows */
export function disagreements(rows) {
  return rows.flatMap((row) =>
    STEPS.flatMap((step) => {
      const [best, least] = fastest(row, step);
      const chosen = /** @type {Record<string, Milliseconds>} */ (row.ms)[row.auto ?? '']?.[step];
      const factor = (chosen ?? Number.NaN) / least;
      if (!(factor > MARGIN)) return [];
      const { batch, in: channels, out, size, experts } = row.problem;
      const problem = [batch, channels, out, size, experts].join(' x ');
      return [
        { dtype: row.dtype, what: step, problem, auto: row.auto, fastest: best, factor: factor.toFixed(2) },
      ];
    }),
  );
}

/**
 * The value whose times are the shortest on the whole: the sum of the logarithms is the smallest, so that long steps do not decide alone.
 * @template T @param {readonly { value: T, ms: readonly number[] }[]} measured @returns {T}
 */
export function shortest(measured) {
  const sums = measured.map(({ value, ms }) => ({ value, sum: ms.reduce((sum, x) => sum + Math.log(x), 0) }));
  const [first] = sums.sort((one, other) => one.sum - other.sum);
  if (!first) throw new Error('Expected measurements');
  return first.value;
}
