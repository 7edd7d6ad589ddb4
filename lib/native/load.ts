/**
 * Finds and loads the add-on: one built in this package's folder, else a prebuilt one in the
 * package of this platform, `@dyconv/<platform>-<arch>`.
 *
 * A built add-on stores the path of its libtorch. A prebuilt one does not: libtorch is loaded
 * first, by its path, and the dynamic linker then finds the loaded libraries by their names.
 * @module
 */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DyconvError } from '../errors.js';
import { cacheDirectory, readManifest } from '../libtorch/cache.js';
import { inspectLibtorch, libraryName } from '../libtorch/inspect.js';
import { readLock, sameRelease } from '../libtorch/lock.js';
import { withBoundedSpinning } from './defaults.js';

/** CMake's build types; the package loads `Release`. */
export type BuildConfig = 'Release' | 'Debug' | 'RelWithDebInfo';

/** The package's own folder, where CMakeLists.txt is. */
export const packageRoot = fileURLToPath(new URL('../..', import.meta.url));

/** The path of the add-on of a build type. */
export function addonPath(config: BuildConfig = 'Release'): string {
  return join(packageRoot, 'build', config, 'dyconv.node');
}

/** The file in which `dyconv setup` records the libtorch of a prebuilt add-on, if it is not the cached one. */
export const libtorchNote = join(packageRoot, 'build', 'libtorch.json');

/** An add-on on disk. */
export interface Addon {
  file: string;
  kind: 'built' | 'prebuilt';
  /** For a prebuilt add-on: the release of libtorch for which it was compiled, such as `2.13.0`. */
  libtorch?: string | undefined;
  /** For a prebuilt add-on of Linux: the releases of system libraries that it needs at least. */
  needs?: { glibc?: string; libstdcxx?: string } | undefined;
}

const require = createRequire(import.meta.url);

/** The name of the package with the prebuilt add-on of a platform. */
export function prebuiltPackage(target = `${process.platform}-${process.arch}`): string {
  return `@dyconv/${target}`;
}

/** The prebuilt add-on, or a sentence with the reason why there is none. */
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
    dyconv?: { libtorch?: string; needs?: Addon['needs'] };
  };
  const own = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as { version: string };
  if (version !== own.version) return `${name} is of version ${version}, dyconv of version ${own.version}`;
  const file = join(dirname(manifest), 'dyconv.node');
  if (!existsSync(file) || !dyconv?.libtorch) return `${name} is incomplete`;
  return { file, kind: 'prebuilt', libtorch: dyconv.libtorch, needs: dyconv.needs };
}

/** The add-on that the package loads: the built one if it exists. */
export function findAddon(): Addon | undefined {
  const file = addonPath();
  if (existsSync(file)) return { file, kind: 'built' };
  const prebuilt = findPrebuilt();
  return typeof prebuilt === 'string' ? undefined : prebuilt;
}

/**
 * The libtorch for a prebuilt add-on: `$LIBTORCH`, the one that `dyconv setup` recorded, or the cached one.
 *
 * @throws DyconvError with the reason why there is none.
 */
export function libtorchOf(addon: Addon, env: NodeJS.ProcessEnv = process.env): string {
  const needed = addon.libtorch!;
  const { version } = readLock();
  const cached = join(cacheDirectory(env), `libtorch-${version}-cpu`);
  const dir = env.LIBTORCH || notedFolder() || cached;
  if (dir === cached && !readManifest(dir)) throw new DyconvError(`libtorch ${needed} is not in ${cached}`);
  const info = inspectLibtorch(dir);
  if (typeof info === 'string') throw new DyconvError(`${dir} does not contain libtorch: ${info}`);
  if (!sameRelease(info.version, needed)) {
    throw new DyconvError(
      `the prebuilt add-on is for libtorch ${needed}, but ${dir} contains version ${info.version}`,
    );
  }
  return dir;
}

function notedFolder(): string | undefined {
  try {
    const { dir } = JSON.parse(readFileSync(libtorchNote, 'utf8')) as { dir: string };
    return existsSync(dir) ? dir : undefined;
  } catch {
    return undefined; // no record
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

/** Arguments of `process.dlopen` for the libraries to load before a prebuilt add-on. None on Windows. */
export function librariesOf(dir: string): { files: string[]; flags: number } {
  const flags = constants.dlopen.RTLD_NOW | (RTLD_NODELETE[process.platform] ?? 0);
  if (process.platform === 'win32') return { files: [], flags };
  // The first depends on all others but the CUDA part of a build, which registers itself when it is loaded.
  const files = ['torch_cpu', 'torch_cuda'].map((name) => join(dir, 'lib', libraryName(name)));
  return { files: files.filter((file) => existsSync(file)), flags };
}

/** The search path of Windows for the libraries of an add-on: libtorch's folder, then `PATH`. */
export function pathWith(dir: string, path: string | undefined): string {
  return [join(dir, 'lib'), path ?? ''].join(delimiter);
}

/** The errors of Node.js, Deno and Bun for a library that is not an add-on; it is loaded by then, and stays loaded. */
export const NOT_AN_ADDON =
  /did not self-register|Unable to find register Node-API module|symbol 'napi_register_module_v1' not found/;

/** Loads libtorch's libraries. The dynamic linker then finds them by name. */
function preloadLibtorch(dir: string): void {
  if (process.platform === 'win32') process.env.PATH = pathWith(dir, process.env.PATH);
  const { files, flags } = librariesOf(dir);
  for (const file of files) {
    try {
      process.dlopen({ exports: {} }, file, flags);
    } catch (error) {
      if (!NOT_AN_ADDON.test((error as Error).message)) throw error;
    }
  }
}

/** Whether this is a clone of the repository, not the published package. */
export function isClone(): boolean {
  return existsSync(join(packageRoot, 'lib', 'index.ts'));
}

/** How to run a command of the package in this project: with pnpm if its folders exist, else npx. */
export function dyconvCommand(name: string, folder = packageRoot): string {
  const pnpm = /[\\/]node_modules[\\/]\.pnpm[\\/]/.test(folder);
  return `${pnpm ? 'pnpm exec' : 'npx'} dyconv ${name}`;
}

/** The command that fixes a missing or broken add-on in this project. */
export function setupCommand(): string {
  return isClone() ? 'npm run build' : dyconvCommand('setup');
}
