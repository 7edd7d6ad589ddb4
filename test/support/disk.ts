/**
 * Disks that are small, and folders that are read-only even for the administrator: mounts, which take Linux and root.
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

/** Makes an empty folder a file system of its own, of so many kilobytes, until the test is over. */
export const tinyDisk = (folder: string, kilobytes: number): string =>
  mount('-t', 'tmpfs', '-o', `size=${kilobytes}k`, 'tmpfs', folder);

/** Makes a folder read-only until the test is over, for root as well. */
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

/** For the name of what is then skipped. */
export const noMount = canMount ? '' : ' (skipped: a file system can be mounted by root on Linux only)';
