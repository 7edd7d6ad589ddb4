/**
 * The user's cache of unpacked libtorch builds: one folder per build, shared between projects.
 *
 * A folder gets its final name only when it is complete, and has a manifest that is written last. A folder
 * without a manifest, or with a library of another size, is therefore incomplete.
 * @module
 */
import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, join } from 'node:path';
import type { Flavour } from './types.js';

/** Written into every finished folder. */
export interface Manifest {
  version: string;
  flavour: Flavour;
  /** The wheel it was unpacked from. */
  wheel: string;
  /** SHA-256 of that wheel. */
  sha256: string;
  /** Sizes in bytes of the shared libraries. */
  libraries: Record<string, number>;
}

const MANIFEST = 'dyconv-libtorch.json';
const STAGING = '.staging-';
const DAY_MS = 24 * 60 * 60 * 1000;

/**
 * The cache folder: `$DYCONV_CACHE`, else `dyconv` in the platform's usual place
 * (`$XDG_CACHE_HOME` or `~/.cache`; `~/Library/Caches` on macOS; `%LOCALAPPDATA%` on Windows).
 */
export function cacheDirectory(
  env: NodeJS.ProcessEnv = process.env,
  platform: NodeJS.Platform = process.platform,
): string {
  if (env.DYCONV_CACHE) return env.DYCONV_CACHE;
  if (env.XDG_CACHE_HOME) return join(env.XDG_CACHE_HOME, 'dyconv');
  const home = env.HOME || homedir();
  if (platform === 'darwin') return join(home, 'Library', 'Caches', 'dyconv');
  if (platform === 'win32') return join(env.LOCALAPPDATA || join(home, 'AppData', 'Local'), 'dyconv');
  return join(home, '.cache', 'dyconv');
}

/** The manifest of a finished folder; undefined if the folder is missing, incomplete or damaged. */
export function readManifest(dir: string): Manifest | undefined {
  let manifest: Manifest;
  try {
    manifest = JSON.parse(readFileSync(join(dir, MANIFEST), 'utf8')) as Manifest;
  } catch {
    return undefined;
  }
  const complete = Object.entries(manifest.libraries ?? {}).every(([name, size]) => {
    const file = join(dir, 'lib', name);
    return existsSync(file) && statSync(file).size === size;
  });
  return complete ? manifest : undefined;
}

/**
 * Fills a new folder and renames it to its final name as the last step.
 *
 * @param dir - The final name. A complete folder there, made by another process in the meantime, is kept. A damaged one
 *   that dyconv made is replaced. Any other folder is renamed, never deleted.
 * @param fill - Fills the folder it is given and returns the manifest. If it throws, nothing remains.
 * @returns The new name of a renamed folder, if there was one.
 */
export async function publish(
  dir: string,
  fill: (staging: string) => Promise<Manifest>,
): Promise<string | undefined> {
  const parent = join(dir, '..');
  await mkdir(parent, { recursive: true });
  await removeAbandoned(parent);
  const staging = await mkdtemp(join(parent, STAGING));
  try {
    const manifest = await fill(staging);
    await writeDurably(join(staging, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`);
    // mkdtemp denies access to others; a finished build gets the permissions of the user's umask.
    await chmod(staging, 0o777 & ~process.umask());
    return await moveIntoPlace(staging, dir);
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

async function moveIntoPlace(staging: string, dir: string): Promise<string | undefined> {
  if (readManifest(dir)) return undefined;
  const kept = existsSync(dir) ? await setAside(dir) : undefined;
  try {
    await rename(staging, dir);
  } catch (error) {
    // Another process was faster, with the same content.
    if (!readManifest(dir)) throw error;
  }
  return kept;
}

/**
 * Frees the name of an incomplete folder. Only a folder that dyconv made (it has a manifest, but lacks a library) is
 * removed; a folder that was unpacked by hand is renamed, not deleted.
 */
async function setAside(dir: string): Promise<string | undefined> {
  if (existsSync(join(dir, MANIFEST))) {
    const old = join(dir, '..', `${STAGING}old-${randomUUID()}-${basename(dir)}`);
    await rename(dir, old); // instant, unlike the removal of thousands of headers
    await rm(old, { recursive: true, force: true });
    return undefined;
  }
  const kept = `${dir}.kept-${new Date().toISOString().replace(/[:.]/g, '-')}`;
  await rename(dir, kept);
  return kept;
}

/** Removes files of killed processes that are older than a day, which is longer than any download. */
async function removeAbandoned(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    if (!name.startsWith(STAGING)) continue;
    const path = join(parent, name);
    const age = Date.now() - (await stat(path).catch(() => ({ mtimeMs: Date.now() }))).mtimeMs;
    if (age > DAY_MS) await rm(path, { recursive: true, force: true });
  }
}

async function writeDurably(file: string, text: string): Promise<void> {
  const handle = await open(file, 'w');
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}
