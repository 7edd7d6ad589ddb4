/**
 * Metrics of the predicted probabilities: area under the ROC curve, calibration.
 * @module
 */
import { integer, oneOf } from '../../check/arguments.js';
import { checkOptions, optionKeys } from '../../check/index.js';
import { ShapeError } from '../../errors.js';
import { sumOverProcesses, valuesOfProcesses } from './gather.js';
import {
  argmax,
  checkSource,
  type Metric,
  noImages,
  probabilitiesOf,
  readScores,
  type ScoreOptions,
  sameClasses,
} from './metric.js';

/** Options of {@link auroc}. */
export interface AurocOptions extends ScoreOptions {
  /** Mean over the classes, or weighted by their numbers of images. Default: `macro`. */
  average?: 'macro' | 'weighted' | undefined;
}

/** Options of {@link calibrationError}. */
export interface CalibrationErrorOptions extends ScoreOptions {
  /** Number of bins of equal width. Default: 15. */
  bins?: number | undefined;
  /** `l1`: the expected calibration error; `l2`: its root mean square; `max`: the largest error of a bin. Default: `l1`. */
  norm?: 'l1' | 'l2' | 'max' | undefined;
}

const AUROC_KEYS = optionKeys('from', 'average');
const CALIBRATION_KEYS = optionKeys('from', 'bins', 'norm');

/**
 * Area under the ROC curve of each class against all others, averaged over the classes; exact, with equal scores counted half. It holds
 * the probabilities of all images in memory. Classes without images, or without others, are left out of the average.
 */
export function auroc(options: AurocOptions = {}): Metric<number> {
  const { average = 'macro', from = 'logits' } = checkOptions(options, AUROC_KEYS);
  oneOf('average', ['macro', 'weighted'], average);
  const areas = aurocPerClass({ from });
  let counts: number[] = []; // of images, by class
  return {
    update(logits, labels) {
      areas.update(logits, labels);
      counts = Array.from({ length: logits.shape[1]! }, (_, c) => counts[c] ?? 0);
      for (const label of labels.dataSync({ dtype: 'int64' })) counts[Number(label)]!++;
    },
    compute() {
      let sum = 0;
      let weights = 0;
      for (const [c, area] of areas.compute().entries()) {
        if (Number.isNaN(area)) continue;
        const weight = average === 'weighted' ? counts[c]! : 1;
        sum += weight * area;
        weights += weight;
      }
      return sum / weights;
    },
    reset() {
      areas.reset();
      counts = [];
    },
    async gather(group) {
      await areas.gather?.(group);
      counts = await sumOverProcesses(group, counts);
    },
  };
}

/** The areas of {@link auroc} in label order; NaN for a class without images, or without others. */
export function aurocPerClass(options: ScoreOptions = {}): Metric<number[]> {
  const { from = 'logits' } = checkOptions(options, SCORE_KEYS);
  const source = checkSource(from);
  let batches: { probabilities: Float32Array; labels: number[] }[] = [];
  let classes: number | undefined;
  return {
    update(logits, labels) {
      const scores = readScores(logits, labels);
      classes = sameClasses(classes, scores);
      // A copy: the values may belong to a tensor that is disposed.
      batches.push({ probabilities: probabilitiesOf(scores, source).slice(), labels: scores.labels });
    },
    compute() {
      const labels = batches.flatMap((batch) => batch.labels);
      if (labels.length === 0 || classes === undefined) throw noImages();
      const column = new Float64Array(labels.length);
      return Array.from({ length: classes }, (_, c) => {
        let row = 0;
        for (const { probabilities, labels: own } of batches)
          for (let i = 0; i < own.length; i++) column[row++] = probabilities[i * classes! + c]!;
        return area(column, (i) => labels[i] === c);
      });
    },
    reset() {
      batches = [];
      classes = undefined;
    },
    async gather(group) {
      const values = batches.flatMap(({ probabilities }) => [...probabilities]);
      const probabilities = await valuesOfProcesses(group, values, 'float32');
      const labels = await valuesOfProcesses(
        group,
        batches.flatMap((batch) => batch.labels),
        'float64',
      );
      batches = probabilities.map((own, rank) => ({
        probabilities: Float32Array.from(own),
        labels: [...labels[rank]!],
      }));
      const sizes = new Set(
        batches
          .filter((own) => own.labels.length > 0)
          .map((own) => own.probabilities.length / own.labels.length),
      );
      if (sizes.size > 1)
        throw new ShapeError('Expected logits with the same number of classes in all processes');
      [classes] = sizes;
    },
  };
}

const SCORE_KEYS = optionKeys('from');

/** The probability that a positive has a higher score than a negative (Mann and Whitney), from the mean ranks. */
function area(scores: Float64Array, isPositive: (index: number) => boolean): number {
  const order = Uint32Array.from(scores, (_, i) => i).sort((a, b) => scores[a]! - scores[b]!);
  let positives = 0;
  let ranks = 0;
  for (let start = 0; start < order.length; ) {
    let end = start;
    let within = 0;
    for (; end < order.length && scores[order[end]!] === scores[order[start]!]; end++)
      within += Number(isPositive(order[end]!));
    // All equal scores have the mean of their ranks, from 1.
    ranks += (within * (start + end + 1)) / 2;
    positives += within;
    start = end;
  }
  const negatives = order.length - positives;
  if (positives === 0 || negatives === 0) return Number.NaN;
  return (ranks - (positives * (positives + 1)) / 2) / (positives * negatives);
}

/**
 * The difference between confidence, the probability of the predicted class, and accuracy, over bins of the confidence (Naeini et al.,
 * AAAI 2015; Guo et al., On Calibration of Modern Neural Networks, ICML 2017).
 */
export function calibrationError(options: CalibrationErrorOptions = {}): Metric<number> {
  const { bins = 15, norm = 'l1', from = 'logits' } = checkOptions(options, CALIBRATION_KEYS);
  integer('bins', bins, 1);
  oneOf('norm', ['l1', 'l2', 'max'], norm);
  const source = checkSource(from);
  // A confidence of exactly 1 has its own bin, as in torchmetrics.
  const make = () => Array.from({ length: bins + 1 }, () => ({ images: 0, confidence: 0, correct: 0 }));
  let counts = make();
  return {
    update(logits, labels) {
      const scores = readScores(logits, labels);
      const probabilities = probabilitiesOf(scores, source);
      for (let row = 0; row < scores.rows; row++) {
        const predicted = argmax(scores, row);
        const confidence = probabilities[row * scores.classes + predicted]!;
        const bin = counts[Math.min(bins, Math.max(0, Math.floor(confidence * bins)))]!;
        bin.images++;
        bin.confidence += confidence;
        bin.correct += Number(predicted === scores.labels[row]);
      }
    },
    compute() {
      const used = counts.filter(({ images }) => images > 0);
      const images = used.reduce((sum, bin) => sum + bin.images, 0);
      if (images === 0) throw noImages();
      const errors = used.map((bin) => Math.abs(bin.correct - bin.confidence) / bin.images);
      if (norm === 'max') return Math.max(...errors);
      const power = norm === 'l1' ? 1 : 2;
      const mean = errors.reduce((sum, error, i) => sum + (error ** power * used[i]!.images) / images, 0);
      return mean ** (1 / power);
    },
    reset() {
      counts = make();
    },
    async gather(group) {
      const sums = await sumOverProcesses(
        group,
        counts.flatMap(({ images, confidence, correct }) => [images, confidence, correct]),
      );
      counts = counts.map((_, bin) => {
        const [images, confidence, correct] = sums.slice(3 * bin) as [number, number, number];
        return { images, confidence, correct };
      });
    },
  };
}
