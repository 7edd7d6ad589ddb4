import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts', 'examples/*/test/**/*.test.js'],
    // The add-on keeps per-process state (threads, generators): a process a file keeps test files independent.
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    // Two files run at once: a thread each. Tests of more threads ask for them with setNumThreads().
    env: { OMP_NUM_THREADS: '1' },
  },
});
