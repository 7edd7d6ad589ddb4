/**
 * The options of the benchmarks.
 * @module
 */
import { MODEL_NAMES } from '../../dist/models/names.js';
import { imageSide, namesOf, number, oneOf, path, positiveInteger, text } from '../cli/value-types.js';
import { PYTORCH_OPTIONS, pytorchModes } from './pytorch-modes.js';

/** @import { OptionsOf, OptionTable } from '../cli/types.js' */
/** @import { ModelName } from '../../dist/models/names.js' */

export const COMMON = /** @satisfies {OptionTable} */ ({
  json: { flag: 'plain', help: 'print JSON' },
  threads: { value: 'n', type: positiveInteger, help: 'CPU threads (default: one per physical core)' },
});

const TURNS = {
  value: 'n',
  type: positiveInteger,
  default: 5,
  help: 'number of measurements of each candidate',
};
export const PYTHON = { value: 'python', type: path, help: 'a Python with torch, to compare with' };
const DEVICE = {
  value: 'device',
  type: oneOf(['auto', 'cpu', 'cuda']),
  default: /** @type {const} */ ('cpu'),
  help: 'device to measure',
};
const EXPERTS = { value: 'n', type: positiveInteger, default: 2, help: 'kernels per dynamic layer' };
const MEMORY = /** @type {const} */ ({
  flag: 'negated',
  help: 'do not measure peak memory, which needs a process per candidate',
});
const PEAK_OF = { value: 'name', type: text, hidden: true, help: 'print the peak memory of one contestant' };

/** Several models. @param {ModelName[]} models - Those that are measured by default. */
const modelsOption = (models) => ({
  value: 'names',
  type: namesOf(MODEL_NAMES),
  default: models,
  shownDefault: models.join(),
  help: 'models, separated by commas',
});

export const LAYER = /** @satisfies {OptionTable} */ ({
  ...COMMON,
  batch: { value: 'n', type: positiveInteger, default: 128, help: 'images per batch' },
  in: { value: 'n', type: positiveInteger, default: 192, help: 'input channels' },
  out: { value: 'n', type: positiveInteger, default: 192, help: 'output channels' },
  size: { value: 'n', type: positiveInteger, default: 7, help: 'height and width of the input' },
  kernel: { value: 'n', type: positiveInteger, default: 3, help: 'height and width of the kernel' },
  stride: { value: 'n', type: positiveInteger, default: 1, help: 'stride' },
  groups: { value: 'n', type: positiveInteger, default: 1, help: 'groups' },
  experts: EXPERTS,
  dtype: {
    value: 'dtype',
    type: oneOf(['float32', 'float64', 'bfloat16']),
    default: 'float32',
    help: 'dtype of images and weights',
  },
  memory: MEMORY,
  budget: {
    value: 'seconds',
    type: positiveInteger,
    default: 20,
    help: 'seconds after which a slow algorithm is not measured again',
  },
  device: DEVICE,
  turns: TURNS,
  peakOf: PEAK_OF,
});

export const MODEL = /** @satisfies {OptionTable} */ ({
  ...COMMON,
  models: modelsOption(['alexnet', 'alexnet-dy']),
  batch: { value: 'n', type: positiveInteger, default: 128, help: 'images per batch' },
  dtypes: {
    value: 'names',
    type: namesOf(['float32', 'bfloat16']),
    default: ['float32'],
    shownDefault: 'float32',
    help: 'dtypes, separated by commas: float32, bfloat16',
  },
  imageSize: { value: 'px', type: imageSide, default: 128, help: 'height and width of the images' },
  experts: EXPERTS,
  memory: MEMORY,
  budget: {
    value: 'seconds',
    type: positiveInteger,
    default: 120,
    help: 'seconds after which a slow candidate is not measured again',
  },
  pytorchModes: {
    value: 'modes',
    type: pytorchModes,
    default: ['static', 'grouped', 'mix-after'],
    shownDefault: 'static,grouped,mix-after',
    help: `networks of --pytorch, separated by commas, each with options such as static:amp:graph: ${PYTORCH_OPTIONS.join(', ')}`,
  },
  pytorch: PYTHON,
  device: DEVICE,
  turns: TURNS,
  peakOf: PEAK_OF,
});

export const DATA = /** @satisfies {OptionTable} */ ({
  ...COMMON,
  batch: { value: 'n', type: positiveInteger, default: 128, help: 'images per batch' },
  images: { value: 'n', type: positiveInteger, default: 6000, help: 'images per turn' },
  archive: { flag: 'negated', help: 'do not measure reading an archive (writes 170 MB first)' },
  turns: TURNS,
  pytorch: PYTHON,
});

export const PICTURES = /** @satisfies {OptionTable} */ ({
  ...COMMON,
  sources: {
    value: 'names',
    type: namesOf(['folder', 'shards', 'parquet']),
    default: ['folder', 'shards', 'parquet'],
    shownDefault: 'folder,shards,parquet',
    help: 'storage of the images, separated by commas',
  },
  model: { value: 'name', type: oneOf(MODEL_NAMES), default: 'mobilenet_v3_small', help: 'network' },
  images: { value: 'n', type: positiveInteger, default: 10_000, help: 'images' },
  size: { value: 'px', type: imageSide, default: 256, help: 'height and width of the images' },
  imageSize: { value: 'px', type: imageSide, default: 224, help: 'height and width in the network' },
  batch: { value: 'n', type: positiveInteger, default: 64, help: 'images per batch' },
  turns: TURNS,
});

export const DATA_SOAK = /** @satisfies {OptionTable} */ ({
  ...COMMON,
  epochs: { value: 'n', type: positiveInteger, default: 200, help: 'epochs of each loader' },
  batch: { value: 'n', type: positiveInteger, default: 64, help: 'images per batch' },
  images: { value: 'n', type: positiveInteger, default: 1024, help: 'images per epoch' },
});

export const MEMORY_LOOPS = /** @satisfies {OptionTable} */ ({
  ...COMMON,
  tensors: { value: 'n', type: positiveInteger, default: 10_000, help: 'tensors of 4 MB' },
});

export const TRAIN = /** @satisfies {OptionTable} */ ({
  ...COMMON,
  model: { value: 'name', type: oneOf(MODEL_NAMES), default: 'alexnet-dy', help: 'network' },
  batch: { value: 'n', type: positiveInteger, default: 128, help: 'images per batch' },
  steps: { value: 'n', type: positiveInteger, default: 20, help: 'measured steps' },
  turns: TURNS,
});

export const THREADS = /** @satisfies {OptionTable} */ ({
  ...COMMON,
  model: { value: 'name', type: oneOf(MODEL_NAMES), default: 'alexnet', help: 'network' },
  busy: { value: 'n', type: positiveInteger, default: 1, help: 'busy processes' },
  seconds: { value: 'n', type: number({ above: 0 }), default: 1, help: 'seconds of each measurement' },
  spin: {
    value: 'counts',
    type: text,
    list: true,
    help: 'more values of GOMP_SPINCOUNT to compare',
  },
  turns: TURNS,
});

const BATCHES = /** @type {const} */ ({
  value: 'sizes',
  type: positiveInteger,
  list: true,
  help: 'images per batch (default: 1 and 32)',
});
const CPU_TIME = /** @type {const} */ ({
  flag: 'plain',
  help: 'measure the CPU time of one thread instead of the elapsed time, for a busy machine',
});

export const PROGRAM = /** @satisfies {OptionTable} */ ({
  ...COMMON,
  models: modelsOption(['alexnet', 'alexnet-dy', 'resnet18', 'mobilenet_v3_small']),
  batches: BATCHES,
  onnxruntime: {
    value: 'folder',
    type: path,
    help: 'a folder with onnxruntime-node and <model>.onnx, to compare with',
  },
  bfloat16: { flag: 'plain', help: 'also measure programs in bfloat16' },
  int8: { flag: 'plain', help: 'also measure programs in int8, calibrated on random images' },
  cpuTime: CPU_TIME,
  turns: TURNS,
});

/** @typedef {OptionsOf<typeof PROGRAM>} ProgramOptions */

export const ONNX = /** @satisfies {OptionTable} */ ({
  ...COMMON,
  models: modelsOption(['alexnet', 'alexnet-dy']),
  batches: BATCHES,
  onnxruntime: {
    value: 'folder',
    type: path,
    default: '.',
    shownDefault: 'the current one',
    help: 'a folder in which onnxruntime-node is installed',
  },
  int8: { flag: 'plain', help: 'also measure files in int8, calibrated on random images' },
  cpuTime: CPU_TIME,
  turns: TURNS,
});

/** @typedef {OptionsOf<typeof ONNX>} OnnxOptions */

export const SERVE = /** @satisfies {OptionTable} */ ({
  ...COMMON,
  model: { value: 'name', type: oneOf(MODEL_NAMES), default: 'alexnet-dy', help: 'network' },
  clients: { value: 'n', type: positiveInteger, default: 32, help: 'clients over HTTP' },
  seconds: { value: 'n', type: number({ above: 0 }), default: 5, help: 'seconds of each measurement' },
  maxBatch: { value: 'n', type: positiveInteger, default: 32, help: 'maximum number of images per batch' },
  replicas: { value: 'n', type: positiveInteger, default: 1, help: 'batches that run at once' },
  onnxruntime: {
    value: 'folder',
    type: path,
    help: 'a folder with node_modules/onnxruntime-node and <model>.onnx, to compare with',
  },
  soak: {
    value: 'minutes',
    type: number({ above: 0 }),
    help: 'inject faults under load instead; exit code 1 if a request is lost or memory grows',
  },
  turns: TURNS,
});

export const DISTRIBUTED = /** @satisfies {OptionTable} */ ({
  json: COMMON.json,
  models: modelsOption(['alexnet-dy', 'resnet18']),
  batch: {
    value: 'n',
    type: positiveInteger,
    default: 64,
    help: 'images per step of each of two processes; one process takes twice as many',
  },
  imageSize: { value: 'pixels', type: imageSide, default: 128, help: 'height and width of the images' },
  steps: { value: 'n', type: positiveInteger, default: 5, help: 'steps of a turn' },
  elements: {
    value: 'n',
    type: positiveInteger,
    default: 8_000_000,
    help: 'float32 values of the all-reduce',
  },
  pytorch: PYTHON,
  cost: {
    flag: 'plain',
    help: 'measure only the processor time of the parts of a step and of an all-reduce, which other work on the machine hardly changes',
  },
  trace: {
    value: 'file',
    type: path,
    help: "write a step of both processes in Chrome's trace format; {model} in the name stands for the network's",
  },
  turns: TURNS,
});

const NUMBERS = { type: number({ above: 0 }), list: /** @type {const} */ (true) };
export const NETWORK = /** @satisfies {OptionTable} */ ({
  json: COMMON.json,
  models: modelsOption(['alexnet-dy', 'resnet50']),
  batch: { value: 'n', type: positiveInteger, default: 32, help: 'images per step of each host' },
  imageSize: { value: 'pixels', type: imageSide, default: 128, help: 'height and width of the images' },
  hosts: { value: 'counts', type: positiveInteger, list: true, help: 'numbers of hosts (default: 2 and 4)' },
  gbits: { ...NUMBERS, value: 'rates', help: 'bandwidths in Gbit/s (default: 1 and 10)' },
  delays: { ...NUMBERS, value: 'ms', help: 'delays of a message in ms (default: 0.1, 1 and 10)' },
  python: { value: 'python', type: path, default: 'python3', help: 'a Python, which runs the links' },
});

/** @typedef {OptionsOf<typeof NETWORK>} NetworkOptions */
/** @typedef {OptionsOf<typeof DISTRIBUTED>} DistributedOptions */
/** @typedef {OptionsOf<typeof SERVE>} ServeOptions */
/** @typedef {OptionsOf<typeof LAYER>} LayerOptions */
/** @typedef {OptionsOf<typeof MODEL>} ModelOptions */
/** @typedef {OptionsOf<typeof TRAIN>} TrainOptions */
/** @typedef {OptionsOf<typeof THREADS>} ThreadsOptions */
