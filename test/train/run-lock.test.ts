/** One process at a time trains in a run directory. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { LockedError, TrainingError } from '../../lib/errors.js';
import { RunDirectory } from '../../lib/train/run-directory.js';
import { limit } from '../support/limit.js';
import { newRun, temporaryFolder } from './support.js';

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

/** A process that holds the lock of a folder until the end of the test. */
function otherOwner(folder: string): ChildProcess {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
  children.push(child);
  const since = '2026-01-02T03:04:05.000Z';
  const owner = { pid: child.pid, host: hostname(), since, token: 'another' };
  writeFileSync(join(folder, 'run.lock'), JSON.stringify(owner));
  return child;
}

const end = (child: ChildProcess) =>
  new Promise((resolve) => {
    child.once('exit', resolve);
    child.kill('SIGKILL');
  });

describe('the lock of a run directory', () => {
  it('is held from the start of a run to its end', async () => {
    const { run, path: folder } = await newRun();
    const owner = JSON.parse(readFileSync(join(folder, 'run.lock'), 'utf8'));
    expect(owner).toMatchObject({ pid: process.pid, host: hostname() });
    expect(Date.parse(owner.since)).toBeGreaterThan(Date.now() - 60_000);
    const again = await RunDirectory.open(folder);
    await again.lock(); // of the same process
    await again.close();
    expect(existsSync(join(folder, 'run.lock'))).toBe(true);
    await run.close();
    await run.close();
    expect(existsSync(join(folder, 'run.lock'))).toBe(false);
  });

  it('refuses a second process, naming the first, and changes nothing', async () => {
    const { run: first, path: folder } = await newRun();
    await first.close();
    const { pid } = otherOwner(folder);
    const run = await RunDirectory.open(folder);
    const refused = await run.lock().catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(LockedError);
    expect(refused).toMatchObject({
      message: `The run directory ${folder} is in use by process ${pid} on ${hostname()} since 2026-01-02T03:04:05.000Z: stop it, or wait until it ends`,
      owner: { pid },
    });
    expect(await run.readMetrics()).toEqual([]); // reading needs no lock
    expect(JSON.parse(readFileSync(join(folder, 'run.lock'), 'utf8')).pid).toBe(pid);
  });

  it('refuses to start a run where another process is starting one', async () => {
    const folder = temporaryFolder();
    otherOwner(folder);
    await expect(newRun(folder)).rejects.toThrow(LockedError);
    expect(existsSync(join(folder, 'config.json'))).toBe(false);
  });

  it('is taken over from a process that was killed', async () => {
    const { run: first, path: folder } = await newRun();
    await first.close();
    await end(otherOwner(folder));
    const run = await RunDirectory.open(folder);
    await run.lock();
    expect(JSON.parse(readFileSync(join(folder, 'run.lock'), 'utf8')).pid).toBe(process.pid);
    await run.close();
  });

  it('goes when a run cannot be started', async () => {
    const { run: first, path: folder } = await newRun();
    await first.close();
    await expect(newRun(folder)).rejects.toThrow(TrainingError);
    expect(existsSync(join(folder, 'run.lock'))).toBe(false);
  });
});

describe('two trainings at once into one folder', () => {
  it(
    'one of them is refused, and the other one is complete',
    async () => {
      const folder = join(temporaryFolder(), 'run');
      const train = () => {
        const script = fileURLToPath(new URL('../../scripts/train.js', import.meta.url));
        const options =
          '--dataset bundled --model alexnet --limit-train 8 --limit-test 2 --batch-size 4 --epochs 2 --threads 1 --json';
        const child = spawn(process.execPath, [script, ...options.split(' '), '--out', folder]);
        let stderr = '';
        child.stderr.on('data', (text) => {
          stderr += text;
        });
        child.stdout.resume();
        return new Promise<{ code: number | null; stderr: string }>((resolve) =>
          child.on('exit', (code) => resolve({ code, stderr })),
        );
      };
      const [won, lost] = (await Promise.all([train(), train()])).sort((a, b) => a.code! - b.code!);
      expect(won).toMatchObject({
        code: 0,
        stderr: expect.stringMatching(/^warning: an epoch has only 2 steps.*\n$/),
      });
      expect(lost!.code).toBe(1);
      expect(lost!.stderr).toMatch(
        /^(?:warning: .*\n)?error: .*(is in use by process \d+ on |already holds a run).*\n$/,
      );
      const lines = readFileSync(join(folder, 'metrics.jsonl'), 'utf8').match(/"type":"epoch"/g);
      expect(lines).toHaveLength(2);
      expect(existsSync(join(folder, 'run.lock'))).toBe(false);
    },
    limit(180_000),
  );
});
