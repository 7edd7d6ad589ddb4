/**
 * One writer at a time for a folder of the cache, across processes: a lock file that its owner keeps fresh, so that the
 * lock of a killed process is recognised and taken over, on this machine or another that shares the folder.
 * @module
 */
import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DownloadError } from '../errors.js';
import { isAlive } from '../files/download.js';
import type { Reporter } from './reporter.js';

/** Options of {@link withLock}. */
export interface LockOptions {
  /** Called once, when another process holds the lock. */
  onWait?: (owner: string) => void;
  /** Stops the waiting. */
  signal?: AbortSignal;
  /** Milliseconds without a sign of life after which an owner counts as dead. Default: 20 000. */
  staleAfter?: number;
}

interface Owner {
  pid: number;
  host: string;
  token: string;
}

const POLL_MS = 200;

/**
 * Runs `work` while this process alone holds the lock.
 *
 * @param file - The lock file. Its folder must exist.
 */
export async function withLock<T>(
  file: string,
  work: () => Promise<T>,
  options: LockOptions = {},
): Promise<T> {
  const { onWait, signal, staleAfter = 20_000 } = options;
  const owner: Owner = { pid: process.pid, host: hostname(), token: randomUUID() };
  let told = false;
  while (!(await take(file, owner))) {
    signal?.throwIfAborted();
    const other = await read(file);
    if (await isDead(file, other, staleAfter)) {
      await takeAway(file, other);
      continue;
    }
    if (!told) onWait?.(other ? `process ${other.pid} on ${other.host}` : 'another process');
    told = true;
    await sleep(POLL_MS, undefined, { signal });
  }
  const beat = setInterval(() => {
    const now = new Date();
    utimes(file, now, now).catch(() => {});
  }, staleAfter / 4).unref();
  try {
    return await work();
  } finally {
    clearInterval(beat);
    if ((await read(file))?.token === owner.token) await rm(file, { force: true });
  }
}

/**
 * Runs `work` while no other process fills a folder of the cache.
 *
 * @param dir - The folder, which need not exist. Its parent is made.
 * @throws DownloadError when the cache cannot be written, or its disk gets full.
 */
export async function withFolder<T>(
  dir: string,
  { reporter, signal }: { reporter: Reporter; signal?: AbortSignal },
  work: () => Promise<T>,
): Promise<T> {
  const cacheDir = join(dir, '..');
  try {
    await mkdir(cacheDir, { recursive: true });
    const probe = `${dir}.probe-${process.pid}`;
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

/** Whether a full disk is what an error began with: no other source of the same files can help then. */
export function isDiskFull(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOSPC') return true;
  }
  return false;
}

async function take(file: string, owner: Owner): Promise<boolean> {
  try {
    await writeFile(file, JSON.stringify(owner), { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

async function read(file: string): Promise<Owner | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Owner;
  } catch {
    return undefined; // gone, or not written yet
  }
}

async function isDead(file: string, owner: Owner | undefined, staleAfter: number): Promise<boolean> {
  if (owner?.host === hostname() && !isAlive(owner.pid)) return true;
  const seen = await stat(file).catch(() => undefined);
  return seen !== undefined && Date.now() - seen.mtimeMs > staleAfter;
}

/** Of several that see a dead owner, one removes the lock; a lock taken anew in the meantime is put back. */
async function takeAway(file: string, dead: Owner | undefined): Promise<void> {
  const aside = `${file}.${randomUUID()}`;
  try {
    await rename(file, aside);
  } catch {
    return; // another one was faster
  }
  const found = await read(aside);
  if (found?.token === dead?.token) await rm(aside, { force: true });
  else await rename(aside, file);
}
