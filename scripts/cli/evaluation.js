/**
 * Evaluates a checkpoint of a run and writes the result into its directory.
 * @module
 */
import { rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { report, serve, TrainingError, train } from '../../dist/index.js';
import { resolveDevice } from './config.js';
import { isUnsplit, loadDataset, loadSplits } from './datasets.js';
import { lossOf, testLoader } from './training.js';

/** @import { InMemoryDataset } from '../../dist/data/dataset.js' */
/** @import { Device } from '../../dist/index.js' */
/** @import { SourceOptions } from './datasets.js' */
/** @import { RunConfig, RunDirectory } from '../../dist/train/index.js' */

/**
 * The test images of a run.
 * @param {RunConfig} config
 * @param {Omit<SourceOptions, 'split' | 'classes'>} options - `root`: default, that of the training.
 * @returns {Promise<InMemoryDataset>}
 * @throws {TrainingError} for a folder without `train/` and `test/` whose images have changed since the training.
 */
export async function loadTestSet(config, options) {
  const { classes, dataset, dataDir, trainImages, valImages, valSplit, limitTrain } = config;
  const { root = dataDir ?? 'data' } = options;
  const isSameFolder = dataDir !== null && resolve(root) === resolve(dataDir);
  if (dataset !== 'folder' || !isSameFolder || !(await isUnsplit(root)))
    return loadDataset(dataset, { ...options, root, split: 'test', classes });
  const { trainSet, testSet } = await loadSplits(dataset, { ...options, root, classes });
  const expected = trainImages + (valSplit ? valImages : 0);
  if (limitTrain === null && trainSet.length !== expected)
    throw new TrainingError(
      `${root}: expected ${expected} training images, as when the run was trained, but found ${trainSet.length}. ` +
        'Changed images change the split into training and test images.',
    );
  return testSet;
}

/**
 * Measures a checkpoint on test images; leaves `evaluation.json`, `predictions.png` and `mistakes.png` in the run directory.
 * @param {RunDirectory} run
 * @param {InMemoryDataset} set
 * @param {{ checkpoint: string, device?: 'auto' | Device | undefined, limitTest?: number | undefined }} options - Default limit: as in training.
 */
export async function evaluateRun(run, set, options) {
  const { checkpoint } = options;
  const { device: trainedOn } = await run.readConfig();
  const device = resolveDevice(options.device ?? trainedOn);
  const classifier = await serve.loadClassifier(run.path, { checkpoint, device });
  const { model } = classifier;
  const config = { ...classifier.config, device };
  try {
    const { predictions = [], ...result } = await train.evaluate(
      model,
      testLoader({ ...config, limitTest: options.limitTest ?? config.limitTest }, set),
      {
        loss: lossOf(config),
        autocast: config.autocast ?? undefined,
        predictions: true,
      },
    );
    const { loss, accuracy, images, imagesPerSecond, confusion } = result;
    const { classes } = config;
    await run.writeEvaluation({ checkpoint, loss, accuracy, images, imagesPerSecond, classes, confusion });
    await report.writePredictions(run.file('predictions.png'), { set, predictions });
    const mistakes = run.file('mistakes.png');
    const shown = await report.writePredictions(mistakes, { set, predictions, show: 'mistakes' });
    if (shown === 0) await rm(mistakes, { force: true });
    return { config, result };
  } finally {
    classifier.dispose();
  }
}
