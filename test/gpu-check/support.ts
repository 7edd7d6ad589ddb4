/** A machine with an NVIDIA GPU made of small programs on PATH and of empty files. */
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder, versionHeader, writeTree } from '../install/support.js';

/** A module of scripts/gpu-check. */
export const load = (name: string) =>
  import(new URL(`../../scripts/gpu-check/${name}.js`, import.meta.url).href);

/** What differs from a machine on which the check runs. */
export interface Fakes {
  /** The line of nvidia-smi: name, driver, memory, free memory, capability. null: not installed. */
  gpu?: string | null;
  /** Shell code of nvidia-smi in place of the line. */
  nvidiaSmi?: string;
  /** CUDA version of nvcc. */
  nvcc?: string;
  /** Major CUDA version of the libraries of libtorch. */
  runtime?: string;
  /** Version of libtorch. */
  libtorch?: string;
  /** Whether libtorch is a build for CPUs. */
  cpuBuild?: boolean;
  /** More programs: their shell code. */
  programs?: Record<string, string>;
}

export const H200 = 'NVIDIA H200, 580.65.06, 143771, 143100, 9.0';

/** The environment of a machine; programs of this machine are not on its PATH. */
export function fakeMachine(fakes: Fakes = {}): Record<string, string> & { PATH: string; LIBTORCH: string } {
  const { gpu = H200, nvcc = '13.0', runtime = '13', libtorch = '2.14.0', cpuBuild = false } = fakes;
  const folder = temporaryFolder();
  const programs: Record<string, string> = {
    'c++': 'echo "c++ (Debian 12.2.0-14) 12.2.0"',
    cmake: 'echo "cmake version 3.25.1"',
    nvcc: `echo "Cuda compilation tools, release ${nvcc}, V${nvcc}.1"`,
    python3: 'echo 2.14.0+cu130',
    ...(gpu !== null && { 'nvidia-smi': fakes.nvidiaSmi ?? `echo "${gpu}"` }),
    ...fakes.programs,
  };
  const bin = Object.entries(programs).map(([name, code]) => [`bin/${name}`, `#!/bin/sh\n${code}\n`]);
  const headers = [
    'cuda/include/cuda_runtime_api.h',
    'cuda/include/crt/host_config.h',
    'include/ATen/ATen.h',
  ];
  const libraries = ['lib/libtorch_cpu.so', ...(cpuBuild ? [] : ['lib/libtorch_cuda.so'])];
  const files = [...headers, ...libraries, `lib/libcudart.so.${runtime}`].map((name) => [
    `libtorch/${name}`,
    '',
  ]);
  writeTree(folder, {
    ...Object.fromEntries([...bin, ...files]),
    'libtorch/include/torch/headeronly/version.h': versionHeader(libtorch),
  });
  for (const name of Object.keys(programs)) chmodSync(join(folder, 'bin', name), 0o755);
  return { PATH: join(folder, 'bin'), LIBTORCH: join(folder, 'libtorch') };
}

/** What lookAtMachine() finds, for parts that do not look at it. */
export const machine = {
  gpu: { name: 'NVIDIA H200', driver: '580.65.06', memory: 143_771, freeMemory: 143_100, capability: '9.0' },
  gpus: 1,
  assumed: false,
  libtorch: { dir: '/libtorch', version: '2.14.0', flavour: 'cuda', source: 'LIBTORCH' },
  cuda: '13',
  nvcc: '13.0',
  python: 'python3',
  torch: '2.14.0+cu130',
  sanitizer: '/usr/local/cuda/bin/compute-sanitizer',
  env: { DYCONV_CUDA_ARCH: '90' },
};
