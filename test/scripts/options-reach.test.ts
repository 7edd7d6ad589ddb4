/** Every option of train.js and demo.js reaches what it configures: the loader, the optimizer, the trainer, not config.json alone. */
import { dirname, join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { type Calls, type Case, json, type Options, run, testOptions } from './reach.js';

const calls: Calls = vi.hoisted(() => new Map());

vi.mock('../../dist/index.js', async (original) => {
  const { createDataset } = await import(new URL('../../dist/data/dataset.js', import.meta.url).href);
  return (await import('./reach-library.js')).library(await original(), createDataset, calls);
});
vi.mock('../../scripts/cli/records.js', () => ({ collectRecords: async () => ['records'] }));
vi.mock('../../dist/files/atomic.js', async (original) => ({
  ...(await original<object>()),
  writeFileAtomic: async () => {},
}));

const load = (path: string) => import(new URL(`../../${path}`, import.meta.url).href);
const { data, tensor } = await load('dist/index.js');

const arg = (name: string, position: number, call = 0) => calls.get(name)?.[call]?.[position] as Options;
const trainLoader = () => arg('data.loader', 1);
const trainer = () => arg('Trainer', 0);
const config = () => (arg('RunDirectory.create', 1) as { config?: Options } | undefined)?.config;
/** The lines of the training transform that start with a name. */
const stepOf = (name: string) =>
  (data.transforms.format(trainLoader().transform) as string)
    .split('\n')
    .filter((line) => line.trim().startsWith(name))
    .join();
const mix = () => (trainLoader().mix as Options[] | undefined)?.[0];

/** The label smoothing that the loss of the trainer applies. */
function smoothing() {
  const loss = trainer().loss as (logits: unknown, labels: unknown) => unknown;
  loss(tensor([[1, 2]]), tensor([1], { dtype: 'int64' }));
  return arg('crossEntropy', 2).labelSmoothing;
}

/** The weights of the classes in the loss of the trainer. */
function classWeights() {
  const loss = trainer().loss as (logits: unknown, labels: unknown) => unknown;
  loss(tensor([[1, 2, 3, 4, 5, 6, 7]]), tensor([1], { dtype: 'int64' }));
  return (arg('crossEntropy', 2).weight as { arraySync(): unknown } | undefined)?.arraySync();
}

const TRAIN: Record<string, Case> = {
  model: { args: ['alexnet'], found: () => calls.get('models.create')?.[0]?.[0], expected: 'alexnet' },
  dataset: { args: ['mnist'], found: () => calls.get('data.create')?.[0]?.[0], expected: 'mnist' },
  'model-options': {
    args: ['{"middleChannels":64}'],
    with: ['--model', 'alexnet'],
    found: () => arg('models.create', 1).middleChannels,
    expected: 64,
  },
  'image-size': {
    args: ['64'],
    found: () => [
      (trainLoader().transform as Options).size,
      ...[1, 2].map((call) => (arg('data.loader', 1, call).transform as Options).size),
      arg('data.create', 1).size,
      config()?.imageSize,
    ],
    expected: [64, 64, 64, 65, 64],
  },
  'data-dir': { args: ['elsewhere'], found: () => arg('data.create', 1).root, expected: 'elsewhere' },
  out: { args: ['there'], found: () => calls.get('RunDirectory.create')?.[0]?.[0], expected: 'there' },
  recipe: { args: ['small'], found: () => [trainer().epochs, arg('SGD', 1).momentum], expected: [20, 0.9] },
  epochs: { args: ['3'], found: () => trainer().epochs, expected: 3 },
  'batch-size': { args: ['4'], found: () => trainLoader().batchSize, expected: 4 },
  lr: { args: ['0.3'], found: () => arg('SGD', 1).lr, expected: 0.3 },
  momentum: { args: ['0.7'], found: () => arg('SGD', 1).momentum, expected: 0.7 },
  'weight-decay': { args: ['0.2'], found: () => arg('SGD', 1).weightDecay, expected: 0.2 },
  milestones: { args: ['2,5'], found: () => arg('lr.MultiStepLR', 1).milestones, expected: [2, 5] },
  gamma: { args: ['0.4'], found: () => arg('lr.MultiStepLR', 1).gamma, expected: 0.4 },
  'label-smoothing': { args: ['0.3'], found: smoothing, expected: 0.3 },
  'num-experts': { args: ['5'], found: () => arg('models.create', 1).numExperts, expected: 5 },
  'init-gain': { args: ['1.5'], found: () => arg('models.create', 1).initGain, expected: 1.5 },
  'classifier-gain': { args: ['0.4'], found: () => arg('models.create', 1).classifierGain, expected: 0.4 },
  'initial-weights': {
    args: ['paddle'],
    found: () => arg('models.create', 1).initialWeights,
    expected: 'paddle',
  },
  temperature: { args: ['12'], found: () => arg('temperatureSchedule', 0).start, expected: 12 },
  'temperature-epochs': { args: ['7'], found: () => arg('temperatureSchedule', 0).epochs, expected: 7 },
  seed: {
    args: ['9'],
    found: () => [calls.get('manualSeed')?.[0]?.[0], trainLoader().seed],
    expected: [9, 9],
  },
  device: {
    args: ['cuda:1'],
    found: () => [trainer().device, ...[0, 1, 2].map((call) => arg('data.loader', 1, call).device)],
    expected: ['cuda:1', 'cuda:1', 'cuda:1', 'cuda:1'],
  },
  dtype: { args: ['float32'], found: () => config()?.dtype, expected: 'float32' },
  threads: { args: ['3'], found: () => calls.get('setNumThreads')?.[0]?.[0], expected: 3 },
  'limit-train': { args: ['40'], found: () => trainLoader().limit, expected: 40 },
  'limit-test': {
    args: ['20'],
    found: () => [1, 2].map((call) => arg('data.loader', 1, call).limit), // of validation and evaluation
    expected: [20, 20],
  },
  'val-split': {
    args: ['0.25'],
    found: () => [0, 1].map((call) => arg('data.loader', 0, call).length),
    expected: [63, 21],
  },
  'no-download': { found: () => arg('data.create', 1).download, expected: false },
  'data-mirror': {
    args: ['http://one', '--data-mirror', 'http://two'],
    found: () => arg('data.create', 1).mirrors,
    expected: ['http://one', 'http://two'],
  },
  'no-verify': { found: () => arg('data.create', 1).verify, expected: false },
  'skip-unreadable': { found: () => arg('data.create', 1).unreadable, expected: 'skip' },
  'data-memory': {
    args: ['3'],
    found: () => [0, 1].map((call) => arg('data.create', 1, call).memoryLimit),
    expected: [3 * 2 ** 20, 3 * 2 ** 20],
  },
  tensorboard: {
    found: () => (trainer().callbacks as { path: string }[] | undefined)?.map(({ path }) => dirname(path)),
    expected: ['runs/alexnet-dy/tensorboard'],
  },
  json: { found: (ended) => json(ended)?.type, expected: 'end' },
  resume: { found: () => calls.get('RunDirectory.open')?.[0]?.[0], expected: 'runs/alexnet-dy' },
  schedule: { args: ['one-cycle'], found: () => calls.has('lr.OneCycleLR'), expected: true },
  'warmup-epochs': { args: ['1'], found: () => calls.has('lr.LambdaLR'), expected: true },
  accumulate: { args: ['2'], found: () => trainer().accumulate, expected: 2 },
  'clip-grad-norm': { args: ['2'], found: () => (trainer().clip as Options)?.norm, expected: 2 },
  'clip-grad-value': { args: ['3'], found: () => (trainer().clip as Options)?.value, expected: 3 },
  ema: { args: ['0.9'], found: () => trainer().ema, expected: { decay: 0.9 } },
  autocast: { args: ['bfloat16'], found: () => trainer().autocast, expected: 'bfloat16' },
  capture: { found: () => trainer().capture, expected: true },
  'validate-every': { args: ['4'], found: () => trainer().validateEvery, expected: 4 },
  monitor: { args: ['loss'], found: () => trainer().monitor, expected: 'loss' },
  'early-stopping': {
    args: ['6'],
    found: () => (trainer().earlyStopping as Options)?.patience,
    expected: 6,
  },
  'min-delta': {
    with: ['--early-stopping', '2'],
    args: ['0.5'],
    found: () => (trainer().earlyStopping as Options)?.minDelta,
    expected: 0.5,
  },
  'checkpoint-every': {
    args: ['2'],
    found: () => (arg('saveCheckpoint', 2).keep as Options)?.every,
    expected: 2,
  },
  'keep-last': {
    with: ['--checkpoint-every', '2'],
    args: ['7'],
    found: () => (arg('saveCheckpoint', 2).keep as Options)?.last,
    expected: 7,
  },
  // A file would have to exist: it is checked before images are read.
  init: {
    args: ['https://example.org/start.pt'],
    found: () => arg('models.loadPretrained', 1),
    expected: 'https://example.org/start.pt',
  },
  preset: {
    args: ['imagenet'],
    found: () => [
      ...[0, 1, 2].map(
        (call) => /mean: \[([^\]]*)/.exec(data.transforms.format(arg('data.loader', 1, call).transform))?.[1],
      ),
      arg('data.create', 1).size,
    ],
    expected: ['0.485, 0.456, 0.406', '0.485, 0.456, 0.406', '0.485, 0.456, 0.406', 146],
  },
  freeze: {
    args: ['weight', '--freeze', 'routing'],
    found: () => [(arg('SGD', 0) as unknown as unknown[]).length, (trainer().frozen as unknown[]).length > 0],
    expected: [1, true],
  },
  'find-lr': { found: () => [arg('SGD', 1, 1)?.lr, config()?.lr], expected: [0.02, 0.02] },
  'class-weights': { args: ['1,2,3,4,5,6,7'], found: classWeights, expected: [1, 2, 3, 4, 5, 6, 7] },
  sampling: {
    args: ['balanced'],
    found: () => (trainLoader().weights as number[] | undefined)?.slice(0, 2),
    expected: [1 / 12, 1 / 12],
  },
  optimizer: {
    args: ['adamw'],
    found: () => [arg('AdamW', 1), trainer().optimizer?.constructor.name],
    expected: [{ lr: 1e-3, weightDecay: 1e-2 }, 'AdamW'],
  },
  crop: {
    args: ['padded'],
    found: () => stepOf('randomCrop'),
    expected: '  randomCrop(size: [32, 32], padding: 4)',
  },
  padding: {
    with: ['--crop', 'padded'],
    args: ['3'],
    found: () => stepOf('randomCrop'),
    expected: '  randomCrop(size: [32, 32], padding: 3)',
  },
  flip: { args: ['0.1'], found: () => (trainLoader().transform as Options).flip, expected: 0.1 },
  'color-jitter': {
    args: ['0.4'],
    found: () => stepOf('colorJitter').includes('brightness: [0.6, 1.4]'),
    expected: true,
  },
  'random-erasing': {
    args: ['0.3'],
    found: () => stepOf('randomErasing').includes('p: 0.3'),
    expected: true,
  },
  mixup: { args: ['0.2'], found: mix, expected: { kind: 'mixup', alpha: 0.2, p: 1 } },
  cutmix: { args: ['1'], found: mix, expected: { kind: 'cutmix', alpha: 1, p: 1 } },
  'mix-prob': { with: ['--cutmix', '1'], args: ['0.5'], found: () => mix()?.p, expected: 0.5 },
  'batch-dtype': {
    with: ['--autocast', 'bfloat16'],
    args: ['bfloat16'],
    found: () => [0, 1, 2].map((call) => arg('data.loader', 1, call).dtype),
    expected: ['bfloat16', 'bfloat16', 'bfloat16'],
  },
  'memory-format': {
    args: ['channels-last'],
    found: () => [0, 1, 2].map((call) => arg('data.loader', 1, call).memoryFormat),
    expected: ['channelsLast', 'channelsLast', 'channelsLast'],
  },
  'augment-on': {
    args: ['cpu'], // with a GPU, the default is the device
    found: () => [0, 1].map((call) => arg('data.loader', 1, call).augmentOn),
    expected: ['cpu', 'cpu'],
  },
};

describe('train.js', () => {
  testOptions({ command: ['train'], base: ['--batch-size', '8'], calls, cases: TRAIN });

  it('warns where --capture has no effect', async () => {
    const warning = 'warning: --capture has no effect on the device cpu.';
    const words = ['--batch-size', '8', '--capture'];
    expect((await run('train', [...words, '--device', 'cpu'])).stderr).toContain(warning);
    expect((await run('train', words)).stderr).not.toContain('--capture');
  });
});

describe('demo.js', () => {
  testOptions({
    command: ['demo'],
    calls,
    cases: {
      epochs: { args: ['3'], found: () => [trainer().epochs, arg('Trainer', 0, 1).epochs], expected: [3, 3] },
      out: {
        args: ['there'],
        found: () => [0, 1].map((call) => calls.get('RunDirectory.create')?.[call]?.[0]),
        expected: [join('there', 'alexnet'), join('there', 'alexnet-dy')],
      },
    },
  });
});

/** The first argument of all calls, such as the names of the models that were made. */
const all = (name: string) => calls.get(name)?.map(([first]) => first);

describe('reproduce.js', () => {
  const one = ['--models', 'alexnet', '--seeds', '1'];
  const { device, threads, dataset, epochs } = TRAIN;
  const shared = [
    'data-dir',
    'limit-train',
    'no-download',
    'data-mirror',
    'no-verify',
    'batch-size',
    'milestones',
  ];
  testOptions({
    command: ['reproduce'],
    base: ['--batch-size', '8', ...one],
    calls,
    cases: {
      ...{ threads: threads!, dataset: dataset!, epochs: epochs! },
      ...Object.fromEntries(shared.map((name) => [name, TRAIN[name]!])),
      'initial-weights': TRAIN['initial-weights']!,
      autocast: TRAIN.autocast!,
      'temperature-epochs': { ...TRAIN['temperature-epochs']!, with: ['--models', 'alexnet-dy'] },
      device: { ...device!, found: () => trainer().device, expected: 'cuda:1' },
      'limit-test': { args: ['20'], found: () => arg('data.loader', 1, 1).limit, expected: 20 },
      out: {
        args: ['there'],
        found: () => calls.get('RunDirectory.create')?.[0]?.[0],
        expected: join('there', 'cifar10-alexnet-1'),
      },
      seeds: { args: ['3,4'], found: () => all('manualSeed'), expected: [3, 4] },
      models: {
        args: ['alexnet,alexnet-dy'],
        found: () => all('models.create'),
        expected: ['alexnet', 'alexnet-dy'],
      },
      controls: {
        with: ['--models', 'alexnet,alexnet-dy', '--epochs', '10'],
        found: () => [all('models.create'), arg('Trainer', 0, 3)?.epochs],
        expected: [['alexnet', 'alexnet-dy', 'alexnet-wide', 'alexnet'], 20],
      },
    },
  });
});
