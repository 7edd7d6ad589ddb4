/** Every option of `gpu-check` reaches what it configures. */
import { describe, vi } from 'vitest';
import { type Calls, type Case, type Options, recorder, testOptions } from '../scripts/reach.js';

const calls: Calls = vi.hoisted(() => new Map());
vi.mock('../../scripts/gpu-check/run.js', () => ({
  runParts: recorder(calls).spy('runParts', undefined, async () => ({ parts: {} })),
}));
vi.mock('../../scripts/gpu-check/machine.js', () => ({
  lookAtMachine: recorder(calls).spy('lookAtMachine', undefined, () => ({})),
}));
vi.mock('../../scripts/gpu-check/bundle.js', () => ({
  writeBundle: recorder(calls).spy('writeBundle', undefined, async () => ({
    file: 'run',
    bytes: 1,
    entries: 1,
  })),
}));

describe('gpu-check.js', () => {
  const arg = (name: string) => calls.get(name)?.[0]?.[0] as Options;
  const names = () =>
    (arg('runParts').parts as { name: string; needs: string[] }[]).map(({ name, needs }) => ({
      name,
      needs,
    }));
  const cases: Record<string, Case> = {
    minutes: { args: ['3.5'], found: () => arg('runParts').minutes, expected: 3.5 },
    out: { args: ['/elsewhere'], found: () => arg('runParts').out, expected: '/elsewhere' },
    parts: { args: ['suite'], found: names, expected: [{ name: 'suite', needs: [] }] },
    'data-dir': { args: ['/images'], found: () => arg('runParts').dataDir, expected: '/images' },
    pytorch: { args: ['py'], found: () => arg('lookAtMachine').python, expected: 'py' },
    'dry-run': { found: () => [arg('runParts').dryRun, arg('lookAtMachine').dryRun], expected: [true, true] },
    bundle: { args: ['/bundle'], found: () => arg('writeBundle')?.out, expected: '/bundle' },
    'bundle-images': {
      with: ['--bundle', '/bundle'],
      args: ['a.tar.gz'],
      found: () => arg('writeBundle').images,
      expected: 'a.tar.gz',
    },
  };
  testOptions({ command: ['gpu-check'], calls, cases });
});
