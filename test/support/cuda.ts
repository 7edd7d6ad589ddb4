/**
 * For tests that need a GPU: they are skipped without one, with the reason in their name.
 * @module
 */
import { describe } from 'vitest';
import { cuda, dynamicConv2d } from '../../lib/index.js';
import { native } from '../../lib/tensor/tensor.js';

function reason(kernels: boolean): string | undefined {
  if (!native.cudaBuilt()) return 'libtorch is a CPU build';
  if (!cuda.isAvailable()) return 'no CUDA device';
  return kernels && !cuda.hasKernels() ? 'the add-on was built without nvcc' : undefined;
}

/** The algorithms for tensors on the CPU; those for GPUs are included only in a build that emulates CUDA. */
export function cpuAlgorithms(): ReturnType<typeof dynamicConv2d.algorithms> {
  return dynamicConv2d.algorithms().filter((name) => !native.cudaBuilt() || !name.endsWith('-cuda'));
}

/** `describe` for the CUDA part of a suite. @param options.kernels - Whether dyconv's CUDA kernels are needed. */
export function describeOnCuda(
  name: string,
  body: () => void,
  { kernels = false }: { kernels?: boolean } = {},
): void {
  const why = reason(kernels);
  if (why === undefined) describe(name, body);
  else describe.skip(`${name} (skipped: ${why})`, body);
}
