/**
 * Metrics of a confusion matrix: precision, recall and F1.
 * @module
 */
import { oneOf } from '../../check/arguments.js';
import { checkOptions, optionKeys } from '../../check/index.js';
import { ShapeError } from '../../errors.js';
import type { ProcessGroup } from '../../process-group/group.js';
import { sumOverProcesses } from './gather.js';
import { argmax, type Metric, noImages, readScores, sameClasses } from './metric.js';

/** Options of {@link precision}, {@link recall} and {@link f1}. */
export interface AverageOptions {
  /**
   * `macro`: mean over the classes that occur, as label or prediction; `weighted`: the same, weighted by the number of images of each
   * class; `micro`: over all images together, which is the accuracy. Default: `macro`.
   */
  average?: 'macro' | 'weighted' | 'micro' | undefined;
}

/** Result of {@link perClass}; each list is in label order. */
export interface PerClass {
  /** Share of the images predicted as a class that are of it; 0 if there are none. */
  precision: number[];
  /** Share of the images of a class that are predicted as it; 0 if there are none. */
  recall: number[];
  /** Harmonic mean of both; 0 if there are no images. */
  f1: number[];
  /** Images of each class. */
  support: number[];
}

const AVERAGE_KEYS = optionKeys('average');

/** Counts by true class (rows) and predicted class. */
export function confusionMatrix(): Metric<number[][]> {
  let counts: number[][] = [];
  return {
    update(logits, labels) {
      const scores = readScores(logits, labels);
      const classes = sameClasses(counts.length || undefined, scores);
      if (counts.length === 0)
        counts = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
      for (let row = 0; row < scores.rows; row++) counts[scores.labels[row]!]![argmax(scores, row)]!++;
    },
    compute() {
      if (counts.every((row) => total(row) === 0)) throw noImages();
      return counts.map((row) => [...row]);
    },
    reset() {
      counts = [];
    },
    async gather(group) {
      counts = await confusionOfProcesses(group, counts);
    },
  };
}

/** The sum of the confusion matrices of all processes; that of a process without images may be empty. */
export async function confusionOfProcesses(
  group: ProcessGroup,
  confusion: readonly (readonly number[])[],
): Promise<number[][]> {
  const sums = await sumOverProcesses(group, confusion.flat());
  const classes = Math.sqrt(sums.length);
  if (!Number.isInteger(classes))
    throw new ShapeError('Expected logits with the same number of classes in all processes');
  return Array.from({ length: classes }, (_, row) => sums.slice(row * classes, (row + 1) * classes));
}

/** Precision, recall and F1 of every class. */
export function perClass(): Metric<PerClass> {
  return fromConfusion(classesOf);
}

/** Share of the images predicted as a class that are of it, averaged over the classes. */
export function precision(options: AverageOptions = {}): Metric<number> {
  return averaged('precision', options);
}

/** Share of the images of a class that are predicted as it, averaged over the classes. */
export function recall(options: AverageOptions = {}): Metric<number> {
  return averaged('recall', options);
}

/** Harmonic mean of precision and recall of each class, averaged over the classes. */
export function f1(options: AverageOptions = {}): Metric<number> {
  return averaged('f1', options);
}

function averaged(name: 'precision' | 'recall' | 'f1', options: AverageOptions): Metric<number> {
  const { average = 'macro' } = checkOptions(options, AVERAGE_KEYS);
  oneOf('average', ['macro', 'weighted', 'micro'], average);
  return fromConfusion((counts) => {
    const { labelled, predicted, correct } = sums(counts);
    if (average === 'micro') return total(correct) / total(labelled);
    const values = classesOf(counts)[name];
    const weights = labelled.map((count, c) =>
      average === 'weighted' ? count : Number(count + predicted[c]! > 0),
    );
    return total(values.map((value, c) => value * weights[c]!)) / total(weights);
  });
}

function classesOf(counts: number[][]): PerClass {
  const { labelled, predicted, correct } = sums(counts);
  const share = (a: number, b: number) => (b === 0 ? 0 : a / b);
  return {
    precision: correct.map((count, c) => share(count, predicted[c]!)),
    recall: correct.map((count, c) => share(count, labelled[c]!)),
    f1: correct.map((count, c) => share(2 * count, labelled[c]! + predicted[c]!)),
    support: labelled,
  };
}

const total = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

function fromConfusion<T>(result: (counts: number[][]) => T): Metric<T> {
  const matrix = confusionMatrix();
  return { ...matrix, compute: () => result(matrix.compute()) };
}

/** Images per true class and per predicted class, and those predicted correctly. */
function sums(counts: readonly number[][]) {
  return {
    labelled: counts.map(total),
    predicted: counts.map((_, c) => counts.reduce((sum, row) => sum + row[c]!, 0)),
    correct: counts.map((row, c) => row[c]!),
  };
}
