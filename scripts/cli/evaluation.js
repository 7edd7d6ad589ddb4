/**
 * Evaluates a checkpoint of a run and writes the result into its directory.
 * @module
 */
import { rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { ArgumentError, DynamicConv2d, report, serve, tensor, train } from '../../dist/index.js';
import { resolveDevice } from './config.js';
import { lossOf, testLoader } from './training.js';

/** @import { ImageDataset } from '../../dist/data/dataset.js' */
/** @import { Device, nn, Tensor } from '../../dist/index.js' */
/** @import { BatchSource, EvaluateOptions } from '../../dist/train/index.js' */
/** @import { RunDirectory } from '../../dist/train/index.js' */

/**
 * Measures a checkpoint on test images; leaves `evaluation.json`, `predictions.png` and `mistakes.png` in the run directory.
 * @param {RunDirectory} run
 * @param {ImageDataset} set
 * @param {{ checkpoint: string, device?: 'auto' | Device | undefined, limitTest?: number | undefined, collapseExperts?: boolean, isOwn?: boolean, root?: string | null }} options -
 *   Default limit: as in training. `collapseExperts`: measure again with the mean attention. `isOwn`, `root`: of `findTestImages`, by default
 *   those of the training.
 */
export async function evaluateRun(run, set, options) {
  const { checkpoint, isOwn = true } = options;
  const { device: trainedOn, dataDir } = await run.readConfig();
  const { root = dataDir } = options;
  const device = resolveDevice(options.device ?? trainedOn);
  const classifier = await serve.loadClassifier(run.path, { checkpoint, device });
  const { model } = classifier;
  const config = { ...classifier.config, device };
  const loader = () => testLoader({ ...config, limitTest: options.limitTest ?? config.limitTest }, set);
  // Experts are counted and replaced in the layers, which a program does not call.
  const compile = device === 'cpu' && !config.autocast && !options.collapseExperts;
  const settings = { loss: lossOf(config), autocast: config.autocast ?? undefined, compile };
  try {
    const layers = options.collapseExperts ? startCollapse(model) : null;
    const measured = await train.evaluate(model, loader(), { ...settings, predictions: true });
    const { predictions = [], ...result } = measured;
    const collapsed = layers && (await evaluateCollapsed(layers, model, loader(), settings));
    const { loss, accuracy, images, imagesPerSecond, confusion } = result;
    const { classes } = config;
    await run.writeEvaluation({
      ...{ checkpoint, loss, accuracy, images, imagesPerSecond, classes, confusion },
      ...{ dataDir: root === null ? null : resolve(root), ownImages: isOwn },
      ...(collapsed && { collapsed: { loss: collapsed.loss, accuracy: collapsed.accuracy } }),
    });
    await report.writePredictions(run.file('predictions.png'), { set, predictions });
    const mistakes = run.file('mistakes.png');
    const shown = await report.writePredictions(mistakes, { set, predictions, show: 'mistakes' });
    if (shown === 0) await rm(mistakes, { force: true });
    return { config, result, collapsed };
  } finally {
    classifier.dispose();
  }
}

/** Has all dynamic layers count their attention. @param {nn.Module} model @throws {ArgumentError} if there are none. */
function startCollapse(model) {
  const layers = [...model.namedModules()].flatMap(([name, module]) =>
    module instanceof DynamicConv2d ? [{ name, layer: module }] : [],
  );
  if (layers.length === 0)
    throw new ArgumentError(
      'Expected a model with dynamic layers for --collapse-experts but received one without',
    );
  for (const { layer } of layers) {
    layer.resetExpertUsage();
    layer.tracksUsage = true;
  }
  return layers;
}

/**
 * Measures a model with the attention of all images replaced by its mean over the images of the pass before: what an ordinary convolution with the
 * mean of the experts computes.
 * @param {ReturnType<typeof startCollapse>} layers
 * @param {nn.Module} model
 * @param {BatchSource} loader
 * @param {EvaluateOptions} settings
 */
async function evaluateCollapsed(layers, model, loader, settings) {
  const usage = layers.map(({ name, layer }) => ({ name, ...layer.expertUsage() }));
  const hooks = layers.map(({ layer }, i) => {
    layer.tracksUsage = false;
    const mean = usage[i]?.mean ?? [];
    return layer.registerForwardPreHook((_, inputs) => {
      const [input] = /** @type {[Tensor]} */ (inputs);
      const row = tensor([mean], { dtype: layer.weight.dtype, device: layer.weight.device });
      return [input, { attention: row.expand([input.shape[0] ?? 0, mean.length]).contiguous() }];
    });
  });
  try {
    const { loss, accuracy } = await train.evaluate(model, loader, settings);
    return { loss, accuracy, usage };
  } finally {
    for (const hook of hooks) hook.remove();
  }
}
