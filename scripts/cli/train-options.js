/**
 * The options of train.js, whose defaults are the article's recipe.
 * @module
 */
import { Option } from 'commander';
import { DATASET_NAMES } from '../../dist/data/names.js';
import { MODEL_NAMES } from '../../dist/models/names.js';
import { addAugmentation } from './augment-options.js';
import { createCommand } from './command.js';
import { choice, device, milestones, nonNegativeInteger, number, positiveInteger } from './options.js';
import { RECIPES } from './recipe.js';

/** The command line of train.js. */
export function trainCommand() {
  const command = createCommand(
    'node scripts/train.js',
    'Trains a model; the defaults are the recipe of the article.',
    [
      'node scripts/train.js --model alexnet-dy --dataset cifar10 --data-dir data --out runs/dy',
      'node scripts/train.js --model alexnet --dataset bundled --epochs 8 --batch-size 50 --lr 0.02 --out runs/small',
      'node scripts/train.js --dataset folder --data-dir pictures --recipe small --out runs/pictures',
      'node scripts/train.js --dataset fashion-mnist --schedule cosine --warmup-epochs 1 --ema 0.999 --clip-grad-norm 5 --early-stopping 5',
      'node scripts/train.js --dataset cifar10 --crop padded --color-jitter 0.2 --random-erasing 0.25 --mixup 0.2 --cutmix 1 --out runs/strong',
      'node scripts/train.js --dataset mnist --crop none --flip 0 --autocast bfloat16 --batch-dtype bfloat16 --out runs/digits',
      'node scripts/train.js --dataset cifar10 --device cuda --augment-on device --memory-format channels-last --out runs/gpu',
      'node scripts/train.js --out runs/dy --resume',
    ],
  )
    .addOption(choice('--model <name>', 'network to train', 'alexnet-dy', MODEL_NAMES))
    .addOption(choice('--dataset <name>', 'images to train on', 'cifar10', DATASET_NAMES))
    .option('--data-dir <folder>', 'where the data set is, or is downloaded to', 'data')
    .option('--out <folder>', 'run directory (default: runs/<model>)')
    .addOption(
      choice(
        '--recipe <name>',
        "defaults of the options below: the article's, or small for a few thousand images",
        'article',
        Object.keys(RECIPES),
      ),
    )
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
    .option(
      '--val-split <share>',
      'share of the training images that chooses the best epoch, such as 0.1 (default: the test images do)',
      number({ above: 0, below: 1 }),
    )
    .option('--limit-test <n>', 'use only so many test images', positiveInteger)
    .option('--no-download', 'do not download a data set that is missing')
    .option('--no-verify', 'accept an archive whose checksum is not the published one')
    .option('--skip-unreadable', 'leave out the pictures of a folder that cannot be read', false)
    .option('--json', 'print epochs and result as JSON, one object a line', false)
    .option('--resume', 'continue the run in --out from its last checkpoint', false);
  return addRefinements(addAugmentation(command));
}

/** What the article does without. @param {import('commander').Command} command */
function addRefinements(command) {
  return command
    .addOption(choice('--schedule <name>', 'how the learning rate goes', 'milestones', SCHEDULES))
    .option('--warmup-epochs <n>', 'epochs over which the learning rate rises', number({ min: 0 }), 0)
    .option('--accumulate <n>', 'batches whose gradients make a step', positiveInteger, 1)
    .option('--clip-grad-norm <norm>', 'largest norm of the gradient', number({ above: 0 }))
    .option('--clip-grad-value <value>', 'largest element of the gradient', number({ above: 0 }))
    .option(
      '--ema <decay>',
      'validate and keep weights averaged over the steps, such as 0.999',
      number({ min: 0, below: 1 }),
    )
    .addOption(
      new Option('--autocast <dtype>', 'dtype of the forward pass where that is safe').choices([
        'bfloat16',
        'float16',
      ]),
    )
    .option('--capture', 'on CUDA: replays the training step as one graph', false)
    .option('--validate-every <n>', 'epochs from one validation to the next', positiveInteger, 1)
    .addOption(choice('--monitor <metric>', 'what chooses the best epoch', 'accuracy', ['accuracy', 'loss']))
    .option('--early-stopping <n>', 'ends after so many validations without improvement', positiveInteger)
    .option('--min-delta <value>', 'what an improvement is more than', number({ min: 0 }), 0)
    .option('--checkpoint-every <n>', 'keeps the weights of every n-th epoch', positiveInteger)
    .option('--keep-last <n>', 'how many of those are kept', positiveInteger, 3)
    .option('--init <file>', 'weights to start from: .safetensors, or a state dict of PyTorch (.pt, .pth)');
}

const SCHEDULES = /** @type {const} */ (['milestones', 'cosine', 'one-cycle', 'constant']);

/** The run directory of a command line. @param {{ out?: string, model: string }} options */
export function outOf({ out, model }) {
  return out ?? `runs/${model}`;
}
