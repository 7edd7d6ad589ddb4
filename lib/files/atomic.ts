/**
 * Files that are either there completely or not at all: written under a temporary name in the same folder, flushed to
 * the disk, then renamed over the final name. What stood under that name before stays until the rename.
 *
 * Temporary names are unique, so that any number of saves to one path may run at once: each is complete, and the last
 * rename decides. What a killed save left is removed by the next save to the same path. A symbolic link is followed and
 * stays. Pipes and character devices (`/dev/stdout`, `/dev/null`) are written to as they are.
 * @module
 */
import { createHash, randomUUID } from 'node:crypto';
import { constants, readlinkSync, type Stats } from 'node:fs';
import {
  access,
  chmod,
  chown,
  type FileHandle,
  lstat,
  open,
  readdir,
  readlink,
  realpath,
  rename,
  rm,
  stat,
} from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { isAlive } from './lock.js';
import { checkRegular, notRegular } from './open.js';

/** A file that is complete on disk but does not carry its final name yet. */
export interface StagedFile {
  /** Where the bytes are now. */
  readonly temporary: string;
  /** Gives the file its final name. */
  commit(): Promise<void>;
  /** Removes it. */
  discard(): Promise<void>;
}

/** Options of {@link stageFile}. */
export interface StageOptions {
  /** Ends the temporary name, for a writer that looks for the file later. Default: a name that no other writer has. */
  tag?: string | undefined;
}

/** How old the leftover of a save has to be where nothing tells whether its process runs, as on another machine. */
const ABANDONED_MS = 24 * 60 * 60 * 1000;
/** Longest name, in bytes, that a temporary name repeats: file systems allow 255 in all. */
const MAX_NAME = 150;
const MAX_LINKS = 40;

/** The temporary name that {@link stageFile} uses for `path` and a tag; `path` is what {@link resolveTarget} gives. */
export function temporaryName(path: string, tag: string): string {
  return join(dirname(path), `${temporaryPrefix(path)}${tag}.tmp`);
}

/**
 * Where the bytes of a file are to be written: behind every symbolic link, even one whose target does not exist yet.
 * @throws Errors of the file system, such as ELOOP.
 */
export async function resolveTarget(path: string): Promise<string> {
  let target = resolve(path);
  for (let links = 0; links < MAX_LINKS; links++) {
    const found = await lstat(target).catch(whenMissing);
    if (!found?.isSymbolicLink()) break;
    const existing = await realpath(target).catch(whenMissing);
    if (existing !== undefined) return existing;
    target = resolve(await realpath(dirname(target)), await readlink(target));
  }
  return target;
}

/**
 * Writes a file under a temporary name and flushes it to the disk.
 * @param path - The final path; its folder must exist.
 * @param write - Writes the contents through the open handle.
 * @throws Whatever `write` or the file system throws; the temporary file is removed before. An error with the code
 * `ENOTREG` where a block device, a socket or a pipe that nobody reads has the name.
 */
export async function stageFile(
  path: string,
  write: (file: FileHandle) => Promise<void>,
  options: StageOptions = {},
): Promise<StagedFile> {
  const found = await stat(path).catch(whenMissing);
  if (found && !found.isFile()) return writeThrough(path, found, write);
  const target = await resolveTarget(path);
  // A rename would replace a file that may not be written.
  if (found) await access(target, constants.W_OK);
  await removeLeftovers(target);
  const temporary = temporaryName(target, options.tag ?? `${ownTag()}-${randomUUID()}`);
  const file = await open(temporary, options.tag === undefined ? 'wx' : 'w');
  try {
    if (found) await copyAttributes(found, temporary);
    await write(file);
    await file.sync();
    await file.close();
  } catch (error) {
    await file.close().catch(() => {});
    await rm(temporary, { force: true });
    throw error;
  }
  return {
    temporary,
    commit: () => commitFile(temporary, target),
    discard: () => rm(temporary, { force: true }),
  };
}

/** Renames a complete temporary file to its final name and flushes the folder, so that the rename survives a power cut. */
export async function commitFile(temporary: string, path: string): Promise<void> {
  await rename(temporary, path);
  const folder = await open(dirname(path), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Writes a whole file atomically: see {@link stageFile}. */
export async function writeFileAtomic(path: string, contents: string | Uint8Array): Promise<void> {
  const staged = await stageFile(path, (file) => file.writeFile(contents));
  await commitOrDiscard(staged);
}

/** Commits a staged file; if even the rename fails, nothing is left behind. */
export async function commitOrDiscard(staged: StagedFile): Promise<void> {
  try {
    await staged.commit();
  } catch (error) {
    await staged.discard();
    throw error;
  }
}

/** What is there and no regular file: a pipe or a character device gets the bytes, nothing takes its place. */
async function writeThrough(
  path: string,
  found: Stats,
  write: (file: FileHandle) => Promise<void>,
): Promise<StagedFile> {
  if (!found.isFIFO() && !found.isCharacterDevice()) checkRegular(found, path);
  const file = found.isFIFO() ? await openPipe(path) : await open(path, constants.O_WRONLY);
  try {
    await write(file);
  } finally {
    await file.close();
  }
  const nothing = async () => {};
  return { temporary: path, commit: nothing, discard: nothing };
}

/**
 * Opens a pipe that a process reads. Opening one without a reader would wait for one for ever, on a thread that all file
 * access of the process shares: so it is first opened without waiting, and stays so until it is open for good, as a reader
 * takes the last writer's close for the end.
 */
async function openPipe(path: string): Promise<FileHandle> {
  let probe: FileHandle;
  try {
    probe = await open(path, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENXIO') throw error;
    throw notRegular(path, 'it is a pipe that no process reads');
  }
  try {
    return await open(path, constants.O_WRONLY);
  } finally {
    await probe.close();
  }
}

/** Mode and owner of the file that is replaced, as far as this process may set them. */
async function copyAttributes({ mode, uid, gid }: Stats, temporary: string): Promise<void> {
  await chmod(temporary, mode & 0o7777).catch(() => {});
  if (process.getuid?.() === 0) await chown(temporary, uid, gid).catch(() => {});
}

/** Removes what saves to a path left when their processes were killed; other saves that run now are left alone. */
async function removeLeftovers(path: string): Promise<void> {
  const folder = dirname(path);
  const prefix = temporaryPrefix(path);
  const names = await readdir(folder);
  for (const name of names) {
    if (!name.startsWith(prefix) || !name.endsWith('.tmp')) continue;
    const [, machine, pid] = /^([0-9a-f]{8})-(\d+)-[0-9a-f-]{36}\.tmp$/.exec(name.slice(prefix.length)) ?? [];
    const leftover = join(folder, name);
    const dead = machine === MACHINE && !isAlive(Number(pid));
    if (dead || (await isAbandoned(leftover))) await rm(leftover, { force: true });
  }
}

async function isAbandoned(leftover: string): Promise<boolean> {
  const found = await stat(leftover).catch(() => undefined);
  return found !== undefined && Date.now() - found.mtimeMs > ABANDONED_MS;
}

function temporaryPrefix(path: string): string {
  const name = basename(path);
  return Buffer.byteLength(name) <= MAX_NAME ? `.${name}.` : `.${digest(name).slice(0, 32)}.`;
}

/** The machine, and the container on it, within which a process id means one process. */
const MACHINE = digest(`${hostname()} ${pidNamespace()}`).slice(0, 8);
const ownTag = () => `${MACHINE}-${process.pid}`;

function pidNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return '';
  }
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function whenMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}
