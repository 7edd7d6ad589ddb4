/**
 * The lock file that pins libtorch: version, file and checksum.
 * @module
 */
import { readFileSync } from 'node:fs';
// Single functions: this module is loaded with the library, and the index of semver loads 45 files.
import coerce from 'semver/functions/coerce.js';
import satisfies from 'semver/functions/satisfies.js';

/** A file with known content. */
export interface PinnedFile {
  /** Its address; `{base}` is replaced by {@link LibtorchLock.base}, {@link LibtorchLock.zipBase}, or the user's mirror. */
  url: string;
  /** Its name, also when pip saves it. */
  file: string;
  /** Size in bytes, if published. */
  size?: number | undefined;
  /** SHA-256 in hexadecimal. */
  sha256: string;
}

/** The pinned files of one platform and build: a PyTorch wheel, and the libtorch archive of the same release. */
export interface LibtorchArtifact extends PinnedFile {
  /** Whether dyconv was built and tested with it. */
  tried: boolean;
  /** The libtorch archive, without Python, if there is one. */
  zip?: PinnedFile | undefined;
  /** Arguments with which pip downloads the same wheel. */
  pip: { requirement: string; pythonVersion: string };
  /** The required files of `lib`. On untested platforms all other files are kept too. */
  libraries: string[];
}

/** `libtorch.lock.json`. */
export interface LibtorchLock {
  /** The version that is downloaded. */
  version: string;
  /** The supported releases (major.minor, both inclusive) of a user's own libtorch. */
  accepts: { from: string; to: string };
  /** Address of the official wheels. */
  base: string;
  /** Address of the official libtorch archives. */
  zipBase: string;
  /** By `<platform>-<arch>-<flavour>`, such as `linux-x64-cpu`. */
  artifacts: Record<string, LibtorchArtifact>;
}

/** Reads the lock file that ships with the package. */
export function readLock(): LibtorchLock {
  const file = new URL('../../libtorch.lock.json', import.meta.url);
  return JSON.parse(readFileSync(file, 'utf8')) as LibtorchLock;
}

/**
 * Whether `version` (such as `2.13.0` or `2.12.1+cu130`) is in the supported range.
 * Only major and minor count: libtorch keeps its C++ interface within a minor release.
 */
export function acceptsVersion(lock: LibtorchLock, version: string): boolean {
  const { from, to } = lock.accepts;
  return isWithin(version, `${from} - ${to}`);
}

/** Whether a version is in a range of semver; a suffix such as `a0` or `+cu130` is ignored. */
function isWithin(version: string, range: string): boolean {
  const release = coerce(version);
  return release !== null && satisfies(release, range);
}

/** Whether two versions are of one minor release, within which libtorch keeps its C++ interface. */
export function sameRelease(one: string, other: string): boolean {
  const release = coerce(other);
  return release !== null && isWithin(one, `${release.major}.${release.minor}`);
}
