import { readdirSync, readFileSync } from 'node:fs';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { TEMPORARY_ENV } from './test/support/temporary.js';

const ALL = ['test/**/*.test.ts', 'examples/*/test/**/*.test.js'];

// The add-on keeps state for each process (threads, generators, living tensors). Files of these folders that do not depend on
// it share a process, as loading libtorch and the modules takes longer than most of them.
const COMPUTE = /^(check|data|formats|models|nn|onnx|ops|optim|program|report|tensor)\/.*\.test\.ts$/;
const STATE =
  /\bvi\.|process\.|child_process|worker_threads|memory\(|numTensors|global\.gc|setNum\w*Threads|setSeed/;
const common = readdirSync('test', { recursive: true, encoding: 'utf8' })
  .filter((file) => COMPUTE.test(file) && !STATE.test(readFileSync(`test/${file}`, 'utf8')))
  .map((file) => `test/${file}`);

// Files of half a minute and more begin first, so that none of them runs alone at the end.
const LONG =
  /docs\/(commands|reference)|soak|termination|instruction-sets|arm64|kernels\/(cuda|fuzz)|distributed|models\/zoo|scripts\/(commands|export)/;

class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isLong = (file: TestSpecification) => LONG.test(file.moduleId);
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))];
  }
}

export default defineConfig({
  test: {
    // Two files run at once: a thread each. Tests of more threads ask for them with setNumThreads().
    maxWorkers: 2,
    sequence: { sequencer: LongFirst },
    env: { OMP_NUM_THREADS: '1', ...TEMPORARY_ENV },
    globalSetup: './test/support/temporary.ts',
    pool: 'forks',
    testTimeout: 60_000,
    projects: [
      { extends: true, test: { name: 'own process', include: ALL, exclude: common } },
      { extends: true, test: { name: 'common process', include: common, isolate: false } },
    ],
  },
});
