/**
 * Measuring a checkpoint of a run and keeping the result in its directory.
 * @module
 */
import { writeFileAtomic } from '../../dist/atomic-file.js';
import { report, serve, train } from '../../dist/index.js';
import { resolveDevice } from './config.js';
import { lossOf, testLoader } from './training.js';

/** @typedef {import('../../dist/train/index.js').RunConfig} RunConfig */
/** @typedef {import('../../dist/train/index.js').RunDirectory} RunDirectory */

/**
 * Measures a checkpoint on test images; leaves `evaluation.json` and `predictions.png` in the run directory.
 * @param {RunDirectory} run
 * @param {import('../../dist/data/dataset.js').Dataset} set
 * @param {{ checkpoint: string, device?: string, limitTest?: number }} options - Default limit: as in training.
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
    await writeFileAtomic(run.file('predictions.png'), await predictionsPicture(set, predictions));
    return { config, result };
  } finally {
    classifier.dispose();
  }
}

/** Pictures in `predictions.png`, as many as in the article. */
const PICTURES = 18;

/**
 * Test images spread over the set, with their true and predicted classes.
 * @param {import('../../dist/data/dataset.js').Dataset} set
 * @param {import('../../dist/train/index.js').Prediction[]} predictions - Of the whole set, or of images spread over it.
 */
function predictionsPicture(set, predictions) {
  const count = Math.min(PICTURES, predictions.length);
  const chosen = Array.from({ length: count }, (_, index) =>
    Math.floor((index * predictions.length) / count),
  );
  const items = chosen.flatMap((index) => {
    const { image } = set.get(Math.floor((index * set.length) / predictions.length));
    const prediction = predictions[index];
    return prediction ? [{ image, shape: set.shape, ...prediction }] : [];
  });
  return report.predictionsPng(items, { classes: set.classes });
}
