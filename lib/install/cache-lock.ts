/**
 * One writer at a time for a folder of the cache, across processes.
 * @module
 */
import { randomUUID } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DownloadError } from '../errors.js';
import { withLock } from '../files/lock.js';
import type { Reporter } from './reporter.js';

/**
 * Runs `work` while no other process fills the same folder of the cache.
 *
 * @param dir - The folder, which need not exist. Its parent is created.
 * @throws DownloadError when the cache cannot be written, or its disk gets full.
 */
export async function withFolder<T>(
  dir: string,
  { reporter, signal }: { reporter: Reporter; signal?: AbortSignal | undefined },
  work: () => Promise<T>,
): Promise<T> {
  const cacheDir = join(dir, '..');
  try {
    await mkdir(cacheDir, { recursive: true });
    const probe = `${dir}.probe-${randomUUID()}`;
    await writeFile(probe, '');
    await rm(probe);
  } catch (error) {
    throw new DownloadError(
      `The cache folder ${cacheDir} cannot be written (${(error as NodeJS.ErrnoException).code}). ` +
        'Set DYCONV_CACHE to a folder that can, or LIBTORCH to a folder that holds libtorch.',
      { cause: error },
    );
  }
  const onWait = (owner: string) =>
    reporter.line(`Waiting for ${owner}, which fetches the same libtorch ...`);
  try {
    return await withLock(`${dir}.lock`, work, { onWait, signal });
  } catch (error) {
    if (!isDiskFull(error)) throw error;
    throw new DownloadError(
      `The disk of the cache folder ${cacheDir} is full (ENOSPC). ` +
        'Free 1.2 GB there, or set DYCONV_CACHE to a folder on another disk.',
      { cause: error },
    );
  }
}

/** Whether an error was caused by a full disk: then no other source can help. */
export function isDiskFull(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOSPC') return true;
  }
  return false;
}
