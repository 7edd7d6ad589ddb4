/**
 * Metrics that are a mean over the images.
 * @module
 */
import { integer } from '../../check/arguments.js';
import { checkFunction } from '../../check/index.js';
import { crossEntropy } from '../../ops/loss.js';
import { noGrad, tidy } from '../../tensor/context.js';
import type { Tensor } from '../../tensor/tensor.js';
import type { Loss } from '../types.js';
import { sumOverProcesses } from './gather.js';
import { type Metric, noImages, readScores, type Scores } from './metric.js';

/** A mean over the images of the sums of batches. */
function meanMetric(
  sumOf: (logits: Tensor, labels: Tensor) => { sum: number; images: number },
): Metric<number> {
  let sum = 0;
  let images = 0;
  return {
    update(logits, labels) {
      const batch = sumOf(logits, labels);
      sum += batch.sum;
      images += batch.images;
    },
    compute() {
      if (images === 0) throw noImages();
      return sum / images;
    },
    reset() {
      sum = 0;
      images = 0;
    },
    async gather(group) {
      [sum, images] = (await sumOverProcesses(group, [sum, images])) as [number, number];
    },
  };
}

/**
 * The share of images whose class is among the `k` with the largest scores. Of equal scores, those of smaller classes come first.
 * @param k - Default: 5. With fewer classes it is 1 for every image.
 * @example
 * const { metrics } = await train.evaluate(model, loader, { metrics: { top5: train.metrics.topK(5) } })
 */
export function topK(k = 5): Metric<number> {
  integer('k', k, 1);
  return meanMetric((logits, labels) => {
    const scores = readScores(logits, labels);
    let sum = 0;
    for (let row = 0; row < scores.rows; row++) sum += Number(rankOf(scores, row) < k);
    return { sum, images: scores.rows };
  });
}

/** The share of images whose class has the largest score. */
export function accuracy(): Metric<number> {
  return topK(1);
}

/**
 * The mean of a loss over the images.
 * @param loss - Mean loss of a batch. Default: cross entropy without label smoothing.
 */
export function meanLoss(loss: Loss = crossEntropy): Metric<number> {
  checkFunction(loss, 'loss');
  return meanMetric((logits, labels) => {
    const { rows } = readScores(logits, labels);
    if (rows === 0) return { sum: 0, images: 0 };
    const mean = noGrad(() => tidy(() => Number(loss(logits.to({ dtype: 'float32' }), labels).item())));
    return { sum: mean * rows, images: rows };
  });
}

/** Number of classes that come before the true one. */
function rankOf({ values, labels, classes }: Scores, row: number): number {
  const label = labels[row]!;
  const own = values[row * classes + label]!;
  let rank = 0;
  for (let c = 0; c < classes; c++) {
    const score = values[row * classes + c]!;
    if (score > own || (score === own && c < label)) rank++;
  }
  return rank;
}
