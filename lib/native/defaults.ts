/**
 * Defaults that depend on the container, number of threads and memory, and how long threads wait for each other before they sleep. All
 * are set when the add-on is loaded: libgomp, whose threads libtorch and the kernels use, reads its settings once, when
 * it is loaded.
 * @module
 */
import { isMainThread } from 'node:worker_threads';
import { cpuQuota, memoryLimit, type ReadFile } from '../control-groups.js';

/**
 * The largest useful number of threads under the CPU quota, or undefined if the environment sets a number or there is no
 * quota. Rounded down, because a process that exceeds the quota is stopped, and then all threads wait.
 */
export function threadLimit(env: NodeJS.ProcessEnv = process.env, read?: ReadFile): number | undefined {
  if (process.platform !== 'linux' || env.OMP_NUM_THREADS || env.MKL_NUM_THREADS) return undefined;
  const quota = cpuQuota(read);
  return quota === undefined ? undefined : Math.max(1, Math.floor(quota));
}

/** Default limits of the memory of tensors, in bytes. */
export interface MemoryLimits {
  /** For tensors in use. */
  memoryLimit: number;
  /** For memory that is kept for reuse. */
  cacheLimit: number;
}

const RESERVE = 256 * 2 ** 20;

/**
 * The default limits under a memory limit of the control groups; undefined without one. Beyond that limit the kernel ends the
 * process without an error, so tensors get all of it but a reserve for Node.js and libtorch themselves: 256 MB, at most a
 * quarter. As on a machine without a limit, an eighth may be kept for reuse, and the same reserve at least.
 */
export function memoryLimits(read?: ReadFile, machine?: number): MemoryLimits | undefined {
  if (process.platform !== 'linux') return undefined;
  const limit = memoryLimit(read, machine);
  if (limit === undefined) return undefined;
  const reserve = Math.min(RESERVE, Math.floor(limit / 4));
  return { memoryLimit: limit - reserve, cacheLimit: Math.max(Math.floor(limit / 8), reserve) };
}

/**
 * Number of iterations of the loop in which a thread waits for the others before it sleeps; a thousand take some microseconds. libgomp's own
 * default is 300,000: if the core of one thread is used by another process, the waiting threads then waste the
 * rest of their time at every parallel loop.
 */
const SPIN_COUNT = '1000';

/**
 * Calls `load` with bounded spinning of libgomp, unless the environment sets it. The variable is set only
 * while libgomp is loaded, so child processes do not inherit it. A worker thread has its own environment, which
 * libgomp does not read: there the environment of the process decides, unless the main thread loaded the add-on before.
 */
export function withBoundedSpinning<T>(load: () => T, env: NodeJS.ProcessEnv = process.env): T {
  if (!isMainThread || env.GOMP_SPINCOUNT !== undefined || env.OMP_WAIT_POLICY !== undefined) return load();
  env.GOMP_SPINCOUNT = SPIN_COUNT;
  try {
    return load();
  } finally {
    delete env.GOMP_SPINCOUNT;
  }
}
