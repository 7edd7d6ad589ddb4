/**
 * The first steps of the recipe in dyconv and in PyTorch.
 * @module
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  data,
  getNumThreads,
  manualSeed,
  models,
  nn,
  optim,
  saveSafetensors,
  setNumThreads,
  tidy,
  train,
} from '../../dist/index.js';
import { printRows } from '../bench/turns.js';
import { augmentation } from '../cli/augmentation.js';
import { configOf, modelOptionsOf } from '../cli/config.js';
import { loadDataset } from '../cli/datasets.js';
import { createScheduler } from '../cli/schedule.js';
import { lossOf } from '../cli/training.js';
import { layerTable } from './layers.js';
import { startReference } from './pytorch.js';

/** @import { Draft } from '../cli/config.js' */
/** @import { TrainOptions } from '../cli/train-options.js' */
/** @import { StepResult } from './pytorch.js' */

/**
 * @typedef {TrainOptions & { pytorch: string | undefined, steps: number, form: 'grouped' | 'mix-after', synchronize: boolean,
 *   bound: number | undefined, dropout: number | undefined, json: boolean }} RecipeOptions
 * @typedef {{ step: number, lr: number, loss: number, gradNorm: number, accuracy: number, pytorch?: StepResult }} Row
 */

/** @param {RecipeOptions} options */
async function prepare(options) {
  const { seed, dropout = options.pytorch ? 0 : 0.5 } = options;
  if (options.threads) setNumThreads(options.threads);
  const { dataset, dataDir: root, download, dataMirror: mirrors, verify } = options;
  const trainSet = await loadDataset(dataset, { root, download, mirrors, verify, split: 'train' });
  const config = configOf({ ...options, device: 'cpu' }, { trainSet, valSet: trainSet });
  manualSeed(seed);
  const model = models.create(config.model, { ...config.modelOptions, dropout });
  train.setTemperature(model, options.temperature);
  const { batchSize, limitTrain, lr, momentum, weightDecay } = options;
  const loader = data.loader(trainSet, {
    ...{ batchSize, seed, limit: limitTrain },
    ...{ shuffle: true, dropLast: true },
    ...augmentation(config),
  });
  const optimizer = new optim.SGD(model.parameters(), { lr, momentum, weightDecay });
  return { config, model: model.train(), loader, optimizer, loss: lossOf(config) };
}

/** Batches of as many epochs as are needed. @param {Awaited<ReturnType<typeof prepare>>['loader']} loader @param {number} steps */
async function* batchesOf(loader, steps) {
  for (let step = 0; step < steps; ) {
    for await (const batch of loader) {
      yield { ...batch, step, epoch: Math.floor(step / loader.length) };
      if (++step === steps) return;
    }
  }
}

/**
 * Trains the steps and prints them.
 * @param {RecipeOptions} options
 * @returns {Promise<number>} The exit code.
 */
export async function compareSteps(options) {
  const { config, model, loader, optimizer, loss: lossFunction } = await prepare(options);
  const { scheduler, schedulerInterval } = createScheduler(optimizer, config, loader.length);
  const temperatureOf = config.temperature && train.temperatureSchedule(config.temperature);
  const folder = await mkdtemp(join(tmpdir(), 'dyconv-recipe-'));
  const reference = options.pytorch ? await startReference(options.pytorch, argumentsOf(options)) : null;
  /** @type {Row[]} */
  const rows = [];
  try {
    for await (const { images, labels, step, epoch } of batchesOf(loader, options.steps)) {
      const temperature = temperatureOf ? temperatureOf(epoch) : null;
      if (temperature !== null) train.setTemperature(model, temperature);
      const sent = reference && {
        ...{ lr: optimizer.lr, temperature },
        weights: await weightsFor(model, { folder, isSent: step === 0 || options.synchronize }),
        images: await images.data({ dtype: 'float32' }),
        labels: await labels.data({ dtype: 'int64' }),
      };
      const { lr } = optimizer;
      const ours = tidy(() => {
        optimizer.zeroGrad();
        const logits = model.forward(images);
        const loss = lossFunction(logits, labels);
        loss.backward();
        const gradNorm = nn.utils.clipGradNorm_(model.parameters(), options.clipGradNorm ?? Number.MAX_VALUE);
        optimizer.step();
        const correct = logits.argmax({ dim: 1 }).eq(labels).to({ dtype: 'float32' }).mean();
        return { loss: Number(loss.item()), gradNorm, accuracy: Number(correct.item()) };
      });
      images.dispose();
      labels.dispose();
      if (schedulerInterval === 'step' || (step + 1) % loader.length === 0) scheduler?.step();
      rows.push({ step: step + 1, lr, ...ours, ...(sent && { pytorch: await reference.step(sent) }) });
      if (!options.json) process.stderr.write(`\rstep ${step + 1} of ${options.steps}`);
    }
  } finally {
    if (!options.json) process.stderr.write('\n');
    await reference?.close();
    await rm(folder, { recursive: true, force: true });
  }
  return report(rows, reference?.version, options);
}

/** @param {RecipeOptions} options */
function argumentsOf(options) {
  const { model, form, batchSize, momentum, weightDecay, labelSmoothing, clipGradNorm } = options;
  // A static network has one.
  const { numExperts = 1 } = modelOptionsOf(options);
  const values = {
    ...{ mode: model === 'alexnet-dy' ? form : 'static', batch: batchSize, experts: numExperts },
    ...{ threads: getNumThreads(), momentum, 'weight-decay': weightDecay, 'label-smoothing': labelSmoothing },
    ...(clipGradNorm !== undefined && { clip: clipGradNorm }),
  };
  return Object.entries(values).flatMap(([name, value]) => [`--${name}`, String(value)]);
}

/** @param {nn.Module} model @param {{ folder: string, isSent: boolean }} options */
async function weightsFor(model, { folder, isSent }) {
  if (!isSent) return null;
  const file = join(folder, 'weights.safetensors');
  await saveSafetensors(file, model.stateDict());
  return file;
}

/**
 * Prints the steps and how much they differ.
 * @param {Row[]} rows
 * @param {string | undefined} version - Of PyTorch.
 * @param {RecipeOptions} options
 * @returns {number} The exit code.
 */
function report(rows, version, { json, synchronize, bound = synchronize ? 0.001 : 0.1 }) {
  const differences = rows.map(({ loss, pytorch }) => (pytorch ? Math.abs(loss / pytorch.loss - 1) : 0));
  // Not finite is different, too.
  const largest = differences.some(Number.isNaN) ? Number.NaN : Math.max(...differences);
  const isWithin = largest <= bound;
  if (json) {
    const compared = version !== undefined && { torch: version, largest, bound, isWithin };
    console.log(JSON.stringify({ steps: rows, ...compared }));
    return isWithin ? 0 : 1;
  }
  printRows(
    rows.map(({ step, lr, loss, gradNorm, accuracy, pytorch }, i) => ({
      ...{ step: String(step), lr: lr.toPrecision(3), loss: loss.toFixed(4) },
      ...(pytorch && { PyTorch: pytorch.loss.toFixed(4), 'differs by': percent(differences[i] ?? 0) }),
      'grad norm': gradNorm.toFixed(4),
      ...(pytorch && { 'PyTorch ': pytorch.gradNorm.toFixed(4) }),
      accuracy: accuracy.toFixed(3),
    })),
  );
  if (version === undefined) return 0;
  const at = rows[differences.indexOf(largest)]?.step;
  console.log(
    `\nLargest difference of a loss from PyTorch ${version}: ${percent(largest)} (step ${at}); ` +
      `${isWithin ? 'within' : 'more than'} the bound of ${percent(bound)}`,
  );
  return isWithin ? 0 : 1;
}

/** @param {number} share */
const percent = (share) => `${(100 * share).toPrecision(2)} %`;

/**
 * Prints what the first step does in every layer.
 * @param {RecipeOptions} options
 * @returns {Promise<number>} The exit code.
 */
export async function inspectLayers(options) {
  const { model, loader, loss } = await prepare(options);
  for await (const batch of batchesOf(loader, 1)) {
    const table = layerTable(model, batch, { lr: options.lr, loss });
    if (options.json) console.log(JSON.stringify(table));
    else {
      const { loss: before, after, logits, gradNorm, layers } = table;
      console.log(
        `loss ${before.toFixed(4)}, after the step ${after.toFixed(4)}; standard deviation of the logits ${logits.toFixed(2)}; ` +
          `norm of the gradient ${gradNorm.toFixed(2)}, lr * norm^2 = ${(options.lr * gradNorm ** 2).toFixed(1)}`,
      );
      printRows(
        layers.map(({ name, input, weight, grad, share, alone }) => ({
          ...{ parameter: name, 'input rms': input === null ? '' : input.toFixed(3) },
          ...{ 'weight norm': weight.toFixed(3), 'grad norm': grad.toPrecision(4) },
          ...{ 'lr * grad / weight': share.toPrecision(3), 'loss if only this is updated': alone.toFixed(4) },
        })),
      );
    }
    batch.images.dispose();
    batch.labels.dispose();
  }
  return 0;
}
