/**
 * One writer at a time for a folder of the cache, across processes: a lock file that its owner keeps fresh, so that the
 * lock of a killed process is recognised and taken over, on this machine or another that shares the folder.
 * @module
 */
import { randomUUID } from 'node:crypto';
import { readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive } from '../data/download.js';

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
