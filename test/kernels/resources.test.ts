// Resource usage of the CUDA kernels reported by the compiler: registers that spill to memory make a kernel
// slow.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { limit } from '../support/limit.js';

const kernels = fileURLToPath(new URL('../../cpp', import.meta.url));
const version = spawnSync('nvcc', ['--version'], { encoding: 'utf8' });
const hasNvcc = version.status === 0;

interface Resources {
  kernel: string;
  registers: number;
  spilled: number;
}

/** Runs nvcc on a file of kernels; returns its messages and its output. */
function compile(file: string, ...flags: string[]): { said: string; written: Buffer } {
  const folder = mkdtempSync(join(tmpdir(), 'dyconv-nvcc-'));
  try {
    const [source, result] = [join(kernels, 'kernels', 'cuda', file), join(folder, 'result')];
    const args = ['-std=c++20', '-O3', `-I${kernels}`, ...flags, source, '-o', result];
    const child = spawnSync('nvcc', args, { encoding: 'utf8' });
    expect(child.status, child.stderr).toBe(0);
    return { said: `${child.stdout}${child.stderr}`, written: readFileSync(result) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** ptxas prints for each kernel the name, then the stack and spills, then the registers. */
function resourcesOf(file: string, arch: string): Resources[] {
  const { said } = compile(file, `-arch=${arch}`, '-cubin', '-Xptxas=-v');
  const each =
    /Compiling entry function '(\w+)'[\s\S]*?(\d+) bytes spill stores[\s\S]*?Used (\d+) registers/g;
  return [...said.matchAll(each)].map(([, kernel, spilled, registers]) => ({
    kernel: kernel!,
    registers: Number(registers),
    spilled: Number(spilled),
  }));
}

describe.skipIf(!hasNvcc)(`nvcc${hasNvcc ? '' : ' (skipped: nvcc is not on PATH)'}`, () => {
  it.each([
    ['mix.cu', 20],
    ['dynamic_conv.cu', 12],
    ['dynamic_conv_weights.cu', 12],
    ['routing.cu', 5],
    ['augment.cu', 3],
  ])('compiles %s without spills', { timeout: limit(300_000) }, (file, atLeast) => {
    const found = resourcesOf(file, 'sm_80');
    expect(found.length).toBeGreaterThanOrEqual(atLeast);
    expect(found.filter(({ spilled }) => spilled > 0)).toEqual([]);
    // gpu-check has compute-sanitizer look at kernels with this in their names.
    expect(found.filter(({ kernel }) => !kernel.includes('dyconv'))).toEqual([]);
    // Blocks of 256 threads: two of them fit into the 65,536 registers of a multiprocessor.
    expect(found.filter(({ registers }) => registers > 128)).toEqual([]);
  });

  // The tensor-core instructions that each GPU supports, and no others.
  it.each([
    ['sm_75', 'dynamic_conv.cu', ['f16']],
    ['sm_80', 'dynamic_conv.cu', ['bf16', 'f16', 'tf32']],
    ['sm_80', 'dynamic_conv_weights.cu', ['bf16', 'f16', 'tf32']],
  ])('for %s, %s multiplies on tensor cores', { timeout: limit(300_000) }, (arch, file, expected) => {
    const ptx = compile(file, `-arch=${arch}`, '-ptx').written.toString();
    // For float16, the instruction only names the type of the sums.
    const tiles = [...ptx.matchAll(/wmma\.mma\.sync\S*\.m16n16k\d+\.f32(?:\.(bf16|tf32))?\b/g)];
    expect([...new Set(tiles.map(([, type]) => type ?? 'f16'))].sort()).toEqual(expected);
  });
});
