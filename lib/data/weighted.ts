/**
 * Samples drawn with given weights.
 * @module
 */
import { checkObject } from '../check/index.js';
import { invalidArgument } from '../errors.js';
import type { Random } from './random.js';

/**
 * Checks the weights of samples.
 * @param length - Number of samples of the set; Infinity if it is not known.
 */
export function checkWeights(weights: readonly number[], length: number): void {
  const isList = Array.isArray(weights) || ArrayBuffer.isView(weights);
  if (!isList || weights.length !== length) {
    const expected = Number.isFinite(length)
      ? `${length} numbers, one for each sample`
      : 'none for an iterable set';
    throw invalidArgument('weights', expected, isList ? `${weights.length} numbers` : weights);
  }
  let sum = 0;
  for (let i = 0; i < weights.length; i++) {
    const weight: unknown = weights[i];
    if (typeof weight !== 'number' || !(weight >= 0 && weight < Number.POSITIVE_INFINITY))
      throw invalidArgument(`weights[${i}]`, 'a finite number of at least 0', weight);
    sum += weight;
  }
  if (sum === 0) throw invalidArgument('weights', 'a weight above 0', 'only weights of 0');
}

/**
 * Checks that there is a sample to draw among those that a limit leaves.
 * @param indices - Samples to choose from.
 */
export function checkDrawn(weights: readonly number[], indices: readonly number[]): void {
  if (indices.every((index) => weights[index] === 0))
    throw invalidArgument(
      'weights',
      `a weight above 0 for one of the ${indices.length} samples that limit leaves`,
      'only weights of 0',
    );
}

/**
 * Draws as many samples as there are, with replacement: each with the probability of its weight.
 * @param indices - Samples to choose from.
 * @param weights - By sample of the whole set.
 */
export function drawWeighted(
  indices: readonly number[],
  weights: readonly number[],
  random: Random,
): number[] {
  let sum = 0;
  const sums = Float64Array.from(indices, (index) => (sum += weights[index]!));
  return Array.from(indices, () => {
    const target = random.uniform() * sum;
    let [low, high] = [0, sums.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sums[middle]! > target) high = middle;
      else low = middle + 1;
    }
    return indices[low]!;
  });
}

/**
 * Weights with which every class is drawn equally often, for the option `weights` of {@link loader}: the inverse of the number of
 * samples of the class.
 * @param labels - Of all samples, such as `set.labels`.
 * @example data.loader(set, { batchSize: 32, weights: data.balancedWeights(set.labels) })
 */
export function balancedWeights(labels: ArrayLike<number>): number[] {
  const { length } = checkObject(labels, 'labels');
  if (!Number.isSafeInteger(length) || length < 1)
    throw invalidArgument('labels', 'the labels of all samples', labels);
  // By index: a typed array whose buffer was detached cannot be iterated.
  const list = Array.from({ length }, (_, i) => labels[i]!);
  const counts = new Map<number, number>();
  for (const label of list) counts.set(label, (counts.get(label) ?? 0) + 1);
  return list.map((label) => 1 / counts.get(label)!);
}
