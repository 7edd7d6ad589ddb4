/** Output to a closed pipe or a full disk: the work continues, and the exit code reports it. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, openSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { limit } from '../support/limit.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'dyconv-output-'));

const TINY =
  '--dataset bundled --model alexnet --limit-train 16 --limit-test 4 --batch-size 8 --epochs 4 --threads 1';

/** Runs a command whose output goes `into` a pipe that is closed after the first chunk, or into a file. */
function run(args: string[], { close, file }: { close?: 'stdout' | 'stderr'; file?: string }) {
  const stdio = ['ignore', file ? openSync(file, 'w') : 'pipe', 'pipe'] as const;
  const child = spawn(process.execPath, args, { cwd: root, stdio: [...stdio] });
  let stderr = '';
  child.stderr!.on('data', (text) => {
    stderr += text;
  });
  if (close) child[close]!.once('data', () => child[close]!.destroy());
  else child.stdout?.resume();
  if (close === 'stderr') child.stdout!.resume();
  return new Promise<{ code: number | null; stderr: string }>((resolve) =>
    child.on('exit', (code) => resolve({ code, stderr })),
  );
}

/** The warning about such a small training. */
const withoutWarning = (stderr: string) => stderr.replace(/^warning: an epoch has only .*\n/m, '');

function epochsOf(run: string): number {
  return readFileSync(join(run, 'metrics.jsonl'), 'utf8').match(/"type":"epoch"/g)?.length ?? 0;
}

describe('a training', () => {
  const train = (name: string, ...more: string[]) => {
    const out = join(folder, name);
    return { out, args: ['scripts/train.js', ...TINY.split(' '), '--out', out, ...more] };
  };

  it.each([
    ['lines', []],
    ['json', ['--json']],
  ])(
    'whose reader goes away trains to the end and exits with 141: %s',
    async (name, more) => {
      const { out, args } = train(`closed-${name}`, ...more);
      const { code, stderr } = await run(args, { close: 'stdout' });
      expect({ code, stderr: withoutWarning(stderr) }).toEqual({ code: 141, stderr: '' });
      expect(epochsOf(out)).toBe(4);
      expect(existsSync(join(out, 'report.html'))).toBe(true);
    },
    limit(120_000),
  );

  it.runIf(existsSync('/dev/full'))(
    'whose output does not fit the disk says so once, and trains to the end',
    async () => {
      const { out, args } = train('full');
      const { code, stderr } = await run(args, { file: '/dev/full' });
      expect(code).toBe(1);
      expect(withoutWarning(stderr)).toMatch(
        /^error: cannot write to standard output: ENOSPC.*; output is lost from here on\n$/,
      );
      expect(epochsOf(out)).toBe(4);
    },
    limit(120_000),
  );

  it(
    'that fails still exits with 1',
    async () => {
      const { args } = train('failed', '--lr', '1e30');
      const { code } = await run(args, { close: 'stdout' });
      expect(code).toBe(1);
    },
    limit(120_000),
  );
});

it.each(['summary', 'train --help', 'data --dataset bundled'])(
  '%s whose reader goes away does not exit with 0',
  async (line) => {
    const [name, ...options] = line.split(' ');
    const script = `node scripts/${name}.js ${options.join(' ')} | true; exit \${PIPESTATUS[0]}`;
    const { code, stderr } = await new Promise<{ code: number | null; stderr: string }>((resolve) => {
      const child = spawn('bash', ['-c', script], { cwd: root, stdio: ['ignore', 'ignore', 'pipe'] });
      let stderr = '';
      child.stderr.on('data', (text) => {
        stderr += text;
      });
      child.on('exit', (code) => resolve({ code, stderr }));
    });
    // The process may write its help and exit before the pipe reports an error; nothing else may be printed.
    expect(stderr).toBe('');
    expect(line.includes('--help') ? [0, 141] : [141]).toContain(code);
  },
  limit(60_000),
);
