/**
 * Where the add-on is, and how it is loaded: one built in this package's folder, else one that came ready-made in the
 * package of this platform, `@dyconv/<platform>-<arch>`.
 *
 * A built add-on knows the folder of the libtorch it was built with. A ready-made one does not: libtorch is loaded
 * first, by its path, and the add-on then finds its libraries in the process, by their names.
 * @module
 */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DyconvError } from '../errors.js';
import { cacheDirectory, readManifest } from '../install/cache.js';
import { inspectLibtorch, libraryName } from '../install/inspect.js';
import { readLock, sameRelease } from '../install/lock.js';
import { withBoundedSpinning } from './threads.js';

/** CMake's build types, of which `Release` is what the package loads. */
export type BuildConfig = 'Release' | 'Debug' | 'RelWithDebInfo';

/** The package's own folder, where CMakeLists.txt is. */
export const packageRoot = fileURLToPath(new URL('../..', import.meta.url));

/** Where the add-on of a build type lies. */
export function addonPath(config: BuildConfig = 'Release'): string {
  return join(packageRoot, 'build', config, 'dyconv.node');
}

/** The file in which `dyconv setup` notes the libtorch of a ready-made add-on, where that is not the cached one. */
export const libtorchNote = join(packageRoot, 'build', 'libtorch.json');

/** An add-on on disk. */
export interface Addon {
  file: string;
  kind: 'built' | 'prebuilt';
  /** For a ready-made add-on: the release of libtorch it was compiled for, such as `2.13.0`. */
  libtorch?: string | undefined;
}

const require = createRequire(import.meta.url);

/** The name of the package with the ready-made add-on of a platform. */
export function prebuiltPackage(target = `${process.platform}-${process.arch}`): string {
  return `@dyconv/${target}`;
}

/** The ready-made add-on, or a sentence that says why there is none. */
export function findPrebuilt(): Addon | string {
  const name = prebuiltPackage();
  let manifest: string;
  try {
    manifest = require.resolve(`${name}/package.json`);
  } catch {
    return `${name} is not installed`;
  }
  const { version, dyconv } = JSON.parse(readFileSync(manifest, 'utf8')) as {
    version: string;
    dyconv?: { libtorch?: string };
  };
  const own = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as { version: string };
  if (version !== own.version) return `${name} is of version ${version}, dyconv of version ${own.version}`;
  const file = join(dirname(manifest), 'dyconv.node');
  if (!existsSync(file) || !dyconv?.libtorch) return `${name} is incomplete`;
  return { file, kind: 'prebuilt', libtorch: dyconv.libtorch };
}

/** The add-on that the package loads: a built one where there is one. */
export function findAddon(): Addon | undefined {
  const file = addonPath();
  if (existsSync(file)) return { file, kind: 'built' };
  const prebuilt = findPrebuilt();
  return typeof prebuilt === 'string' ? undefined : prebuilt;
}

/**
 * The libtorch for a ready-made add-on: `$LIBTORCH`, the one that `dyconv setup` noted, the cached one.
 *
 * @throws DyconvError that says why there is none.
 */
export function libtorchOf(addon: Addon, env: NodeJS.ProcessEnv = process.env): string {
  const needed = addon.libtorch!;
  const { version } = readLock();
  const cached = join(cacheDirectory(env), `libtorch-${version}-cpu`);
  const dir = env.LIBTORCH || notedFolder() || cached;
  if (dir === cached && !readManifest(dir)) throw new DyconvError(`libtorch ${needed} is not in ${cached}`);
  const info = inspectLibtorch(dir);
  if (typeof info === 'string') throw new DyconvError(`${dir} holds no libtorch: ${info}`);
  if (!sameRelease(info.version, needed)) {
    throw new DyconvError(
      `the ready-made add-on is for libtorch ${needed}, and ${dir} holds version ${info.version}`,
    );
  }
  return dir;
}

function notedFolder(): string | undefined {
  try {
    const { dir } = JSON.parse(readFileSync(libtorchNote, 'utf8')) as { dir: string };
    return existsSync(dir) ? dir : undefined;
  } catch {
    return undefined; // no note
  }
}

/** Loads the add-on into this process. */
export function loadAddon(addon: Addon, env: NodeJS.ProcessEnv = process.env): unknown {
  return withBoundedSpinning(() => {
    if (addon.kind === 'prebuilt') preloadLibtorch(libtorchOf(addon, env));
    return require(addon.file);
  });
}

// "Do not unload" of <dlfcn.h>, which node:os does not name.
const RTLD_NODELETE: Partial<Record<NodeJS.Platform, number>> = { linux: 0x1000, darwin: 0x80 };

/** What to load, and how, before a ready-made add-on: arguments of `process.dlopen`. Nothing on Windows. */
export function librariesOf(dir: string): { files: string[]; flags: number } {
  const flags = constants.dlopen.RTLD_NOW | (RTLD_NODELETE[process.platform] ?? 0);
  if (process.platform === 'win32') return { files: [], flags };
  // libtorch.so refers to all the others; the CUDA part of such a build registers itself when it is loaded.
  const files = ['torch', 'torch_cuda'].map((name) => join(dir, 'lib', libraryName(name)));
  return { files: files.filter((file) => existsSync(file)), flags };
}

/** Where Windows looks for the libraries of an add-on: `PATH` with libtorch's folder ahead. */
export function pathWith(dir: string, path: string | undefined): string {
  return [join(dir, 'lib'), path ?? ''].join(delimiter);
}

/** Brings libtorch's libraries into the process. Once they are there, the loader finds them by name. */
function preloadLibtorch(dir: string): void {
  if (process.platform === 'win32') process.env.PATH = pathWith(dir, process.env.PATH);
  const { files, flags } = librariesOf(dir);
  for (const file of files) {
    try {
      process.dlopen({ exports: {} }, file, flags);
    } catch (error) {
      // What every library earns that is no add-on, once it has been loaded.
      if (!/did not self-register/.test((error as Error).message)) throw error;
    }
  }
}

/** Whether this is a clone of the repository, not the published package. */
export function isClone(): boolean {
  return existsSync(join(packageRoot, 'lib', 'index.ts'));
}

/** How a command of the package is run here: pnpm, whose folders tell it, runs those of its projects itself. */
export function dyconvCommand(name: string, folder = packageRoot): string {
  const pnpm = /[\\/]node_modules[\\/]\.pnpm[\\/]/.test(folder);
  return `${pnpm ? 'pnpm exec' : 'npx'} dyconv ${name}`;
}

/** The command that mends a missing or broken add-on, here. */
export function setupCommand(): string {
  return isClone() ? 'npm run build' : dyconvCommand('setup');
}
