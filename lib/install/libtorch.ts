/**
 * Finds or downloads libtorch: `LIBTORCH` (a folder or an archive), `LIBTORCH_USE_PYTORCH=1`, the CUDA build that
 * `DYCONV_CUDA` requests, the user's cache, the official wheel, the official archive, pip.
 * @module
 */
import { existsSync, statSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { ArgumentError, DownloadError, describe } from '../errors.js';
import { hashFile } from '../files/download.js';
import { cacheDirectory, publish, readManifest } from '../libtorch/cache.js';
import { inspectLibtorch, type LibtorchInfo } from '../libtorch/inspect.js';
import { acceptsVersion, type LibtorchArtifact, type LibtorchLock, readLock } from '../libtorch/lock.js';
import type { Flavour, Libtorch } from '../libtorch/types.js';
import { abiProblem, wheelProblem } from './abi.js';
import { unpackLibtorch } from './archive.js';
import { isDiskFull, withFolder } from './cache-lock.js';
import { cudaRequest } from './cuda.js';
import { ensureCudaLibtorch, findCudaLibtorch } from './cuda-libtorch.js';
import { detectLibc, type Libc } from './libc.js';
import { bringsLibtorch, type Machine, requirePlatform, TARGET } from './platform.js';
import { findPythonTorch } from './python.js';
import { createReporter, type Reporter } from './reporter.js';
import {
  downloadSource,
  isOffline,
  type LibtorchSource,
  pipSource,
  type SourceContext,
  zipSource,
} from './sources.js';

/** Options of {@link ensureLibtorch}. All have defaults for an installation. */
export interface EnsureLibtorchOptions {
  /** The pinned files. Default: `libtorch.lock.json` of this package. */
  lock?: LibtorchLock | undefined;
  /** Variables `LIBTORCH`, `LIBTORCH_USE_PYTORCH`, `DYCONV_CACHE`, `DYCONV_CUDA`, `DYCONV_LIBTORCH_URL`, `DYCONV_OFFLINE`. Default: `process.env`. */
  env?: NodeJS.ProcessEnv | undefined;
  /** The cache folder. Default: see {@link cacheDirectory}. */
  cacheDir?: string | undefined;
  /** `<platform>-<arch>`. Default: this machine's. */
  target?: string | undefined;
  /** The build to download. Default: `cpu`. */
  flavour?: Flavour | undefined;
  /** The C library of this machine. Default: detected. */
  libc?: Libc | undefined;
  /** Sources, in order. Default: {@link downloadSource}, {@link zipSource}, {@link pipSource}. */
  sources?: LibtorchSource[] | undefined;
  /** Default: a bar or lines on the standard error output. */
  reporter?: Reporter | undefined;
  /** Cancels the work; incomplete files do not get a final name. */
  signal?: AbortSignal | undefined;
}

/**
 * Finds a libtorch that need not be downloaded or unpacked.
 *
 * @returns undefined if there is none.
 * @throws ArgumentError when the user names a folder that is not a libtorch, an unsupported version, or one for another machine.
 */
export function findLibtorch(
  options: Pick<EnsureLibtorchOptions, 'lock' | 'env' | 'cacheDir' | 'target' | 'flavour' | 'libc'> = {},
): Libtorch | undefined {
  const { lock = readLock(), env = process.env, flavour = 'cpu' } = options;
  const context = { lock, machine: machineOf(options) };
  if (env.LIBTORCH) {
    const path = resolve(env.LIBTORCH);
    return isArchive(path) ? undefined : fromUser('LIBTORCH', path, context);
  }
  if (env.LIBTORCH_USE_PYTORCH === '1') {
    const dir = findPythonTorch(env);
    if (typeof dir === 'string') return fromUser('LIBTORCH_USE_PYTORCH', dir, context);
    const expected = 'a Python with PyTorch';
    throw new ArgumentError(
      `Expected ${expected} for LIBTORCH_USE_PYTORCH but received none: ${dir.problem}`,
    );
  }
  const cacheDir = resolve(options.cacheDir ?? cacheDirectory(env));
  const request = cudaRequest(env);
  const cuda = findCudaLibtorch(request, { cacheDir });
  if (cuda || (request !== 'off' && request !== 'auto')) return cuda;
  const dir = cachedFolder(cacheDir, lock, flavour);
  return readManifest(dir) ? { dir, version: lock.version, flavour, source: 'cache' } : undefined;
}

/**
 * Returns a libtorch with which the add-on can be built, and downloads it into the user's cache if necessary.
 * Simultaneous calls of several processes wait for the first one.
 *
 * @throws ArgumentError when the user names a folder that is not a libtorch, an unsupported version, or one for another machine.
 * @throws DyconvError when libtorch cannot run on this machine; nothing has been downloaded then.
 * @throws DownloadError when none is available; the message lists all sources that were tried.
 */
export async function ensureLibtorch(options: EnsureLibtorchOptions = {}): Promise<Libtorch> {
  const { lock = readLock(), env = process.env, flavour = 'cpu', signal } = options;
  const machine = machineOf(options);
  requirePlatform(machine, lock, env);
  if (!bringsLibtorch(env)) {
    const cacheDir = resolve(options.cacheDir ?? cacheDirectory(env));
    const cuda = await ensureCudaLibtorch(cudaRequest(env), { ...options, env, cacheDir });
    if (cuda) return cuda;
  }
  const found = findLibtorch(options);
  if (found) return found;

  const reporter = options.reporter ?? createReporter();
  const cacheDir = resolve(options.cacheDir ?? cacheDirectory(env));
  if (env.LIBTORCH) {
    return await fromArchive(resolve(env.LIBTORCH), { lock, machine, cacheDir, reporter, signal });
  }

  const dir = cachedFolder(cacheDir, lock, flavour);
  const target = { dir, version: lock.version, flavour };
  const context: SourceContext = {
    artifact: pinnedArtifact(lock, machine.target, flavour),
    base: env.DYCONV_LIBTORCH_URL || lock.base,
    zipBase: env.DYCONV_LIBTORCH_URL || lock.zipBase,
    workDir: resolve(cacheDir, 'downloads'),
    env,
    reporter,
    signal,
  };
  if (isOffline(env)) throw new DownloadError(explain(lock, dir, ['the network\n    DYCONV_OFFLINE is set']));
  return await withFolder(dir, context, async () => {
    if (readManifest(dir)) return { ...target, source: 'cache' };
    return await fetchFromAny(
      options.sources ?? [downloadSource, zipSource, pipSource],
      context,
      target,
      lock,
    );
  });
}

function machineOf(options: Pick<EnsureLibtorchOptions, 'target' | 'libc'>): Machine {
  return { target: options.target ?? TARGET, libc: 'libc' in options ? options.libc : detectLibc() };
}

function cachedFolder(cacheDir: string, lock: LibtorchLock, flavour: Flavour): string {
  return resolve(cacheDir, `libtorch-${lock.version}-${flavour}`);
}

interface Target {
  dir: string;
  version: string;
  flavour: Flavour;
}

async function fetchFromAny(
  sources: LibtorchSource[],
  context: SourceContext,
  target: Target,
  lock: LibtorchLock,
): Promise<Libtorch> {
  const { artifact, reporter, signal } = context;
  const failures: string[] = [];
  for (const source of sources) {
    if (source.applies?.(artifact) === false) continue;
    try {
      await install(source, context, target);
      reporter.line(`libtorch ${target.version} (${target.flavour}) is in ${target.dir}`);
      return { ...target, source: source.name };
    } catch (error) {
      signal?.throwIfAborted();
      if (isDiskFull(error)) throw error;
      const reason = (error as Error).message;
      failures.push(`${source.describe(context)}\n    ${reason}`);
      reporter.line(`No libtorch from ${source.name}: ${reason}`);
    } finally {
      reporter.end();
    }
  }
  throw new DownloadError(explain(lock, target.dir, failures));
}

/** Of a libtorch that the user provides. */
interface UserContext {
  lock: LibtorchLock;
  machine: Machine;
}

function fromUser(
  variable: 'LIBTORCH' | 'LIBTORCH_USE_PYTORCH',
  dir: string,
  { lock, machine }: UserContext,
): Libtorch {
  const info = inspectLibtorch(dir);
  const problem = typeof info === 'string' ? info : unfit(dir, info, { lock, machine });
  if (problem !== undefined) {
    const { from, to } = lock.accepts;
    const expected = `a folder with libtorch ${from} to ${to} (lib/ and include/)`;
    throw new ArgumentError(`Expected ${expected} for ${variable} but received ${describe(dir)}: ${problem}`);
  }
  return { dir, ...(info as LibtorchInfo), source: variable };
}

function unfit(dir: string, { version }: LibtorchInfo, { lock, machine }: UserContext): string | undefined {
  return acceptsVersion(lock, version) ? abiProblem(dir, machine) : `it holds version ${version}`;
}

function isArchive(path: string): boolean {
  return /\.(whl|zip)$/i.test(path) && existsSync(path) && statSync(path).isFile();
}

/** A wheel or libtorch archive on disk: unpacked into the cache, under a name with its checksum. */
async function fromArchive(
  file: string,
  context: UserContext & { cacheDir: string; reporter: Reporter; signal?: AbortSignal | undefined },
): Promise<Libtorch> {
  const { lock, machine, cacheDir, reporter } = context;
  const refuse = (problem: string | undefined) => {
    if (problem === undefined) return;
    const { from, to } = lock.accepts;
    const expected = `a wheel or archive with libtorch ${from} to ${to}`;
    throw new ArgumentError(`Expected ${expected} for LIBTORCH but received ${describe(file)}: ${problem}`);
  };
  refuse(wheelProblem(basename(file), machine));
  const sha256 = await hashFile(file, 'sha256');
  const dir = resolve(cacheDir, `libtorch-file-${sha256.slice(0, 16)}`);
  const known = () => {
    const manifest = readManifest(dir);
    return (
      manifest && { dir, version: manifest.version, flavour: manifest.flavour, source: 'LIBTORCH' as const }
    );
  };
  const found = known();
  if (found) return found;
  return await withFolder(dir, context, async () => {
    await publish(dir, async (staging) => {
      const libraries = await unpackLibtorch({
        file,
        into: staging,
        libraries: [],
        allLibraries: true,
        onProgress: (done, total) => reporter.progress('Unpacking libtorch', done, total),
      }).finally(() => reporter.end());
      const info = inspectLibtorch(staging);
      refuse(typeof info === 'string' ? info : unfit(staging, info, { lock, machine }));
      return { ...(info as LibtorchInfo), wheel: file, sha256, libraries };
    });
    return known()!;
  });
}

function pinnedArtifact(lock: LibtorchLock, target: string, flavour: Flavour): LibtorchArtifact {
  const artifact = lock.artifacts[`${target}-${flavour}`];
  if (artifact) return artifact;
  const known = Object.keys(lock.artifacts).join(', ');
  throw new DownloadError(
    `No libtorch is pinned for ${target}-${flavour} (pinned: ${known}). ` +
      `Unpack libtorch ${lock.accepts.from} to ${lock.accepts.to} for this platform and set LIBTORCH to its folder.`,
  );
}

async function install(source: LibtorchSource, context: SourceContext, target: Target): Promise<void> {
  const { artifact, reporter } = context;
  const fetched = await source.fetch(context);
  const kept = await publish(target.dir, async (staging) => {
    const libraries = await unpackLibtorch({
      file: fetched.file,
      into: staging,
      libraries: artifact.libraries,
      allLibraries: !artifact.tried,
      onProgress: (done, total) => reporter.progress('Unpacking libtorch', done, total),
    });
    const info = inspectLibtorch(staging);
    if (typeof info === 'string')
      throw new DownloadError(`The file does not contain a usable libtorch: ${info}`);
    if (info.version !== target.version) {
      throw new DownloadError(`Expected libtorch ${target.version} in the file but received ${info.version}`);
    }
    const { version, flavour } = target;
    return { version, flavour, wheel: basename(fetched.file), sha256: fetched.sha256, libraries };
  });
  if (kept) reporter.line(`${target.dir} was not made by dyconv; its content is now in ${kept}`);
  await fetched.discard();
}

function explain(lock: LibtorchLock, dir: string, failures: string[]): string {
  const tried = [`LIBTORCH\n    is not set`, `${dir}\n    holds no finished libtorch`, ...failures];
  return [
    `Could not obtain libtorch ${lock.version}. Tried, in this order:`,
    ...tried.map((entry, index) => `  ${index + 1}. ${entry}`),
    'What to do, any one of:',
    '  - connect this machine to the network (HTTPS_PROXY is honored) and run the command again;',
    '  - set DYCONV_LIBTORCH_URL to a mirror of the official wheels, or configure pip for one;',
    '  - set LIBTORCH to a PyTorch wheel or libtorch archive that you have brought here;',
    '  - set LIBTORCH_USE_PYTORCH=1 where the active Python has a PyTorch of these versions;',
    `  - set LIBTORCH to a folder with libtorch ${lock.accepts.from} to ${lock.accepts.to} (lib/ and include/).`,
  ].join('\n');
}
