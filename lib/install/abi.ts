/**
 * Whether the add-on can be linked with a libtorch that the user provides: its architecture, C library and C++ interface. A wrong
 * one would otherwise fail after minutes of compiling, in the words of the linker.
 * @module
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { libcProblem } from './libc.js';
import type { Machine } from './platform.js';

/** `e_machine` of ELF files, by architecture of Node.js. */
const ELF_MACHINES: Record<string, number> = {
  x64: 62,
  arm64: 183,
  ppc64: 21,
  s390x: 22,
  riscv64: 243,
  loong64: 258,
};

/** Architectures in the names of wheels. */
const WHEEL_ARCHITECTURES: Record<string, string> = {
  x86_64: 'x64',
  amd64: 'x64',
  aarch64: 'arm64',
  arm64: 'arm64',
};

/**
 * What keeps the add-on from being linked with a libtorch; undefined if nothing is known against it. Libraries of Linux are
 * looked into, others not.
 * @param dir - Holds `lib/`.
 */
export function abiProblem(dir: string, { target, libc }: Machine): string | undefined {
  const file = join(dir, 'lib', 'libc10.so');
  const [platform, arch = ''] = target.split('-');
  if (platform !== 'linux' || !existsSync(file)) return undefined;
  const content = readFileSync(file);
  if (content.toString('latin1', 0, 4) !== '\x7fELF' || content.length < 20) return undefined;
  const machine = content[5] === 2 ? content.readUInt16BE(18) : content.readUInt16LE(18);
  if (arch in ELF_MACHINES && machine !== ELF_MACHINES[arch]) {
    const other = Object.keys(ELF_MACHINES).find((name) => ELF_MACHINES[name] === machine);
    return `its libraries are for ${other ?? `machine ${machine} of ELF`}, and this Node.js is for ${arch}`;
  }
  const forMusl = content.includes('libc.musl-');
  if (libc && forMusl !== (libc.family === 'musl')) {
    return `its libraries are for ${forMusl ? 'musl' : 'glibc'}, and this system has ${libc.family}`;
  }
  // c10::Error has std::string in its names: std::__cxx11::basic_string in the interface that GCC has had by default since version 5.
  if (!content.includes('NSt7__cxx11'))
    return 'its libraries are not built with the C++11 interface of libstdc++ (_GLIBCXX_USE_CXX11_ABI=1)';
  return undefined;
}

/**
 * Why a wheel does not fit a machine, by its name, before it is unpacked; undefined if nothing is known against it.
 * @param file - Such as `torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl`. Archives have no such names.
 */
export function wheelProblem(file: string, { target, libc }: Machine): string | undefined {
  const [, system = '', arch = ''] =
    /-(manylinux|linux|macosx|win)[\d_]*_(x86_64|amd64|aarch64|arm64)\.whl$/.exec(file) ?? [];
  if (system === '') return undefined;
  const platform = { manylinux: 'linux', linux: 'linux', macosx: 'darwin', win: 'win32' }[system];
  const made = `${platform}-${WHEEL_ARCHITECTURES[arch]}`;
  return made === target ? libcProblem(file, libc) : `it is for ${made}, and this Node.js is for ${target}`;
}
