import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { temporaryFolder, writeTree } from '../install/support.js';

interface Made {
  file: string;
  start: number;
  end: number;
  line: string;
}

const path = '../../scripts/cli/ninja-log.js';
const { readNinjaLog, watchBuild, describeTimes } = (await import(path)) as {
  readNinjaLog: (folder: string) => Made[];
  watchBuild: <T>(folder: string, build: () => T) => { result: T; made: Made[] };
  describeTimes: (made: readonly Made[]) => string;
};

const LOG = '# ninja log v5\n10\t1500\t0\ta.o\tabc\n20\t900\t0\tb.o\tdef\n';

it('readNinjaLog reads the times of compilations', () => {
  const folder = writeTree(temporaryFolder(), { '.ninja_log': LOG });
  expect(readNinjaLog(folder).map(({ file, start, end }) => [file, start, end])).toEqual([
    ['a.o', 10, 1500],
    ['b.o', 20, 900],
  ]);
  expect(readNinjaLog('/nonexistent')).toEqual([]);
});

it('watchBuild returns what a build adds to the log, also where it was made before', () => {
  const folder = writeTree(temporaryFolder(), { '.ninja_log': LOG });
  const again = '5\t700\t1\ta.o\tabc\n';
  const { result, made } = watchBuild(folder, () => {
    appendFileSync(join(folder, '.ninja_log'), again);
    return 'built';
  });
  expect(result).toBe('built');
  expect(made.map(({ file, end }) => [file, end])).toEqual([['a.o', 700]]);
});

it('describeTimes lists the slowest units first, and the totals', () => {
  const unit = (file: string, start: number, end: number): Made => ({ file, start, end, line: '' });
  const text = describeTimes([
    unit('CMakeFiles/dyconv_avx2.dir/cpp/kernels/cpu/gemm.cc.o', 0, 800),
    unit('CMakeFiles/dyconv.dir/groups/napi_calls.cc.o', 100, 12_600),
  ]);
  expect(text.split('\n')).toEqual([
    'seconds  unit',
    '   12.5  dyconv/groups/napi_calls.cc',
    '    0.8  dyconv_avx2/cpp/kernels/cpu/gemm.cc',
    '2 units: 13.3 s of compilers in 12.6 s',
  ]);
  expect(describeTimes([]).split('\n')).toHaveLength(2);
});
