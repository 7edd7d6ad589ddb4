/**
 * The parts of `gpu-check`, in the order in which they run. Times are for an H200 with 16 cores; they are estimates until a
 * machine has measured them.
 * @module
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ARTICLE_EPOCHS } from '../cli/article.js';
import { readSuite, suiteFailure } from './suite.js';

/** @import { Command } from './child.js' */
/** @import { Context, Figures, Part } from './run.js' */

/** Archives that `data.cifar10` reads, and the one that images.js makes the second of. */
const ARCHIVES = ['cifar-10-python.tar.gz', 'cifar-10-binary.tar.gz'];
const PICTURES = 'cifar10-jpeg.tar.gz';

/** Modes of PyTorch that need no compilation, and those that take a minute of it. */
const STATIC = [
  'static',
  'static:channels-last',
  'static:amp',
  'static:amp:channels-last',
  'static:graph',
  'static:amp:channels-last:graph',
];
const DYNAMIC = ['grouped', 'mix-after', 'mix-after:amp:channels-last:graph'];
const COMPILED = [
  'static:compile',
  'static:amp:channels-last:compile',
  'static:amp:channels-last:compile:graph',
];

/** Test files of the CUDA half of the suite. */
const SUITE = ['test/cuda', 'test/install/cuda-build.test.ts'];

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** A script of the package. @param {string} name @param {string[]} args @returns {Command} */
const script = (name, ...args) => ({
  file: process.execPath,
  args: [join(ROOT, 'scripts', name), ...args],
});

/** @param {Context} context @param {string} kind @param {string[]} args */
const bench = ({ machine }, kind, ...args) =>
  script(
    'bench.js',
    kind,
    '--device',
    'cuda',
    '--no-memory',
    '--json',
    ...(kind === 'model' ? pytorch(machine.python) : []),
    ...args,
  );

/** @param {string} python */
const pytorch = (python) => ['--pytorch', python];

/** @param {Context} context */
const withoutTorch = ({ machine }) =>
  machine.torch === null ? `there is no torch in ${machine.python}` : undefined;

/** @param {Context} context */
const withoutSanitizer = ({ machine }) =>
  machine.sanitizer === null ? 'compute-sanitizer is neither on PATH nor beside nvcc' : undefined;

/** Every kernel once under compute-sanitizer, which looks at the kernels of this package alone. @param {string} tool @returns {(context: Context) => Command[]} */
const sanitized = (tool) => (context) => {
  const { file, args } = script('gpu-check/kernels.js', '--once');
  const own = ['--tool', tool, '--kernel-name', 'kernel_substring=dyconv', '--error-exitcode', '9'];
  return [
    {
      file: context.machine.sanitizer ?? 'compute-sanitizer',
      args: [...own, file, ...args],
      // Within a cached block of libtorch's allocator, an access beyond a tensor is no error of memory.
      env: { PYTORCH_NO_CUDA_MEMORY_CACHING: '1' },
    },
  ];
};

/** The results of bench.js, of several processes together. @param {Record<string, unknown>[]} lines @returns {Figures} */
function readTimes(lines) {
  const all = lines.filter(({ results }) => results);
  const several = new Set(all.map(({ dtype }) => dtype)).size > 1;
  const times = all.flatMap(({ results, dtype }) =>
    Object.entries(/** @type {object} */ (results)).map(([name, value]) => [
      several ? `${name} ${dtype}` : name,
      value,
    ]),
  );
  return {
    times: Object.fromEntries(times),
    skipped: Object.assign({}, ...all.map(({ skipped }) => skipped)),
  };
}

/** @param {Figures} figures */
const withoutTimes = ({ times }) =>
  Object.keys(/** @type {object} */ (times ?? {})).length === 0 ? 'nothing was measured' : undefined;

/** Nothing was measured, or a network of this package failed: a mode of PyTorch may fail. @param {Figures} figures */
function networkFailure(figures) {
  const skipped = Object.entries(/** @type {Record<string, string>} */ (figures.skipped ?? {}));
  const own = skipped.find(([name]) => !name.startsWith('pytorch'));
  return withoutTimes(figures) ?? own?.join(': ');
}

/** @param {Record<string, unknown>[]} lines @returns {Figures} */
function readDeviations(lines) {
  return { deviations: lines.filter(({ kernel }) => kernel !== undefined) };
}

/** @param {Figures} figures */
function deviationFailure({ deviations }) {
  const rows = /** @type {{ kernel: string, dtype: string, worst: number | null, allowed: number }[]} */ (
    deviations
  );
  // NaN is null in JSON.
  const wrong = rows.filter(({ worst, allowed }) => worst === null || !(worst <= allowed));
  if (rows.length === 0) return 'no kernel was compared';
  return wrong.length > 0
    ? `too far from float64: ${wrong.map(({ kernel, dtype }) => `${kernel} ${dtype}`).join(', ')}`
    : undefined;
}

/** The archive of CIFAR-10 that a training reads; the images from which it can be made; or neither. @param {Context} context */
function dataOf({ dataDir }) {
  if (ARCHIVES.some((name) => existsSync(join(dataDir, name)))) return 'archive';
  return existsSync(join(dataDir, PICTURES)) ? 'pictures' : 'none';
}

/** Seconds of an epoch: from the measured networks, with a margin for data and validation. @param {string} model @param {Context} context */
function secondsPerEpoch(model, { figures }) {
  const times = /** @type {Record<string, { train_ms: number, infer_ms: number }>} */ (
    figures.model?.times ?? {}
  );
  const own = times[`${model}:amp:graph`];
  if (!own) return 8;
  return 0.5 + (1.5 * (50_000 * own.train_ms + 10_000 * own.infer_ms)) / 128 / 1000;
}

/** Seconds of a training that are no epochs: loading libtorch and the images, evaluation, report. */
const AROUND_TRAINING = 15;

/** @param {'alexnet' | 'alexnet-dy'} model @returns {(context: Context) => Command[]} */
const training = (model) => (context) => {
  const run = join(context.out, 'runs', model);
  const common = ['--out', run, '--data-dir', context.dataDir, '--no-verify', '--device', 'cuda', '--json'];
  if (existsSync(join(run, 'config.json'))) return [script('train.js', '--resume', ...common)];
  const fit = Math.floor((context.seconds - AROUND_TRAINING) / secondsPerEpoch(model, context));
  const epochs = Math.min(ARTICLE_EPOCHS, Math.max(1, fit));
  const scaled = (/** @type {number} */ epoch) => Math.max(1, Math.round((epoch * epochs) / ARTICLE_EPOCHS));
  const milestones = [...new Set([30, 60, 90].map(scaled))].filter((epoch) => epoch < epochs);
  const schedule = [
    '--epochs',
    `${epochs}`,
    '--milestones',
    milestones.join(','),
    '--temperature-epochs',
    `${scaled(10)}`,
  ];
  const speed = ['--capture', '--autocast', 'bfloat16', '--augment-on', 'device'];
  return [script('train.js', '--model', model, '--dataset', 'cifar10', ...common, ...schedule, ...speed)];
};

/** @param {Record<string, unknown>[]} lines @returns {Figures} */
const readEpochs = (lines) => ({ epochs: lines.filter(({ type }) => type === 'epoch') });

/** @param {Figures} figures */
const withoutEpochs = ({ epochs }) =>
  /** @type {unknown[]} */ (epochs).length === 0 ? 'no epoch was finished' : undefined;

/** @param {Context} context */
const withoutImages = (context) =>
  dataOf(context) === 'none'
    ? `${context.dataDir} has neither ${ARCHIVES.join(' nor ')} nor ${PICTURES}`
    : undefined;

/** @param {'alexnet' | 'alexnet-dy'} model @param {string} title @param {number} value @returns {Part} */
const trainingPart = (model, title, value) => ({
  ...{ name: `train-${model}`, title: `trains ${title} on CIFAR-10`, value },
  ...{ seconds: 90, most: 900, least: 60, needs: ['build', 'images'] },
  problem: withoutImages,
  commands: training(model),
  read: readEpochs,
  failure: withoutEpochs,
});

/** @type {readonly Part[]} */
export const PARTS = [
  {
    ...{
      name: 'environment',
      title: 'driver, toolkit, libtorch, PyTorch',
      value: 1,
      seconds: 10,
      most: 30,
      needs: [],
    },
    // What one of them does not report is no reason to leave out the rest.
    commands: ({ machine }) =>
      [
        { file: 'nvidia-smi', args: ['-q'] },
        script('doctor.js', '--json'),
        { file: machine.python, args: ['-m', 'torch.utils.collect_env'] },
      ].map((command) => ({ ...command, mayFail: true })),
  },
  {
    ...{
      name: 'build',
      title: 'builds or reuses the add-on for CUDA',
      value: 2,
      seconds: 120,
      most: 420,
      needs: [],
    },
    commands: () => [script('gpu-check/build.js')],
    read: (lines) => Object.assign({}, ...lines),
  },
  {
    ...{ name: 'suite', title: 'tests of autograd, graphs, AMP, memory, augmentation on the GPU', value: 3 },
    ...{ seconds: 60, most: 180, needs: ['build'] },
    problem: () =>
      SUITE.every((path) => existsSync(join(ROOT, path))) ? undefined : 'the tests are not installed',
    commands: ({ folder }) => [
      script(
        ...['../node_modules/vitest/vitest.mjs', 'run', ...SUITE, '--no-file-parallelism'],
        ...['--reporter=default', '--reporter=json', `--outputFile.json=${join(folder, 'suite.json')}`],
      ),
    ],
    read: (_lines, { folder }) => readSuite(join(folder, 'suite.json')),
    failure: suiteFailure,
  },
  {
    ...{
      name: 'kernels',
      title: 'kernels against float64',
      value: 4,
      seconds: 30,
      most: 120,
      needs: ['build'],
    },
    commands: () => [script('gpu-check/kernels.js')],
    read: readDeviations,
    failure: deviationFailure,
  },
  {
    ...{
      name: 'images',
      title: 'CIFAR-10 in the layout that the trainings read',
      value: 6,
      seconds: 30,
      most: 90,
      needs: [],
    },
    problem: withoutImages,
    commands: (context) =>
      dataOf(context) === 'pictures'
        ? [script('gpu-check/images.js', join(context.dataDir, PICTURES), context.dataDir)]
        : [],
  },
  {
    ...{
      name: 'model',
      title: 'networks beside PyTorch',
      value: 5,
      seconds: 75,
      most: 150,
      needs: ['build'],
    },
    problem: withoutTorch,
    commands: (context) => [bench(context, 'model', '--pytorch-modes', [...STATIC, ...DYNAMIC].join(','))],
    read: readTimes,
    failure: networkFailure,
  },
  {
    ...{
      name: 'memcheck',
      title: 'every kernel once under memcheck',
      value: 9,
      seconds: 45,
      most: 150,
      needs: ['build'],
    },
    problem: withoutSanitizer,
    commands: sanitized('memcheck'),
  },
  {
    ...{
      name: 'layer',
      title: 'one convolution by every algorithm',
      value: 10,
      seconds: 40,
      most: 100,
      needs: ['build'],
    },
    commands: (context) =>
      ['float32', 'bfloat16'].map((dtype) => bench(context, 'layer', '--dtype', dtype, '--budget', '4')),
    read: readTimes,
    failure: withoutTimes,
  },
  {
    ...{
      name: 'racecheck',
      title: 'every kernel once under racecheck',
      value: 11,
      seconds: 45,
      most: 150,
      needs: ['build'],
    },
    problem: withoutSanitizer,
    commands: sanitized('racecheck'),
  },
  {
    ...{
      name: 'tune',
      title: 'which algorithm is fastest for which sizes',
      value: 12,
      seconds: 60,
      most: 120,
      needs: ['build'],
    },
    commands: ({ folder, machine }) => [
      script(
        ...['gpu-check/tune.js', '--out', join(folder, 'cuda-tuning.json'), '--seconds', '50'],
        ...['--driver', machine.gpu.driver],
      ),
    ],
    read: (lines) => lines.at(-1) ?? {},
  },
  {
    ...{
      name: 'compile',
      title: 'networks beside torch.compile',
      value: 13,
      seconds: 110,
      most: 240,
      needs: ['build'],
    },
    problem: withoutTorch,
    commands: (context) => [bench(context, 'model', '--turns', '3', '--pytorch-modes', COMPILED.join(','))],
    read: readTimes,
    failure: networkFailure,
  },
  trainingPart('alexnet-dy', 'AlexNet-DY', 7),
  trainingPart('alexnet', 'AlexNet', 8),
];

/** Names of the parts. */
export const PART_NAMES = PARTS.map(({ name }) => name);
