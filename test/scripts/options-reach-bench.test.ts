/**
 * Every option of the benchmarks reaches what it configures. Nothing is measured: slow parts of the library are
 * mocked.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { type Calls, type Case, commandOf, json, type Options, recorder, testOptions } from './reach.js';
import { spawn } from './reach-bench.js';

const calls: Calls = vi.hoisted(() => new Map());
const arg = (name: string, position: number, call = 0) => calls.get(name)?.[call]?.[position] as Options;
const count = (name: string) => calls.get(name)?.length ?? 0;

vi.mock('../../dist/index.js', async (original) =>
  (await import('./reach-bench.js')).library(await original(), calls),
);
vi.mock('../../scripts/bench/turns.js', async (original) =>
  (await import('./reach-bench.js')).turns(await original(), calls),
);
vi.mock('../../scripts/bench/pytorch.js', async (original) =>
  (await import('./reach-bench.js')).pytorch(await original(), calls),
);
vi.mock('../../scripts/bench/program-contestants.js', async () =>
  (await import('./reach-bench.js')).programs(calls),
);
vi.mock('../../scripts/cli/onnxruntime.js', async () =>
  (await import('./reach-bench.js')).onnxruntime(calls),
);
vi.mock('../../scripts/bench/data-contestants.js', async () => ({
  noiseSet: recorder(calls).spy('noiseSet', undefined, () => ({})),
  sharpPipeline: () => async () => new Float32Array(),
}));
vi.mock('../../scripts/bench/picture-sets.js', () => ({
  writePictures: recorder(calls).spy('writePictures', undefined, async () => ({
    ...{ folder: ['/pictures'], shards: ['0.tar'], parquet: ['0.parquet'] },
  })),
}));
vi.mock('../../scripts/bench/picture-source.js', () => ({
  measureSource: recorder(calls).spy('measureSource', undefined, async () => ({
    ...{
      train_images_per_second: 1,
      waiting: 0,
      peak_mb: 1,
      images_per_second: 1,
      sharp_images_per_second: 1,
    },
    of_sharp: 1,
  })),
}));
vi.mock('../../scripts/bench/archive.js', () => ({
  measureArchive: recorder(calls).spy('measureArchive', undefined, async () => ({})),
}));
vi.mock('../../scripts/bench/serve/child.js', async () =>
  (await import('./reach-bench.js')).servingProcess(calls),
);
vi.mock('../../scripts/bench/serve/load.js', async (original) =>
  (await import('./reach-bench.js')).load(await original(), calls),
);
vi.mock('../../scripts/bench/serve/soak.js', () => ({
  soakService: recorder(calls).spy('soakService', undefined, async (options: Options) => {
    console.log(JSON.stringify({ what: 'serve-soak', options }));
    return 0;
  }),
}));
vi.mock('../../scripts/bench/distributed/ranks.js', async () =>
  (await import('./reach-bench.js')).ranks(calls),
);
vi.mock('../../scripts/bench/distributed/namespaces.js', async () =>
  (await import('./reach-bench.js')).namespaces(calls),
);
vi.mock('node:child_process', async (original) => ({
  ...(await original<object>()),
  // Imported later: reach-bench.js needs this module itself.
  spawn: (...args: unknown[]) => spawn(calls)(...args),
}));

/** Options of every benchmark. */
const COMMON: Record<string, Case> = {
  json: { found: (ended) => json(ended)?.what !== undefined, expected: true },
  threads: { args: ['3'], found: () => arg('setNumThreads', 0), expected: 3 },
};
const turns: Case = { args: ['2'], found: () => arg('takeTurns', 1).turns, expected: 2 };
const budget: Case = { args: ['7'], found: () => arg('takeTurns', 1).budget, expected: 7 };
const noMemory: Case = { found: () => calls.has('peakMemoryOf'), expected: false };
const python: Case = { args: ['py'], found: () => arg('startPyTorch', 0), expected: 'py' };
/** The options of the static and of the dynamic convolution. */
const both = (key: string) => () => [arg('Conv2d', 3)[key], arg('DynamicConv2d', 3)[key]];

describe('bench.js layer', () => {
  const base = ['--batch', '1', '--in', '4', '--out', '4', '--size', '3'];
  testOptions({
    command: ['bench', 'layer'],
    base,
    calls,
    cases: {
      ...COMMON,
      batch: { args: ['2'], found: () => arg('randn', 0)[0], expected: 2 },
      in: { args: ['6'], found: () => [arg('Conv2d', 0), arg('DynamicConv2d', 0)], expected: [6, 6] },
      out: { args: ['6'], found: () => [arg('Conv2d', 1), arg('DynamicConv2d', 1)], expected: [6, 6] },
      size: { args: ['5'], found: () => [arg('randn', 0)[2], arg('randn', 0)[3]], expected: [5, 5] },
      kernel: { args: ['1'], found: () => [arg('Conv2d', 2), arg('DynamicConv2d', 2)], expected: [1, 1] },
      stride: { args: ['2'], found: both('stride'), expected: [2, 2] },
      groups: { args: ['2'], found: both('groups'), expected: [2, 2] },
      experts: { args: ['5'], found: () => arg('DynamicConv2d', 3).numExperts, expected: 5 },
      dtype: { args: ['float64'], found: both('dtype'), expected: ['float64', 'float64'] },
      device: { args: ['cuda'], found: () => arg('Conv2d', 3).device, expected: 'cuda' },
      'no-memory': noMemory,
      budget,
      turns,
      'peak-of': { args: ['auto'], found: () => count('printPeakMemory'), expected: 1 },
    },
  });
});

describe('bench.js model', () => {
  testOptions({
    command: ['bench', 'model'],
    base: ['--batch', '1', '--models', 'alexnet-dy'],
    calls,
    cases: {
      ...COMMON,
      models: { args: ['alexnet'], found: () => arg('models.create', 0), expected: 'alexnet' },
      batch: { args: ['2'], found: () => arg('randn', 0)[0], expected: 2 },
      dtypes: { args: ['bfloat16'], found: () => arg('to', 0).dtype, expected: 'bfloat16' },
      'image-size': { args: ['131'], found: () => arg('randn', 0)[2], expected: 131 },
      experts: { args: ['5'], found: () => arg('models.create', 1).numExperts, expected: 5 },
      device: { args: ['cuda'], found: () => arg('to', 0).device, expected: 'cuda' },
      'no-memory': noMemory,
      budget,
      turns,
      pytorch: { args: ['py'], found: () => arg('pytorchContestants', 0)?.python, expected: 'py' },
      'pytorch-modes': {
        with: ['--pytorch', 'py'],
        args: ['grouped'],
        found: () => arg('pytorchContestants', 0).modes,
        expected: ['grouped'],
      },
      'peak-of': { args: ['alexnet-dy'], found: () => count('printPeakMemory'), expected: 1 },
    },
  });
});

describe('bench.js program', () => {
  testOptions({
    command: ['bench', 'program'],
    base: ['--models', 'alexnet', '--batches', '1', '--turns', '1'],
    calls,
    cases: {
      ...COMMON,
      models: { args: ['resnet18'], found: () => arg('programContestants', 0), expected: 'resnet18' },
      batches: { args: ['3'], found: () => calls.get('programContestants')?.at(-1)?.[1], expected: 3 },
      onnxruntime: { args: ['ort'], found: () => arg('programContestants', 2), expected: 'ort' },
      bfloat16: { found: () => arg('programContestants', 3)?.bfloat16, expected: true },
      int8: { found: () => arg('programContestants', 3)?.int8, expected: true },
      'cpu-time': { found: () => arg('setNumThreads', 0), expected: 1 },
      turns: { args: ['2'], found: () => count('run'), expected: 2 * 3 }, // contestants, and one turn to warm up
    },
  });
});

describe('bench.js onnx', () => {
  testOptions({
    command: ['bench', 'onnx'],
    base: ['--batches', '1', '--turns', '1'],
    calls,
    cases: {
      ...COMMON,
      models: { args: ['resnet18'], found: () => arg('models.create', 0), expected: 'resnet18' },
      batches: { args: ['3'], found: () => calls.get('feedOf')?.at(-1)?.[0], expected: 3 },
      onnxruntime: { args: ['ort'], found: () => arg('requireOnnxruntime', 0), expected: 'ort' },
      int8: { found: () => arg('exportOnnx', 3, 1)?.precision, expected: 'int8' },
      'cpu-time': { found: () => arg('setNumThreads', 0), expected: 1 },
      turns: { args: ['2'], found: () => count('session.run'), expected: 2 * 3 }, // models, and one turn to warm up
    },
  });
});

describe('bench.js data', () => {
  testOptions({
    command: ['bench', 'data'],
    base: ['--images', '6'],
    calls,
    cases: {
      ...COMMON,
      batch: { args: ['3'], found: () => arg('data.loader', 1).batchSize, expected: 3 },
      images: { args: ['12'], found: () => arg('noiseSet', 0), expected: 12 },
      'no-archive': { found: () => calls.has('measureArchive'), expected: false },
      turns: { args: ['2'], found: () => count('epoch') / count('data.loader'), expected: 3 }, // and one to warm up
      pytorch: python,
    },
  });
});

describe('bench.js pictures', () => {
  const source = (key: string) => () => arg('measureSource', 0)[key];
  testOptions({
    command: ['bench', 'pictures'],
    calls,
    cases: {
      ...COMMON,
      sources: {
        args: ['shards,folder'],
        found: () =>
          (calls.get('measureSource') as [Options][]).map(([{ source, paths }]) => [source, paths]),
        expected: [
          ['shards', ['0.tar']],
          ['folder', ['/pictures']],
        ],
      },
      model: { args: ['alexnet'], found: source('model'), expected: 'alexnet' },
      images: {
        args: ['7'],
        found: () => [arg('writePictures', 1).images, arg('measureSource', 0).images],
        expected: [7, 7],
      },
      size: {
        args: ['9'],
        found: () => [arg('writePictures', 1).size, arg('measureSource', 0).size],
        expected: [9, 9],
      },
      'image-size': { args: ['8'], found: source('imageSize'), expected: 8 },
      batch: { args: ['3'], found: source('batch'), expected: 3 },
      turns: { args: ['2'], found: source('turns'), expected: 2 },
    },
  });
});

describe('bench.js data-soak', () => {
  testOptions({
    command: ['bench', 'data-soak'],
    base: ['--epochs', '8'],
    calls,
    cases: {
      ...COMMON,
      epochs: { args: ['4'], found: () => count('epoch') / count('data.loader'), expected: 4 },
      batch: { args: ['3'], found: () => arg('data.loader', 1).batchSize, expected: 3 },
      images: { args: ['12'], found: () => arg('noiseSet', 0), expected: 12 },
    },
  });
});

describe('bench.js overhead', () => {
  testOptions({ command: ['bench', 'overhead'], calls, cases: { ...COMMON, pytorch: python } });
});

describe('bench.js memory', () => {
  const tensors: Case = { args: ['3'], found: () => count('empty'), expected: 6 }; // two loops
  testOptions({
    command: ['bench', 'memory'],
    base: ['--tensors', '5'],
    calls,
    cases: { ...COMMON, tensors },
  });
});

describe('bench.js train', () => {
  testOptions({
    command: ['bench', 'train'],
    base: ['--turns', '1'],
    calls,
    cases: {
      ...COMMON,
      model: { args: ['alexnet'], found: () => arg('models.create', 0), expected: 'alexnet' },
      batch: { args: ['3'], found: () => arg('data.loader', 1).batchSize, expected: 3 },
      steps: { args: ['5'], found: () => count('step'), expected: 9 }, // three to warm up; one before checkpoints
      turns: { args: ['4'], found: () => count('saveCheckpoint'), expected: 6 }, // one to warm up, one before
    },
  });
});

describe('bench.js threads', () => {
  const spawned = () => (calls.get('spawn') ?? []) as [program: string, args: string[], options: Options][];
  const busy = () => spawned().filter(([, [first]]) => first === '-e').length;
  const counts = () => spawned().map(([, , { env }]) => (env as Options | undefined)?.GOMP_SPINCOUNT);
  testOptions({
    command: ['bench', 'threads'],
    base: ['--turns', '1'],
    calls,
    cases: {
      ...COMMON,
      model: { args: ['alexnet-dy'], found: () => spawned()[0]?.[1][1], expected: 'alexnet-dy' },
      busy: { args: ['3'], found: busy, expected: 3 },
      seconds: { args: ['4'], found: () => arg('ask', 0), expected: 'infer 1 4' },
      spin: { args: ['77'], found: () => counts().includes('77'), expected: true },
      turns: { args: ['2'], found: () => count('ask'), expected: 4 * 2 * 2 * 3 }, // policies, loads, measurements, turns
    },
  });
});

describe('bench.js serve', () => {
  const server = () => arg('startServer', 0);
  testOptions({
    command: ['bench', 'serve'],
    base: ['--turns', '1', '--seconds', '0.01'],
    calls,
    cases: {
      ...COMMON,
      model: {
        args: ['alexnet'],
        found: () => [server().model, arg('models.create', 0)],
        expected: ['alexnet', 'alexnet'],
      },
      clients: {
        args: ['7'],
        found: () => [arg('poster', 2), arg('closedLoop', 0, 1).clients],
        expected: [7, 7],
      },
      seconds: { args: ['3'], found: () => arg('closedLoop', 0, 1).seconds, expected: 3 },
      'max-batch': {
        args: ['9'],
        found: () => [server().maxBatch, (arg('createPool', 0).batching as Options).maxBatch],
        expected: [9, 9],
      },
      replicas: {
        args: ['2'],
        found: () => [server().replicas, arg('createPool', 0).replicas],
        expected: [2, 2],
      },
      onnxruntime: {
        args: ['folder'],
        found: () => arg('startServer', 0, 1)?.onnxruntime,
        expected: 'folder',
      },
      soak: { args: ['0.5'], found: () => arg('soakService', 0)?.soak, expected: 0.5 },
      turns: { args: ['3'], found: () => count('closedLoop'), expected: 2 + 3 * 3 + 4 },
    },
  });
});

describe('bench.js distributed', () => {
  const config = (call = 0) => arg('startRanks', 1, call);
  const trace = join(tmpdir(), `dyconv-trace-${process.pid}-`);
  afterAll(() => rmSync(`${trace}alexnet`, { force: true }));
  testOptions({
    command: ['bench', 'distributed'],
    base: ['--models', 'alexnet', '--turns', '1'],
    calls,
    cases: {
      json: COMMON.json!,
      models: { args: ['resnet18'], found: () => config().model, expected: 'resnet18' },
      batch: { args: ['3'], found: () => [config(0).batch, config(1).batch], expected: [6, 3] },
      'image-size': { args: ['32'], found: () => config().imageSize, expected: 32 },
      steps: { args: ['7'], found: () => arg('ask', 0), expected: 'train 7' },
      cost: { args: [], found: () => arg('ask', 0), expected: 'cost 0 5' },
      elements: {
        args: ['9'],
        found: () => calls.get('ask')?.some(([request]) => request === 'allreduce 9 5'),
        expected: true,
      },
      pytorch: { args: ['py'], found: () => arg('startReference', 0), expected: 'py' },
      trace: {
        args: [`${trace}{model}`],
        found: () =>
          existsSync(`${trace}alexnet`) &&
          JSON.parse(readFileSync(`${trace}alexnet`, 'utf8')).displayTimeUnit,
        expected: 'ms',
      },
      turns: { args: ['3'], found: () => count('ask'), expected: 4 * 4 + 1 }, // one to warm up; the trace
    },
  });
});

describe('bench.js network', () => {
  testOptions({
    command: ['bench', 'network'],
    base: ['--models', 'alexnet', '--hosts', '2', '--gbits', '1', '--delays', '1'],
    calls,
    cases: {
      json: COMMON.json!,
      models: { args: ['resnet18'], found: () => arg('startHosts', 1).model, expected: 'resnet18' },
      batch: { args: ['3'], found: () => arg('startHosts', 1).batch, expected: 3 },
      'image-size': { args: ['32'], found: () => arg('startHosts', 1).imageSize, expected: 32 },
      hosts: { args: ['4'], found: () => arg('withNetwork', 0, 1)?.hosts, expected: 4 },
      gbits: { args: ['10'], found: () => arg('withNetwork', 0, 1)?.gbits, expected: 10 },
      delays: { args: ['5'], found: () => arg('withNetwork', 0, 1)?.delayMs, expected: 5 },
      python: { args: ['py'], found: () => arg('withNetwork', 0).python, expected: 'py' },
    },
  });
});

it('has tests for every benchmark', async () => {
  const { commands } = await commandOf('bench');
  const tested = [
    ...['layer', 'model', 'program', 'data', 'data-soak', 'overhead', 'memory', 'train', 'threads'],
    ...['serve', 'distributed', 'network', 'pictures', 'onnx'],
  ];
  expect(tested.sort()).toEqual(commands.map((command) => command.name()).sort());
});
