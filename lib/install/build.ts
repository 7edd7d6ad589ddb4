/**
 * Builds the native add-on with cmake-js and loads the result.
 * @module
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, realpathSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { usableCores } from '../control-groups.js';
import { DyconvError } from '../errors.js';
import type { Libtorch } from '../libtorch/types.js';
import { addonPath, type BuildConfig, packageRoot } from '../native/load.js';
import { checkAddon } from './addon.js';
import { cudaArchs, cudaToolkit } from './cuda.js';
import { installHint, missingTools } from './toolchain.js';

/** Options of {@link buildAddon}. */
export interface BuildOptions {
  libtorch: Libtorch;
  /** Default: `Release`. */
  config?: BuildConfig | undefined;
  /** Number of parallel compilers. Default: one per core, limited by memory. */
  jobs?: number | undefined;
  /** Clean build. Default: false. */
  clean?: boolean | undefined;
}

// Peak memory of one compiler with libtorch's headers, with a margin.
const BYTES_PER_JOB = 2 * 1024 ** 3;

/** Number of jobs that fit the cores and the free memory. */
export function defaultJobs(): number {
  const byMemory = Math.floor(process.availableMemory() / BYTES_PER_JOB);
  return Math.max(1, Math.min(usableCores(), byMemory));
}

/** Whether the add-on is newer than its sources and loads against this libtorch. */
export function isUpToDate(libtorch: Libtorch, config: BuildConfig = 'Release'): boolean {
  const addon = addonPath(config);
  if (!existsSync(addon)) return false;
  const built = statSync(addon).mtimeMs;
  const sources = readdirSync(join(packageRoot, 'cpp'), { recursive: true, encoding: 'utf8' });
  const files = ['CMakeLists.txt', ...sources.map((name) => join('cpp', name))];
  if (files.some((name) => statSync(join(packageRoot, name)).mtimeMs > built)) return false;
  return usesLibtorch(addon, libtorch) === undefined;
}

/**
 * Configures and builds. Files that are up to date are not built again.
 *
 * @returns The path of the add-on, which was loaded once in a child process.
 * @throws DyconvError that names the missing program, the failed step, or why the add-on does not load.
 */
export function buildAddon(options: BuildOptions): string {
  const { libtorch, config = 'Release', jobs = defaultJobs(), clean = false } = options;
  const missing = missingTools();
  if (missing.length > 0) {
    const problems = missing.map(({ problem }) => problem).join('. ');
    throw new DyconvError(`Cannot build the native add-on: ${problems}. ${installHint(missing)}`);
  }
  const work = join(packageRoot, 'build', 'cmake', config);
  if (clean || isStale(work)) rmSync(work, { recursive: true, force: true });
  const common = ['--directory', packageRoot, '--out', work, '--config', config, '--log-level', 'warn'];
  cmakeJs(['configure', ...common, `--CDLIBTORCH_DIR=${libtorch.dir}`, ...cudaFlags(libtorch)], {
    quiet: true,
  });
  cmakeJs(['build', ...common, '--parallel', String(jobs)], { quiet: false });
  const addon = addonPath(config);
  const problem = usesLibtorch(addon, libtorch);
  if (problem) throw new DyconvError(`The native add-on was built, but ${problem}`);
  return addon;
}

/** The paths of CUDA for CMake. Missing parts reduce speed or functions, but do not fail the build. */
function cudaFlags(libtorch: Libtorch): string[] {
  if (libtorch.flavour !== 'cuda')
    return ['--CDDYCONV_CUDA_INCLUDE=', '--CDDYCONV_CUDART=', '--CDDYCONV_NVCC='];
  const archs = cudaArchs().join(';');
  const { include = '', cudart = '', nvcc = '', problems } = cudaToolkit(libtorch.dir);
  for (const problem of problems) process.stderr.write(`CUDA: ${problem}.\n`);
  return [
    `--CDDYCONV_CUDA_INCLUDE=${include}`,
    `--CDDYCONV_CUDART=${cudart}`,
    `--CDDYCONV_NVCC=${nvcc}`,
    `--CDDYCONV_CUDA_ARCHS=${archs}`,
  ];
}

function usesLibtorch(addon: string, libtorch: Libtorch): string | undefined {
  const check = checkAddon(addon);
  if (!check.ok) return `it does not load: ${check.reason}`;
  const expected = realpathSync(join(libtorch.dir, 'lib'));
  if (check.libtorchLib === undefined || check.libtorchLib === expected) return undefined;
  return `it loads libtorch from ${check.libtorchLib}, not from ${expected} (is LD_LIBRARY_PATH set?)`;
}

/** CMake rejects a build folder of another path or another generator. */
function isStale(work: string): boolean {
  const file = join(work, 'CMakeCache.txt');
  if (!existsSync(file)) return false;
  const cache = readFileSync(file, 'utf8');
  const home = /^CMAKE_HOME_DIRECTORY:INTERNAL=(.*)$/m.exec(cache)?.[1];
  const generator = /^CMAKE_GENERATOR:INTERNAL=(.*)$/m.exec(cache)?.[1];
  if (!home || !existsSync(home) || realpathSync(home) !== realpathSync(packageRoot)) return true;
  const ninja = spawnSync('ninja', ['--version']).status === 0;
  return process.platform !== 'win32' && (generator === 'Ninja') !== ninja;
}

function cmakeJs(args: string[], { quiet }: { quiet: boolean }): void {
  const bin = join(
    dirname(createRequire(import.meta.url).resolve('cmake-js/package.json')),
    'bin',
    'cmake-js',
  );
  // Under node-gyp this runs inside make; its job server must not be used.
  const { MAKEFLAGS: _flags, MFLAGS: _mflags, MAKELEVEL: _level, ...env } = process.env;
  const child = spawnSync(process.execPath, [bin, ...args], {
    cwd: packageRoot,
    env,
    encoding: 'utf8',
    // Standard output is for results; messages of a build go to standard error.
    stdio: quiet ? ['ignore', 'pipe', 'pipe'] : ['ignore', 2, 2],
  });
  if (child.status === 0) return;
  if (quiet) process.stderr.write(`${child.stdout ?? ''}${child.stderr ?? ''}`);
  throw new DyconvError(
    `cmake-js ${args[0]} failed${child.error ? `: ${child.error.message}` : '; see above'}`,
  );
}
