/**
 * The options of train.js, whose defaults are the article's recipe, and what they mean for a run.
 * @module
 */
import { Option } from 'commander';
import { ArgumentError, models } from '../../dist/index.js';
import { createCommand } from './command.js';
import { DATASETS } from './datasets.js';
import { milestones, nonNegativeInteger, number, positiveInteger } from './options.js';
import { resolveDevice } from './training.js';

/** @typedef {import('../../dist/train/index.js').RunConfig} RunConfig */

/** Options that may be given together with --resume: they do not change what the run computes so far. */
const FREE_ON_RESUME = ['out', 'resume', 'epochs', 'dataDir', 'device', 'threads', 'download', 'verify'];

/** The command line of train.js. */
export function trainCommand() {
  return createCommand(
    'node scripts/train.js',
    'Trains a model; the defaults are the recipe of the article.',
    [
      'node scripts/train.js --model alexnet-dy --dataset cifar10 --data-dir data --out runs/dy',
      'node scripts/train.js --model alexnet --dataset bundled --epochs 8 --batch-size 50 --lr 0.02 --out runs/small',
      'node scripts/train.js --out runs/dy --resume',
    ],
  )
    .addOption(choice('--model <name>', 'network to train', 'alexnet-dy', models.list()))
    .addOption(choice('--dataset <name>', 'images to train on', 'cifar10', DATASETS))
    .option('--data-dir <folder>', 'where the data set is, or is downloaded to', 'data')
    .option('--out <folder>', 'run directory (default: runs/<model>)')
    .option('--epochs <n>', 'passes over the training set', positiveInteger, 100)
    .option('--batch-size <n>', 'images per step', positiveInteger, 512)
    .option('--lr <rate>', 'learning rate', number({ above: 0 }), 0.1)
    .option('--momentum <factor>', 'momentum of SGD', number({ min: 0, below: 1 }), 0)
    .addOption(
      new Option('--milestones <epochs>', 'epochs after which the learning rate drops')
        .argParser(milestones)
        .default([30, 60, 90], '30,60,90'),
    )
    .option(
      '--gamma <factor>',
      'factor of the learning rate at a milestone',
      number({ above: 0, max: 1 }),
      0.1,
    )
    .option('--weight-decay <factor>', 'L2 penalty', number({ min: 0 }), 1e-5)
    .option('--label-smoothing <share>', 'label smoothing', number({ min: 0, below: 1 }), 0.1)
    .option('--num-experts <n>', 'kernels per dynamic layer', positiveInteger, 2)
    .option('--temperature <value>', 'softmax temperature of the first epoch', number({ min: 1 }), 30)
    .option('--temperature-epochs <n>', 'epochs until the temperature is 1', positiveInteger, 10)
    .option('--seed <n>', 'fixes weights, shuffling, augmentation and dropout', nonNegativeInteger, 42)
    .option('--device <name>', 'auto, cpu, cuda or cuda:<n>', 'auto')
    .addOption(choice('--dtype <name>', 'dtype of the weights', 'float32', ['float32']))
    .option('--threads <n>', 'CPU threads (default: one per core)', positiveInteger)
    .option('--limit-train <n>', 'use only so many training images', positiveInteger)
    .option('--limit-test <n>', 'use only so many test images', positiveInteger)
    .option('--no-download', 'do not download a data set that is missing')
    .option('--no-verify', 'accept an archive whose checksum is not the published one')
    .option('--resume', 'continue the run in --out from its last checkpoint', false);
}

/** The run directory of a command line. @param {{ out?: string, model: string }} options */
export function outOf({ out, model }) {
  return out ?? `runs/${model}`;
}

/**
 * The configuration a fresh run is started with.
 * @param {Record<string, any>} options - As commander gives them.
 * @param {{ classes: readonly string[] }} set
 * @returns {Omit<RunConfig, 'parameters' | 'classes' | 'trainImages' | 'valImages' | 'imageShape' | 'imageSize'>}
 */
export function configOf(options, { classes }) {
  const dynamic = isDynamic(options.model);
  const { model, dataset, epochs, batchSize, lr, momentum, weightDecay, labelSmoothing, gamma, seed, dtype } =
    options;
  return {
    model,
    modelOptions: { numClasses: classes.length, ...(dynamic && { numExperts: options.numExperts }) },
    dataset,
    dataDir: dataset === 'bundled' ? null : options.dataDir,
    epochs,
    batchSize,
    lr,
    momentum,
    weightDecay,
    labelSmoothing,
    milestones: options.milestones,
    gamma,
    temperature: dynamic ? { start: options.temperature, epochs: options.temperatureEpochs } : null,
    seed,
    device: resolveDevice(options.device),
    dtype,
    limitTrain: options.limitTrain ?? null,
    limitTest: options.limitTest ?? null,
  };
}

/**
 * The configuration a run is continued with: the one it was started with, with more epochs if asked for.
 * @param {RunConfig} config
 * @param {import('commander').Command} command - After parsing.
 * @returns {RunConfig}
 * @throws {ArgumentError} for an option that contradicts the run.
 */
export function resumedConfig(config, command) {
  const options = command.opts();
  const given = command.options
    .map((option) => option.attributeName())
    .filter((name) => command.getOptionValueSource(name) === 'cli');
  const kept = startedWith(config);
  for (const name of given.filter((name) => !FREE_ON_RESUME.includes(name))) {
    if (JSON.stringify(options[name]) === JSON.stringify(kept[name])) continue;
    const flag = command.options.find((option) => option.attributeName() === name)?.long;
    throw new ArgumentError(
      `Expected ${flag} to be ${kept[name] ?? 'left out'}, as the run to be resumed was started, but received ${options[name]}`,
    );
  }
  return {
    ...config,
    ...(given.includes('epochs') && { epochs: options.epochs }),
    ...(given.includes('device') && { device: resolveDevice(options.device) }),
    ...(given.includes('dataDir') && config.dataDir !== null && { dataDir: options.dataDir }),
  };
}

/** A run's configuration in the names of the options. @param {RunConfig} config @returns {Record<string, unknown>} */
function startedWith(config) {
  return {
    ...config,
    numExperts: config.modelOptions.numExperts,
    temperature: config.temperature?.start,
    temperatureEpochs: config.temperature?.epochs,
  };
}

/** Networks with dynamic layers carry it in their name. @param {string} model */
function isDynamic(model) {
  return model.endsWith('-dy');
}

/** @param {string} flags @param {string} description @param {string} value @param {readonly string[]} values */
function choice(flags, description, value, values) {
  return new Option(flags, description).choices([...values]).default(value);
}
