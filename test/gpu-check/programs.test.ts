/** The programs that the parts of `gpu-check` run, as far as they run without a GPU, and what is read from their output. */
import { spawnSync } from 'node:child_process';
import { createWriteStream, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import sharp from 'sharp';
import tar from 'tar-stream';
import { describe, expect, it } from 'vitest';
import { cuda, data } from '../../lib/index.js';
import { readCudaTunings } from '../../lib/ops/cuda-tuning.js';
import { temporaryFolder, writeTree } from '../install/support.js';
import { root } from '../scripts/support.js';
import { hasModule, python } from '../support/python.js';
import { load, machine } from './support.js';

const { PARTS } = (await load('parts')) as { PARTS: Part[] };
const { readSuite, suiteFailure } = await load('suite');
const { ONCE } = (await load('sizes')) as { ONCE: Problem[] };
const { disagreements, shortest, tableOf } = await load('tuning-table');

type Figures = Record<string, unknown>;
interface Part {
  name: string;
  value: number;
  seconds: number;
  most: number;
  needs: string[];
  commands: (context: object) => { file: string; args: string[] }[];
  problem?: (context: object) => string | undefined;
  read?: (lines: Figures[], context: object) => Figures | Promise<Figures>;
  failure?: (figures: Figures) => string | undefined;
}
interface Problem {
  out: number;
  in: number;
  size: number;
  kernel: number;
  experts: number;
}
interface Row {
  dtype: string;
  problem: { experts: number };
  auto: string;
  ms: Record<string, { infer: number; train: number }>;
}

function program(name: string, ...words: string[]) {
  const child = spawnSync(process.execPath, [join(root, 'scripts', 'gpu-check', name), ...words], {
    encoding: 'utf8',
  });
  const lines = child.stdout.split('\n').filter((line) => line.startsWith('{'));
  return { status: child.status, stderr: child.stderr, lines: lines.map((line) => JSON.parse(line)) };
}

const find = (name: string) => PARTS.find((part) => part.name === name)!;
const context = (more: object = {}) => ({
  ...{ machine, out: '/out', folder: '/out/part', dataDir: '/data', seconds: 100, figures: {} },
  ...more,
});
const wordsOf = (name: string, more?: object) =>
  find(name)
    .commands(context(more))
    .map(({ file, args }) => [file, ...args].join(' '));

/** Elements that a thread of mix.cu takes, as `Width` there. @param bytes - Of an element. */
function widthOf({ out, size }: Problem, bytes: number, channelsLast: boolean, backward: boolean): number {
  if (!channelsLast) return (size * size) % (16 / bytes) === 0 ? 16 / bytes : 1;
  const fits = (n: number) => out % n === 0 && (!backward || out / n >= 32);
  return [4, 2].find(fits) ?? 1;
}

describe('the problems for compute-sanitizer', () => {
  it.each([4, 2])('have every form of the kernels for elements of %i bytes', (bytes) => {
    const formsOf = (channelsLast: boolean, backward: boolean) =>
      new Set(
        ONCE.map((problem) => {
          const width = widthOf(problem, bytes, channelsLast, backward);
          return backward ? `${width} x ${problem.experts <= 2 ? 2 : 4}` : `${width}`;
        }),
      );
    const all = (channelsLast: boolean) => (channelsLast ? [1, 2, 4] : [1, 16 / bytes]);
    for (const channelsLast of [false, true]) {
      expect(formsOf(channelsLast, false)).toEqual(new Set(all(channelsLast).map(String)));
      const both = all(channelsLast).flatMap((width) => [2, 4].map((chunk) => `${width} x ${chunk}`));
      expect(formsOf(channelsLast, true)).toEqual(new Set(both));
    }
    // 16 bytes of weights at a time, in float32 always.
    const wide = ONCE.map(({ in: channels, kernel }) => (channels * kernel ** 2) % (16 / bytes) === 0);
    expect(wide).toContain(true);
    if (bytes === 2) expect(wide).toContain(false);
  });
});

describe('kernels.js', () => {
  it.skipIf(cuda.isAvailable()).each(['kernels.js', 'tune.js'])('%s needs kernels to check', (name) => {
    const { status, stderr, lines } = program(name, ...(name === 'tune.js' ? ['--out', 'none.json'] : []));
    expect(status).toBe(1);
    expect(stderr).toMatch(/^error: The CUDA kernels cannot run: .+\n$/);
    expect(lines).toEqual([]);
  });

  it('compares kernels with float64', () => {
    const { status, stderr, lines } = program('kernels.js', '--cpu', '--once');
    expect(status, stderr).toBe(0);
    const found = lines.map(({ kernel, dtype }) => `${kernel} ${dtype}`);
    expect(found).toEqual([
      ...['routing float32', 'mix-after float32', 'mix-after bfloat16', 'mix-after float16'],
      ...['augment float32', 'augment bfloat16'],
    ]);
    for (const { worst, allowed, cases } of lines) {
      expect(worst).toBeLessThanOrEqual(allowed);
      expect(cases).toBeGreaterThan(0);
    }
    // Rounding is there: nothing was compared with itself.
    expect(lines.find(({ dtype }) => dtype === 'bfloat16').worst).toBeGreaterThan(1e-4);
  });

  it('is read, and a deviation that is too large or not a number fails', async () => {
    const { read, failure } = find('kernels');
    const row = { kernel: 'mix-cuda', dtype: 'float32', worst: 1e-6, allowed: 2e-5, cases: 5 };
    const failureOf = async (...rows: object[]) => failure!(await read!(rows as Figures[], context()));
    expect(await failureOf(row)).toBeUndefined();
    expect(await failureOf(row, { ...row, worst: 1 })).toBe('too far from float64: mix-cuda float32');
    expect(await failureOf({ ...row, worst: null })).toMatch(/too far/);
    expect(await failureOf()).toBe('no kernel was compared');
  });
});

const problem = { batch: 128, in: 192, out: 192, size: 7, kernel: 3, stride: 1, groups: 1, experts: 2 };
const row = (experts: number, auto: string, mix: number, fused: number): Row => ({
  ...{ dtype: 'float32', problem: { ...problem, experts }, auto },
  ms: { 'mix-cuda': { infer: mix, train: 3 * mix }, 'fused-cuda': { infer: fused, train: 3 * fused } },
});
const about = { gpu: 'NVIDIA H200', capability: '9.0', driver: '580', libtorch: '2.14.0', dyconv: '0.1.0' };

describe('the table of measured algorithms', () => {
  const splits = { mixForwardBlocks: 1024, mixBackwardPixels: 512 };

  it('lists where auto is slower', () => {
    const { rows } = tableOf(about, splits, [row(2, 'mix-cuda', 1, 2), row(16, 'mix-cuda', 3, 2)]);
    expect(disagreements(rows)).toEqual(
      ['infer', 'train'].map((what) => ({
        ...{
          dtype: 'float32',
          what,
          problem: '128 x 192 x 192 x 7 x 16',
          auto: 'mix-cuda',
          fastest: 'fused-cuda',
        },
        factor: '1.50',
      })),
    );
    expect(disagreements([row(2, 'mix-cuda', 1.04, 1)])).toEqual([]);
  });

  it('has the splits whose times are the shortest on the whole', () => {
    const measured = [
      { value: 512, ms: [1, 100] },
      { value: 128, ms: [0.5, 110] },
      { value: 2048, ms: [2, 90] },
    ];
    expect(shortest(measured)).toBe(128);
    expect(shortest(measured.slice(0, 1))).toBe(512);
    expect(() => shortest([])).toThrow();
  });

  it('is written by tune.js, and can be loaded', () => {
    const file = join(temporaryFolder(), 'cuda-tuning.json');
    const { status, stderr, lines } = program('tune.js', '--cpu', '--out', file);
    expect(status, stderr).toBe(0);
    const [{ rows, splits: written }] = readCudaTunings(file) as [ReturnType<typeof readCudaTunings>[0]];
    expect(written).toEqual(splits);
    expect(rows.map((one) => one.problem.experts)).toEqual([2, 4]);
    expect(lines.at(-1)).toEqual({ splits, rows: 2, slower: disagreements(rows) });
    for (const { ms } of rows) expect(ms['mix-after']!.train).toBeGreaterThan(0);
  });
});

it('images.js makes an archive that data.cifar10 reads', async () => {
  const folder = temporaryFolder();
  const pack = tar.pack();
  const written = pipeline(pack, createGzip(), createWriteStream(join(folder, 'pictures.tar.gz')));
  const picture = (red: number) =>
    sharp({ create: { width: 32, height: 32, channels: 3, background: { r: red, g: 0, b: 90 } } })
      .jpeg()
      .toBuffer();
  for (let i = 0; i < 10; i++)
    pack.entry({ name: `train/${i % 2 ? 'cat' : 'ship'}/${i}.jpg` }, await picture(20 * i));
  for (let i = 0; i < 2; i++) pack.entry({ name: `test/frog/${i}.jpg` }, await picture(200));
  pack.finalize();
  await written;
  const { status, stderr, lines } = program('images.js', join(folder, 'pictures.tar.gz'), folder);
  expect(status, stderr).toBe(0);
  expect(lines).toEqual([{ train: 10, test: 2, file: join(folder, 'cifar-10-binary.tar.gz') }]);
  const set = await data.cifar10({ root: folder, split: 'train', verify: false });
  expect(set.classes[3]).toBe('cat');
  for (let i = 0; i < 10; i++) {
    // The label says whether the number of the picture, and with it its red, is odd.
    const number = Math.round(set.images[i * 3072]! / 20);
    expect(set.labels[i]).toBe(number % 2 ? 3 : 8);
    expect(Math.abs(set.images[i * 3072 + 2048]! - 90)).toBeLessThan(6);
  }
  const tests = await data.cifar10({ root: folder, split: 'test', verify: false });
  expect([...tests.labels]).toEqual([6, 6]);
});

describe('the report of the suite', () => {
  const report = (tests: object[], more: object = {}) => {
    const file = join(temporaryFolder(), 'suite.json');
    writeFileSync(
      file,
      JSON.stringify({ testResults: [{ name: 'file', status: 'passed', assertionResults: tests, ...more }] }),
    );
    return suiteFailure(readSuite(file));
  };
  const passed = { status: 'passed', fullName: 'adds' };

  it('fails for tests that fail, that did not use the device, and that did not run', () => {
    expect(report([passed, { status: 'skipped', fullName: 'without a device says so' }])).toBeUndefined();
    expect(report([passed, { status: 'failed', fullName: 'sums' }])).toBe('1 tests failed: sums');
    expect(
      report([passed, { status: 'skipped', fullName: 'devices (skipped: no CUDA device) counts' }]),
    ).toMatch(/did not use the device/);
    expect(report([], { status: 'failed', message: 'no such module' })).toBe('1 tests failed: file');
    expect(suiteFailure(readSuite('/nonexistent'))).toBe('no test passed');
  });
});

describe('the parts', () => {
  it('have different names and values, and need parts before them', () => {
    expect(new Set(PARTS.map(({ name }) => name)).size).toBe(PARTS.length);
    expect(PARTS.map(({ value }) => value).sort((a, b) => a - b)).toEqual(PARTS.map((_, i) => i + 1));
    for (const [i, { needs, seconds, most }] of PARTS.entries()) {
      for (const need of needs) expect(PARTS.slice(0, i).map(({ name }) => name)).toContain(need);
      expect(most).toBeGreaterThanOrEqual(seconds);
    }
  });

  it('train as many epochs as the measured speed allows, with the schedule of the article', () => {
    const times = { 'alexnet:amp:graph': { train_ms: 2, infer_ms: 1 } };
    const dataDir = writeTree(temporaryFolder(), { 'cifar-10-binary.tar.gz': '' });
    const [line] = wordsOf('train-alexnet', { dataDir, seconds: 90, figures: { model: { times } } });
    // 75 s for epochs of 0.5 + 1.5 (50,000 x 2 + 10,000) / 128,000 s
    expect(line).toMatch(
      /--epochs 41 --milestones 12,25,37 --temperature-epochs 4 --capture --autocast bfloat16/,
    );
    expect(wordsOf('train-alexnet', { dataDir, seconds: 10_000 })[0]).toContain(
      '--epochs 100 --milestones 30,60,90 ',
    );
    expect(wordsOf('train-alexnet', { dataDir, seconds: 5 })[0]).toContain('--epochs 1 --milestones  ');
    const out = writeTree(temporaryFolder(), { 'runs/alexnet/config.json': '{}' });
    expect(wordsOf('train-alexnet', { dataDir, out })[0]).toMatch(/train\.js --resume --out /);
  });

  it('convert pictures only where there is no archive', () => {
    const pictures = writeTree(temporaryFolder(), { 'cifar10-jpeg.tar.gz': '' });
    expect(wordsOf('images', { dataDir: pictures })[0]).toMatch(/images\.js .*cifar10-jpeg\.tar\.gz/);
    expect(wordsOf('images', { dataDir: writeTree(pictures, { 'cifar-10-python.tar.gz': '' }) })).toEqual([]);
    expect(find('images').problem!(context({ dataDir: temporaryFolder() }))).toMatch(/has neither/);
  });

  it('run the sanitizer over the kernels of this package', () => {
    expect(wordsOf('racecheck')[0]).toMatch(
      /compute-sanitizer --tool racecheck --kernel-name kernel_substring=dyconv --error-exitcode 9 .*kernels\.js --once$/,
    );
  });

  it('read the times of several processes', async () => {
    const lines = ['float32', 'bfloat16'].map((dtype) => ({
      dtype,
      results: { auto: { infer_ms: 1, train_ms: 2 } },
    }));
    expect(await find('layer').read!(lines, context())).toEqual({
      times: { 'auto float32': { infer_ms: 1, train_ms: 2 }, 'auto bfloat16': { infer_ms: 1, train_ms: 2 } },
      skipped: {},
    });
    expect(find('layer').failure!({ times: {} })).toBe('nothing was measured');
  });

  it('fail for a network of this package that failed, not for a mode of PyTorch', async () => {
    const { read, failure } = find('model');
    const results = { alexnet: { infer_ms: 1, train_ms: 2 } };
    const failureOf = async (skipped: object) => failure!(await read!([{ results, skipped }], context()));
    expect(await failureOf({ 'pytorch:static:graph': 'no graph' })).toBeUndefined();
    expect(await failureOf({ 'alexnet:graph': 'cannot be captured' })).toBe(
      'alexnet:graph: cannot be captured',
    );
  });
});

const hasTorch = hasModule('torch');
describe.skipIf(!hasTorch)(`pytorch_reference.py${hasTorch ? '' : ' (skipped: Python has no torch)'}`, () => {
  const script = join(root, 'scripts', 'bench', 'pytorch_reference.py');
  const ask = (modes: string, input: string) =>
    spawnSync(python, [script, '--batch', '2', '--threads', '1', '--modes', modes], {
      encoding: 'utf8',
      input,
    });

  it('runs networks with options', () => {
    const modes = ['static:channels-last', 'static:bfloat16', 'mix-after:amp:channels-last'];
    const { stdout, stderr } = ask(
      modes.join(','),
      modes.map((mode) => `train ${mode}\ninfer ${mode}\n`).join(''),
    );
    const times = stdout.trim().split('\n').slice(1).map(Number);
    expect(times, stderr).toHaveLength(6);
    for (const time of times) expect(time).toBeGreaterThan(0);
  });

  it('refuses options that it does not have, and graphs without a GPU', () => {
    expect(ask('static:fast', '').stderr).toMatch(
      /expected options of .* for static but received \['fast'\]/,
    );
    expect(ask('static:graph', '').stderr).toMatch(
      /expected a CUDA device for static:graph but received cpu/,
    );
  });
});
