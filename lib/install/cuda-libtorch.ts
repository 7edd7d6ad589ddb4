/**
 * The CUDA build of libtorch with NVIDIA's runtime libraries, requested with `DYCONV_CUDA`. For a CUDA version
 * that is pinned, pip downloads wheels, each checked by SHA-256, which are unpacked into one folder whose `lib/`
 * contains all libraries; for others see {@link ensureCudaArchive}.
 * @module
 */
import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import rsort from 'semver/functions/rsort.js';
import { DownloadError } from '../errors.js';
import { openZip } from '../files/zip.js';
import { type Manifest, publish, readManifest } from '../libtorch/cache.js';
import { inspectLibtorch } from '../libtorch/inspect.js';
import { readLock } from '../libtorch/lock.js';
import type { Libtorch } from '../libtorch/types.js';
import { extract, unpackLibtorch } from './archive.js';
import { withFolder } from './cache-lock.js';
import { type CudaRequest, hasNvidiaDriver } from './cuda.js';
import { ensureCudaArchive, findCudaArchive } from './cuda-archive.js';
import { detectLibc, type Libc, libcFix, libcProblem } from './libc.js';
import { TARGET } from './platform.js';
import { createReporter, type Reporter } from './reporter.js';
import { type FetchedFile, fetchWithPip, isOffline } from './sources.js';

/** One pinned wheel. */
export interface PinnedWheel {
  /** Such as `nvidia-cublas==13.1.1.3`. */
  requirement: string;
  file: string;
  /** Bytes. */
  size: number;
  sha256: string;
}

/** The pinned files of one CUDA version. */
export interface CudaBuild {
  /** Of libtorch. */
  version: string;
  /** `<platform>-<arch>`. */
  target: string;
  /** The Python version of the wheel; Python is not needed at run time. */
  pythonVersion: string;
  /** The files of `torch/lib` to keep. */
  libraries: string[];
  /** The first is PyTorch's own. */
  wheels: PinnedWheel[];
}

/** Options of {@link ensureCudaLibtorch}. */
export interface CudaLibtorchOptions {
  env: NodeJS.ProcessEnv;
  cacheDir: string;
  target?: string | undefined;
  /** The C library of this machine. Default: detected. */
  libc?: Libc | undefined;
  reporter?: Reporter | undefined;
  signal?: AbortSignal | undefined;
  /** The pinned files by CUDA version. Default: `libtorch-cuda.lock.json` of this package. */
  builds?: Record<string, CudaBuild> | undefined;
  /** Whether there is a driver, for `auto`. Default: looked up. */
  hasDriver?: (() => boolean) | undefined;
}

/** Reads the lock file of the package. */
export function readCudaLock(): Record<string, CudaBuild> {
  const file = new URL('../../libtorch-cuda.lock.json', import.meta.url);
  return JSON.parse(readFileSync(file, 'utf8')) as Record<string, CudaBuild>;
}

/**
 * The requested CUDA libtorch, downloaded into the user's cache if necessary.
 * @returns undefined if the CPU build is used: `off`; and `auto` without a driver, or with one for which
 *   no CUDA build is available. An installation for CPUs never fails because of a GPU.
 * @throws DownloadError when a specific CUDA version was requested and is not available.
 */
export async function ensureCudaLibtorch(
  request: CudaRequest,
  options: CudaLibtorchOptions,
): Promise<Libtorch | undefined> {
  const { hasDriver = hasNvidiaDriver, reporter = createReporter() } = options;
  if (request === 'off') return undefined;
  const builds = options.builds ?? readCudaLock();
  if (request !== 'auto') return await ensureBuild(request, builds, { ...options, reporter });
  if (!hasDriver()) {
    reporter.line('DYCONV_CUDA=auto: no NVIDIA driver is loaded, so this is an installation for CPUs.');
    return undefined;
  }
  try {
    return await ensureBuild(newest(builds), builds, { ...options, reporter });
  } catch (error) {
    options.signal?.throwIfAborted();
    reporter.line(`DYCONV_CUDA=auto: ${(error as Error).message}\nThis becomes an installation for CPUs.`);
    return undefined;
  }
}

/**
 * The requested CUDA libtorch, if it is in the cache.
 * @returns undefined otherwise, and for `auto` if no driver is loaded.
 */
export function findCudaLibtorch(
  request: CudaRequest,
  options: Pick<CudaLibtorchOptions, 'cacheDir' | 'builds' | 'hasDriver'>,
): Libtorch | undefined {
  const { cacheDir, builds = readCudaLock(), hasDriver = hasNvidiaDriver } = options;
  if (request === 'off' || (request === 'auto' && !hasDriver())) return undefined;
  const name = request === 'auto' ? newest(builds) : request;
  const build = builds[name];
  if (!build) return findCudaArchive(name, { cacheDir, versions: releases(builds) });
  const dir = cudaFolder(cacheDir, name, build);
  return readManifest(dir) && { dir, version: build.version, flavour: 'cuda', source: 'cache' };
}

function newest(builds: Record<string, CudaBuild>): string {
  return Object.keys(builds).sort().at(-1)!;
}

/** The releases of libtorch that dyconv supports, the newest first. */
function releases(builds: Record<string, CudaBuild>): string[] {
  const all = new Set([...Object.values(builds).map(({ version }) => version), readLock().version]);
  return rsort([...all]);
}

async function ensureBuild(
  name: string,
  builds: Record<string, CudaBuild>,
  options: CudaLibtorchOptions & { reporter: Reporter },
): Promise<Libtorch> {
  const build = builds[name];
  const { cacheDir, reporter, target = TARGET } = options;
  if (!build && target === 'linux-x64') {
    return await ensureCudaArchive(name, { ...options, versions: releases(builds) });
  }
  if (!build || build.target !== target) {
    throw new DownloadError(
      `No libtorch for ${name} is known on ${target}, only on linux-x64. Install PyTorch for it with pip ` +
        'and set LIBTORCH to its torch folder, or set DYCONV_CUDA=off for the CPU build.',
    );
  }
  const found = { dir: cudaFolder(cacheDir, name, build), version: build.version, flavour: 'cuda' as const };
  if (readManifest(found.dir)) return { ...found, source: 'cache' };
  const libc = 'libc' in options ? options.libc : detectLibc();
  const problem = libcProblem(build.wheels[0]!.file, libc);
  if (problem !== undefined && libc) throw new DownloadError(`${problem}: ${libcFix(libc)}`);
  if (isOffline(options.env)) {
    throw new DownloadError(
      `libtorch ${build.version} (${name}) is not in ${found.dir}, and DYCONV_OFFLINE is set. ` +
        'DYCONV_CUDA=off installs the CPU build.',
    );
  }
  return await withFolder(found.dir, options, async () => {
    if (readManifest(found.dir)) return { ...found, source: 'cache' };
    await publish(found.dir, (staging) => fill(staging, build, options));
    reporter.line(`libtorch ${build.version} (${name}) is in ${found.dir}`);
    return { ...found, source: 'pip' };
  });
}

function cudaFolder(cacheDir: string, name: string, build: CudaBuild): string {
  return resolve(cacheDir, `libtorch-${build.version}-${name}`);
}

/** Downloads and unpacks one wheel after another, so that the disk never has two. */
async function fill(
  staging: string,
  build: CudaBuild,
  options: CudaLibtorchOptions & { reporter: Reporter },
): Promise<Manifest> {
  const { reporter } = options;
  const libraries: Record<string, number> = {};
  for (const [i, wheel] of build.wheels.entries()) {
    const megabytes = Math.round(wheel.size / 1e6);
    reporter.line(`${i + 1} of ${build.wheels.length}: ${wheel.requirement}, ${megabytes} MB`);
    const { file, discard } = await fetchWheel(wheel, build, options);
    try {
      const sizes =
        i === 0
          ? await unpackLibtorch({
              file,
              into: staging,
              libraries: build.libraries,
              onProgress: (done, total) => reporter.progress('Unpacking', done, total),
            })
          : await unpackNvidia(file, staging);
      Object.assign(libraries, sizes);
    } finally {
      reporter.end();
      await discard();
    }
  }
  const info = inspectLibtorch(staging);
  if (typeof info === 'string')
    throw new DownloadError(`The wheels do not contain a usable libtorch: ${info}`);
  const [torch] = build.wheels;
  return { version: build.version, flavour: 'cuda', wheel: torch!.file, sha256: torch!.sha256, libraries };
}

async function fetchWheel(
  { requirement, file, sha256 }: PinnedWheel,
  { pythonVersion }: CudaBuild,
  { cacheDir, env, reporter, signal }: CudaLibtorchOptions & { reporter: Reporter },
): Promise<FetchedFile> {
  const context = { workDir: join(cacheDir, 'downloads'), env, reporter, signal };
  let fetched: FetchedFile;
  try {
    fetched = await fetchWithPip({ file, sha256, pip: { requirement, pythonVersion } }, context);
  } catch (error) {
    signal?.throwIfAborted();
    const why = (error as Error).message;
    throw new DownloadError(
      `pip cannot get ${requirement}: ${why}. DYCONV_CUDA=off installs the CPU build.`,
      { cause: error },
    );
  }
  if (fetched.sha256 === sha256) return fetched;
  await fetched.discard();
  throw new DownloadError(`Expected sha256 ${sha256} for ${requirement} but received ${fetched.sha256}`);
}

/**
 * The path of a file of NVIDIA's wheels: shared libraries go into the `lib/` of libtorch, whose libraries search
 * them there; headers of the runtime go into `cuda/include/`, to compile the add-on. Undefined: not needed.
 */
export function nvidiaTarget(name: string): string | undefined {
  const library = /^nvidia\/[^/]+\/lib\/([^/]+\.so(?:\.[\d.]+)?)$/.exec(name)?.[1];
  if (library) return `lib/${library}`;
  const licence = /^([^/]+)\.dist-info\/(?:licenses\/)?(.*LICEN[CS]E[^/]*)$/i.exec(name);
  if (licence) return `licenses/${licence[1]}/${licence[2]}`;
  const header = /^nvidia\/[^/]+\/include\/(.*[^/])$/.exec(name)?.[1];
  return header && `cuda/include/${header}`;
}

/** Only the headers of the runtime are kept, to save space. */
async function unpackNvidia(file: string, into: string): Promise<Record<string, number>> {
  const sizes: Record<string, number> = {};
  const zip = await openZip(file, { strictFileNames: true });
  try {
    const runtime = /cuda_(?:runtime|crt)/.test(file);
    for await (const entry of zip.eachEntry()) {
      const path = nvidiaTarget(entry.fileName);
      if (path === undefined || (path.startsWith('cuda/') && !runtime)) continue;
      await mkdir(dirname(join(into, path)), { recursive: true });
      await extract(zip, entry, join(into, path));
      if (path.startsWith('lib/')) sizes[path.slice('lib/'.length)] = entry.uncompressedSize;
    }
  } catch (error) {
    throw new DownloadError(`Could not unpack ${file}: ${(error as Error).message}`, { cause: error });
  } finally {
    zip.close();
  }
  return sizes;
}
