/**
 * The options of train.js. The defaults are the recipe of the article.
 * @module
 */
import { DATASET_NAMES } from '../../dist/data/names.js';
import { MODEL_NAMES } from '../../dist/models/names.js';
import { AUGMENTATION } from './augment-options.js';
import { FINE_TUNING } from './fine-tune-options.js';
import { inGroup } from './option-table.js';
import { DATA_MEMORY, DATA_MIRROR } from './run-options.js';
import {
  device,
  imageSide,
  milestones,
  nonNegativeInteger,
  number,
  oneOf,
  path,
  positiveInteger,
  scalars,
} from './value-types.js';

/** @import { OptionsOf, OptionTable } from './types.js' */

/** Sets of defaults: recipe.js has their values. */
export const RECIPE_NAMES = /** @type {const} */ (['article', 'small', 'mobilenetv3-dy']);

/** Learning-rate schedules. */
export const SCHEDULES = /** @type {const} */ (['milestones', 'cosine', 'one-cycle', 'constant']);

const RUN = inGroup(
  'Run',
  /** @satisfies {OptionTable} */ ({
    model: {
      value: 'name',
      type: oneOf(MODEL_NAMES),
      default: 'alexnet-dy',
      config: 'model',
      help: 'network to train',
    },
    out: {
      value: 'folder',
      type: path,
      resume: 'any',
      help: 'run directory (default: runs/<model>)',
    },
    modelOptions: {
      value: 'json',
      type: scalars,
      help: 'other options of the network, such as \'{"widthMult":0.5}\'',
    },
    recipe: {
      value: 'name',
      type: oneOf(RECIPE_NAMES),
      default: 'article',
      config: 'recipe',
      help: "set of default values: the article's; small, for a few thousand images; mobilenetv3-dy, for the paper's MobileNetV3",
    },
    seed: {
      value: 'n',
      type: nonNegativeInteger,
      default: 42,
      config: 'seed',
      help: 'seed of weights, shuffling, augmentation and dropout',
    },
    resume: {
      flag: 'plain',
      resume: 'any',
      help: 'continue the run in --out from its last checkpoint',
    },
    tensorboard: {
      flag: 'plain',
      resume: 'any',
      help: 'write losses, metrics and histograms of gradients for TensorBoard to the folder tensorboard in --out',
    },
    json: {
      flag: 'plain',
      resume: 'any',
      help: 'print epochs and result as JSON, one object per line',
    },
    device: {
      value: 'name',
      type: device,
      default: 'auto',
      config: 'device',
      resume: 'replace',
      help: 'auto, cpu, cuda or cuda:<n>',
    },
    threads: {
      value: 'n',
      type: positiveInteger,
      resume: 'any',
      help: 'CPU threads (default: one per core)',
    },
    dtype: {
      value: 'name',
      type: oneOf(['float32']),
      default: 'float32',
      config: 'dtype',
      help: 'dtype of the weights',
    },
  }),
);

const DATA = inGroup(
  'Data',
  /** @satisfies {OptionTable} */ ({
    dataset: {
      value: 'name',
      type: oneOf(DATASET_NAMES),
      default: 'cifar10',
      config: 'dataset',
      help: 'data set; folder: train/<class>/ and test/<class>/ with images; manifest: a .csv, .tsv or .jsonl file with path, label and split',
    },
    dataDir: {
      value: 'folder',
      type: path,
      default: 'data',
      config: 'dataDir',
      resume: 'replace',
      help: 'folder of the data set, or the file of a manifest',
    },
    imageSize: {
      value: 'px',
      type: imageSide,
      config: 'imageSize',
      help: "height and width that images are resized to (default: what the network was designed for, 128 for the article's)",
    },
    limitTrain: {
      value: 'n',
      type: positiveInteger,
      config: 'limitTrain',
      help: 'use this number of training images, spread over the set (default: all)',
    },
    limitTest: {
      value: 'n',
      type: positiveInteger,
      config: 'limitTest',
      help: 'use this number of test images, spread over the set (default: all)',
    },
    valSplit: {
      value: 'share',
      type: number({ above: 0, below: 1 }),
      config: 'valSplit',
      help: 'share of the training images to use for validation, such as 0.1 (default: validate with the test images)',
    },
    download: {
      flag: 'negated',
      resume: 'any',
      help: 'do not download a missing data set',
    },
    dataMirror: { ...DATA_MIRROR, resume: 'any' },
    verify: {
      flag: 'negated',
      resume: 'any',
      help: 'accept an archive whose checksum differs from the published one',
    },
    skipUnreadable: {
      flag: 'plain',
      resume: 'any',
      help: 'skip images of a folder or manifest that cannot be read (default: an error)',
    },
    dataMemory: {
      value: 'MiB',
      type: number({ min: 0 }),
      default: DATA_MEMORY,
      resume: 'any',
      help: 'memory limit for the images of a split of a folder or manifest; the images of a larger split are decoded in every epoch, with the same results',
    },
  }),
);

const OPTIMIZATION = inGroup(
  'Optimization',
  /** @satisfies {OptionTable} */ ({
    epochs: {
      value: 'n',
      type: positiveInteger,
      default: 100,
      config: 'epochs',
      resume: 'replace',
      help: 'number of epochs',
    },
    batchSize: {
      value: 'n',
      type: positiveInteger,
      default: 512,
      config: 'batchSize',
      help: 'images per batch',
    },
    accumulate: {
      value: 'n',
      type: positiveInteger,
      default: 1,
      config: 'accumulate',
      help: 'batches per optimizer step; their gradients are averaged',
    },
    lr: { value: 'rate', type: number({ above: 0 }), default: 0.1, config: 'lr', help: 'learning rate' },
    momentum: {
      value: 'factor',
      type: number({ min: 0, below: 1 }),
      default: 0,
      config: 'momentum',
      help: 'momentum of --optimizer sgd and rmsprop',
    },
    weightDecay: {
      value: 'factor',
      type: number({ min: 0 }),
      default: 1e-5,
      config: 'weightDecay',
      help: 'weight decay: an L2 penalty, decoupled from the gradient with --optimizer adamw',
    },
    labelSmoothing: {
      value: 'share',
      type: number({ min: 0, below: 1 }),
      default: 0.1,
      config: 'labelSmoothing',
      help: 'label smoothing',
    },
    schedule: {
      value: 'name',
      type: oneOf(SCHEDULES),
      default: 'milestones',
      config: 'schedule',
      help: 'learning-rate schedule',
    },
    milestones: {
      value: 'epochs',
      type: milestones,
      default: [30, 60, 90],
      shownDefault: '30,60,90',
      config: 'milestones',
      help: 'epochs after which --schedule milestones multiplies the learning rate by --gamma',
    },
    gamma: {
      value: 'factor',
      type: number({ above: 0, max: 1 }),
      default: 0.1,
      config: 'gamma',
      help: 'factor of the learning rate at a milestone',
    },
    warmupEpochs: {
      value: 'n',
      type: number({ min: 0 }),
      default: 0,
      config: 'warmupEpochs',
      help: 'epochs of linear warm-up of the learning rate',
    },
    clipGradNorm: {
      value: 'norm',
      type: number({ above: 0 }),
      config: 'clipGradNorm',
      help: 'maximum norm of the gradients (default: no limit)',
    },
    clipGradValue: {
      value: 'value',
      type: number({ above: 0 }),
      config: 'clipGradValue',
      help: 'maximum absolute value of a gradient element (default: no limit)',
    },
    ema: {
      value: 'decay',
      type: number({ min: 0, below: 1 }),
      config: 'ema',
      help: 'validate and save an exponential moving average of the weights, with this decay, such as 0.999',
    },
    numExperts: {
      value: 'n',
      type: positiveInteger,
      config: 'modelOptions.numExperts',
      help: 'kernels per dynamic layer (default: 2 for alexnet-dy, 4 for other networks)',
    },
    initGain: {
      value: 'factor',
      type: number({ above: 0 }),
      default: 1,
      config: 'modelOptions.initGain',
      help: 'factor on the initial kernels of dynamic layers, such as the square root of --num-experts',
    },
    classifierGain: {
      value: 'factor',
      type: number({ min: 0 }),
      default: 1,
      config: 'modelOptions.classifierGain',
      help: 'factor on the initial weights of the linear layers; 0.4 keeps the first steps stable',
    },
    initialWeights: {
      value: 'distribution',
      type: oneOf(['kaiming', 'paddle']),
      default: 'kaiming',
      config: 'modelOptions.initialWeights',
      help: "initial weights of alexnet and alexnet-dy: Kaiming-normal, or Paddle's defaults, as in the article's code",
    },
    temperature: {
      value: 'value',
      type: number({ min: 1 }),
      default: 30,
      config: 'temperature.start',
      help: 'softmax temperature of the routing in the first epoch',
    },
    temperatureEpochs: {
      value: 'n',
      type: positiveInteger,
      default: 10,
      config: 'temperature.epochs',
      help: 'epochs until the temperature is 1',
    },
    autocast: {
      value: 'dtype',
      type: oneOf(['bfloat16', 'float16']),
      config: 'autocast',
      help: 'mixed precision: dtype of convolutions and matrix products (default: that of the weights)',
    },
    capture: { flag: 'plain', config: 'capture', help: 'replay the training step as a CUDA graph' },
  }),
);

const VALIDATION = inGroup(
  'Validation and checkpoints',
  /** @satisfies {OptionTable} */ ({
    validateEvery: {
      value: 'n',
      type: positiveInteger,
      default: 1,
      config: 'validateEvery',
      help: 'validate after every n-th epoch, and after the last',
    },
    monitor: {
      value: 'metric',
      type: oneOf(['accuracy', 'loss']),
      default: 'accuracy',
      config: 'monitor',
      help: 'validation metric that selects the best epoch',
    },
    earlyStopping: {
      value: 'n',
      type: positiveInteger,
      config: 'earlyStopping.patience',
      help: 'stop after n validations without improvement (default: never)',
    },
    minDelta: {
      value: 'value',
      type: number({ min: 0 }),
      default: 0,
      config: 'earlyStopping.minDelta',
      help: 'smallest change that --early-stopping counts as an improvement',
    },
    checkpointEvery: {
      value: 'n',
      type: positiveInteger,
      config: 'keepCheckpoints.every',
      resume: 'replace',
      help: 'keep the weights of every n-th epoch (default: only the best and the last)',
    },
    keepLast: {
      value: 'n',
      type: positiveInteger,
      default: 3,
      config: 'keepCheckpoints.last',
      resume: 'replace',
      help: 'number of checkpoints of --checkpoint-every to keep',
    },
  }),
);

/** All options of train.js. */
export const TRAIN_OPTIONS = {
  ...RUN,
  ...DATA,
  ...OPTIMIZATION,
  ...FINE_TUNING,
  ...VALIDATION,
  ...AUGMENTATION,
};

/** @typedef {OptionsOf<typeof TRAIN_OPTIONS>} TrainOptions */

/** The run directory of a command line. @param {Pick<TrainOptions, 'out' | 'model'>} options */
export function outOf({ out, model }) {
  return out ?? `runs/${model}`;
}
