/**
 * What a metric is, and the predictions that it gets.
 * @module
 */
import { DatasetError, invalidArgument, ShapeError } from '../../errors.js';
import type { ProcessGroup } from '../../process-group/group.js';
import { isTensor, type Tensor } from '../../tensor/tensor.js';

/** Sums up the predictions for the images of a set. */
export interface Metric<T = unknown> {
  /**
   * Adds a batch.
   * @param logits - [B, classes], any floating dtype.
   * @param labels - [B] int64, the true classes.
   */
  update(logits: Tensor, labels: Tensor): void;
  /** The result over all batches since the start or {@link reset}. @throws DatasetError if there was none. */
  compute(): T;
  /** Removes all batches. */
  reset(): void;
  /**
   * Adds the batches of the other processes of a group, so that {@link compute} returns the result over all batches. Only
   * needed if several processes evaluate parts of a set: each calls it once. All metrics of this library have it.
   */
  gather?: ((group: ProcessGroup) => Promise<void>) | undefined;
}

/** Where the predictions of a metric come from. */
export interface ScoreOptions {
  /** The output of the model: logits, to which softmax is applied, or probabilities. Default: `logits`. */
  from?: 'logits' | 'probabilities' | undefined;
}

/** The predictions of a batch. */
export interface Scores {
  /** Row by row, [rows, classes]. */
  values: Float32Array;
  labels: number[];
  rows: number;
  classes: number;
}

/**
 * Reads a batch.
 * @throws ShapeError unless the logits are [B, classes] and the labels [B]; DatasetError for a label without a class.
 */
export function readScores(logits: Tensor, labels: Tensor): Scores {
  if (!isTensor(logits)) throw invalidArgument('logits', 'a Tensor', logits);
  if (!isTensor(labels)) throw invalidArgument('labels', 'a Tensor', labels);
  const [rows = 0, classes = 0] = logits.shape;
  if (logits.shape.length !== 2 || labels.shape.length !== 1 || labels.shape[0] !== rows || classes === 0)
    throw new ShapeError(
      `Expected logits [B, classes] and labels [B] but received [${logits.shape.join(', ')}] and [${labels.shape.join(', ')}]`,
    );
  const values = logits.detach().dataSync({ dtype: 'float32' });
  const truth = Array.from(labels.dataSync({ dtype: 'int64' }), Number);
  const wrong = truth.find((label) => !(label >= 0 && label < classes));
  if (wrong !== undefined)
    throw new DatasetError(`Expected labels from 0 to ${classes - 1} but received ${wrong}`);
  return { values, labels: truth, rows, classes };
}

/** The index of the largest score of a row. */
export function argmax({ values, classes }: Scores, row: number): number {
  let best = 0;
  for (let c = 1; c < classes; c++) if (values[row * classes + c]! > values[row * classes + best]!) best = c;
  return best;
}

/** The probabilities of a batch. */
export function probabilitiesOf(scores: Scores, from: 'logits' | 'probabilities'): Float32Array {
  const { values, rows, classes } = scores;
  if (from === 'probabilities') return values;
  const result = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) {
    const start = row * classes;
    const largest = values[start + argmax(scores, row)]!;
    let sum = 0;
    for (let i = start; i < start + classes; i++) sum += Math.exp(values[i]! - largest);
    for (let i = start; i < start + classes; i++) result[i] = Math.exp(values[i]! - largest) / sum;
  }
  return result;
}

/** Checks the value of the option `from`. */
export function checkSource(from: unknown): 'logits' | 'probabilities' {
  if (from !== 'logits' && from !== 'probabilities')
    throw invalidArgument('from', "'logits' or 'probabilities'", from);
  return from;
}

/** Checks that all batches have the same number of classes. @returns The number. */
export function sameClasses(before: number | undefined, { classes }: Scores): number {
  if (before !== undefined && before !== classes)
    throw new ShapeError(`Expected logits of ${before} classes, as before, but received ${classes}`);
  return classes;
}

/** The error of a result without images. */
export function noImages(): DatasetError {
  return new DatasetError('Expected images for a metric but update() was not called');
}
