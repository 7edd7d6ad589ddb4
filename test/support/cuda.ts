/**
 * For tests that need a GPU: skipped where there is none, with the reason in their name.
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

/** The algorithms that take tensors on the CPU: those for GPUs do so only in a build that emulates CUDA. */
export function cpuAlgorithms(): ReturnType<typeof dynamicConv2d.algorithms> {
  return dynamicConv2d.algorithms().filter((name) => !native.cudaBuilt() || !name.endsWith('-cuda'));
}

/** `describe` for the CUDA half of a suite. @param options.kernels - Whether dyconv's own CUDA kernels are needed. */
export function describeOnCuda(
  name: string,
  body: () => void,
  { kernels = false }: { kernels?: boolean } = {},
): void {
  const why = reason(kernels);
  if (why === undefined) describe(name, body);
  else describe.skip(`${name} (skipped: ${why})`, body);
}
