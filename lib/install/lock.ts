/**
 * The lock file that pins libtorch: which version, from which file, with which checksum.
 * @module
 */
import { readFileSync } from 'node:fs';
// Single functions: this module is loaded with the library, and the index of semver loads 45 files.
import coerce from 'semver/functions/coerce.js';
import satisfies from 'semver/functions/satisfies.js';

/** A file whose content is known beforehand. */
export interface PinnedFile {
  /** Its address; `{base}` stands for {@link LibtorchLock.base}, {@link LibtorchLock.zipBase}, or the user's mirror. */
  url: string;
  /** Its name, as pip saves it too. */
  file: string;
  /** Size in bytes, where it is published. */
  size?: number | undefined;
  /** SHA-256 in hexadecimal. */
  sha256: string;
}

/** What is pinned for one platform and flavour: a PyTorch wheel, and the libtorch archive of the same release. */
export interface LibtorchArtifact extends PinnedFile {
  /** Whether somebody has built and tested dyconv with it. */
  tried: boolean;
  /** The libtorch archive, without Python, where there is one. */
  zip?: PinnedFile | undefined;
  /** How pip is asked for the same wheel. */
  pip: { requirement: string; pythonVersion: string };
  /** The files of `lib` without which nothing runs. Of a platform that was not tried, all the others are kept too. */
  libraries: string[];
}

/** `libtorch.lock.json`. */
export interface LibtorchLock {
  /** The version that is fetched. */
  version: string;
  /** The releases (major.minor, both ends included) that are accepted from a user who brings his own. */
  accepts: { from: string; to: string };
  /** Where the official wheels lie. */
  base: string;
  /** Where the official libtorch archives lie. */
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
 * Whether `version` (such as `2.13.0` or `2.12.1+cu130`) lies in the accepted range.
 * Only major and minor count: libtorch keeps its C++ interface within a minor release.
 */
export function acceptsVersion(lock: LibtorchLock, version: string): boolean {
  const { from, to } = lock.accepts;
  return isWithin(version, `${from} - ${to}`);
}

/** Whether a version lies in a range of semver; what comes behind the numbers, such as `a0` or `+cu130`, does not count. */
function isWithin(version: string, range: string): boolean {
  const release = coerce(version);
  return release !== null && satisfies(release, range);
}

/** Whether two versions are of one minor release, within which libtorch keeps its C++ interface. */
export function sameRelease(one: string, other: string): boolean {
  const release = coerce(other);
  return release !== null && isWithin(one, `${release.major}.${release.minor}`);
}
