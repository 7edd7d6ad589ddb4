/**
 * libtorch for a CUDA version that is not pinned: the official archive of libtorch, which contains NVIDIA's libraries.
 * Its checksum is not known in advance, so the download relies on HTTPS, or on a checksum from the user.
 * @module
 */
import { rm } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { ArgumentError, DownloadError, describe } from '../errors.js';
import { download, hashFile } from '../files/download.js';
import { type Manifest, publish, readManifest } from '../libtorch/cache.js';
import { inspectLibtorch } from '../libtorch/inspect.js';
import { readLock } from '../libtorch/lock.js';
import type { Libtorch } from '../libtorch/types.js';
import { unpackLibtorch } from './archive.js';
import { withFolder } from './cache-lock.js';
import type { Reporter } from './reporter.js';
import { isOffline } from './sources.js';

/** Options of {@link ensureCudaArchive}. */
export interface CudaArchiveOptions {
  env: NodeJS.ProcessEnv;
  cacheDir: string;
  /** Releases of libtorch to try, in this order. */
  versions: string[];
  reporter: Reporter;
  signal?: AbortSignal | undefined;
}

/** The unpacked archive for a CUDA version such as `cu128`, if it is in the cache. */
export function findCudaArchive(
  name: string,
  { cacheDir, versions }: Pick<CudaArchiveOptions, 'cacheDir' | 'versions'>,
): Libtorch | undefined {
  for (const version of versions) {
    const dir = resolve(cacheDir, `libtorch-${version}-${name}`);
    if (readManifest(dir)) return { dir, version, flavour: 'cuda', source: 'cache' };
  }
  return undefined;
}

/**
 * Fetches and unpacks the official archive for a CUDA version.
 * @throws DownloadError if none of the releases has one; the message names the addresses.
 */
export async function ensureCudaArchive(name: string, options: CudaArchiveOptions): Promise<Libtorch> {
  const found = findCudaArchive(name, options);
  if (found) return found;
  const { env, versions, cacheDir, signal } = options;
  const fix = 'DYCONV_CUDA=off installs the CPU build.';
  if (isOffline(env)) {
    throw new DownloadError(`libtorch for ${name} is not in ${cacheDir}, and DYCONV_OFFLINE is set. ${fix}`);
  }
  const base = (env.DYCONV_LIBTORCH_URL || readLock().zipBase).replace(/\/+$/, '');
  const sha256 = namedChecksum(env);
  if (sha256 === undefined && !isGenuine(base)) {
    throw new ArgumentError(
      `Expected an https URL for DYCONV_LIBTORCH_URL but received ${describe(base)}: ` +
        `no checksum is pinned for ${name}. DYCONV_CUDA_SHA256 with that of the archive would do as well`,
    );
  }
  const failures: string[] = [];
  for (const version of versions) {
    const url = `${base}/${name}/libtorch-shared-with-deps-${version}%2B${name}.zip`;
    try {
      return await fetchArchive({ name, version, url, sha256 }, options);
    } catch (error) {
      signal?.throwIfAborted();
      const { message } = error as Error;
      // Another release may have an archive; but a full disk remains full.
      if (!/answered with status 40[34]/.test(message)) {
        throw new DownloadError(`${message}. ${fix}`, { cause: error });
      }
      failures.push(message);
    }
  }
  throw new DownloadError(
    `No libtorch for ${name} is published:\n${failures.map((one) => `  - ${one}`).join('\n')}\n` +
      `Install PyTorch for it with pip and set LIBTORCH to its torch folder. ${fix}`,
  );
}

interface Archive {
  name: string;
  version: string;
  url: string;
  sha256: string | undefined;
}

async function fetchArchive(
  { name, version, url, sha256 }: Archive,
  options: CudaArchiveOptions,
): Promise<Libtorch> {
  const { cacheDir, reporter, signal } = options;
  const dir = resolve(cacheDir, `libtorch-${version}-${name}`);
  return await withFolder(dir, options, async () => {
    const cached = findCudaArchive(name, { cacheDir, versions: [version] });
    if (cached) return cached;
    const file = join(cacheDir, 'downloads', `libtorch-${version}-${name}.zip`);
    try {
      reporter.line(`Fetching ${url}, some gigabytes`);
      await download({
        url,
        file,
        hash: sha256 === undefined ? undefined : { algorithm: 'sha256', digest: sha256 },
        signal,
        onProgress: (done, total) => reporter.progress('Downloading libtorch', done, total),
      });
      const received = await hashFile(file, 'sha256');
      if (sha256 === undefined) {
        reporter.line(
          `No checksum is pinned for it; DYCONV_CUDA_SHA256=${received} would demand this very file.`,
        );
      }
      await publish(dir, (staging) => unpack(staging, { file, url, version, sha256: received }, reporter));
      reporter.line(`libtorch ${version} (${name}) is in ${dir}`);
      return { dir, version, flavour: 'cuda', source: 'zip' };
    } finally {
      reporter.end();
      // An incomplete download has another name and is kept for the next attempt; this file is complete and no longer needed.
      await rm(file, { force: true });
    }
  });
}

async function unpack(
  staging: string,
  { file, url, version, sha256 }: Omit<Archive, 'name'> & { file: string; sha256: string },
  reporter: Reporter,
): Promise<Manifest> {
  const libraries = await unpackLibtorch({
    file,
    into: staging,
    libraries: ['libtorch.so', 'libtorch_cpu.so', 'libtorch_cuda.so', 'libc10.so', 'libc10_cuda.so'],
    allLibraries: true,
    onProgress: (done, total) => reporter.progress('Unpacking', done, total),
  });
  const info = inspectLibtorch(staging);
  if (typeof info === 'string') throw new DownloadError(`${url} does not contain a usable libtorch: ${info}`);
  if (info.version !== version) {
    throw new DownloadError(`Expected libtorch ${version} in ${url} but received ${info.version}`);
  }
  return { version, flavour: 'cuda', wheel: decodeURIComponent(basename(url)), sha256, libraries };
}

/** The checksum that the user requires. */
function namedChecksum(env: NodeJS.ProcessEnv): string | undefined {
  const value = env.DYCONV_CUDA_SHA256?.trim();
  if (!value) return undefined;
  if (/^[0-9a-f]{64}$/i.test(value)) return value.toLowerCase();
  throw new ArgumentError(
    `Expected 64 hexadecimal digits for DYCONV_CUDA_SHA256 but received ${describe(value)}`,
  );
}

/** Whether the address is protected against changes in transit. */
function isGenuine(base: string): boolean {
  return (
    URL.canParse(base) &&
    (/^https:/.test(base) || /^(localhost|127\.0\.0\.1|\[::1\])$/.test(new URL(base).hostname))
  );
}
