/** Tables of measured dynamic convolutions on GPUs: their checks, where they come from, and the choice, which is C++ that needs no GPU. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeEach, describe, expect, it } from 'vitest';
import { cuda, dynamicConv2d, type functional as F, ones } from '../../lib/index.js';
import { native } from '../../lib/native/index.js';
import { REVIEWED_TABLES, readCudaTunings, TUNED_ALGORITHMS } from '../../lib/ops/cuda-tuning.js';
import { temporaryFolder, writeTree } from '../install/support.js';
import { root } from '../scripts/support.js';

type Problem = F.CudaTuningProblem;
type Row = F.CudaTuningRow;

const DTYPES = ['float32', 'bfloat16', 'float16'] as const;
const about = { gpu: 'NVIDIA H200', capability: '9.0', driver: '580', libtorch: '2.14.1', dyconv: '0.1.0' };
const problem: Problem = {
  batch: 128,
  in: 192,
  out: 192,
  size: 7,
  kernel: 3,
  stride: 1,
  groups: 1,
  experts: 2,
};
const both = (ms: number) => ({ infer: ms, train: ms });
const row = (ms: Row['ms'], sizes: Partial<Problem> = {}, dtype: Row['dtype'] = 'float32'): Row => ({
  ...{ dtype, problem: { ...problem, ...sizes }, ms },
});
const table = (rows: Row[], more: object = {}): F.CudaTuning => ({ format: 1, about, rows, ...more });

/** What the add-on has for a problem. */
function ranking(
  sizes: Partial<Problem & { height: number; width: number; dilation: number }> = {},
  {
    dtype = 'float32',
    training = false,
    gpu = about.gpu,
    capability = about.capability,
  }: { dtype?: Row['dtype']; training?: boolean; gpu?: string; capability?: string } = {},
) {
  const all = { ...problem, dilation: 1, ...sizes };
  const { batch, in: channels, out, size, height = size, width = size } = all;
  const { kernel, stride, groups, experts, dilation } = all;
  const numbers = [batch, channels, out, height, width, kernel, stride, groups, experts, dilation];
  return native.cudaTuningRanking(gpu, capability, DTYPES.indexOf(dtype), numbers, training);
}

beforeEach(() => dynamicConv2d.setCudaTuning([]));

describe('the choice', () => {
  it('orders the algorithms of the nearest row by the time of the step', () => {
    dynamicConv2d.setCudaTuning([
      table([
        row({
          'mix-cuda': { infer: 1, train: 4 },
          'fused-cuda': { infer: 2, train: 3 },
          'mix-after': both(9),
        }),
        row({ 'fused-cuda': both(1), 'mix-once': both(2) }, { experts: 16 }),
      ]),
    ]);
    expect(ranking()).toEqual(['mix-cuda', 'fused-cuda', 'mix-after']);
    expect(ranking({}, { training: true })).toEqual(['fused-cuda', 'mix-cuda', 'mix-after']);
    expect(ranking({ experts: 5 })[0]).toBe('mix-cuda');
    expect(ranking({ experts: 6 })).toEqual(['fused-cuda', 'mix-once']);
  });

  it('needs a row of the same dtype, kernel, stride, groups and without dilation', () => {
    dynamicConv2d.setCudaTuning([table([row({ 'mix-cuda': both(1) })])]);
    expect(ranking()).toEqual(['mix-cuda']);
    for (const other of [{ kernel: 5 }, { stride: 2 }, { groups: 2 }, { dilation: 2 }])
      expect(ranking(other), JSON.stringify(other)).toEqual([]);
    expect(ranking({}, { dtype: 'bfloat16' })).toEqual([]);
  });

  it('needs a row whose sizes differ by a factor of at most 16 in all', () => {
    dynamicConv2d.setCudaTuning([table([row({ 'mix-cuda': both(1) })])]);
    for (const near of [{ batch: 8 }, { batch: 2048 }, { batch: 32, experts: 8 }, { size: 112 }])
      expect(ranking(near), JSON.stringify(near)).toEqual(['mix-cuda']);
    for (const far of [{ batch: 7 }, { batch: 2049 }, { batch: 32, experts: 9 }, { batch: 0 }, { size: 0 }])
      expect(ranking(far), JSON.stringify(far)).toEqual([]);
    // The size of an image that is not square is that of a square with as many pixels.
    expect(ranking({ height: 49 * 256, width: 1 })).toEqual(['mix-cuda']);
    expect(ranking({ height: 49 * 257, width: 1 })).toEqual([]);
  });

  it('agrees with a search through all rows', () => {
    let seed = 1;
    const next = (count: number) => {
      seed = (seed * 48271) % 2147483647;
      return seed % count;
    };
    const sizes = (): Problem => ({
      ...{ batch: 1 + next(300), in: 1 + next(600), out: 1 + next(600), size: 1 + next(60) },
      ...{ kernel: 1 + 2 * next(2), stride: 1 + next(2), groups: 1, experts: 1 + next(40) },
    });
    const rows = Array.from({ length: 300 }, () => {
      const names = TUNED_ALGORITHMS.filter((_, i) => i === 2 || next(3) > 0);
      const ms = names.map((name) => [name, { infer: 1 + next(1000), train: 1 + next(1000) }]);
      return row(Object.fromEntries(ms), sizes(), DTYPES[next(3)]!);
    });
    dynamicConv2d.setCudaTuning([table(rows)]);
    let found = 0;
    for (let n = 0; n < 500; n++) {
      const [wanted, dtype, step] = [sizes(), DTYPES[next(3)]!, next(2) ? 'train' : 'infer'] as const;
      const factor = ({ problem: p }: Row) =>
        (['batch', 'in', 'out', 'size', 'experts'] as const).reduce(
          (product, key) => product * Math.max(p[key] / wanted[key], wanted[key] / p[key]),
          1,
        );
      const comparable = rows
        .filter(
          (r) =>
            r.dtype === dtype && r.problem.kernel === wanted.kernel && r.problem.stride === wanted.stride,
        )
        .map((r) => ({ r, f: factor(r) }))
        .sort((a, b) => a.f - b.f);
      const [nearest] = comparable;
      const expected =
        nearest && nearest.f <= 16
          ? TUNED_ALGORITHMS.filter((name) => nearest.r.ms[name]).sort(
              (a, b) => nearest.r.ms[a]![step] - nearest.r.ms[b]![step],
            )
          : [];
      found += expected.length > 0 ? 1 : 0;
      expect(ranking(wanted, { dtype, training: step === 'train' }), JSON.stringify(wanted)).toEqual(
        expected,
      );
    }
    expect(found).toBeGreaterThan(100);
    expect(found).toBeLessThan(500);
  });

  it('takes the table of the GPU, then one of the same compute capability', () => {
    const other = { ...about, gpu: 'NVIDIA H100 80GB HBM3' };
    dynamicConv2d.setCudaTuning([
      table([row({ 'mix-cuda': both(1) })]),
      { ...table([row({ 'fused-cuda': both(1) })]), about: other },
    ]);
    expect(ranking()).toEqual(['mix-cuda']);
    expect(ranking({}, { gpu: other.gpu })).toEqual(['fused-cuda']);
    expect(ranking({}, { gpu: 'NVIDIA GH200' })).toEqual(['mix-cuda']);
    expect(ranking({}, { gpu: 'NVIDIA A100', capability: '8.0' })).toEqual([]);
    dynamicConv2d.setCudaTuning([]);
    expect(ranking()).toEqual([]);
  });
});

describe('the tables', () => {
  it.each<[string, unknown, string]>([
    ['no array', 5, 'Expected an array of tables for tables but received 5'],
    ['no table', [null], 'Expected a table for tables[0]'],
    ['another format', [{ ...table([]), format: 2 }], 'Expected 1 for tables[0].format but received 2'],
    ['no GPU', [{ ...table([]), about: {} }], 'Expected a string for tables[0].about.gpu'],
    ['no rows', [{ format: 1, about }], 'Expected an array for tables[0].rows'],
    [
      'a wrong dtype',
      [table([row({}, {}, 'float64' as never)])],
      "Expected 'float32' or 'bfloat16' or 'float16' for tables[0].rows[0].dtype but received 'float64'",
    ],
    [
      'a wrong size',
      [table([row({ 'mix-cuda': both(1) }, { batch: 0 })])],
      'Expected an integer of at least 1 for tables[0].rows[0].problem.batch but received 0',
    ],
    [
      'a wrong time',
      [table([row({ 'mix-cuda': both(1) }), row({ 'mix-cuda': { infer: 1, train: Number.NaN } })])],
      'Expected a positive number for tables[0].rows[1].ms.mix-cuda.train but received NaN',
    ],
    [
      'an unknown algorithm',
      [table([row({ fused: both(1) } as never)])],
      'Expected times of mix-once, fused-cuda, mix-cuda, mix-after only for tables[0].rows[0].ms.fused',
    ],
    ['no times', [table([row({})])], 'mix-after: at least one for tables[0].rows[0].ms but received'],
    [
      'a wrong split',
      [table([], { splits: { mixForwardBlocks: 1024, mixBackwardPixels: 2 ** 31 } })],
      'Expected an integer from 1 to 2147483647 for tables[0].splits.mixBackwardPixels but received 2147483648',
    ],
  ])('are checked: %s', (_name, tables, message) => {
    dynamicConv2d.setCudaTuning([table([row({ 'mix-cuda': both(1) })])]);
    const call = () => dynamicConv2d.setCudaTuning(tables as never);
    expect(call).toThrow(expect.objectContaining({ name: 'ArgumentError', code: 'ERR_ARGUMENT' }));
    expect(call).toThrow(message);
    // Those before stay.
    expect(ranking()).toEqual(['mix-cuda']);
  });

  it('are checked by the add-on, too', () => {
    const set = (splits: number[], counts: number[], sizes: number[], times: number[]) =>
      native.setCudaTuning(['a'], ['9.0'], splits, counts, sizes, times);
    const [sizes, times] = [Array(9).fill(1), Array(8).fill(1)];
    expect(() => set([1, 1], [1], sizes, times)).not.toThrow();
    for (const counts of [[0], [2], [-1], [1, 0], [2 ** 53 - 1]])
      expect(() => set([1, 1], counts, sizes, times), String(counts)).toThrow(
        /9 sizes and 8 times for every row/,
      );
    expect(() => set([1, 1], [1], sizes.slice(1), times)).toThrow(/every row/);
    expect(() => set([1, 1], [1], sizes, times.slice(1))).toThrow(/every row/);
    expect(() => set([0, 1], [1], sizes, times)).toThrow('splits from 1 to 2^31 - 1 but received 0');
  });

  it('of the package are valid, and of different GPUs', () => {
    const tables = readCudaTunings(REVIEWED_TABLES);
    expect(tables).toHaveLength(readdirSync(REVIEWED_TABLES).filter((name) => name !== 'README.md').length);
    expect(new Set(tables.map((one) => one.about.gpu)).size).toBe(tables.length);
    // The page says that there is none exactly as long as there is none.
    const text = readFileSync(join(REVIEWED_TABLES, 'README.md'), 'utf8');
    expect(text.includes('There is none yet')).toBe(tables.length === 0);
  });

  it('are read from a file or a folder, with errors that name the file', () => {
    const [one, other] = [table([row({ 'mix-cuda': both(1) })]), table([])];
    const folder = writeTree(temporaryFolder(), {
      'b.json': JSON.stringify(one),
      'a.json': JSON.stringify(other),
      'README.md': 'text',
    });
    expect(readCudaTunings(folder)).toEqual([other, one]);
    expect(readCudaTunings(join(folder, 'b.json'))).toEqual([one]);
    const damaged = writeTree(temporaryFolder(), { 't.json': '{"format":1', 'u.json': '{"format":3}' });
    expect(() => readCudaTunings(join(damaged, 't.json'))).toThrow(`${join(damaged, 't.json')}: `);
    expect(() => readCudaTunings(join(damaged, 'u.json'))).toThrow(
      'u.json: Expected 1 for table.format but received 3',
    );
  });
});

describe('DYCONV_CUDA_TUNING', () => {
  const ASK = `native.cudaTuningRanking('${about.gpu}', '', 0, [128, 192, 192, 7, 7, 3, 1, 1, 2, 1], false).join()`;
  const [library, addon] = ['index.js', 'native/index.js'].map((name) =>
    JSON.stringify(pathToFileURL(join(root, 'dist', name)).href),
  );
  const IMPORTS = `import { dynamicConv2d } from ${library}; import { native } from ${addon};`;
  const run = (program: string, wanted: string) =>
    spawnSync(process.execPath, ['--input-type=module', '--eval', `${IMPORTS}\n${program}`], {
      encoding: 'utf8',
      env: { ...process.env, DYCONV_CUDA_TUNING: wanted },
    });

  it('is loaded at the start, once for all threads', () => {
    const file = join(
      writeTree(temporaryFolder(), { 't.json': JSON.stringify(table([row({ 'mix-cuda': both(1) })])) }),
      't.json',
    );
    const worker = `${IMPORTS} import { parentPort } from 'node:worker_threads'; parentPort.postMessage(${ASK});`;
    const program = `
      import { Worker } from 'node:worker_threads';
      const answer = () => new Promise((resolve) => {
        const url = new URL('data:text/javascript,' + encodeURIComponent(${JSON.stringify(worker)}));
        new Worker(url).once('message', resolve).once('error', resolve);
      });
      console.log([${ASK}, await answer(), (dynamicConv2d.setCudaTuning([]), ${ASK}), await answer()].join('|'));`;
    const { stdout, stderr } = run(program, file);
    expect(stdout.trim(), stderr).toBe('mix-cuda|mix-cuda||');
  });

  it('is refused with the field if it is no table', () => {
    const file = join(writeTree(temporaryFolder(), { 't.json': '{"format":2}' }), 't.json');
    const { status, stderr } = run('', file);
    expect(status).toBe(1);
    expect(stderr).toContain(
      `ArgumentError: DYCONV_CUDA_TUNING: ${file}: Expected 1 for table.format but received 2`,
    );
    expect(run('', '/nonexistent/t.json').stderr).toContain('ArgumentError: DYCONV_CUDA_TUNING: ENOENT');
  });
});

it('does not change the choice on a CPU without kernels for GPUs', () => {
  const choice = () => dynamicConv2d.choice(ones([4, 8, 9, 9]), ones([2, 8, 8, 3, 3]), ones([4, 2]));
  const before = choice();
  dynamicConv2d.setCudaTuning([table([row({ 'mix-after': both(1) }, { batch: 4, in: 8, out: 8, size: 9 })])]);
  expect(choice() === before || cuda.hasKernels()).toBe(true);
});
