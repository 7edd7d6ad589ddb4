import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

// The process that runs the tests is under memcheck, the one that compiles them is not.
process.execPath = fileURLToPath(new URL('memcheck-node', import.meta.url));

// Made and removed by test/support/temporary.ts.
const temporary = join(tmpdir(), `dyconv-tests-${process.pid}`);

const scale = Number(process.env.DYCONV_MEMCHECK_SCALE ?? 20);

export default defineConfig({
  root: fileURLToPath(new URL('../..', import.meta.url)),
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 1,
    // libtorch takes half a minute to load: once for all files of a call.
    isolate: false,
    testTimeout: scale * 60_000,
    hookTimeout: scale * 10_000,
    execArgv: ['--single-threaded', '--no-opt'],
    env: { OMP_NUM_THREADS: '1', DYCONV_TIME_SCALE: String(scale), TMPDIR: temporary },
    globalSetup: 'test/support/temporary.ts',
  },
});
