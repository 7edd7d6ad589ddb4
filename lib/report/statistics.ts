/**
 * Mean and confidence interval over the seeds of one model.
 * @module
 */
import { checkIterable } from '../check/index.js';
import { invalidArgument } from '../errors.js';

/** Mean of a sample with its two-sided confidence interval. */
export interface MeanInterval {
  /** Number of values. */
  count: number;
  /** Arithmetic mean. */
  mean: number;
  /** Sample standard deviation (divisor `count - 1`); null for fewer than two values. */
  std: number | null;
  /** Half the width of the interval, `t * std / sqrt(count)`; null for fewer than two values. */
  halfWidth: number | null;
}

/**
 * P(|T| < t) of Student's distribution with a whole number of degrees of freedom.
 * The finite trigonometric sums are exact, so neither a table nor an approximation is needed.
 * @see Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.3 and 26.7.4
 */
function centralProbability(t: number, degrees: number): number {
  const angle = Math.atan(t / Math.sqrt(degrees));
  const cos2 = Math.cos(angle) ** 2;
  const odd = degrees % 2 === 1;
  let term = odd ? Math.cos(angle) : 1;
  let sum = odd && degrees === 1 ? 0 : term;
  for (let k = odd ? 3 : 2; k < degrees; k += 2) {
    term *= (cos2 * (k - 1)) / k;
    sum += term;
  }
  return odd ? (2 / Math.PI) * (angle + Math.sin(angle) * sum) : Math.sin(angle) * sum;
}

function checkConfidence(confidence: number): void {
  if (!(typeof confidence === 'number' && confidence > 0 && confidence < 1))
    throw invalidArgument('confidence', 'a number between 0 and 1', confidence);
}

/**
 * The t for which a Student-distributed variable is in [-t, t] with the given probability.
 * @param degrees - degrees of freedom, a whole number from 1 on
 * @param confidence - probability between 0 and 1; default 0.95
 * @throws ArgumentError for anything else
 * @example
 * report.studentT(2) // 4.3027, the factor for three seeds
 */
export function studentT(degrees: number, confidence = 0.95): number {
  // The sum has a term for every second degree; above a million the distribution equals the normal one in double precision.
  if (!Number.isInteger(degrees) || degrees < 1 || degrees > 1e6)
    throw invalidArgument('degrees', 'a whole number from 1 to 1,000,000', degrees);
  checkConfidence(confidence);
  let low = 0;
  let high = 1;
  while (centralProbability(high, degrees) < confidence) high *= 2;
  for (let i = 0; i < 100; i++) {
    const middle = (low + high) / 2;
    if (centralProbability(middle, degrees) < confidence) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/**
 * Mean, standard deviation and the half-width of the confidence interval of the mean (Student's t).
 * @param values - one value per seed; at least one
 * @param confidence - probability between 0 and 1; default 0.95
 * @throws ArgumentError for an empty list, for values that are not numbers, and for an invalid confidence
 */
export function meanInterval(values: readonly number[], confidence = 0.95): MeanInterval {
  const list = checkIterable(values, 'values', 'an array of numbers');
  for (const [i, value] of list.entries())
    if (typeof value !== 'number') throw invalidArgument(`values[${i}]`, 'a number', value);
  checkConfidence(confidence);
  const count = list.length;
  if (count === 0) throw invalidArgument('values', 'at least one value', values);
  const mean = list.reduce((sum, value) => sum + value, 0) / count;
  if (count === 1) return { count, mean, std: null, halfWidth: null };
  const variance = list.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (count - 1);
  const std = Math.sqrt(variance);
  return { count, mean, std, halfWidth: (studentT(count - 1, confidence) * std) / Math.sqrt(count) };
}

/**
 * The difference of two means with half the width of its 95 % interval, by Welch's t: the deviations of the two may differ.
 * @returns null unless both means are of at least two values
 * @see Welch, The generalization of Student's problem when several different population variances are involved, Biometrika 1947
 */
export function differenceInterval(
  a: MeanInterval,
  b: MeanInterval,
): { difference: number; halfWidth: number } | null {
  if (a.std === null || b.std === null) return null;
  const difference = a.mean - b.mean;
  const [va, vb] = [a.std ** 2 / a.count, b.std ** 2 / b.count];
  if (va + vb === 0) return { difference, halfWidth: 0 };
  // Rounded down, which makes the interval a little wider.
  const degrees = Math.floor((va + vb) ** 2 / (va ** 2 / (a.count - 1) + vb ** 2 / (b.count - 1)));
  return { difference, halfWidth: studentT(Math.max(1, degrees)) * Math.sqrt(va + vb) };
}
