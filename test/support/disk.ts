/**
 * Small file systems, and folders that are read-only even for the administrator: mounts, which need Linux and
 * root.
 * @module
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

function mount(...args: string[]): string {
  execFileSync('mount', args, { stdio: 'pipe' });
  const path = args.at(-1)!;
  onTestFinished(() => void spawnSync('umount', [path]));
  return path;
}

/** Mounts a file system of this many kilobytes on an empty folder until the end of the test. */
export const tinyDisk = (folder: string, kilobytes: number): string =>
  mount('-t', 'tmpfs', '-o', `size=${kilobytes}k`, 'tmpfs', folder);

/** Makes a folder read-only until the end of the test, also for root. */
export const makeReadOnly = (folder: string): string => mount('--bind', '-o', 'ro', folder, folder);

/** Bytes left on a file system. */
export function room(disk: string): number {
  const [, line = ''] = execFileSync('df', ['-k', '--output=avail', disk], { encoding: 'utf8' }).split('\n');
  return Number(line) * 1024;
}

/** Whether this process may mount. */
export const canMount = (() => {
  const folder = mkdtempSync(join(tmpdir(), 'dyconv-mount-'));
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=16k', 'tmpfs', folder]);
  if (status === 0) spawnSync('umount', [folder]);
  rmdirSync(folder);
  return status === 0;
})();

/** The suffix of the names of skipped tests. */
export const noMount = canMount ? '' : ' (skipped: a file system can be mounted by root on Linux only)';
