/**
 * The C library of a Linux system. libtorch is published only for glibc, from the release that its wheels name.
 * @module
 */
import { familySync, GLIBC, versionSync } from 'detect-libc';
import coerce from 'semver/functions/coerce.js';
import satisfies from 'semver/functions/satisfies.js';

/** A C library. */
export interface Libc {
  /** Such as `glibc` or `musl`. */
  family: string;
  /** Such as `2.36`; undefined where it is not known. */
  version?: string | undefined;
}

/** The C library of this machine; undefined where it is not known, and on other systems than Linux. */
export function detectLibc(): Libc | undefined {
  const family = familySync();
  return family === null ? undefined : { family, version: versionSync() ?? undefined };
}

/** A C library as text: `glibc 2.36`. */
export function libcText({ family, version }: Libc): string {
  return version === undefined ? family : `${family} ${version}`;
}

/**
 * Whether a program that was linked with glibc runs with a C library.
 * @param program - Named in the result, such as `libtorch`.
 * @param glibc - The release that it needs, such as `2.28`.
 * @returns What is wrong, as a sentence; undefined where nothing is, or where it is not known.
 */
export function glibcProblem(program: string, glibc: string, libc: Libc | undefined): string | undefined {
  if (libc === undefined) return undefined;
  const version = coerce(libc.version);
  if (libc.family === GLIBC && (version === null || satisfies(version, `>=${glibc}`))) return undefined;
  return `${program} needs glibc ${glibc} or later, and this system has ${libcText(libc)}`;
}

/**
 * Whether a wheel of libtorch runs with a C library.
 * @param wheel - Its file name, which holds such as `manylinux_2_28`: glibc 2.28 or later.
 * @returns As of {@link glibcProblem}.
 */
export function libcProblem(wheel: string, libc: Libc | undefined): string | undefined {
  const [, major, minor] = /manylinux_(\d+)_(\d+)/.exec(wheel) ?? [];
  return major === undefined ? undefined : glibcProblem('libtorch', `${major}.${minor}`, libc);
}

/** The fix for {@link libcProblem}. */
export function libcFix({ family }: Libc): string {
  const system = family === GLIBC ? 'a later Linux distribution' : 'a Linux distribution with glibc';
  return `use ${system} (in a Dockerfile: FROM node:22-slim), or set LIBTORCH to a libtorch built for this system`;
}
