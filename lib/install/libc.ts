/**
 * The C library of a Linux system. libtorch is published for glibc alone, from the release on that its wheels name.
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
 * Whether a wheel runs with a C library.
 * @param wheel - Its file name, which holds such as `manylinux_2_28`: glibc 2.28 or later.
 * @returns What is wrong, as a sentence; undefined where nothing is, or where it is not known.
 */
export function libcProblem(wheel: string, libc: Libc | undefined): string | undefined {
  const [, major, minor] = /manylinux_(\d+)_(\d+)/.exec(wheel) ?? [];
  if (major === undefined || libc === undefined) return undefined;
  const version = coerce(libc.version);
  const fits = libc.family === GLIBC && (version === null || satisfies(version, `>=${major}.${minor}`));
  return fits
    ? undefined
    : `libtorch needs glibc ${major}.${minor} or later, and this system has ${libcText(libc)}`;
}

/** The fix for {@link libcProblem}. */
export const LIBC_FIX =
  'use a Linux distribution with a later glibc, such as the image node:22-slim, or set LIBTORCH to a libtorch built for this one';
