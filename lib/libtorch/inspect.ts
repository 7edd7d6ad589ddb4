/**
 * Inspects a libtorch folder: version, build (CPU or CUDA), and whether a program can be built with it.
 * @module
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Flavour } from './types.js';

/** Result of {@link inspectLibtorch}. */
export interface LibtorchInfo {
  /** Such as `2.13.0`, without the `+cpu` of the wheel's name. */
  version: string;
  flavour: Flavour;
}

// Since 2.9 the numbers are in headeronly/; older releases have them in the public header.
const VERSION_HEADERS = [
  'include/torch/headeronly/version.h',
  'include/torch/csrc/api/include/torch/version.h',
  'include/torch/version.h',
];

/**
 * Reads a libtorch folder: an unpacked libtorch archive, or the `torch` folder of a Python installation.
 *
 * @param dir - Holds `lib/` and `include/`.
 * @returns The result, or a sentence that names the missing part.
 */
export function inspectLibtorch(
  dir: string,
  platform: NodeJS.Platform = process.platform,
): LibtorchInfo | string {
  if (!existsSync(dir)) return 'the folder does not exist';
  for (const file of [`lib/${libraryName('torch_cpu', platform)}`, 'include/ATen/ATen.h']) {
    if (!existsSync(join(dir, file))) return `${file} is missing`;
  }
  const version = headerVersion(dir) ?? buildVersion(dir);
  if (!version) return 'no version is found in include/torch/headeronly/version.h or build-version';
  const cuda = existsSync(join(dir, 'lib', libraryName('torch_cuda', platform)));
  return { version, flavour: cuda ? 'cuda' : 'cpu' };
}

/** File name of a shared library, such as `libtorch_cpu.so`; on Windows the import library. */
export function libraryName(name: string, platform: NodeJS.Platform = process.platform): string {
  if (platform === 'win32') return `${name}.lib`;
  return `lib${name}.${platform === 'darwin' ? 'dylib' : 'so'}`;
}

function headerVersion(dir: string): string | undefined {
  for (const header of VERSION_HEADERS) {
    const file = join(dir, header);
    if (!existsSync(file)) continue;
    const text = readFileSync(file, 'utf8');
    const numbers = ['MAJOR', 'MINOR', 'PATCH'].map(
      (part) => new RegExp(`#define\\s+TORCH_VERSION_${part}\\s+(\\d+)`).exec(text)?.[1],
    );
    if (numbers.every((number) => number !== undefined)) return numbers.join('.');
  }
  return undefined;
}

/** The official archives have a file with their version, such as `2.13.0+cpu`. */
function buildVersion(dir: string): string | undefined {
  const file = join(dir, 'build-version');
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split('+')[0] || undefined : undefined;
}
