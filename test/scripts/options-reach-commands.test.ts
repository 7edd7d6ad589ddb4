/** Every option of the commands other than train.js and bench.js reaches what it configures. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { type Calls, type Case, json, type Options, recorder, testOptions } from './reach.js';
import { folder, root } from './support.js';

const calls: Calls = vi.hoisted(() => new Map());

vi.mock('../../dist/index.js', async (original) => {
  const { createDataset } = await import(new URL('../../dist/data/dataset.js', import.meta.url).href);
  return (await import('./reach-library.js')).library(await original(), createDataset, calls);
});
vi.mock('../../dist/files/atomic.js', async (original) => {
  const real = await original<{ saveFile: unknown }>();
  return {
    ...real,
    saveFile: recorder(calls).spy('saveFile', real.saveFile, async () => {}),
  };
});
vi.mock('../../dist/report/write.js', async (original) => {
  const compared = { rows: ['row'], findings: [], toMarkdown: () => '| markdown |', toString: () => 'table' };
  return {
    ...(await original<object>()),
    compare: recorder(calls).spy('compare', undefined, async () => compared),
  };
});
vi.mock('../../scripts/cli/onnxruntime.js', () => ({
  requireOnnxruntime: recorder(calls).spy('requireOnnxruntime', undefined, () => ({})),
  findOnnxruntime: recorder(calls).spy('findOnnxruntime', undefined, () => ({
    InferenceSession: { create: async () => ({ run: async () => ({}), release: async () => {} }) },
    env: { versions: {} },
  })),
  feedOf: () => ({}),
}));
vi.mock('../../dist/install/doctor.js', () => ({
  diagnose: () => [{ name: 'node', status: 'ok', detail: 'there' }],
  isHealthy: () => true,
}));
vi.mock('../../dist/install/libtorch.js', () => ({ ensureLibtorch: async () => ({ dir: '/libtorch' }) }));
vi.mock('../../dist/install/setup.js', () => ({
  setup: recorder(calls).spy('setup', undefined, async () => {}),
}));

const arg = (name: string, position: number, call = 0) => calls.get(name)?.[call]?.[position] as Options;
const first = (name: string) => calls.get(name)?.[0]?.[0];
const printsJson: Case = { found: (ended) => json(ended) !== undefined, expected: true };
const photo = join(folder, 'photo.png');
const page = join(folder, 'page.html');
writeFileSync(page, '');

const dataMirror: Case = {
  args: ['http://one'],
  found: () => arg('data.create', 1).mirrors,
  expected: ['http://one'],
};

const EVALUATE: Record<string, Case> = {
  run: { args: ['runs/other'], found: () => first('RunDirectory.open'), expected: 'runs/other' },
  checkpoint: { args: ['last'], found: () => arg('loadClassifier', 1).checkpoint, expected: 'last' },
  'data-dir': { args: ['elsewhere'], found: () => arg('data.create', 1).root, expected: 'elsewhere' },
  'limit-test': { args: ['5'], found: () => arg('data.loader', 1).limit, expected: 5 },
  device: {
    args: ['cuda:1'],
    found: () => [arg('loadClassifier', 1).device, arg('data.loader', 1).device],
    expected: ['cuda:1', 'cuda:1'],
  },
  threads: { args: ['3'], found: () => first('setNumThreads'), expected: 3 },
  'no-download': { found: () => arg('data.create', 1).download, expected: false },
  'data-mirror': dataMirror,
  'no-verify': { found: () => arg('data.create', 1).verify, expected: false },
  'skip-unreadable': { found: () => arg('data.create', 1).unreadable, expected: 'skip' },
  'collapse-experts': {
    with: ['--json'],
    found: (ended) => (json(ended)?.collapsed as Options | undefined)?.accuracy,
    expected: 0.5,
  },
  json: printsJson,
};

const PREDICT: Record<string, Case> = {
  run: { args: ['runs/other'], found: () => first('loadClassifier'), expected: 'runs/other' },
  checkpoint: { args: ['last'], found: () => arg('loadClassifier', 1).checkpoint, expected: 'last' },
  top: { args: ['2'], found: ({ stdout }) => stdout.split('%').length - 1, expected: 2 },
  device: { args: ['cuda:1'], found: () => arg('loadClassifier', 1).device, expected: 'cuda:1' },
  json: printsJson,
};

const EXPORT: Record<string, Case> = {
  run: { args: ['runs/other'], found: () => first('loadClassifier'), expected: 'runs/other' },
  checkpoint: { args: ['last'], found: () => arg('loadClassifier', 1).checkpoint, expected: 'last' },
  format: { args: ['safetensors'], found: () => first('saveSafetensors'), expected: 'net' },
  out: { args: ['other'], found: () => arg('exportOnnx', 2), expected: 'other' },
  opset: { args: ['21'], found: () => arg('exportOnnx', 3).opset, expected: 21 },
  precision: { args: ['float16'], found: () => arg('exportOnnx', 3).precision, expected: 'float16' },
  calibration: {
    with: ['--precision', 'int8'],
    args: ['9'],
    found: () => (first('data.loader') as { length: number }).length,
    expected: 9,
  },
  percentile: {
    with: ['--precision', 'int8'],
    args: ['99.9'],
    found: () => arg('exportOnnx', 3).percentile,
    expected: 99.9,
  },
  'dynamic-size': { found: () => arg('exportOnnx', 3).dynamicSize, expected: true },
  attention: { found: () => arg('exportOnnx', 3).attention, expected: true },
  force: { with: ['--out', page], found: () => arg('exportOnnx', 2), expected: page },
  'no-check': { found: () => calls.has('data.loader'), expected: false },
  'check-images': { args: ['7'], found: () => arg('data.loader', 1).limit, expected: 7 },
  onnxruntime: {
    args: ['ort'],
    found: () => [first('requireOnnxruntime'), first('findOnnxruntime')],
    expected: ['ort', 'ort'],
  },
  'data-dir': { args: ['elsewhere'], found: () => arg('data.create', 1).root, expected: 'elsewhere' },
  'no-download': { found: () => arg('data.create', 1).download, expected: false },
  'data-mirror': dataMirror,
  'no-verify': { found: () => arg('data.create', 1).verify, expected: false },
  'skip-unreadable': { found: () => arg('data.create', 1).unreadable, expected: 'skip' },
  json: printsJson,
};

const COMPARE: Record<string, Case> = {
  out: { args: ['new.html'], found: () => arg('compare', 1).out, expected: 'new.html' },
  force: { with: ['--out', page], found: () => arg('compare', 1)?.out, expected: page },
  title: { args: ['Both'], found: () => arg('compare', 1).title, expected: 'Both' },
  markdown: { found: ({ stdout }) => stdout, expected: '| markdown |\n' },
  json: printsJson,
};

const SUMMARY: Record<string, Case> = {
  model: { args: ['alexnet'], found: () => first('models.create'), expected: 'alexnet' },
  input: {
    args: ['2,3,64,96'],
    found: () => calls.get('report.summary')?.[0]?.[1],
    expected: [2, 3, 64, 96],
  },
  'num-classes': { args: ['7'], found: () => arg('models.create', 1).numClasses, expected: 7 },
  'num-experts': { args: ['5'], found: () => arg('models.create', 1).numExperts, expected: 5 },
  'model-options': {
    with: ['--model', 'mobilenet_v2'],
    args: ['{"widthMult":0.5}'],
    found: () => arg('models.create', 1).widthMult,
    expected: 0.5,
  },
  paper: { found: () => first('models.create'), expected: 'mobilenet_v2' },
  json: printsJson,
};

const grid = ['--grid', join(folder, 'grid.png')];
const existingGrid = join(folder, 'existing.png');
writeFileSync(existingGrid, '');
const DATA: Record<string, Case> = {
  dataset: { args: ['mnist'], found: () => first('data.create'), expected: 'mnist' },
  'data-dir': {
    with: ['--dataset', 'mnist'],
    args: ['elsewhere'],
    found: () => arg('data.create', 1).root,
    expected: 'elsewhere',
  },
  split: { args: ['test'], found: () => arg('data.create', 1).split, expected: 'test' },
  download: { found: () => arg('data.create', 1).download, expected: true },
  'data-mirror': dataMirror,
  'no-verify': { found: () => arg('data.create', 1).verify, expected: false },
  'skip-unreadable': { found: () => arg('data.create', 1).unreadable, expected: 'skip' },
  grid: { args: ['grid.png'], found: () => first('saveFile'), expected: 'grid.png' },
  force: {
    with: ['--grid', existingGrid],
    found: () => first('saveFile'),
    expected: existingGrid,
  },
  transform: {
    with: grid,
    args: ['pad-crop'],
    found: () => (arg('data.grid', 1).transform as Options).kind,
    expected: 'pad-crop',
  },
  rows: { with: grid, args: ['3'], found: () => arg('data.grid', 1).rows, expected: 3 },
  columns: { with: grid, args: ['4'], found: () => arg('data.grid', 1).columns, expected: 4 },
  seed: { with: grid, args: ['9'], found: () => arg('data.grid', 1).seed, expected: 9 },
  json: printsJson,
};

describe('evaluate.js', () =>
  testOptions({ command: ['evaluate'], base: ['--run', 'runs/one'], calls, cases: EVALUATE }));
describe('predict.js', () =>
  testOptions({ command: ['predict'], base: [photo, '--run', 'runs/one'], calls, cases: PREDICT }));
describe('export.js', () =>
  testOptions({
    command: ['export'],
    base: ['--run', 'runs/one', '--out', 'net'],
    calls,
    cases: EXPORT,
  }));
describe('compare.js', () =>
  testOptions({ command: ['compare'], base: ['runs/one', 'runs/two'], calls, cases: COMPARE }));
describe('summary.js', () => testOptions({ command: ['summary'], calls, cases: SUMMARY }));
describe('data.js', () => testOptions({ command: ['data'], calls, cases: DATA }));
describe('doctor.js', () => testOptions({ command: ['doctor'], calls, cases: { json: printsJson } }));
describe('libtorch.js', () => testOptions({ command: ['libtorch'], calls, cases: { json: printsJson } }));
describe('install.js', () =>
  testOptions({
    command: ['setup'],
    script: 'install',
    calls,
    cases: {
      'from-source': { found: () => arg('setup', 0).fromSource, expected: true },
      jobs: { args: ['3'], found: () => arg('setup', 0).jobs, expected: 3 },
    },
  }));

it('has tests for every command', async () => {
  const { COMMANDS } = (await import(join(root, 'scripts/cli/commands.js'))) as { COMMANDS: object };
  const tested = [
    'train',
    'demo',
    'reproduce',
    'bench',
    'evaluate',
    'predict',
    'export',
    'compare',
    'summary',
    'data',
    'doctor',
  ];
  // The options of launch: test/distributed/launch.test.ts; of gpu-check: test/gpu-check/options.test.ts.
  expect([...tested, 'libtorch', 'setup', 'launch', 'gpu-check'].sort()).toEqual(
    Object.keys(COMMANDS).sort(),
  );
});
