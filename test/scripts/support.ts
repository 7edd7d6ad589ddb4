/** Helpers for the tests of the commands, which run the compiled package: run `npm run build` first. */
import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));
export const folder = mkdtempSync(join(tmpdir(), 'dyconv-commands-'));
export const env = { ...process.env, NO_COLOR: '1' };

export function command(name: string, ...options: string[]): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, [join(root, 'scripts', `${name}.js`), ...options], {
    encoding: 'utf8',
    cwd: folder,
    env,
  });
}

/** Options for a training of a few seconds. */
export function small(out: string, ...more: string[]): string[] {
  const sizes = [
    '--limit-train',
    '32',
    '--limit-test',
    '16',
    '--batch-size',
    '8',
    '--epochs',
    '2',
    '--threads',
    '1',
  ];
  return ['--dataset', 'bundled', '--model', 'alexnet-dy', '--lr', '0.01', ...sizes, '--out', out, ...more];
}

export function metrics(run: string): { type: string; epoch: number; train: object; val: object }[] {
  const lines = readFileSync(join(run, 'metrics.jsonl'), 'utf8').trim().split('\n');
  return lines.map((line) => JSON.parse(line));
}
