#!/usr/bin/env node
/**
 * Trains the first steps of the article's recipe, and the same steps in PyTorch if a Python with it is given: the same initial weights,
 * the same batches, the same learning rates. Prints the losses and the norms of the gradients side by side. Exit code 1 if
 * the losses differ by more than the bound. Rounding errors grow where the loss jumps: --synchronize is the strict comparison.
 *
 *   node scripts/check-recipe.js --model alexnet-dy --dataset cifar10 --data-dir data --pytorch python3 --steps 50
 *   node scripts/check-recipe.js --model alexnet-dy --dataset cifar10 --data-dir data --layers
 *
 * @module
 */
import { requireDist, requirePackages } from './cli/start.js';

requirePackages();
requireDist();
const { formatError, parseScript } = await import('./cli/command.js');
const { defaultsOf } = await import('./cli/option-table.js');
const { TRAIN_OPTIONS } = await import('./cli/train-options.js');
const { number, oneOf, path, positiveInteger } = await import('./cli/value-types.js');

/** @import { OptionTable } from './cli/types.js' */

/** Options of train.js that have the same meaning here. */
const { seed, threads, dataset, dataDir, limitTrain, download, dataMirror, verify } = TRAIN_OPTIONS;
const { batchSize, lr, momentum, weightDecay, labelSmoothing, warmupEpochs, clipGradNorm } = TRAIN_OPTIONS;
const { numExperts, temperature, initGain, classifierGain, initialWeights } = TRAIN_OPTIONS;

const MODEL = { ...TRAIN_OPTIONS.model, type: oneOf(['alexnet', 'alexnet-dy']) };

const OPTIONS = /** @satisfies {OptionTable} */ ({
  pytorch: { value: 'python', type: path, help: 'a Python with torch, to compare with' },
  steps: { value: 'n', type: positiveInteger, default: 50, help: 'number of steps' },
  form: {
    value: 'name',
    type: oneOf(['grouped', 'mix-after']),
    default: /** @type {const} */ ('mix-after'),
    help: 'how PyTorch computes dynamic convolutions: the usual way, or the faster one',
  },
  synchronize: {
    flag: 'plain',
    help: 'start every step of PyTorch from our weights: differences of one step, not of all before it',
  },
  bound: {
    value: 'share',
    type: number({ above: 0 }),
    help: 'largest allowed relative difference of a loss (default: 0.1; 0.001 with --synchronize)',
  },
  dropout: {
    value: 'share',
    type: number({ min: 0, below: 1 }),
    help: "dropout (default: the article's 0.5; 0 with --pytorch, whose random numbers are others)",
  },
  layers: {
    flag: 'plain',
    help: 'print activations, gradients and steps of every layer in the first step, without training',
  },
  json: { flag: 'plain', help: 'print JSON' },
  model: MODEL,
  ...{ seed, threads, dataset, dataDir, limitTrain, download, dataMirror, verify },
  ...{ batchSize, lr, momentum, weightDecay, labelSmoothing, warmupEpochs, clipGradNorm },
  ...{ numExperts, temperature, initGain, classifierGain, initialWeights },
});

const { options } = parseScript({
  script: 'check-recipe.js',
  description: 'Trains the first steps of the recipe, and compares them with PyTorch.',
  options: OPTIONS,
});

const { compareSteps, inspectLayers } = await import('./recipe/compare.js');
const recipe = { ...defaultsOf(TRAIN_OPTIONS), ...options };
try {
  process.exitCode = await (options.layers ? inspectLayers(recipe) : compareSteps(recipe));
} catch (error) {
  console.error(formatError(error));
  process.exitCode = 1;
}
