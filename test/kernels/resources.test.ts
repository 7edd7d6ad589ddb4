// What the CUDA compiler says of the kernels: registers that spill to memory make a kernel slow.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const kernels = fileURLToPath(new URL('../../cpp', import.meta.url));
const version = spawnSync('nvcc', ['--version'], { encoding: 'utf8' });
const hasNvcc = version.status === 0;

interface Resources {
  kernel: string;
  registers: number;
  spilled: number;
}

/** ptxas tells the name, then the stack and spills, then the registers of each kernel. */
function resourcesOf(file: string, arch: string): Resources[] {
  const folder = mkdtempSync(join(tmpdir(), 'dyconv-nvcc-'));
  try {
    const flags = ['-std=c++20', '-O3', `-arch=${arch}`, '-cubin', '-Xptxas=-v', `-I${kernels}`];
    const source = join(kernels, 'kernels', 'cuda', file);
    const child = spawnSync('nvcc', [...flags, source, '-o', join(folder, 'kernels.cubin')], {
      encoding: 'utf8',
    });
    expect(child.status, child.stderr).toBe(0);
    const said = `${child.stdout}${child.stderr}`;
    const each =
      /Compiling entry function '(\w+)'[\s\S]*?(\d+) bytes spill stores[\s\S]*?Used (\d+) registers/g;
    return [...said.matchAll(each)].map(([, kernel, spilled, registers]) => ({
      kernel: kernel!,
      registers: Number(registers),
      spilled: Number(spilled),
    }));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

describe.skipIf(!hasNvcc)(`nvcc${hasNvcc ? '' : ' (skipped: nvcc is not on PATH)'}`, () => {
  it.each([
    ['mix.cu', 20],
    ['dynamic_conv.cu', 12],
    ['dynamic_conv_weights.cu', 12],
    ['routing.cu', 5],
    ['augment.cu', 3],
  ])('compiles %s without spills', { timeout: 300_000 }, (file, atLeast) => {
    const found = resourcesOf(file, 'sm_80');
    expect(found.length).toBeGreaterThanOrEqual(atLeast);
    expect(found.filter(({ spilled }) => spilled > 0)).toEqual([]);
    // Blocks of 256 threads: two of them fit into the 65,536 registers of a multiprocessor.
    expect(found.filter(({ registers }) => registers > 128)).toEqual([]);
  });
});
