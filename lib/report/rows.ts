/**
 * The rows of a comparison: what the runs of a group come to.
 * @module
 */
import type { EpochRecord, EvaluationRecord, ImageDigests, RunConfig, RunData } from '../run/records.js';
import type { RunGroup } from './groups.js';
import { type MeanInterval, meanInterval } from './statistics.js';

/** The images of an accuracy. */
export interface MeasuredImages {
  /** Which images of the data set, as a phrase: `the test images`. */
  part: string;
  /** Number of images; the smallest of all runs. */
  images: number;
  /** Digest of their names and classes; null where the runs have none. */
  digest: string | null;
  /** Digest of their names, classes and contents; null where the runs have none. */
  contents: string | null;
}

/** One model of the comparison. A field is null if no run of the group has the value. */
export interface ComparisonRow {
  /** Name of the model, with a suffix if there are several of that name. */
  model: string;
  /** Directories of the runs, one per seed. */
  runs: string[];
  /** Seeds of the runs. */
  seeds: number[];
  /** Name of the data set. */
  dataset: string;
  /** Class names in label order. */
  classes: string[];
  /** The images of `valAccuracy` and `bestValAccuracy`. */
  validation: MeasuredImages;
  /** The images of `testAccuracy`; null without one. */
  test: MeasuredImages | null;
  /** Over the batches of the last epoch during training; 0 to 1. */
  trainAccuracy: MeanInterval | null;
  /** After the last epoch; 0 to 1. */
  valAccuracy: MeanInterval | null;
  /** After the best epoch of each run; 0 to 1. */
  bestValAccuracy: MeanInterval | null;
  /** Parameters and batch-norm statistics, counted as in the article. */
  parameters: number;
  /**
   * Accuracy of the best weights on the test images, 0 to 1, if other images selected them (`--val-split`). Without such a split the test
   * images are those of the validation, and this is null.
   */
  testAccuracy: MeanInterval | null;
  /** Number of validation images, or of test images if there is a `testAccuracy`; the smallest of all runs. */
  images: number;
  /** Finished epochs of every run. */
  epochs: number[];
  /** Configured number of epochs. */
  plannedEpochs: number;
  /** Whether every run has ended: after its last epoch, or by early stopping. */
  finished: boolean;
  /** Training images per second over the whole run. */
  imagesPerSecond: MeanInterval | null;
  /** Training time in seconds, without validation. */
  seconds: MeanInterval | null;
  /** The attention of every dynamic layer; null for a model without dynamic layers. */
  attention: AttentionChange[] | null;
  /** The best weights with every image's attention replaced by the mean (`evaluate.js --collapse-experts`); null unless every run has it. */
  collapsed: { accuracy: MeanInterval; dynamicAccuracy: MeanInterval } | null;
}

/** How far the attention of a layer is from equal shares: its entropy, divided by that of equal shares. Means over the runs. */
export interface AttentionChange {
  /** Name of the layer. */
  layer: string;
  /** In the first epoch, 0 (only one expert) to 1 (equal shares). */
  first: number;
  /** In the last epoch. */
  last: number;
}

function interval(values: readonly (number | null | undefined)[]): MeanInterval | null {
  const finite = values.filter((value): value is number => Number.isFinite(value));
  return finite.length > 0 ? meanInterval(finite) : null;
}

/** The evaluation of the best weights on the test images of the run; null if the last one was of others. */
function bestOnTest({ evaluation }: RunData): EvaluationRecord | null {
  return evaluation?.checkpoint === 'best' && evaluation.ownImages !== false ? evaluation : null;
}

/** A run that early stopping ended has an evaluation; an interrupted one does not. */
function hasEnded({ config, epochs, evaluation }: RunData): boolean {
  const last = epochs.at(-1)?.epoch ?? 0;
  return !(last < config.epochs) || (config.earlyStopping != null && evaluation !== null);
}

/** The row of a group of runs. */
export function rowOf({ label, runs }: RunGroup): ComparisonRow {
  const bests = runs.map(({ epochs }) => {
    const values = epochs.map(({ val }) => val?.accuracy ?? Number.NaN).filter(Number.isFinite);
    return values.length > 0 ? Math.max(...values) : null;
  });
  const speeds = runs.map(({ epochs }) => {
    const seconds = epochs.reduce((sum, epoch) => sum + epoch.seconds, 0);
    return epochs.reduce((sum, epoch) => sum + epoch.imagesPerSecond * epoch.seconds, 0) / seconds;
  });
  const { valSplit, epochs: plannedEpochs, dataset, classes } = runs[0]!.config;
  const tested = valSplit ? runs.map((run) => bestOnTest(run)?.accuracy ?? null) : [];
  const testAccuracy = tested.every((value) => value !== null) ? interval(tested) : null;
  const validation = validationImages(runs);
  const test = testAccuracy && testImages(runs);
  return {
    model: label,
    runs: runs.map((run) => run.path),
    seeds: runs.map((run) => run.config.seed),
    dataset,
    classes: [...classes],
    validation,
    test,
    trainAccuracy: interval(runs.map(({ epochs }) => epochs.at(-1)?.train.accuracy)),
    valAccuracy: interval(runs.map(({ epochs }) => epochs.at(-1)?.val?.accuracy)),
    bestValAccuracy: interval(bests),
    testAccuracy,
    images: (test ?? validation).images,
    parameters: runs[0]!.config.parameters.total,
    epochs: runs.map(({ epochs }) => epochs.length),
    plannedEpochs,
    finished: runs.every(hasEnded),
    imagesPerSecond: interval(speeds),
    seconds: interval(
      runs.map(({ epochs }) =>
        epochs.length > 0 ? epochs.reduce((sum, epoch) => sum + epoch.seconds, 0) : null,
      ),
    ),
    attention: attentionOf(runs),
    collapsed: collapsedOf(runs),
  };
}

const TEST_IMAGES = 'the test images';

/** The images that chose the best epoch. */
function validationImages(runs: readonly RunData[]): MeasuredImages {
  const { config } = runs[0]!;
  const { valSplit } = config;
  const images = Math.min(...runs.map(({ config }) => config.valImages));
  if (valSplit === 'folder') return { part: 'the validation images', images, ...digestsOf(config, 'val') };
  // The seed chooses them among the training images.
  if (valSplit)
    return { part: `${100 * valSplit} % of the training images`, images, ...digestsOf(config, 'train') };
  return { part: TEST_IMAGES, images, ...digestsOf(config, 'test') };
}

function testImages(runs: readonly RunData[]): MeasuredImages {
  const images = Math.min(...runs.map(({ evaluation }) => evaluation?.images ?? 0));
  return { part: TEST_IMAGES, images, ...digestsOf(runs[0]!.config, 'test') };
}

function digestsOf(
  { imageDigests, contentDigests }: RunConfig,
  split: keyof ImageDigests,
): Pick<MeasuredImages, 'digest' | 'contents'> {
  return { digest: imageDigests?.[split] ?? null, contents: contentDigests?.[split] ?? null };
}

function attentionOf(runs: readonly RunData[]): AttentionChange[] | null {
  if (runs[0]!.config.temperature === null) return null;
  const layers = new Set(runs.flatMap(({ epochs }) => epochs[0]?.experts?.map(({ layer }) => layer) ?? []));
  const share = (epoch: EpochRecord | undefined, layer: string) => {
    const found = epoch?.experts?.find((entry) => entry.layer === layer);
    return found && found.mean.length > 1 ? found.entropy / Math.log(found.mean.length) : null;
  };
  return [...layers].flatMap((layer) => {
    const first = interval(runs.map(({ epochs }) => share(epochs[0], layer)));
    const last = interval(runs.map(({ epochs }) => share(epochs.at(-1), layer)));
    return first && last ? [{ layer, first: first.mean, last: last.mean }] : [];
  });
}

function collapsedOf(runs: readonly RunData[]): ComparisonRow['collapsed'] {
  const evaluations = runs.map(bestOnTest);
  const accuracy = interval(evaluations.map((evaluation) => evaluation?.collapsed?.accuracy));
  const dynamicAccuracy = interval(evaluations.map((evaluation) => evaluation?.accuracy));
  return accuracy?.count === runs.length && dynamicAccuracy ? { accuracy, dynamicAccuracy } : null;
}
