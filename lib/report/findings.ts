/**
 * The result of a comparison in sentences: which model is better, by how much, and whether dynamic convolution is the reason.
 * @module
 */
import { formatCount } from '../text.js';
import type { ComparisonRow } from './rows.js';
import { differenceInterval, type MeanInterval } from './statistics.js';

/**
 * Sentences about a comparison. Two models are compared with each other. If there are more, and one of them has dynamic layers, it is compared
 * with every other one. Then the attention of models with dynamic layers.
 * @returns One text per pair of models and per model with dynamic layers; none for a single model without them.
 */
export function findingsOf(rows: readonly ComparisonRow[]): string[] {
  const texts = pairsOf(rows).map(([first, second]) => comparedPair(first, second));
  return [...texts, ...rows.map(attentionText)].filter((text) => text !== null);
}

/** The pairs to compare; a model with dynamic layers comes second. */
function pairsOf(rows: readonly ComparisonRow[]): [ComparisonRow, ComparisonRow][] {
  const dynamic = rows.filter(({ attention }) => attention !== null);
  const [only] = dynamic;
  if (dynamic.length === 1 && only) return rows.filter((row) => row !== only).map((row) => [row, only]);
  const [first, second] = rows;
  return rows.length === 2 && first && second ? [[first, second]] : [];
}

/** A comparison of two models; null if one has no validation. */
function comparedPair(first: ComparisonRow, second: ComparisonRow): string | null {
  const tested = first.testAccuracy !== null && second.testAccuracy !== null;
  const accuracyOf = (row: ComparisonRow) => (tested ? row.testAccuracy : row.bestValAccuracy);
  const [a, b] = [accuracyOf(first), accuracyOf(second)];
  if (!a || !b) return null;
  const difference = differenceOf(first, second, tested);
  if (difference !== null) return `The runs cannot be compared: ${difference}.`;
  const [low, high] = a.mean <= b.mean ? [first, second] : [second, first];
  const points = 100 * Math.abs(a.mean - b.mean);
  const where = tested ? 'on the test images' : 'at its best';
  const images = Math.min(first.images, second.images);
  const unfinished = [first, second].filter(({ finished }) => !finished);
  return [
    `${high.model} is ${points.toFixed(2)} points above ${low.model} ${where}, with ${sizeText(high, low)}.`,
    uncertainty(accuracyOf(high)!, accuracyOf(low)!, images),
    first.attention === null && second.attention !== null && verdict(first, a, b),
    ...unfinished.map(
      ({ model, epochs, plannedEpochs }) =>
        `${model} is not finished: ${Math.min(...epochs)} of ${plannedEpochs} epochs.`,
    ),
  ]
    .filter(Boolean)
    .join(' ');
}

/** Why accuracies of two rows say nothing about their models; null if they were measured on the same images, as far as is known. */
function differenceOf(first: ComparisonRow, second: ComparisonRow, tested: boolean): string | null {
  const measuredOn = (text: (row: ComparisonRow) => string) =>
    `${first.model} was measured on ${text(first)}, ${second.model} on ${text(second)}`;
  if (first.dataset !== second.dataset) return measuredOn(({ dataset }) => dataset);
  const names = ({ classes }: ComparisonRow) => JSON.stringify([...classes].sort());
  if (names(first) !== names(second))
    return `${first.model} has ${classesText(first)}, ${second.model} has ${classesText(second)}`;
  const imagesOf = (row: ComparisonRow) => (tested ? row.test! : row.validation);
  const [a, b] = [imagesOf(first), imagesOf(second)];
  if (a.part !== b.part) return measuredOn((row) => imagesOf(row).part);
  if (a.images !== b.images) return measuredOn((row) => `${formatCount(imagesOf(row).images)} images`);
  const differ = (key: 'digest' | 'contents') => a[key] !== null && b[key] !== null && a[key] !== b[key];
  if (differ('digest')) return 'they were measured on different images';
  if (differ('contents')) return 'they were measured on images of the same names but different contents';
  return null;
}

/** Number of class names in a message. */
const SHOWN_CLASSES = 3;

function classesText({ classes }: ComparisonRow): string {
  const shown = classes.slice(0, SHOWN_CLASSES).join(', ');
  return `${classes.length} classes (${shown}${classes.length > SHOWN_CLASSES ? ', \u2026' : ''})`;
}

function sizeText(high: ComparisonRow, low: ComparisonRow): string {
  const extra = (100 * (high.parameters - low.parameters)) / low.parameters;
  if (Math.abs(extra) < 0.05) return 'as many parameters';
  return `${Math.abs(extra).toFixed(1)} % ${extra > 0 ? 'more' : 'fewer'} parameters`;
}

/** The confidence interval of the difference of two accuracies. */
function uncertainty(high: MeanInterval, low: MeanInterval, images: number): string {
  const seeds = differenceInterval(high, low);
  if (seeds) {
    const [from, to] = [seeds.difference - seeds.halfWidth, seeds.difference + seeds.halfWidth];
    const range = `${(100 * from).toFixed(2)} to ${(100 * to).toFixed(2)} points`;
    const chance = from <= 0 ? ', so it may be chance' : '';
    return `95 % interval of the difference over the seeds (${high.count} and ${low.count}): ${range}${chance}.`;
  }
  // With one run per model, the interval follows from the number of images: the variance of a share of n images is p (1 - p) / n.
  if (images === 0) return '';
  const variance = [high, low].reduce((sum, { mean }) => sum + (mean * (1 - mean)) / images, 0);
  const half = 1.96 * Math.sqrt(variance);
  const interval = `95 % interval of the difference from the number of images (${formatCount(images)}): \u00b1${(100 * half).toFixed(2)} points`;
  return high.mean - low.mean <= half
    ? `${interval}, so it may be chance.`
    : `${interval}; other seeds may differ by more.`;
}

/** Whether dynamic convolution helps, which can only be decided with several seeds of both models. */
function verdict(plain: ComparisonRow, without: MeanInterval, dynamic: MeanInterval): string {
  const seeds = differenceInterval(dynamic, without);
  if (!seeds) return 'Whether dynamic convolution helps cannot be told from one seed of a model.';
  const { difference, halfWidth } = seeds;
  if (Math.abs(difference) <= halfWidth)
    return `Dynamic convolution has no measurable effect compared with ${plain.model}.`;
  return `Dynamic convolution ${difference > 0 ? 'helps' : 'makes it worse'} compared with ${plain.model}.`;
}

/** Whether the attention differs from equal shares, and what the experts are worth; null without dynamic layers. */
function attentionText({ model, attention, collapsed }: ComparisonRow): string | null {
  if (attention === null || attention.length === 0) return null;
  const layers = attention.map(({ layer, first, last }) => `${layer} ${percent(first)} to ${percent(last)}`);
  const entropies = `Entropy of the attention of ${model} from the first epoch to the last, where equal shares have 100 %: ${layers.join(', ')}.`;
  if (collapsed === null) return entropies;
  const { accuracy, dynamicAccuracy } = collapsed;
  const points = 100 * (accuracy.mean - dynamicAccuracy.mean);
  return (
    `${entropies} With every image's attention replaced by the mean, accuracy is ${accuracy.mean.toFixed(4)} instead of ` +
    `${dynamicAccuracy.mean.toFixed(4)} (${points >= 0 ? '+' : ''}${points.toFixed(2)} points).`
  );
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
