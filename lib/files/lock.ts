/**
 * Locks between processes: a file that names the process that holds it. The holder updates the file regularly, so that the
 * lock of a process that has ended is recognized and taken over, on this machine or another one that shares the folder.
 *
 * This module runs before the add-on is built, so it imports Node and the errors only.
 * @module
 */
import { randomUUID } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { type FileHandle, open, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { LockedError } from '../errors.js';

/** The process that holds a lock. */
export interface LockOwner {
  /** Its process id. */
  readonly pid: number;
  /** Name of its machine. */
  readonly host: string;
  /** When it acquired the lock, as an ISO date. Absent in locks of older versions. */
  readonly since?: string | undefined;
  /** Distinguishes it from processes with the same id at another time or in another container (Linux only). */
  readonly process?: string | undefined;
  /** Unique identifier of this lock. */
  readonly token: string;
}

/** Options of {@link acquireLock} and {@link withLock}. */
export interface LockOptions {
  /** The locked resource, for the error message. Default: the lock file. */
  name?: string | undefined;
  /** Wait while another process holds the lock. With false that is a {@link LockedError} at once. Default true. */
  wait?: boolean | undefined;
  /** Called once if the lock is held by another process. */
  onWait?: ((owner: string) => void) | undefined;
  /** Cancels waiting. */
  signal?: AbortSignal | undefined;
  /** Milliseconds without an update after which a holder on another machine is considered dead. Default 20 000. */
  staleAfter?: number | undefined;
}

/** A lock that this process holds. */
export interface Lock {
  /** The contents of the lock file. */
  readonly owner: LockOwner;
  /** Releases the lock; a second call does nothing. */
  release(): Promise<void>;
}

const POLL_MS = 200;

/**
 * Acquires a lock.
 * @param file - The lock file. Its folder must exist.
 * @returns The lock; release it. It does not keep the process alive; the lock of an ended process is taken over.
 * @throws {LockedError} when another process holds it and `wait` is false.
 * @throws The reason of `signal`, and errors of the file system.
 */
export async function acquireLock(file: string, options: LockOptions = {}): Promise<Lock> {
  const { name = file, wait = true, onWait, signal, staleAfter = 20_000 } = options;
  const owner: LockOwner = {
    pid: process.pid,
    host: hostname(),
    since: new Date().toISOString(),
    process: identify(process.pid),
    token: randomUUID(),
  };
  let told = false;
  while (!(await create(file, owner))) {
    signal?.throwIfAborted();
    const other = await readLock(file);
    if (await isDead(file, other, staleAfter)) {
      await remove(file, other, staleAfter);
      continue;
    }
    if (!wait)
      throw new LockedError(
        `${name} is in use by ${describeOwner(other)}: stop it, or wait until it ends`,
        other,
      );
    if (!told) onWait?.(describeOwner(other));
    told = true;
    await sleep(POLL_MS, undefined, { signal });
  }
  const beat = setInterval(() => {
    const now = new Date();
    utimes(file, now, now).catch(() => {});
  }, staleAfter / 4).unref();
  return {
    owner,
    async release() {
      clearInterval(beat);
      if ((await readLock(file))?.token === owner.token) await rm(file, { force: true });
    },
  };
}

/**
 * Runs `work` while this process holds the lock.
 * @throws Errors of {@link acquireLock} and of `work`.
 */
export async function withLock<T>(
  file: string,
  work: () => Promise<T>,
  options: LockOptions = {},
): Promise<T> {
  const lock = await acquireLock(file, options);
  try {
    return await work();
  } finally {
    await lock.release();
  }
}

/** The contents of a lock file; undefined if there is none, or if its process has not written it yet. */
export async function readLock(file: string): Promise<LockOwner | undefined> {
  try {
    const owner = JSON.parse(await readFile(file, 'utf8'));
    // The format of earlier versions.
    if (Number.isSafeInteger(owner)) return { pid: owner, host: hostname(), token: String(owner) };
    return typeof owner === 'object' && owner !== null && Number.isSafeInteger(owner.pid) ? owner : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a process of this machine runs. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function describeOwner(owner: LockOwner | undefined): string {
  if (owner === undefined) return 'another process';
  const since = owner.since === undefined ? '' : ` since ${owner.since}`;
  return `process ${owner.pid} on ${owner.host}${since}`;
}

async function create(file: string, owner: LockOwner): Promise<boolean> {
  let handle: FileHandle;
  try {
    handle = await open(file, 'wx');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
  try {
    await handle.writeFile(JSON.stringify(owner));
    return true;
  } catch (error) {
    await rm(file, { force: true }); // on a full disk, a file can be created but not written
    throw error;
  } finally {
    await handle.close();
  }
}

/**
 * Whether the holder of a lock has ended. For a process of this machine and container the system knows this, even if
 * the process is busy or suspended; for others it is decided by the age of the last update of the file.
 */
async function isDead(file: string, owner: LockOwner | undefined, staleAfter: number): Promise<boolean> {
  const own = identify(process.pid);
  const [space, started] = split(owner?.process);
  if (owner?.host === hostname() && (space === undefined || space === split(own)[0])) {
    if (!isAlive(owner.pid)) return true;
    const [, running] = split(identify(owner.pid));
    if (started !== undefined && running !== undefined) return started !== running;
  }
  const seen = await stat(file).catch(() => undefined);
  return seen !== undefined && Date.now() - seen.mtimeMs > staleAfter;
}

/**
 * Removes the lock of a dead holder. Several processes may find the same one: each checks again while no other removes it, so that
 * none removes a lock that was acquired in the meantime.
 */
async function remove(file: string, dead: LockOwner | undefined, staleAfter: number): Promise<void> {
  const guard = `${file}.takeover`;
  try {
    await writeFile(guard, String(process.pid), { flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    // Another process is doing it, which takes milliseconds unless it was killed.
    const made = await stat(guard).catch(() => undefined);
    if (made !== undefined && Date.now() - made.mtimeMs > staleAfter) await rm(guard, { force: true });
    await sleep(POLL_MS / 10);
    return;
  }
  try {
    if ((await readLock(file))?.token === dead?.token) await rm(file, { force: true });
  } finally {
    await rm(guard, { force: true });
  }
}

/**
 * Distinguishes a process from those with the same id at another time or in another container: the boot and the
 * namespace, and after a slash its start time. Undefined if the system does not provide this.
 */
function identify(pid: number): string | undefined {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The program name in parentheses may contain any character; the state follows it, and the start time 19 fields later.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const ended = fields[0] === 'Z' || fields[0] === 'X';
    return `${boot}-${readlinkSync('/proc/self/ns/pid')}/${ended ? 'ended' : fields[19]}`;
  } catch {
    return undefined;
  }
}

/** The two parts of {@link identify}. */
function split(identity: string | undefined): (string | undefined)[] {
  return typeof identity === 'string' ? identity.split('/', 2) : [];
}
