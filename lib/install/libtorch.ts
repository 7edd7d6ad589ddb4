/**
 * Finds libtorch, or fetches it: `LIBTORCH=/dir`, then the user's cache, then the official wheel, then pip.
 * @module
 */
import { resolve } from 'node:path';
import { ArgumentError, DownloadError, describe } from '../errors.js';
import { cacheDirectory, publish, readManifest } from './cache.js';
import { cudaRequest } from './cuda.js';
import { ensureCudaLibtorch } from './cuda-libtorch.js';
import { inspectLibtorch, type LibtorchInfo } from './inspect.js';
import { acceptsVersion, type Flavour, type LibtorchArtifact, type LibtorchLock, readLock } from './lock.js';
import { createReporter, type Reporter } from './reporter.js';
import { downloadSource, pipSource, type SourceContext, type WheelSource } from './sources.js';
import { unpackWheel } from './wheel.js';

/** Options of {@link ensureLibtorch}. Every one has a default that suits an installation. */
export interface EnsureLibtorchOptions {
  /** What is pinned. Default: `libtorch.lock.json` of this package. */
  lock?: LibtorchLock;
  /** Environment variables `LIBTORCH`, `DYCONV_CACHE`, `DYCONV_LIBTORCH_URL`. Default: `process.env`. */
  env?: NodeJS.ProcessEnv;
  /** The cache folder. Default: see {@link cacheDirectory}. */
  cacheDir?: string;
  /** `<platform>-<arch>`. Default: this machine's. */
  target?: string;
  /** Which build to fetch. Default: `cpu`. */
  flavour?: Flavour;
  /** Where to look for the wheel, in order. Default: {@link downloadSource}, {@link pipSource}. */
  sources?: WheelSource[];
  /** Default: a bar or lines on the standard error output. */
  reporter?: Reporter;
  /** Stops the work; nothing half-finished keeps a final name. */
  signal?: AbortSignal;
}

/** Where libtorch is. */
export interface Libtorch {
  /** Absolute; holds `lib/` and `include/`. */
  dir: string;
  /** Such as `2.13.0`. */
  version: string;
  flavour: Flavour;
  /** How it was found. */
  source: 'LIBTORCH' | 'cache' | 'download' | 'pip';
}

/**
 * Returns a libtorch that the add-on can be built against, and fetches it into the user's cache where there is none.
 *
 * @throws ArgumentError when `LIBTORCH` is set but is not a libtorch of an accepted version.
 * @throws DownloadError when none can be had; the message lists every place that was tried.
 */
export async function ensureLibtorch(options: EnsureLibtorchOptions = {}): Promise<Libtorch> {
  const {
    lock = readLock(),
    env = process.env,
    flavour = 'cpu',
    sources = [downloadSource, pipSource],
  } = options;
  if (env.LIBTORCH) return fromUser(env.LIBTORCH, lock);

  const cacheDir = resolve(options.cacheDir ?? cacheDirectory(env));
  const cuda = await ensureCudaLibtorch(cudaRequest(env), { ...options, env, cacheDir });
  if (cuda) return cuda;
  const dir = resolve(cacheDir, `libtorch-${lock.version}-${flavour}`);
  const found = { dir, version: lock.version, flavour };
  if (readManifest(dir)) return { ...found, source: 'cache' };

  const reporter = options.reporter ?? createReporter();
  const context: SourceContext = {
    artifact: pinnedArtifact(lock, options.target ?? `${process.platform}-${process.arch}`, flavour),
    base: env.DYCONV_LIBTORCH_URL || lock.base,
    workDir: resolve(cacheDir, 'downloads'),
    env,
    reporter,
    signal: options.signal,
  };
  const failures: string[] = [];
  for (const source of sources) {
    try {
      await install(source, context, found);
      reporter.line(`libtorch ${lock.version} (${flavour}) is in ${dir}`);
      return { ...found, source: source.name };
    } catch (error) {
      options.signal?.throwIfAborted();
      const reason = (error as Error).message;
      failures.push(`${source.describe(context)}\n    ${reason}`);
      reporter.line(`No libtorch from ${source.name}: ${reason}`);
    } finally {
      reporter.end();
    }
  }
  throw new DownloadError(explain(lock, dir, failures));
}

function fromUser(path: string, lock: LibtorchLock): Libtorch {
  const dir = resolve(path);
  const info = inspectLibtorch(dir);
  const problem =
    typeof info === 'string'
      ? info
      : acceptsVersion(lock, info.version)
        ? undefined
        : `it holds version ${info.version}`;
  if (problem !== undefined) {
    const { from, to } = lock.accepts;
    const expected = `a folder with libtorch ${from} to ${to} (lib/ and include/)`;
    throw new ArgumentError(`Expected ${expected} for LIBTORCH but received ${describe(path)}: ${problem}`);
  }
  return { dir, ...(info as LibtorchInfo), source: 'LIBTORCH' };
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

async function install(
  source: WheelSource,
  context: SourceContext,
  target: { dir: string; version: string; flavour: Flavour },
): Promise<void> {
  const { artifact, reporter } = context;
  const wheel = await source.fetch(context);
  const kept = await publish(target.dir, async (staging) => {
    const libraries = await unpackWheel({
      file: wheel.file,
      into: staging,
      libraries: artifact.libraries,
      onProgress: (done, total) => reporter.progress('Unpacking libtorch', done, total),
    });
    const info = inspectLibtorch(staging);
    if (typeof info === 'string') throw new DownloadError(`The wheel holds no usable libtorch: ${info}`);
    if (info.version !== target.version) {
      throw new DownloadError(
        `Expected libtorch ${target.version} in the wheel but received ${info.version}`,
      );
    }
    const { version, flavour } = target;
    return { version, flavour, wheel: artifact.file, sha256: wheel.sha256, libraries };
  });
  if (kept) reporter.line(`${target.dir} was not made by dyconv; its content is now in ${kept}`);
  await wheel.discard();
}

function explain(lock: LibtorchLock, dir: string, failures: string[]): string {
  const tried = [`LIBTORCH\n    is not set`, `${dir}\n    holds no finished libtorch`, ...failures];
  return [
    `Could not obtain libtorch ${lock.version}. Tried, in this order:`,
    ...tried.map((entry, index) => `  ${index + 1}. ${entry}`),
    'What to do, any one of:',
    '  - connect this machine to the network (HTTPS_PROXY is honoured) and run the command again;',
    '  - set DYCONV_LIBTORCH_URL to a mirror of the official wheels, or configure pip for one;',
    `  - set LIBTORCH to a folder with libtorch ${lock.accepts.from} to ${lock.accepts.to} (lib/ and include/).`,
  ].join('\n');
}
