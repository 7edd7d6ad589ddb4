/** Locks between processes: one holder at a time; a dead holder is detected, a living one is named. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { LockedError } from '../../lib/errors.js';
import { acquireLock, type LockOwner, readLock, withLock } from '../../lib/files/lock.js';

const folder = mkdtempSync(join(tmpdir(), 'dyconv-lock-'));
let made = 0;
const newFile = () => join(folder, `${made++}.lock`);
const beside = (file: string) => readdirSync(folder).filter((name) => name.startsWith(basename(file)));
afterAll(() => rmSync(folder, { recursive: true }));

const module = new URL('../../dist/files/lock.js', import.meta.url).href;

/** A process that takes a lock and holds it. */
async function holder(file: string) {
  const code = `
    const { acquireLock } = await import(${JSON.stringify(module)});
    await acquireLock(${JSON.stringify(file)});
    console.log('held');
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  return child;
}

describe('a lock', () => {
  it('names its process, and is gone after its release', async () => {
    const file = newFile();
    const lock = await acquireLock(file);
    const owner = await readLock(file);
    expect(owner).toMatchObject({ pid: process.pid, host: hostname() });
    expect(Date.now() - Date.parse(owner!.since!)).toBeLessThan(60_000);
    await lock.release();
    await lock.release();
    expect(existsSync(file)).toBe(false);
  });

  it('of a living process is refused with its name, and is free once that process was killed', async () => {
    const file = newFile();
    const child = await holder(file);
    const refused = await acquireLock(file, { wait: false, name: 'runs/a' }).catch((error) => error);
    expect(refused).toBeInstanceOf(LockedError);
    expect(refused.code).toBe('ERR_LOCKED');
    expect(refused.owner.pid).toBe(child.pid);
    expect(refused.message).toMatch(/^runs\/a is in use by process \d+ on .* since 20\d\d-.*: stop it/);
    child.kill('SIGKILL');
    await once(child, 'exit');
    await (await acquireLock(file, { wait: false })).release();
  });

  it('of a suspended process is held, however old its last sign of life is', async () => {
    if (!existsSync('/proc/self/stat')) return; // other systems rely on the time stamp
    const file = newFile();
    const child = await holder(file);
    child.kill('SIGSTOP');
    utimesSync(file, 0, 0);
    await expect(acquireLock(file, { wait: false })).rejects.toThrow(LockedError);
    child.kill('SIGKILL');
    await once(child, 'exit');
  });

  it.each<[string, Partial<LockOwner>, boolean]>([
    ['of an id that no process has', { pid: 2 ** 30 }, false],
    ['of another machine, too old', { pid: 1, host: 'another machine' }, true],
    ['of this id at another time', { process: 'another boot-pid:[1]/7' }, true],
  ])('%s is taken over', async (_, owner, old) => {
    const file = newFile();
    writeFileSync(file, JSON.stringify({ pid: process.pid, host: hostname(), token: 'a', ...owner }));
    if (old) utimesSync(file, 0, 0);
    expect(await withLock(file, async () => 'done', { wait: false })).toBe('done');
    expect(existsSync(file)).toBe(false);
  });

  it('of a process that got the id of the holder later is taken over', async () => {
    const file = newFile();
    const lock = await acquireLock(file);
    if (lock.owner.process === undefined) return lock.release(); // known on Linux only
    const [space] = lock.owner.process.split('/');
    writeFileSync(file, JSON.stringify({ ...lock.owner, process: `${space}/1`, token: 'other' }));
    await (await acquireLock(file, { wait: false })).release();
    await lock.release();
  });

  it.each(['', '{', 'null', '[]'])('with the contents %j is held while it is fresh', async (text) => {
    const file = newFile();
    writeFileSync(file, text);
    await expect(acquireLock(file, { wait: false })).rejects.toThrow(/in use by another process/);
    utimesSync(file, 0, 0);
    await (await acquireLock(file, { wait: false })).release();
  });

  it('that is fresh is waited for until the signal ends it', async () => {
    const file = newFile();
    writeFileSync(file, JSON.stringify({ pid: 1, host: 'another machine', token: 'b' }));
    const onWait = vi.fn();
    const waiting = withLock(file, async () => 'never', { onWait, signal: AbortSignal.timeout(600) });
    await expect(waiting).rejects.toThrow(/aborted/);
    expect(onWait).toHaveBeenCalledExactlyOnceWith('process 1 on another machine');
  });

  it('is held by one at a time, dead holders before it or not', async () => {
    const file = newFile();
    writeFileSync(file, JSON.stringify({ pid: 2 ** 30, host: hostname(), token: 'dead' }));
    let inside = 0;
    const work = async () => {
      expect(++inside).toBe(1);
      await sleep(10);
      inside--;
    };
    await Promise.all(Array.from({ length: 8 }, () => withLock(file, work)));
    expect(beside(file)).toEqual([]);
  });

  it('is taken over if a process was killed while taking it over', async () => {
    const file = newFile();
    writeFileSync(file, JSON.stringify({ pid: 2 ** 30, host: hostname(), token: 'dead' }));
    writeFileSync(`${file}.takeover`, '');
    utimesSync(`${file}.takeover`, 0, 0);
    await (await acquireLock(file, { wait: false })).release();
    expect(beside(file)).toEqual([]);
  });
});
