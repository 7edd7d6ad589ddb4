/**
 * The lock of a run directory: one process trains in it at a time.
 * @module
 */
import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { acquireLock, type Lock } from '../files/lock.js';

/** Name of the lock file in a run directory. It exists while a process trains, and after a process was killed. */
const LOCK_FILE = 'run.lock';

/**
 * Milliseconds without an update after which a process on another machine is considered dead. A training step or a
 * checkpoint may block the event loop for minutes; processes of this machine are checked by their id.
 */
const STALE_AFTER = 600_000;

/** Locks that this process holds, by folder: objects for the same folder share one. */
const held = new Map<string, { lock: Promise<Lock>; users: number }>();

/** A share in the lock of a run directory. */
export interface RunLock {
  /** Releases the share, and the lock with the last one. A second call does nothing. */
  release(): Promise<void>;
}

/**
 * Locks a run directory for this process.
 * @param folder - It must exist.
 * @throws {LockedError} if another process trains in it, naming that process.
 */
export async function lockRun(folder: string): Promise<RunLock> {
  const key = await realpath(folder);
  const entry = held.get(key) ?? {
    lock: acquireLock(join(key, LOCK_FILE), {
      name: `The run directory ${folder}`,
      wait: false,
      staleAfter: STALE_AFTER,
    }),
    users: 0,
  };
  held.set(key, entry);
  entry.users += 1;
  let released = false;
  const release = async () => {
    if (released) return;
    released = true;
    entry.users -= 1;
    if (entry.users > 0) return;
    held.delete(key);
    await entry.lock.then((lock) => lock.release());
  };
  try {
    await entry.lock;
  } catch (error) {
    entry.users -= 1;
    if (entry.users === 0) held.delete(key);
    throw error;
  }
  return { release };
}
