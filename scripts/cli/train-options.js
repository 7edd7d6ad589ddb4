/**
 * The options of train.js, whose defaults are the article's recipe.
 * @module
 */
import { Option } from 'commander';
import { models } from '../../dist/index.js';
import { createCommand } from './command.js';
import { DATASETS } from './datasets.js';
import { device, milestones, nonNegativeInteger, number, positiveInteger } from './options.js';

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
    .option('--device <name>', 'auto, cpu, cuda or cuda:<n>', device, 'auto')
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

/** @param {string} flags @param {string} description @param {string} value @param {readonly string[]} values */
function choice(flags, description, value, values) {
  return new Option(flags, description).choices([...values]).default(value);
}
