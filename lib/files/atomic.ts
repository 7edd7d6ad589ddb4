/**
 * Atomic writes: a file is written under a temporary name in the same folder, flushed to
 * the disk, and then renamed to the final name. The previous file remains until the rename.
 *
 * Temporary names are unique, so several saves to one path may run at once: each is complete, and the last
 * rename remains. The next save to the same path removes the files of killed saves. A symbolic link is followed and
 * kept. Pipes and character devices (`/dev/stdout`, `/dev/null`) are written to directly.
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
import { fileError } from './error.js';
import { isAlive } from './lock.js';
import { checkRegular, notRegular } from './open.js';

/** A file that is complete on disk but does not have its final name yet. */
export interface StagedFile {
  /** The temporary path. */
  readonly temporary: string;
  /** Gives the file its final name. */
  commit(): Promise<void>;
  /** Removes it. */
  discard(): Promise<void>;
}

/** Options of {@link stageFile}. */
export interface StageOptions {
  /** The end of the temporary name, for a writer that needs to find the file later. Default: a unique one. */
  tag?: string | undefined;
}

/** Age from which a temporary file is removed if it is unknown whether its process runs, as on another machine. */
const ABANDONED_MS = 24 * 60 * 60 * 1000;
/** Largest number of bytes of the final name in a temporary name: file systems allow 255 in total. */
const MAX_NAME = 150;
const MAX_LINKS = 40;

/** The temporary name that {@link stageFile} uses for `path` and a tag; `path` is the result of {@link resolveTarget}. */
export function temporaryName(path: string, tag: string): string {
  return join(dirname(path), `${temporaryPrefix(path)}${tag}.tmp`);
}

/**
 * The path to write to: the target of every symbolic link, even if it does not exist yet.
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
 * @throws Errors of `write` or the file system; the temporary file is then removed. An error with the code
 * `ENOTREG` if the path is a block device, a socket or a pipe without a reader.
 */
export async function stageFile(
  path: string,
  write: (file: FileHandle) => Promise<void>,
  options: StageOptions = {},
): Promise<StagedFile> {
  const found = await stat(path).catch(whenMissing);
  if (found && !found.isFile()) return writeThrough(path, found, write);
  const target = await resolveTarget(path);
  // A rename would replace a read-only file.
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

/** Renames a complete temporary file to its final name and flushes the folder, so that the rename survives a power failure. */
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

/** {@link writeFileAtomic} for files of users. @throws CheckpointError naming the file and the reason. */
export async function saveFile(path: string, contents: string | Uint8Array): Promise<void> {
  try {
    await writeFileAtomic(path, contents);
  } catch (error) {
    throw fileError('write', path, error);
  }
}

/** Commits a staged file; removes it if the rename fails. */
export async function commitOrDiscard(staged: StagedFile): Promise<void> {
  try {
    await staged.commit();
  } catch (error) {
    await staged.discard();
    throw error;
  }
}

/** Writes to a path that is not a regular file: a pipe or a character device gets the bytes and is not replaced. */
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
 * Opens a pipe that has a reader. Opening one without a reader would wait forever, on a thread that all file
 * access of the process shares. Therefore it is first opened without blocking, and this descriptor stays open until the second one is open, because a reader
 * sees the end of the file when the last writer closes.
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

/** Removes temporary files of killed processes for a path; those of running saves are kept. */
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

/** Identifies the machine and the container in which process ids are unique. */
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
