/** Every option of train.js reaches what it configures: the loader, the optimizer, the trainer, not config.json alone. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { expect, it, vi } from 'vitest';
import { root } from './support.js';

type Options = Record<string, unknown>;
const { data } = await import(new URL('../../dist/index.js', import.meta.url).href);
const { format } = data.transforms as { format: (transform: unknown) => string };
const calls = vi.hoisted(() => new Map<string, unknown[][]>());

vi.mock('../../dist/index.js', async (original) => {
  // biome-ignore lint/suspicious/noExplicitAny: the module as it is, whatever it exports
  const real = (await original()) as any;
  const note = (name: string, args: unknown[]) => calls.set(name, [...(calls.get(name) ?? []), args]);
  // biome-ignore lint/suspicious/noExplicitAny: a function or class of the module
  const noted = (name: string, target: any, stand?: (...args: any[]) => unknown) =>
    new Proxy(target, {
      apply: (fn, self, args) => {
        note(name, args);
        return stand ? stand(...args) : Reflect.apply(fn, self, args);
      },
      construct: (type, args, as) => {
        note(name, args);
        return stand ? (stand(...args) as object) : Reflect.construct(type, args, as);
      },
    });
  const { createDataset } = await import(new URL('../../dist/data/dataset.js', import.meta.url).href);
  const set = () =>
    createDataset({
      ...{ name: 'numbers', split: 'train', classes: ['a', 'b'], shape: [3, 32, 32], source: 'numbers' },
      ...{ images: new Uint8Array(64 * 3072), labels: Uint8Array.from({ length: 64 }, (_, i) => i % 2) },
    });
  const net = () => new real.DynamicConv2d(3, 2, 3, { numExperts: 2 });
  const lr = Object.fromEntries(
    Object.entries(real.optim.lr).map(([name, type]) => [name, noted(`lr.${name}`, type)]),
  );
  return {
    ...real,
    manualSeed: noted('manualSeed', real.manualSeed),
    models: { ...real.models, create: noted('models.create', real.models.create, net) },
    data: {
      ...real.data,
      create: noted('data.create', real.data.create, set),
      loader: noted('data.loader', real.data.loader),
    },
    functional: { ...real.functional, crossEntropy: noted('crossEntropy', real.functional.crossEntropy) },
    optim: { ...real.optim, SGD: noted('SGD', real.optim.SGD), lr },
    train: {
      ...real.train,
      RunDirectory: { create: async (...args: unknown[]) => note('RunDirectory.create', args) },
      Trainer: noted('Trainer', real.train.Trainer, () => ({})),
      temperatureSchedule: noted('temperatureSchedule', real.train.temperatureSchedule),
      kernelChoices: () => ({}),
      loadWeights: noted('loadWeights', real.train.loadWeights, () => net().stateDict()),
    },
  };
});

const script = (name: string) => import(new URL(`../../scripts/cli/${name}.js`, import.meta.url).href);
const { trainCommand } = (await script('train-options')) as { trainCommand: () => Command };
const { startRun } = (await script('training')) as {
  startRun: (out: string, options: Options, signal: AbortSignal) => Promise<unknown>;
};

async function start(args: string[]) {
  calls.clear();
  const command = trainCommand().parse(['--batch-size', '8', ...args], { from: 'user' });
  await startRun('out', command.opts(), new AbortController().signal);
}

const arg = (name: string, position: number, call = 0) => calls.get(name)?.[call]?.[position] as Options;
const trainLoader = () => arg('data.loader', 1);
const trainer = () => arg('Trainer', 0);
/** The lines of the transform that begin with a name. */
const stepOf = (name: string) =>
  format(trainLoader().transform)
    .split('\n')
    .filter((line) => line.trim().startsWith(name))
    .join();
const mix = () => (trainLoader().mix as Options[] | undefined)?.[0];

/** What an option is given, where that shows, and as what. */
const REACHES: Record<string, [args: string[], found: () => unknown, expected: unknown]> = {
  model: [['alexnet'], () => calls.get('models.create')?.[0]?.[0], 'alexnet'],
  dataset: [['mnist'], () => calls.get('data.create')?.[0]?.[0], 'mnist'],
  'data-dir': [['elsewhere'], () => arg('data.create', 1).root, 'elsewhere'],
  epochs: [['3'], () => trainer().epochs, 3],
  'batch-size': [['4'], () => trainLoader().batchSize, 4],
  lr: [['0.3'], () => arg('SGD', 1).lr, 0.3],
  momentum: [['0.7'], () => arg('SGD', 1).momentum, 0.7],
  'weight-decay': [['0.2'], () => arg('SGD', 1).weightDecay, 0.2],
  milestones: [['2,5'], () => arg('lr.MultiStepLR', 1).milestones, [2, 5]],
  gamma: [['0.4'], () => arg('lr.MultiStepLR', 1).gamma, 0.4],
  'num-experts': [['5'], () => arg('models.create', 1).numExperts, 5],
  temperature: [['12'], () => arg('temperatureSchedule', 0).start, 12],
  'temperature-epochs': [['7'], () => arg('temperatureSchedule', 0).epochs, 7],
  seed: [['9'], () => [calls.get('manualSeed')?.[0]?.[0], trainLoader().seed], [9, 9]],
  device: [['cpu'], () => [trainLoader().device, trainer().device], ['cpu', 'cpu']],
  'limit-train': [['40'], () => trainLoader().limit, 40],
  'limit-test': [['20'], () => arg('data.loader', 1, 1).limit, 20],
  'val-split': [['0.25'], () => [0, 1].map((i) => arg('data.loader', 0, i).length), [48, 16]],
  'no-download': [[], () => arg('data.create', 1).download, false],
  'no-verify': [[], () => arg('data.create', 1).verify, false],
  'skip-unreadable': [[], () => arg('data.create', 1).unreadable, 'skip'],
  schedule: [['one-cycle'], () => calls.has('lr.OneCycleLR'), true],
  'warmup-epochs': [['1'], () => calls.has('lr.LambdaLR'), true],
  accumulate: [['2'], () => trainer().accumulate, 2],
  'clip-grad-norm': [['2'], () => trainer().clip, { norm: 2, value: undefined }],
  'clip-grad-value': [['3'], () => trainer().clip, { norm: undefined, value: 3 }],
  ema: [['0.9'], () => trainer().ema, { decay: 0.9 }],
  autocast: [['bfloat16'], () => trainer().autocast, 'bfloat16'],
  capture: [[], () => trainer().capture, true],
  'validate-every': [['4'], () => trainer().validateEvery, 4],
  monitor: [['loss'], () => trainer().monitor, 'loss'],
  'early-stopping': [['6'], () => trainer().earlyStopping, { patience: 6, minDelta: 0 }],
  init: [['start.pt'], () => calls.get('loadWeights')?.[0]?.[0], 'start.pt'],
  crop: [['padded'], () => stepOf('randomCrop'), '  randomCrop(size: [32, 32], padding: 4)'],
  flip: [['0.1'], () => (trainLoader().transform as Options).flip, 0.1],
  'color-jitter': [['0.4'], () => stepOf('colorJitter').includes('brightness: [0.6, 1.4]'), true],
  'random-erasing': [['0.3'], () => stepOf('randomErasing').includes('p: 0.3'), true],
  mixup: [['0.2'], mix, { kind: 'mixup', alpha: 0.2, p: 1 }],
  cutmix: [['1'], mix, { kind: 'cutmix', alpha: 1, p: 1 }],
  'batch-dtype': [['bfloat16'], () => trainLoader().dtype, 'bfloat16'],
  'memory-format': [['channels-last'], () => trainLoader().memoryFormat, 'channelsLast'],
  'augment-on': [
    ['device'],
    () => [0, 1].map((i) => arg('data.loader', 1, i).augmentOn),
    ['device', 'device'],
  ],
};

/** Options that need others, or whose effect a test of the whole command shows: its file, and the text in it. */
const ELSEWHERE: Record<string, [file: string, text: string]> = {
  out: ['commands.test.ts', 'leaves a complete run directory'],
  resume: ['commands.test.ts', "'--resume'"],
  json: ['commands.test.ts', "'--json'"],
  threads: ['commands.test.ts', 'resumes to the same weights'],
  'checkpoint-every': ['commands.test.ts', "'--checkpoint-every'"],
  'keep-last': ['commands.test.ts', "'--keep-last'"],
  recipe: ['train-options.test.ts', "'--recipe', 'small'"],
  padding: ['train-options.test.ts', "'--padding'"],
  'mix-prob': ['train-options.test.ts', "'--mix-prob', '0.5'"],
  'min-delta': ['options-reach.test.ts', 'takes --min-delta'],
  'label-smoothing': ['options-reach.test.ts', 'takes --label-smoothing'],
  dtype: ['train-options.test.ts', 'Allowed choices are float32'], // one value alone
};

it('knows every option', () => {
  const declared = trainCommand().options.map(({ long }) => long!.slice(2));
  expect([...Object.keys(REACHES), ...Object.keys(ELSEWHERE)].sort()).toEqual(declared.sort());
});

it.each(Object.entries(REACHES))(
  '--%s',
  async (name, [args, found, expected]) => {
    await start([]);
    expect(found(), 'without the option').not.toEqual(name === 'device' ? null : expected);
    await start([`--${name}`, ...args]);
    expect(found()).toEqual(expected);
  },
  60_000,
);

it.each(Object.entries(ELSEWHERE))('--%s is tested elsewhere', (_, [file, text]) => {
  expect(readFileSync(join(root, 'test/scripts', file), 'utf8')).toContain(text);
});

it('takes --min-delta', async () => {
  await start(['--early-stopping', '2', '--min-delta', '0.5']);
  expect(trainer().earlyStopping).toEqual({ patience: 2, minDelta: 0.5 });
});

it('takes --label-smoothing', async () => {
  await start(['--label-smoothing', '0.3']);
  const { tensor } = await import(new URL('../../dist/index.js', import.meta.url).href);
  const loss = trainer().loss as (logits: unknown, labels: unknown) => unknown;
  loss(tensor([[1, 2]]), tensor([1], { dtype: 'int64' }));
  expect(arg('crossEntropy', 2).labelSmoothing).toBe(0.3);
});
